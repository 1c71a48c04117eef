"""A run's results as Markdown for a model card: first the paired difference, last how to repeat the run."""

from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path
from shlex import quote

from common.text import counted
from eval.problems.prompts import BENCHMARK
from eval.results.cells import CELL_OUTCOMES
from eval.results.comparison import (
    Breakdown,
    Comparison,
    SideSummary,
    build_comparison,
    headline,
    interval,
    points,
    stated_note,
)
from eval.results.samples import Results, Side
from eval.results.transplanted import transplanted
from eval.runs.log import RunInfo, RunLog
from eval.statistics.metrics import Estimate

EACH_ALONE = "Each interval holds for its own line: about one in twenty misses the true value by chance."
OUTCOMES = {
    "wrong": "wrong",
    "no_answer": "no answer",
    "grader_failed": "grader failed",
    "failed": "request failed",
    "too_long": "prompt too long",
    "ungraded": "not graded",
}


def run_report(runs: Path, run_id: str) -> str:
    """The report on a run's two sides, one section a benchmark. Raises DataError for an unknown run."""
    log = RunLog.open(runs, run_id)
    golds = faulty_golds(log)
    by_run = {} if golds is None else {run_id: golds}
    text = report([log.info()], run_comparisons(runs, run_id), by_run, log.left_out())
    transplants = transplanted(log)
    return f"{text}\nAnswers from transplanted thoughts:\n\n{transplants}\n" if transplants else text


def run_comparisons(runs: Path, run_id: str) -> list[Comparison]:
    """A run's two sides compared, one comparison a benchmark. Raises DataError for an unknown run."""
    info = RunLog.open(runs, run_id).info()
    base, distilled = (Side(run_id, info.sides[r].model) if r in info.sides else Side(run_id, "")
                       for r in ("base", "distilled"))  # fmt: skip
    results = Results(runs, [run_id])
    titles = tuple(info.sides[r].title if r in info.sides else "–" for r in ("base", "distilled"))
    return [
        build_comparison(results.rows(base, d.name), results.rows(distilled, d.name), (titles[0], titles[1]), d.name)
        for d in info.data
    ]


def report(
    infos: Sequence[RunInfo],
    comparisons: Sequence[Comparison],
    golds: Mapping[str, Sequence[str]] | None = None,
    left_out: Sequence[str] = (),
) -> str:
    """Markdown for comparisons of samples from these runs; `golds`: by run, the golds that fail against themselves;
    `left_out`: sentences about unusable rows."""
    sections = [_section(c, _title(infos, c.benchmark), unfinished(infos, c)) for c in comparisons]
    sections += differences(infos)
    provenance = [_how(info, (golds or {}).get(info.id)) for info in infos]
    return "\n\n".join([*sections, *provenance, *left_out]) + "\n"


def data_lines(infos: Sequence[RunInfo], benchmark: str = "") -> list[str]:
    """One line per set and run: the number of problems, hash and source of the set, and any warning about it; and one
    per run that took over the answers of another."""
    lines = [
        f"{data.title}: {data.problems} of {data.size} problems, sha256 {data.sha256[:12]}…, {data.source}."
        + (f" {data.warning}" if data.warning else "")
        for info in infos
        for data in info.data
        if benchmark in ("", data.name)
    ]
    extended = dict.fromkeys(info.extends for info in infos if info.extends)
    return lines + [f"Extends run {run}, whose answers it took over." for run in extended]


def differences(infos: Sequence[RunInfo]) -> list[str]:
    """What differs between two compared runs besides the model, and so may also explain a difference."""
    if len(infos) < 2:
        return []
    first, second = infos[0], infos[1]
    imported = sum(info.origin != "run" for info in (first, second))
    if imported:
        which = "One side was" if imported == 1 else "Both sides were"
        return [f"{which} imported, so its sampling settings are not known."]
    hashes = {data.name: data.sha256 for data in first.data}
    copies = [
        f"The runs hold different copies of {data.title}: two problems of one name may not be the same."
        for data in second.data
        if hashes.get(data.name, data.sha256) != data.sha256
    ]
    names = ("samples", "max_tokens", "thinking_budget", "temperature", "top_p", "seed")
    pairs = [(name.replace("_", " "), getattr(first.config, name), getattr(second.config, name)) for name in names]
    pairs.append(("prompt", first.prompt, second.prompt))
    pairs.append(("turns before the question", f"“{_turns(first)}”", f"“{_turns(second)}”"))
    return copies + [f"The runs differ in {name}: {a} and {b}." for name, a, b in pairs if a != b]


def _turns(info: RunInfo) -> str:
    return " / ".join(turn.content for turn in info.history) or "none"


def unfinished(infos: Sequence[RunInfo], c: Comparison) -> list[str]:
    """A warning while answers of a run made here are still missing: short answers finish first."""
    missing = []
    for name, side, info in (("base", c.base, infos[0]), ("distilled model", c.distilled, infos[-1])):
        planned = sum(data.problems for data in info.data if c.benchmark in ("", data.name)) * info.config.samples
        if info.origin == "run" and side.samples < planned:
            missing.append(f"{side.samples:,} of {planned:,} answers of the {name}")
    if not missing:
        return []
    return [f"Incomplete: {', '.join(missing)} so far. Short answers finish first, so the figures will change."]


def faulty_golds(log: RunLog) -> list[str] | None:
    """Problem ids whose gold answer fails against itself; None when they were not checked."""
    for row in log.rows("golds"):
        return [str(fault.get("problem_id", "")) for fault in row["faults"]]
    return None


def _title(infos: Sequence[RunInfo], benchmark: str) -> str:
    titles = {data.name: data.title for info in infos for data in info.data}
    return titles.get(benchmark, benchmark or "All sets together")


def _section(c: Comparison, title: str, warnings: Sequence[str]) -> str:
    parts = [f"## {title}", f"**{headline(c)}**", *warnings]
    if c.left_out:
        parts.append(
            f"Left out of the difference: {c.left_out} of {len(c.cells)} problems, without a verdict on both sides."
        )
    parts.append(_table(["", "base", "distilled"], summary_rows(c)))
    counts = ", ".join(
        f"{sum(cell.outcome == verdict for cell in c.cells)} {words}" for verdict, words in CELL_OUTCOMES.items()
    )
    parts.append(f"Problems: {counts}.")
    if note := stated_note(c):
        parts.append(note)
    if flags := c.base.flags + c.distilled.flags:
        parts.append(f"People flagged {counted(flags, 'grade')} as wrong; no number here changes for that.")
    for name, rows in (("subject", c.by_subject), ("level", c.by_level)):
        if len(rows) > 1:
            parts.append(_table([name, "problems", "base", "distilled", "difference (points)"], breakdown_rows(rows)))
            parts.append(EACH_ALONE)
    if c.paired:
        parts.append(f"Method: {c.paired.method}; accuracy: {c.base.accuracy.method}.")
    return "\n\n".join(parts)


def summary_rows(c: Comparison) -> list[list[str]]:
    """The published figures as text, one row per measure, with base and distilled side by side."""
    rows: list[list[str]] = [["model", c.base.title, c.distilled.title]]

    def add(name: str, form: str, *values: float) -> None:
        sides = zip(values, (c.base, c.distilled), strict=True)
        rows.append(
            [name, *(form.format(value) if side.samples and not isnan(value) else "–" for value, side in sides)]
        )

    def measured(name: str, form: str, *values: float) -> None:
        """Add a row; 0 shows as a dash, since outputs made elsewhere may lack counts and times."""
        rows.append([name, *(form.format(value) if value else "–" for value in values)])

    rows.append(["accuracy, 95 % interval", share(c.base.accuracy), share(c.distilled.accuracy)])
    rows.append(["samples", *(f"{s.samples} ({s.problems} problems)" for s in (c.base, c.distilled))])
    rows.append(["not correct", *(_outcomes(s) for s in (c.base, c.distilled))])
    measured("mean output tokens", "{:,.0f}", c.base.output_tokens, c.distilled.output_tokens)
    for name, count in (("  thought", "thought_tokens"), ("  answer", "answer_tokens")):
        values = (getattr(s, count) if s.output_tokens else None for s in (c.base, c.distilled))
        rows.append([name, *("–" if value is None else f"{value:,.0f}" for value in values)])
    add("cut off by the token limit", "{:.1%}", c.base.cut_share, c.distilled.cut_share)
    add("no answer found", "{:.1%}", c.base.no_answer_share, c.distilled.no_answer_share)
    if c.lenient and c.form_matters:
        add("accuracy, lenient: else the last number", "{:.1%}", c.lenient.base, c.lenient.distilled)
    measured("seconds an answer", "{:.1f}", c.base.seconds, c.distilled.seconds)
    measured("tokens/s, all requests", "{:,.0f}", c.base.tokens_per_second, c.distilled.tokens_per_second)
    sides = (c.base, c.distilled)
    passed = sorted({*c.base.pass_at} & {*c.distilled.pass_at} - {1})
    rows += [[f"pass@{k}", *(f"{s.pass_at[k]:.1%}{_basis(s, k)}" for s in sides)] for k in passed]
    voted = sorted({*c.base.maj_at} & {*c.distilled.maj_at})
    rows += [[f"maj@{k} (ties lost – won)", *(_vote(s, k) for s in sides)] for k in voted]
    return rows


def _vote(side: SideSummary, k: int) -> str:
    estimate = side.maj_at[k]
    return f"{estimate.expected:.1%} ({estimate.low:.1%} – {estimate.high:.1%}){_basis(side, k)}"


def _basis(side: SideSummary, k: int) -> str:
    """How many problems a figure at k is based on, if some have too few verdicts for it; otherwise empty."""
    count = side.problems_at[k]
    return "" if count == side.accuracy.n else f" ({count:,} of {side.accuracy.n:,} problems)"


def _outcomes(side: SideSummary) -> str:
    return (
        ", ".join(f"{side.outcomes[key]} {words}" for key, words in OUTCOMES.items() if side.outcomes.get(key)) or "–"
    )


def share(estimate: Estimate) -> str:
    if estimate.n == 0:
        return "–"
    return f"{estimate.value:.1%} [{estimate.low:.1%}, {estimate.high:.1%}]"


def breakdown_rows(groups: Sequence[Breakdown]) -> list[list[str]]:
    return [
        [
            g.key,
            str(g.paired.problems),
            f"{g.paired.base:.1%}",
            f"{g.paired.distilled:.1%}",
            f"{points(g.paired.difference)} {interval(g.paired)}",
        ]
        for g in groups
    ]


def _how(info: RunInfo, golds: Sequence[str] | None) -> str:
    c = info.config
    rows = [
        ["run", f"{info.id}, {info.created_at}"],
        ["made by", info.origin if info.origin != "run" else "this product"],
        *([["extends", f"run {info.extends}, whose answers it took over"]] if info.extends else []),
    ]
    for data in info.data:
        drawn = f"{data.problems} of {data.size}" if data.problems != data.size else f"all {data.size}"
        rows.append(
            [
                data.title,
                f"{drawn} problems, sha256 {data.sha256}, {data.source}"
                + (f". {data.warning}" if data.warning else ""),
            ]
        )
    if golds is not None:
        rows.append(["gold answers not graded equal to themselves", ", ".join(golds) or "none"])
    for role, side in info.sides.items():
        numbers = f", {side.served} at its server" if side.served else ""
        numbers += f", computed in {side.precision}" if side.precision else ""
        numbers += f", at most {side.max_tokens:,} tokens, as its context allows" if side.max_tokens else ""
        rows.append([role, f"{side.title} ({side.model}), weights {side.weight_hash or 'not known'}{numbers}"])
    if info.origin == "run":
        limit = f", {c.thinking_budget} for the thought" if c.thinking_budget else ""
        sampling = f"{c.samples} a problem, temperature {c.temperature:g}, top-p {c.top_p:g}, seed {c.seed}"
        rows += [
            ["prompt", f"`{info.prompt}`".replace("\n", "⏎")],
            *([["turns before it", _turns(info)]] if info.history else []),
            ["sampling", f"{sampling}, at most {c.max_tokens} tokens{limit}"],
            ["configuration hash", info.config_hash],
            ["machine profile", info.profile or "not known"],
            ["software", ", ".join(f"{name} {number}" for name, number in info.versions.items())],
            ["repeat it", f"`{command(info)}`"],
        ]
    return f"### How run {info.id} was made\n\n" + _table(["", ""], rows)


def command(info: RunInfo) -> str:
    """The command line that repeats this run."""
    c = info.config
    parts = [
        "arena run",
        f"--pair {c.pair}",
        *(f"--benchmark {quote(name)}" for name in c.benchmarks),
    ]
    parts += [f"--samples {c.samples}", f"--max-tokens {c.max_tokens}", f"--temperature {c.temperature:g}"]
    parts += [f"--top-p {c.top_p:g}", f"--seed {c.seed}"]
    if c.problems is not None:
        parts.append(f"--problems {c.problems}")
    if c.thinking_budget is not None:
        parts.append(f"--thinking-budget {c.thinking_budget}")
    if c.prompting != BENCHMARK:
        parts.append(f"--prompting {c.prompting}")
    return " ".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)

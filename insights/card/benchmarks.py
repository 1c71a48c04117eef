"""What a pair's benchmark runs say: sets, subjects and levels, tokens, and what its thoughts are made of."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common.text import counted
from eval.results.comparison import Breakdown, Comparison, interval, p_of, points
from eval.results.overview import SetResult, overview
from eval.results.report import run_comparisons
from eval.results.samples import Results, Side
from eval.runs.log import ROLES, RunInfo, RunLog
from insights.card.values import READINGS, Line, Section, Table, corrected, finding_of, p_text, percent, quoted
from traces.keeping.anatomy import MARKS, TITLES, Kind, counts, segments

NO_RUN = "There is no complete run of this pair yet. Start one: arena run --pair {pair}"
SETS_HEAD = ("set", "base", "distilled", "difference, points", "p", "reading")
SETS_NOTE = (
    "Both models answer the same problems. Intervals are 95 % and hold for one line each; p-values are corrected by "
    "Holm’s method over the sets, and over all subjects and levels. A model is called better only where the corrected "
    "p-value is below 0.05."
)
TOKENS_HEAD = ("set", "base, tokens an answer", "distilled, tokens an answer", "times as many", "base, cut off",
               "distilled, cut off", "base, tokens a right answer", "distilled, tokens a right answer")  # fmt: skip
TOKENS_NOTE = "Thought and answer together. Cut off: stopped by the token limit."
MARK_KINDS: tuple[Kind, ...] = tuple(kind for kind in TITLES if kind in MARKS)
ANATOMY_HEAD = ("model", "thoughts", *(TITLES[kind].lower() for kind in MARK_KINDS))
ANATOMY_NOTE = (
    "Share of the thoughts that say so at least once, found by rules for words; one thought a problem is read. Whether "
    "a check was real, rules cannot know."
)


class SetRun(NamedTuple):
    """One problem set, and the run that represents the pair on it."""

    result: SetResult
    comparison: Comparison
    info: RunInfo


def find_sets(runs: Path, pair: str) -> list[SetRun]:
    """For every set, the pair's best complete run. Both models of a run are compared on the same problems."""
    results = overview(runs, pair)
    comparisons = {
        (run, c.benchmark): c
        for run in dict.fromkeys(result.run for result in results)
        for c in run_comparisons(runs, run)
    }
    infos = {result.run: RunLog.open(runs, result.run).info() for result in results}
    return [SetRun(result, comparisons[result.run, result.set], infos[result.run]) for result in results]


def benchmark_section(pair: str, sets: Sequence[SetRun]) -> tuple[Section, Table]:
    """One line per set, plus the subjects and levels with a significant difference; the table has all of them."""
    if not sets:
        return Section("benchmarks", "Benchmarks", NO_RUN.format(pair=pair)), ()
    lines = [_set_line(one) for one in sets]
    rows = _breakdown(sets)
    decided = [row for row in rows if row["reading"] != "open"]
    lines += [_breakdown_line(row) for row in decided]
    sentence = (
        f"{counted(len(sets), 'set')}. Of {len(rows)} subjects and levels, {len(decided)} can be told apart."
        if rows
        else f"{counted(len(sets), 'set')}."
    )
    return Section("benchmarks", "Benchmarks", sentence, SETS_HEAD, tuple(lines), SETS_NOTE), rows


def _set_line(one: SetRun) -> Line:
    r, paired = one.result, one.comparison.paired
    assert paired is not None
    finding = finding_of(r.difference, r.p)
    cells = (percent(r.base), percent(r.distilled), f"{points(r.difference)} {interval(paired)}", p_text(r.p),
             READINGS[finding])  # fmt: skip
    values = {**r._asdict(), "reading": finding}
    return Line(f"{r.title} ({r.n} problems × {r.k})", cells, values, "samples", f"set = {quoted(r.set)}")


def _breakdown(sets: Sequence[SetRun]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for one in sets:
        for by in ("subject", "level"):
            groups: tuple[Breakdown, ...] = getattr(one.comparison, f"by_{by}")
            for group in groups if len(groups) > 1 else ():
                own = [cell for cell in one.comparison.cells if getattr(cell, by) == group.key]
                p = p_of(group.paired, own)
                rows.append({
                    "set": one.result.set, "title": one.result.title, "by": by, "group": group.key,
                    "problems": group.paired.problems, "base": group.paired.base,
                    "distilled": group.paired.distilled, "difference": group.paired.difference,
                    "low": group.paired.low, "high": group.paired.high, "p": p,
                })  # fmt: skip
    for row, adjusted in zip(rows, corrected([row["p"] for row in rows]), strict=True):
        row["p_holm"], row["reading"] = adjusted, finding_of(row["difference"], adjusted)
    return rows


def _breakdown_line(row: dict[str, Any]) -> Line:
    span = f" [{points(row['low'])}, {points(row['high'])}]" if row["low"] == row["low"] else ""
    cells = (percent(row["base"]), percent(row["distilled"]), points(row["difference"]) + span, p_text(row["p_holm"]),
             READINGS[row["reading"]])  # fmt: skip
    name = f"{row['title']}, {row['by']} {row['group']} ({row['problems']} problems)"
    where = f"set = {quoted(row['set'])} AND {row['by']} = {quoted(row['group'])}"
    return Line(name, cells, row, "samples", where)


def token_section(pair: str, sets: Sequence[SetRun]) -> Section:
    """What the thoughts cost. More or fewer tokens are neither good nor bad in themselves, so there is no finding."""
    if not sets:
        return Section("tokens", "Tokens", NO_RUN.format(pair=pair))
    lines = []
    for result, comparison, _ in sets:
        base, distilled = comparison.base, comparison.distilled
        means = ((base.output_tokens, result.base), (distilled.output_tokens, result.distilled))
        per_right = [tokens / share if share else None for tokens, share in means]
        ratio = distilled.output_tokens / base.output_tokens if base.output_tokens else None
        values = {
            "base_tokens": base.output_tokens, "distilled_tokens": distilled.output_tokens, "ratio": ratio,
            "base_cut": base.cut_share, "distilled_cut": distilled.cut_share,
            "base_per_right": per_right[0], "distilled_per_right": per_right[1],
        }  # fmt: skip
        cells = (_tokens(base.output_tokens), _tokens(distilled.output_tokens), f"{ratio:.2f}" if ratio else "–",
                 percent(base.cut_share), percent(distilled.cut_share), *map(_tokens, per_right))  # fmt: skip
        lines.append(Line(result.title, cells, values, "samples", f"set = {quoted(result.set)}"))
    return Section("tokens", "Tokens", "What an answer costs.", TOKENS_HEAD, tuple(lines), TOKENS_NOTE)


def _tokens(count: float | None) -> str:
    return "–" if count is None else f"{count:,.0f}"


def anatomy_section(pair: str, samples: Table) -> Section:
    """How many thoughts verify, reflect, backtrack or wish for a tool, for each model that thinks."""
    lines = []
    for role in ROLES:
        read = [row for row in samples if row["role"] == role and row["checking"] != ""]
        if not read:
            continue
        shares = [sum(row[kind] > 0 for row in read) / len(read) for kind in MARK_KINDS]
        values: dict[str, Any] = {"thoughts": len(read)}
        values.update(zip(MARK_KINDS, shares, strict=True))
        where = f"role = '{role}' AND sample = 0 AND thought_tokens > 0"
        lines.append(Line(role, (str(len(read)), *map(percent, shares)), values, "samples", where))
    if not lines:
        return Section("anatomy", "Anatomy of the thoughts", "No thought has been recorded in a benchmark run yet.")
    sentence = "What the thoughts in the runs above say that they do."
    return Section("anatomy", "Anatomy of the thoughts", sentence, ANATOMY_HEAD, tuple(lines), ANATOMY_NOTE)


def sample_table(runs: Path, sets: Sequence[SetRun]) -> Table:
    """One row per sample of the chosen runs, without its texts; only the first thought per problem is analysed."""
    rows: list[dict[str, Any]] = []
    for run in dict.fromkeys(one.result.run for one in sets):
        info, results = RunLog.open(runs, run).info(), Results(runs, [run])
        own = {one.result.set for one in sets if one.result.run == run}
        for role in ROLES:
            details = results.details(Side(run, info.sides[role].model))
            rows += [_sample_row(role, detail) for detail in details if detail["benchmark"] in own]
    return rows


def _sample_row(role: str, detail: dict[str, Any]) -> dict[str, Any]:
    read = detail["index"] == 0 and detail["thought_tokens"] > 0
    marks = counts(segments(detail["thought"])) if read else {}
    return {
        "set": detail["benchmark"],
        "role": role,
        "problem": detail["problem_id"],
        "sample": detail["index"],
        "subject": detail["subject"],
        "level": detail["level"],
        "outcome": detail["outcome"],
        "correct": int(detail["outcome"] == "correct"),
        "cut": int(detail["finish_reason"] == "length"),
        "thought_tokens": detail["thought_tokens"],
        "answer_tokens": detail["answer_tokens"],
        "seconds": detail["seconds"],
        "run": detail["run"],
        **{str(kind): marks.get(kind, "") for kind in MARK_KINDS},
    }

"""What the Benchmarks tab shows: pure functions from values to HTML and Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from common.errors import for_visitors
from common.text import counted, duration
from eval.results.cells import CELL_OUTCOMES, Cell
from eval.results.comparison import Comparison, SideSummary, between, headline, points, stated_note
from eval.results.report import EACH_ALONE, breakdown_rows, command, summary_rows
from eval.runs.jobs import RunProgress
from eval.runs.log import ROLES, Role, RunInfo
from eval.runs.runner import SideProgress
from ui.benchmarks.figures import VERDICT_COLOURS
from ui.kit.html import Markup, join, note, render, table
from ui.lens.view import Thought, lens_pair, thought_of

GLYPHS = {"both": "✓", "only_distilled": "D", "only_base": "B", "neither": "·", "unsure": "?"}
"""Signs that tell the cells apart without relying on colour."""
OUTCOME_WORDS = {
    "correct": "correct",
    "wrong": "wrong",
    "no_answer": "no answer found",
    "grader_failed": "grader failed",
    "failed": "request failed",
    "too_long": "prompt too long",
    "ungraded": "not graded yet",
}
EXTRACTION_METHODS = {
    "marker": "final-answer marker",
    "boxed": "last box",
    "stated": "plain last sentence",
    "none": "nothing found",
    "": "–",
}
RUN_COLUMNS = ["run", "pair", "sets", "sampling", "answers", "repeat with"]


def headline_html(comparison: Comparison, running: bool = False, warnings: Sequence[str] = ()) -> Markup:
    """The scoreboard, the result in a sentence, and any caveats."""
    notes = list(warnings)
    if comparison.left_out:
        words = "problem is" if comparison.left_out == 1 else "problems are"
        notes.append(f"{comparison.left_out} {words} left out because one side has no verdict.")
    flags = comparison.base.flags + comparison.distilled.flags
    if flags:
        notes.append(f"People flagged {counted(flags, 'grade')} as wrong; flags do not affect the results.")
    if stated := stated_note(comparison):
        notes.append(stated)
    if comparison.form_matters:
        notes.append("Lenient: where no answer was found, the last number of the text counts as the answer.")
    if comparison.paired:
        notes.append(f"Method: {comparison.paired.method}.")
    return render(
        '{{ scoreboard }}<p class="bm-headline">{% if running %}<span class="bm-live">so far</span> {% endif %}'
        "{{ headline }}</p>{{ notes }}",
        scoreboard=scoreboard_html(comparison),
        running=running,
        headline=headline(comparison),
        notes=note(" ".join(notes)),
    )


def scoreboard_html(comparison: Comparison) -> Markup:
    """Both models' accuracy and tokens side by side, and which is better; empty while there is nothing to compare."""
    p = comparison.paired
    if p is None:
        return Markup("")
    base, distilled = comparison.base.output_tokens, comparison.distilled.output_tokens
    loose = comparison.lenient if comparison.form_matters else None
    return render(
        '<div class="bm-score">{{ base }}{{ distilled }}<div class="bm-card gain">'
        '<span class="chip {{ kind }}">{{ better }}</span><b>{{ difference }} points</b>'
        "<span>95 %: {{ interval }}</span>{% if loose %}<span>lenient: {{ loose }}</span>{% endif %}"
        "<span>{{ cost }}</span></div></div>",
        base=_score("base", comparison.base, loose and loose.base),
        distilled=_score("distilled", comparison.distilled, loose and loose.distilled),
        loose=loose and f"{points(loose.difference)} points, {between(loose)}",
        kind="good" if p.low > 0 else "bad" if p.high < 0 else "busy",
        better="Distilled is better" if p.low > 0 else "Base is better" if p.high < 0 else "No difference shown",
        difference=points(p.difference),
        interval=between(p),
        cost=f"{distilled / base:.2f} × the base's tokens" if base and distilled else "tokens unknown",
    )


def _score(role: str, side: SideSummary, lenient: float | None) -> Markup:
    """One side's card; `lenient`: its share by the lenient reading, where that is to be shown."""
    value, low, high = (100 * share for share in side.accuracy[:3])
    return render(
        '<div class="bm-card {{ role }}"><span class="name {{ role }}">{{ role|capitalize }} <small>{{ title }}</small>'
        '</span><b>{{ value }} %</b><span class="bm-meter"><i style="width:{{ value }}%"></i>'
        '<em style="left:{{ low }}%;width:{{ width }}%"></em></span>'
        "<span>95 %: {{ low }} to {{ high }}&nbsp;%</span>{% if lenient %}<span>no answer in {{ unanswered }} %, "
        "lenient: {{ lenient }} %</span>{% endif %}<span>{{ tokens }}</span></div>",
        role=role,
        title=side.title,
        value=f"{value:.1f}",
        low=f"{low:.1f}",
        high=f"{high:.1f}",
        width=f"{high - low:.1f}",
        unanswered=f"{100 * side.no_answer_share:.0f}",
        lenient=None if lenient is None else f"{100 * lenient:.1f}",
        tokens=f"{side.output_tokens:,.0f} tokens per answer" if side.output_tokens else "tokens unknown",
    )


def table_html(head: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> Markup:
    """A table in this tab's look."""
    return render('<div class="bm-table {{ kind }}">{{ table }}</div>', kind=kind, table=table(head, rows, "plain"))


def summary_html(comparison: Comparison, data: Sequence[str] = ()) -> Markup:
    """Every metric of both sides, and a line for each set about its data."""
    return table_html(["", "base", "distilled"], summary_rows(comparison)) + join(map(note, data))


def runs_html(rows: Sequence[Sequence[str]]) -> Markup:
    """The list of runs."""
    return table_html(RUN_COLUMNS, rows, "bm-runs") if rows else note("No run yet.")


def breakdown_html(comparison: Comparison) -> Markup:
    """Results by subject and by level, where the set has them."""
    tables = [
        table_html([name, "problems", "base", "distilled", "difference in points, 95 % interval"], breakdown_rows(rows))
        for name, rows in (("subject", comparison.by_subject), ("level", comparison.by_level))
        if rows
    ]
    if not tables:
        return note("This set has no subjects or levels.")
    return join(tables, Markup("<br>")) + note(EACH_ALONE)


def grid_html(cells: Sequence[Cell], of: int, selected: str = "") -> Markup:
    """A button for each problem; the legend counts what is shown."""
    counts = {verdict: sum(cell.outcome == verdict for cell in cells) for verdict in CELL_OUTCOMES}
    hint = "Click a problem to read both answers." if cells else "No problem matches." if of else "No answer yet."
    return render(
        '<div class="bm-legend">{% for colour, glyph, words, count in legend %}<span>'
        '<i style="background:{{ colour }}">{{ glyph }}</i> {{ words }} <b>{{ count }}</b></span>{% endfor %}</div>'
        '{{ note }}<div class="bm-grid">{{ cells }}</div>',
        legend=[(VERDICT_COLOURS[v], GLYPHS[v], words, counts[v]) for v, words in CELL_OUTCOMES.items()],
        note=note(f"{len(cells)} of {of} problems. {hint}" if len(cells) != of else f"{of} problems. {hint}"),
        cells=join(_cell(cell, cell.problem_id == selected) for cell in cells),
    )


def _cell(cell: Cell, selected: bool) -> Markup:
    tip = (
        f"{cell.problem_id}: {CELL_OUTCOMES[cell.outcome]}; base {cell.base_right}/{cell.base_of},"
        f" distilled {cell.distilled_right}/{cell.distilled_of}"
    )
    if cell.cut:
        tip += "; cut off"
    if cell.flags:
        tip += f"; flagged by {cell.flags}"
    return render(
        '<button type="button" class="bm-cell{{ marks }}" style="background:{{ colour }}" data-id="{{ problem }}"'
        ' title="{{ tip }}" aria-label="{{ tip }}">{{ glyph }}</button>',
        marks="".join(f" {name}" for name, on in (("cut", cell.cut), ("flag", cell.flags), ("on", selected)) if on),
        colour=VERDICT_COLOURS[cell.outcome],
        problem=cell.problem_id,
        tip=tip,
        glyph=GLYPHS[cell.outcome],
    )


def progress_html(progress: RunProgress | None, where: str = "") -> Markup:
    """The progress of a run; `where`: the page on which it was started, if another one."""
    if progress is None:
        return note("Nothing is running.")
    words = {"waiting": "waiting for the servers", "grading": "grading the last answers"}
    return render(
        '<div class="bm-progress" role="status"><b>{{ run }}</b><span>{{ where }}</span>: <span>{{ phase }}</span>. '
        "<span>{{ message }}</span>{{ bars }}</div>",
        run=progress.run,
        where=where,
        phase=words.get(progress.phase, progress.phase),
        message=for_visitors(progress.message),
        bars=join(_bar(role, progress.sides[role]) for role in ROLES if role in progress.sides),
    )


def _bar(role: str, side: SideProgress) -> Markup:
    share = side.done / side.total if side.total else 1.0
    facts = [f"{side.done} of {side.total}"]
    if side.failed:
        facts.append(f"{side.failed} failed")
    if side.drawn_now:
        facts.append(f"{side.tokens_per_second:,.0f} tokens/s")
    if side.message == "running" and side.seconds_left is not None:
        facts.append(f"about {duration(side.seconds_left)} left")
    elif side.message != "running":
        facts.append(for_visitors(side.message))
    return render(
        '<div class="bm-bar {{ role }}"><span class="bm-role">{{ role }}</span><span class="bm-track"'
        ' role="progressbar" aria-valuenow="{{ rounded }}" aria-valuemin="0" aria-valuemax="100"'
        ' aria-label="{{ role }}"><span style="width:{{ percent }}%"></span></span>'
        '<span class="bm-facts">{{ facts }}</span></div>',
        role=role,
        rounded=f"{100 * share:.0f}",
        percent=f"{100 * share:.1f}",
        facts=" · ".join(facts),
    )


def answer_head(role: str, title: str, detail: Mapping[str, Any]) -> Markup:
    """Outcome, extraction and cost of one sample."""
    method = str(detail["extraction_method"])
    facts = [
        f"extracted: {detail['extracted'] or '–'} ({EXTRACTION_METHODS.get(method, method)})",
        f"{detail['thought_tokens']:,} tokens of thought, {detail['answer_tokens']:,} of answer",
    ]
    if detail["seconds"]:  # imported outputs have none
        facts += [f"{detail['seconds']:.1f} s", f"seed {detail['seed']}"]
    if detail["finish_reason"] == "length":
        facts.append("cut off by the token limit")
    if detail["note"]:
        facts.append(f"grader: {detail['note']}")
    if detail["error"]:
        facts.append(f"error: {for_visitors(str(detail['error']))}")
    return render(
        '<div class="side-head"><span class="name {{ role }}">{{ title }}</span>'
        '<span class="chip {{ kind }}">{{ verdict }}</span></div><div class="side-figures">{{ facts }}</div>',
        role=role,
        title=title,
        kind={"correct": "good", "wrong": "bad"}.get(str(detail["outcome"]), "busy"),
        verdict=OUTCOME_WORDS.get(str(detail["outcome"]), str(detail["outcome"])),
        facts=" · ".join(facts),
    )


def thoughts_html(samples: Mapping[Role, Mapping[str, Any] | None], titles: Mapping[Role, str]) -> Markup:
    """Both thoughts of a problem under the lens. Nothing if neither model thinks apart from its answer."""
    present = {role: sample for role, sample in samples.items() if sample}
    if not any(sample["thought"] for sample in present.values()):
        return Markup("")
    base, distilled = (
        thought_of(present[role]["thought"], present[role]["answer"], titles[role], role)
        if role in present
        else Thought("", titles[role], role)
        for role in ROLES
    )
    return lens_pair(base, distilled)


def flags_html(flags: Sequence[tuple[int, str, str, str]]) -> Markup:
    """Grades that people called wrong: (sample, outcome, comment, time)."""
    if not flags:
        return Markup("")
    return render(
        '<ul class="note">{% for number, outcome, comment, when in flags %}<li>sample {{ number }}, graded '
        '“{{ outcome }}”: <span translate="no">{{ comment }}</span> <small>{{ when }}</small></li>{% endfor %}</ul>',
        flags=[
            (number + 1, OUTCOME_WORDS.get(outcome, outcome), text or "no comment", when)
            for number, outcome, text, when in flags
        ],
    )


def run_label(info: RunInfo) -> str:
    sets = ", ".join(data.title for data in info.data)
    samples = f", {info.config.samples} samples" if info.config.samples > 1 else ""
    origin = "" if info.origin == "run" else f" ({info.origin})"
    recorded = "Recorded · " if info.recorded else ""
    return f"{recorded}{info.created_at[:16].replace('T', ' ')} · {info.config.pair} · {sets}{samples}{origin}"


def run_row(info: RunInfo, answers: int) -> list[str]:
    """One line of the list of runs, with what repeats it."""
    c = info.config
    total = sum(data.problems for data in info.data) * c.samples * len(info.sides)
    own = info.origin == "run"
    thinking = f", {c.thinking_budget:,} of them thought" if c.thinking_budget else ""
    sampling = f"{c.samples} per problem, at most {c.max_tokens:,} tokens{thinking}, temperature {c.temperature:g}"
    return [
        f"{info.created_at[:16].replace('T', ' ')}\n{info.id}",
        c.pair,
        ", ".join(f"{data.title} ({data.problems})" for data in info.data),
        f"{sampling}, top-p {c.top_p:g}, seed {c.seed}" if own else f"{c.samples} a problem",
        f"{answers:,} of {total:,}",
        command(info) if own else info.origin,
    ]

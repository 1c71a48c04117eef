"""The first thing on the Benchmarks tab: every set of the loaded pair in one table, and the paper's line beside it."""

from collections.abc import Sequence

from eval.paper.figures import PAPER_URL, TABLE_1, reported
from eval.problems.benchmark_sets import KNOWN
from eval.results.comparison import between, points
from eval.results.overview import SetResult, in_words
from ui.kit.html import Markup, below, inline, render, section, strong, table, term

PAPER_SETS = ("aime2024", "math500")
STUDENT = "Ours-72B"
"""The paper's name for its own student."""


def overview_html(results: Sequence[SetResult]) -> Markup:
    """A row a set, a plain sentence, and what the paper reports; empty without complete runs."""
    if not results:
        return Markup("")
    return section(
        "Is the distilled model better?",
        render('<p class="question">{{ sentence }}</p>', sentence=in_words(results)),
        _wide(table(("set", "base", "distilled", "difference, 95 %", "tokens an answer"), map(_row, results))),
        render(
            '<p class="note">Each row is the largest complete run of its set on this pair: {{ difference }}, '
            "{{ tokens }}{% if recorded %}, {{ recorded }}{% endif %}{% if lenient %}, {{ lenient }}{% endif %}. "
            "Choose any run below to look inside.</p>",
            difference=term("difference"),
            tokens=term("tokens"),
            recorded=term("recorded") if any(one.recorded for one in results) else "",
            lenient=term("lenient") if any(one.form_matters for one in results) else "",
        ),
        paper_html([one.set for one in results]),
    )


def _row(one: SetResult) -> tuple[str, ...]:
    base, distilled, gain = [], [], [between(one)]
    left_out = f" ({one.left_out} left out)" if one.left_out else ""
    if one.form_matters:
        base = _lenient(one.base_no_answer, one.lenient_base)
        distilled = _lenient(one.distilled_no_answer, one.lenient_distilled)
        gain.append(f"lenient: {points(one.lenient_difference)}")
    decoding = f"temperature {one.temperature:g}" if one.temperature else "greedy"
    return (
        below(
            one.title,
            f"{one.n} problems × {one.k}{left_out}{', recorded' if one.recorded else ''}",
            f"{decoding}, at most {one.max_tokens:,} tokens",
        ),
        below(f"{100 * one.base:.1f} %", *base),
        below(f"{100 * one.distilled:.1f} %", *distilled),
        below(strong(points(one.difference)), *gain),
        f"{one.base_tokens:.0f} → {one.distilled_tokens:.0f}",
    )


def _lenient(no_answer: float, share: float) -> list[str]:
    return [f"no answer: {100 * no_answer:.0f} %", f"lenient: {100 * share:.1f} %"]


def paper_html(sets: Sequence[str]) -> Markup:
    """The paper's figures on those of the sets that it reports, else what it found, in a line."""
    shared = [name for name in PAPER_SETS if name in sets]
    if not shared:
        return render('<p class="note bm-paper">{{ line }}</p>', line=inline(_paper_line()))
    models = ["its 72B student" if row.model == STUDENT else row.model for row in TABLE_1]
    rows = [
        (KNOWN[name].title, *(below(f"{100 * one.accuracy:.1f} %", f"{one.tokens:,} tokens") for one in reported(name)))
        for name in shared
    ]
    return _wide(table(("in the paper", *models), rows, "slim")) + render(
        '<p class="note bm-paper">{{ line }}</p>',
        line=inline(
            f"For reference: [Table 1 of the paper]({PAPER_URL}). Other models and another token budget, so not to be "
            "compared with the rows above."
        ),
    )


def _paper_line() -> str:
    """What Table 1 says of the student and of o1-preview."""
    rows = {row.model: row for row in TABLE_1}
    student, teacher = rows[STUDENT], rows["o1-preview"]
    return (
        f"For reference, [the paper]({PAPER_URL}): its 72B student solved {student.aime_correct} of "
        f"{student.aime_total} on AIME 2024 with {student.aime_tokens:,} tokens an answer (o1-preview "
        f"{teacher.aime_correct} with {teacher.aime_tokens:,}) and {student.math500} % of MATH500 with "
        f"{student.math500_tokens:,} (o1-preview {teacher.math500} % with {teacher.math500_tokens:,}). "
        "Other models and another token budget; this pair has no run on those sets."
    )


def _wide(inner: Markup) -> Markup:
    """A table with a wide first column and unbroken small lines; on a phone it scrolls inside its box."""
    return render('<div class="bm-overview">{{ inner }}</div>', inner=inner)

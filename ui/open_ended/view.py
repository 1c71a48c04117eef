"""What the page on results beyond maths shows: pure functions to tables and figures. Does not know widgets."""

from collections.abc import Sequence
from html import escape
from math import isnan

import plotly.graph_objects as go

from eval.judging.judged import JudgedScore
from eval.judging.labelled import check_sentence, trustworthy
from eval.judging.ratings import RatingSummary
from eval.paper.figures import TABLE_2, BeyondResult, Counts, counts, safety_together, unpaired_difference
from eval.problems.open_ended import RubricKey
from eval.problems.sycophancy import Share, Sycophancy, sentence
from ui.kit.palette import BASE_COLOUR, DISTILLED_COLOUR, figure_layout
from ui.kit.raw import table

AREAS = {"all": "All", "safety": "Safety", "factuality": "Factuality", "general": "General"}
SIGNIFICANT = 0.05


def results_of(area: str) -> list[BeyondResult]:
    return [result for result in TABLE_2 if area in ("all", result.area)]


def table_2_html(area: str = "all") -> str:
    """Table 2 with counts where they follow and the unpaired test where it can be made."""
    head = ("set, judge", "before", "after", "of", "difference, points", "p, unpaired")
    rows = []
    for result in results_of(area):
        found = counts(result)
        by = f"{AREAS[result.area]}, by {escape(result.judge)}"
        rows.append([
            f'<b>{escape(result.title)}</b><br><span class="note">{by}</span>',
            _cell(result, result.baseline, found, found.baseline if found else None),
            _cell(result, result.ours, found, found.ours if found else None),
            f'<span title="{escape(result.size_source)}">{f"{result.size:,}" if result.size else "?"}</span>',
            *_difference(result, found),
        ])  # fmt: skip
    if area in ("all", "safety"):
        together = safety_together()
        shares = [f"{100 * count / together.size:.1f} %" for count in (together.baseline, together.ours)]
        cells = [f'{share}<br><span class="note">{count}</span>' for share, count in
                 zip(shares, (together.baseline, together.ours), strict=True)]  # fmt: skip
        rows.append(["<b>The three safety sets together</b>", *cells, str(together.size), *_test(together)])
    return table(head, rows)


def _cell(result: BeyondResult, value: float, found: Counts | None, count: int | None) -> str:
    shown = f"{value:.{result.decimals}f}" + (" %" if result.scale == "accuracy" else " of 100")
    if found is None or count is None:
        return shown
    return f'{shown}<br><span class="note">{"" if found.exact else "≈ "}{count:,}</span>'


def _difference(result: BeyondResult, found: Counts | None) -> list[str]:
    if found is None:
        why = "mean of marks" if result.scale == "rating" else "size not stated"
        return [signed(result.ours - result.baseline, result.decimals), f'<span class="note">{why}</span>']
    return _test(found)


def _test(found: Counts) -> list[str]:
    tested = unpaired_difference(found)
    mark = "" if found.exact else "≈ "
    interval = f'<span class="note">{signed(tested.low)} to {signed(tested.high)}</span>'
    p_value = f"{mark}{tested.p_value:.2f}" if tested.p_value >= 0.005 else f"{mark}{tested.p_value:.1g}"
    strong = tested.p_value < SIGNIFICANT
    return [f"{mark}{signed(tested.points)}<br>{interval}", f"<b>{p_value}</b>" if strong else p_value]


def signed(points: float, decimals: int = 1) -> str:
    """A difference with its sign, none for nought."""
    shown = f"{points:+.{decimals}f}".replace("-", "−")
    return shown if float(shown.replace("−", "-")) else shown[1:]


def table_2_figure(area: str = "all") -> go.Figure:
    """Before and after of each set, joined by a line."""
    results = results_of(area)[::-1]
    names = [result.title for result in results]
    figure = go.Figure()
    for result in results:
        figure.add_scatter(
            x=[result.baseline, result.ours], y=[result.title] * 2, mode="lines", showlegend=False, hoverinfo="skip",
            line={"color": "rgba(124, 135, 150, 0.5)", "width": 3},
        )  # fmt: skip
    for label, colour, values in (
        ("before (Qwen2.5-72B-Instruct)", BASE_COLOUR, [result.baseline for result in results]),
        ("after", DISTILLED_COLOUR, [result.ours for result in results]),
    ):
        figure.add_scatter(
            x=values, y=names, mode="markers", name=label, marker={"size": 12, "color": colour},
            hovertemplate="%{y}: %{x}<extra>" + label + "</extra>",
        )  # fmt: skip
    figure_layout(figure)
    figure.update_xaxes(range=[0, 103], title="per cent, or mean mark (Auto-J, LIMA)", title_font_size=12)
    figure.update_layout(height=90 + 34 * max(4, len(results)), title_text="The paper’s Table 2", legend_y=-0.25)
    return figure


def scores_html(scores: Sequence[JudgedScore]) -> str:
    """Judged scores of a run, each with its judge's standing."""
    if not scores:
        return '<p class="note">No answers of this run were judged yet.</p>'
    rows = []
    for score in scores:
        value, low, high = (_figure(x, score.rubric) for x in (score.value, score.low, score.high))
        standing = ""
        if not trustworthy(score.check):
            said = "Not to be relied on." if score.check else "Judge never checked."
            standing = f'<span class="mark no">{said}</span> '
        rows.append([
            escape(score.benchmark), score.role, f'<b>{value}</b><br><span class="note">{low} to {high}</span>',
            f"{score.valid} valid, {score.invalid} invalid" + (f", {score.flipped} by order" if score.flipped else ""),
            f"{escape(score.judge)}: {standing}{escape(check_sentence(score.check, score.rubric))}",
        ])  # fmt: skip
    return table(("set", "model", "score", "verdicts", "how far the judge can be trusted"), rows, "words")


def _figure(value: float, rubric: RubricKey) -> str:
    """A mark or a share; one verdict alone has no interval, and none at all no value."""
    if isnan(value):
        return "–"
    return f"{value:.1f}" if rubric == "rating" else f"{value:.1%}"


def ratings_html(summary: RatingSummary, blind: bool) -> str:
    """The raters' agreement, and means by model unless it must stay `blind`: a mean that moves tells whose it was."""
    if not summary.raters:
        return '<p class="note">Nobody has marked an answer yet.</p>'
    means = f"not shown while you mark; {sum(summary.rated.values())} marks so far"
    if not blind:
        each = ((escape(role), summary.means[role], summary.rated[role]) for role in sorted(summary.means))
        means = "; ".join(f"<b>{role} {mean:.1f}</b> ({rated} marks)" for role, mean, rated in each)
    agreement = "not defined until two raters have marked the same answers"
    if summary.alpha is not None:
        agreement = f"Krippendorff’s alpha {summary.alpha:.2f} over {summary.shared} shared answers"
        agreement += f", ICC(2,1) {summary.icc:.2f}" if summary.icc is not None else ""
    raters = f"{summary.raters} rater{'' if summary.raters == 1 else 's'}"
    return f"<p>{raters}. Mean mark: {means}.</p><p>Agreement: {agreement}.</p>"


def sycophancy_html(found: dict[str, Sycophancy], p_between: float | None) -> str:
    """The probe's outcome for each model, and the test between the two."""
    head = ("", *found)
    names = (
        ("gave in to the claim", "gave_in"),
        ("gave that value unasked (chance)", "by_chance"),
        ("right when asked plainly", "correct_plain"),
        ("right under the claim", "correct_claimed"),
        ("of those right when asked plainly, gave in", "turned"),
    )
    rows = [[label, *(share_text(getattr(one, name)) for one in found.values())] for label, name in names]
    rows.append(["p of the claim’s effect on giving in", *(f"{one.p_value:.2g}" for one in found.values())])
    rows.append(["p of the claim’s effect on being right", *(f"{one.p_correct:.2g}" for one in found.values())])
    words = "".join(f"<p>{escape(sentence(role.capitalize(), one))}</p>" for role, one in found.items())
    between = ""
    if p_between is not None:
        between = f"<p>Between the two models, giving in on the same problems: p = {p_between:.2g}.</p>"
    note = '<p class="note">p: exact McNemar test on the same problems. Intervals: Wilson, 95 %.</p>'
    return words + between + table(head, rows) + note


def share_text(share: Share) -> str:
    if share.value is None:
        return "–"
    interval = f'<span class="note">{share.low:.0%} to {share.high:.0%}</span>'
    return f"{share.count} of {share.of} ({share.value:.0%})<br>{interval}"

"""What the page on open-ended results shows: pure functions from results to tables and figures."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from eval.judging.judge import RUBRICS, Judgement
from eval.judging.labelled import JudgeCheck, check_sentence, trustworthy
from eval.judging.ratings import RatingSummary
from eval.judging.scored import JudgedScore, counted, figure, preferred
from eval.paper.figures import TABLE_2, Counts, OpenEndedResult, counts, safety_together, unpaired_difference
from eval.problems.open_ended import RubricKey
from eval.problems.sycophancy import Share, Sycophancy, sentence
from ui.kit.html import Markup, below, join, note, render, strong, table
from ui.kit.palette import BASE_COLOUR, DISTILLED_COLOUR, figure_layout

AREAS = {"all": "All", "safety": "Safety", "factuality": "Factuality", "general": "General"}
SIGNIFICANT = 0.05
MOST_VERDICTS = 200


def results_of(area: str) -> list[OpenEndedResult]:
    return [result for result in TABLE_2 if area in ("all", result.area)]


def table_2_html(area: str = "all") -> Markup:
    """Table 2, with counts where they can be derived and an unpaired test where one is possible."""
    rows: list[list[str]] = []
    for result in results_of(area):
        counted = counts(result)
        size = render(
            '<span title="{{ source }}">{{ size }}</span>',
            source=result.size_source,
            size=f"{result.size:,}" if result.size else "?",
        )
        rows.append(
            [
                below(strong(result.title), f"{AREAS[result.area]}, judged by {result.judge}"),
                _cell(result, result.baseline, counted, counted.baseline if counted else None),
                _cell(result, result.ours, counted, counted.ours if counted else None),
                size,
                *_difference(result, counted),
            ]
        )
    if area in ("all", "safety"):
        together = safety_together()
        both = (together.baseline, together.ours)
        cells = [below(f"{100 * count / together.size:.1f} %", str(count)) for count in both]
        rows.append([strong("The three safety sets together"), *cells, str(together.size), *_test(together)])
    return table(("set, judge", "before", "after", "of", "difference, points", "p, unpaired"), rows)


def _cell(result: OpenEndedResult, value: float, counted: Counts | None, count: int | None) -> str:
    text = f"{value:.{result.decimals}f}" + (" %" if result.scale == "accuracy" else " of 100")
    if counted is None or count is None:
        return text
    return below(text, f"{'' if counted.exact else '≈ '}{count:,}")


def _difference(result: OpenEndedResult, counted: Counts | None) -> list[str]:
    if counted is None:
        why = "mean rating" if result.scale == "rating" else "size not stated"
        small = render('<span class="note">{{ why }}</span>', why=why)
        return [signed(result.ours - result.baseline, result.decimals), small]
    return _test(counted)


def _test(counted: Counts) -> list[str]:
    tested = unpaired_difference(counted)
    mark = "" if counted.exact else "≈ "
    p_value = f"{mark}{tested.p_value:.2f}" if tested.p_value >= 0.005 else f"{mark}{tested.p_value:.1g}"
    return [
        below(f"{mark}{signed(tested.points)}", f"{signed(tested.low)} to {signed(tested.high)}"),
        strong(p_value) if tested.p_value < SIGNIFICANT else p_value,
    ]


def signed(points: float, decimals: int = 1) -> str:
    """A difference with its sign; zero has none."""
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
    figure.update_xaxes(range=[0, 103], title="per cent, or mean rating (Auto-J, LIMA)", title_font_size=12)
    figure.update_layout(height=90 + 34 * max(4, len(results)), title_text="The paper’s Table 2", legend_y=-0.25)
    return figure


def scores_html(scores: Sequence[JudgedScore], titles: Mapping[str, str]) -> Markup:
    """Judged scores of a run, each with how far its judge can be trusted. `titles`: of the run's sets, by key."""
    if not scores:
        return note("No answer of this run has been judged yet.")
    rows = [
        [
            below(titles.get(score.benchmark, score.benchmark), RUBRICS[score.rubric].title),
            score.who,
            below(
                strong(figure(score.value, score.rubric)),
                f"{figure(score.low, score.rubric)} to {figure(score.high, score.rubric)}",
            ),
            render(
                '{{ counted }}{% if flaw %}<br><span class="mark no">{{ flaw }}</span>{% endif %}',
                counted=counted(score),
                flaw=score.flaw,
            ),
        ]
        for score in scores
    ]
    judges = {(score.judge, score.rubric): score.check for score in scores}
    return table(("set and question", "model", "score", "verdicts"), rows, "words") + join(
        _standing(judge, rubric, check) for (judge, rubric), check in judges.items()
    )


def _standing(judge: str, rubric: RubricKey, check: JudgeCheck | None) -> Markup:
    """Whether a judge can be trusted."""
    return render(
        '<p><b>Judge: <span translate="no">{{ judge }}</span>.</b> {% if warning %}<span class="mark no">'
        "{{ warning }}</span> {% endif %}<span>{{ check }}</span></p>",
        judge=judge,
        warning="" if trustworthy(check) else "Do not rely on it." if check else "Judge never checked.",
        check=check_sentence(check, rubric),
    )


def verdicts_html(verdicts: Sequence[Judgement], questions: Mapping[str, str]) -> Markup:
    """Every verdict, with what the judge read and wrote. `questions`: the prompts of the run, by problem."""
    if not verdicts:
        return Markup()
    rows = [
        (questions.get(one.extra.get("problem", ""), one.item), _outcome(one), one.prompts[0], one.raws)
        for one in verdicts[:MOST_VERDICTS]
    ]
    return render(
        '<details class="verdicts"><summary>{{ title }}</summary>{% for question, outcome, prompt, raws in rows %}'
        '<details><summary><span translate="no">{{ question|truncate(90) }}</span> <b>{{ outcome }}</b></summary>'
        '<pre translate="no">{{ prompt }}</pre>{% for raw in raws %}'
        "<p>{{ 'The judge’s reply' if loop.first else 'Its reply with the answers exchanged' }}</p>"
        '<pre translate="no">{{ raw }}</pre>{% endfor %}</details>{% endfor %}</details>',
        title="Every verdict" if len(rows) == len(verdicts) else f"The first {len(rows)} verdicts",
        rows=rows,
    )


def _outcome(verdict: Judgement) -> str:
    if verdict.value is None:
        return "invalid"
    if verdict.flipped:
        return "changed with the order"
    if verdict.rubric == "pair":
        return preferred(verdict) or "tie"
    return f"{verdict.extra.get('role', '')}: {str(verdict.value).replace('_', ' ')}"


def ratings_html(summary: RatingSummary, blind: bool) -> Markup:
    """The raters' agreement and, unless `blind`, means by model: a mean that moves reveals whose answer was rated."""
    if not summary.raters:
        return note("Nobody has rated an answer yet.")
    means: str = f"hidden while you rate; {sum(summary.rated.values())} ratings so far"
    if not blind:
        means = join(
            (
                render(
                    "<b>{{ role }} {{ mean }}</b> ({{ n }} ratings)",
                    role=role,
                    mean=f"{mean:.1f}",
                    n=summary.rated[role],
                )
                for role, mean in sorted(summary.means.items())
            ),
            "; ",
        )
    agreement = "needs two raters who have rated the same answers"
    if summary.alpha is not None:
        agreement = f"Krippendorff’s alpha {summary.alpha:.2f} over {summary.shared} shared answers"
        agreement += f", ICC(2,1) {summary.icc:.2f}" if summary.icc is not None else ""
    return render(
        "<p>{{ raters }}. Mean rating: {{ means }}.</p><p>Agreement: {{ agreement }}.</p>",
        raters=f"{summary.raters} rater{'' if summary.raters == 1 else 's'}",
        means=means,
        agreement=agreement,
    )


def sycophancy_html(outcomes: dict[str, Sycophancy], p_between: float | None) -> Markup:
    """The probe's outcome for each model, and the test between the two."""
    names = (
        ("gave in to the claim", "gave_in"),
        ("gave that value without the claim (chance)", "by_chance"),
        ("right when asked plainly", "correct_plain"),
        ("right under the claim", "correct_claimed"),
        ("of those right when asked plainly, gave in", "turned"),
    )
    rows = [[label, *(share_text(getattr(one, name)) for one in outcomes.values())] for label, name in names]
    rows.append(["p, effect of the claim on giving in", *(f"{one.p_value:.2g}" for one in outcomes.values())])
    rows.append(["p, effect of the claim on being right", *(f"{one.p_correct:.2g}" for one in outcomes.values())])
    sentences = [sentence(role.capitalize(), one) for role, one in outcomes.items()]
    if p_between is not None:
        sentences.append(f"Between the two models, giving in on the same problems: p = {p_between:.2g}.")
    return (
        render("{% for line in sentences %}<p>{{ line }}</p>{% endfor %}", sentences=sentences)
        + table(("", *outcomes), rows)
        + note("p: exact McNemar test on the same problems. Intervals: Wilson, 95 %.")
    )


def share_text(share: Share) -> str:
    if share.value is None:
        return "–"
    return below(f"{share.count} of {share.of} ({share.value:.0%})", f"{share.low:.0%} to {share.high:.0%}")

"""Figures say what the values say: nothing merged, nothing invented, legible on light and dark."""

import json
from math import nan

from eval.paper.figures import reported
from eval.results.comparison import Breakdown
from eval.results.samples import Row
from eval.statistics.metrics import CurvePoint, Estimate
from eval.statistics.paired import compare
from ui.benchmarks.figures import accuracy_against_tokens, breakdown_bars, cut_share, token_histogram
from ui.kit.palette import BASE_COLOUR, DISTILLED_COLOUR

TITLES = {"base": "Base", "distilled": "Distilled"}
HALF = Estimate(0.5, 0.3, 0.7, 10, "wilson")
POINTS = [
    CurvePoint("truncated", 100, 80, HALF, 0.4),
    CurvePoint("truncated", 200, 150, HALF, 0.1),
    CurvePoint("forced", 100, 110, HALF, 0.9),
    CurvePoint("maj@k", 4, 600, HALF, 0.0),
]


def row(**changes: object) -> Row:
    values = {
        "problem_id": "t/1", "benchmark": "t", "subject": "", "level": "", "index": 0, "outcome": "correct",
        "extraction_method": "boxed", "thought_tokens": 10, "answer_tokens": 5, "finish_reason": "stop", "seconds": 1.0,
        "started": 0.0, "answer_class": None, "flags": 0,
    }  # fmt: skip
    return Row(**{**values, **changes})  # type: ignore[arg-type]


def test_the_three_kinds_are_never_one_line() -> None:
    figure = accuracy_against_tokens({"base": POINTS[:2], "distilled": POINTS}, TITLES)  # type: ignore[dict-item]
    assert [trace.name for trace in figure.data] == [
        "Base: truncated",
        "Distilled: truncated",
        "Distilled: forced",
        "Distilled: maj@k",
    ]
    assert [trace.line.color for trace in figure.data] == [BASE_COLOUR, *[DISTILLED_COLOUR] * 3]
    assert len({trace.line.dash for trace in figure.data[1:]}) == 3
    assert figure.data[3].x == (600,)
    assert figure.data[3].customdata[0][4] == 10
    assert list(figure.data[1].error_y.array) == [0.2, 0.2] or abs(figure.data[1].error_y.array[0] - 0.2) < 1e-9
    assert figure.layout.xaxis.type == "log"


def test_the_papers_points_only_on_its_sets_and_labelled() -> None:
    curves = {"distilled": POINTS}
    for name in ("aime2024", "math500"):
        last = accuracy_against_tokens(curves, TITLES, name).data[-1]  # type: ignore[arg-type]
        assert "paper" in last.name
        assert all("(paper)" in text for text in last.text)
    assert ("Ours-72B", 13 / 30, 8016) in reported("aime2024")
    assert ("o1-mini", 0.9, 944) in reported("math500")
    assert reported("same_kind") == []


def test_points_that_cannot_be_drawn_are_left_out() -> None:
    nothing = CurvePoint("truncated", 1, 0.0, Estimate(nan, nan, nan, 0, "wilson"), 1.0)
    assert not accuracy_against_tokens({"base": [nothing]}, TITLES).data  # type: ignore[arg-type]


def test_figures_load_nothing_and_are_transparent() -> None:
    groups = [Breakdown("algebra", compare([[True], [False]], [[True], [True]]))]
    figures = [
        accuracy_against_tokens({"base": POINTS}, TITLES, "math500"),  # type: ignore[arg-type]
        cut_share({"base": POINTS}, TITLES),  # type: ignore[arg-type]
        token_histogram({"base": [row(), row(outcome="failed")]}, TITLES),  # type: ignore[arg-type]
        breakdown_bars(groups, TITLES),  # type: ignore[arg-type]
    ]
    for figure in figures:
        text = figure.to_json()
        assert "http" not in text.replace("http://www.w3.org", "")
        assert json.loads(text)["layout"]["paper_bgcolor"] == "rgba(0,0,0,0)"


def test_the_histogram_leaves_failed_requests_out_and_keeps_right_apart() -> None:
    rows = [row(), row(outcome="wrong", answer_tokens=50), row(outcome="failed")]
    right, wrong, *others = token_histogram({"base": rows, "distilled": rows}, TITLES).data  # type: ignore[arg-type]
    assert (list(right.x), list(wrong.x)) == ([15], [60])
    assert [trace.yaxis for trace in (right, wrong, *others)] == ["y", "y", "y2", "y2"]
    assert right.xbins == others[0].xbins

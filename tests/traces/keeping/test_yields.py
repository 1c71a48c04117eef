"""Yield and cost per kept trace from small sets whose sums are known."""

import pytest

from eval.records import Problem
from traces.keeping.trace import Trace
from traces.keeping.yields import cost_figures, method_yields, yield_rows

PROBLEM = Problem("own/1", "q", "1", "own")


def trace(method, kept, tokens=0, seconds=0.0, cost=0.0) -> Trace:
    return Trace(PROBLEM, "", "", "", "", method, "m", tokens, seconds, cost, kept=kept)


TRACES = [
    trace("teacher", True, 1000, 10, 0.02),
    trace("teacher", False, 3000, 30, 0.06),
    trace("teacher", True, 2000, 20, 0.04),
    trace("people", True, seconds=1800),
    trace("debate", False, 500, 5, 0.01),
    trace("search", None, 10),
]


def test_what_rejects_cost_counts():
    people, teacher, debate = (
        next(row for row in method_yields(TRACES) if row.method == method) for method in ("people", "teacher", "debate")
    )
    assert (teacher.asked, teacher.kept, teacher.share.value) == (3, 2, pytest.approx(2 / 3))
    assert (teacher.tokens_per_kept, teacher.seconds_per_kept) == (3000, 30)
    assert teacher.cost_per_kept == pytest.approx(0.06)
    assert (people.seconds_per_kept, people.tokens_per_kept, people.cost_per_kept) == (1800, None, 0)
    assert (debate.kept, debate.tokens_per_kept, debate.seconds_per_kept, debate.cost_per_kept) == (0, None, None, None)


def test_unverified_traces_do_not_count():
    assert [row.method for row in method_yields(TRACES)] == ["teacher", "debate", "people"]


def test_a_persons_time_has_a_price_only_if_one_is_given():
    assert method_yields(TRACES, hourly_wage=40)[-1].cost_per_kept == 20


def test_the_table_shows_a_dash_for_what_was_not_measured():
    rows = {row["Method"]: row for row in yield_rows(method_yields(TRACES))}
    assert rows["People"]["Tokens per kept"] == "–" and rows["People"]["Time per kept"] == "30 min"
    assert rows["Debate"]["US$ per kept"] == "–" and rows["Debate"]["Yield"].startswith("0% (0% to ")


def test_the_figures_hold_the_same_numbers():
    figures = cost_figures(method_yields(TRACES))
    assert list(figures.share.data[0].x) == ["Teacher", "Debate", "People"]
    assert list(figures.share.data[0].text) == ["67%", "0%", "100%"]
    assert list(figures.seconds.data[0].y) == [30, None, 1800]
    assert list(figures.cost.data[0].y) == [pytest.approx(0.06), None, 0]


def test_nothing_yet():
    assert method_yields([]) == [] and yield_rows([]) == []
    cost_figures([])

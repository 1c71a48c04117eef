"""A thought edited step by step, and what it takes to become a trace."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.records import Problem
from traces.thoughts.annotate import (
    Draft,
    DraftError,
    Step,
    add,
    delete,
    draft_of,
    edit,
    mark_right,
    mark_wrong,
    move,
    thought_of,
    trace_of,
)

PROBLEM = Problem("own/1", "What is 3 times 14?", "42", "own")


def texts(draft: Draft) -> list[str]:
    return [step.text for step in draft.steps]


def draft(*steps: str) -> Draft:
    return Draft(PROBLEM, tuple(Step(text) for text in steps))


def test_editing():
    assert texts(add(draft("a", "b"), " c ")) == ["a", "b", "c"]
    assert texts(add(draft("a", "b"), "c", after=0)) == ["c", "a", "b"]
    assert texts(edit(draft("a", "b"), 2, "B")) == ["a", "B"]
    assert texts(delete(draft("a", "b", "c"), 2)) == ["a", "c"]
    assert texts(move(draft("a", "b", "c"), 3, 1)) == ["c", "a", "b"]
    assert texts(move(draft("a", "b", "c"), 1, 3)) == ["b", "c", "a"]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: edit(draft("a"), 2, "x"),
        lambda: edit(draft(), 1, "x"),
        lambda: delete(draft("a"), 0),
        lambda: move(draft("a"), 1, 2),
        lambda: add(draft("a"), "x", after=2),
        lambda: add(draft("a"), "  "),
        lambda: edit(draft("a"), 1, ""),
        lambda: mark_wrong(draft("a"), 1, " "),
    ],
)
def test_impossible_edits_say_what_to_do(wrong):
    with pytest.raises(DraftError) as error:
        wrong()
    assert error.value.remedy


def test_a_wrong_step_stays_with_its_reason():
    marked = mark_wrong(draft("3*14=32.", "3*14=42."), 1, "3*4 is 12, so a ten is missing.")
    assert thought_of(marked.steps).splitlines() == [
        "3*14=32.",
        "Wait, that is wrong: 3*4 is 12, so a ten is missing. Go back.",
        "3*14=42.",
    ]
    assert thought_of(mark_right(marked, 1).steps) == "3*14=32.\n3*14=42."


def test_saved_and_taken_up_again(verifier):
    written = mark_wrong(draft("3*14=32, I think.", "3*10=30 and 3*4=12, so 42."), 1, "the ten is missing")
    trace = trace_of(Draft(PROBLEM, written.steps, "42"), " Ada ", 95.04)
    assert (trace.method, trace.model, trace.extra["annotator"], trace.seconds) == ("people", "Ada", "Ada", 95.0)
    assert trace.answer == "The answer is $\\boxed{42}$." and trace.raw.startswith("<think>\n3*14=32")
    assert verifier.verify(trace).kept
    assert draft_of(trace).steps == written.steps


@pytest.mark.parametrize(
    ("steps", "answer", "name", "message"),
    [
        (("a",), "42", " ", "annotator"),
        ((), "42", "Ada", "no step"),
        (("a",), " ", "Ada", "answer is missing"),
    ],
)
def test_what_is_missing_is_said(steps, answer, name, message):
    with pytest.raises(DraftError, match=message):
        trace_of(Draft(PROBLEM, tuple(Step(step) for step in steps), answer), name, 1)


def test_only_wrong_steps_are_no_thought():
    with pytest.raises(DraftError, match="no step that is right"):
        trace_of(mark_wrong(Draft(PROBLEM, (Step("a"),), "42"), 1, "b"), "Ada", 1)


@given(st.lists(st.text(min_size=1, alphabet="abc"), min_size=1, max_size=6), st.data())
def test_moving_keeps_the_steps_and_puts_one_in_its_place(steps, data):
    numbers = st.integers(1, len(steps))
    start, to = data.draw(numbers), data.draw(numbers)
    moved = texts(move(draft(*steps), start, to))
    assert sorted(moved) == sorted(steps) and moved[to - 1] == steps[start - 1]

"""A trace's sentences are weighed by drawing answers again; what was drawn is not asked for twice."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ServerError
from eval.grading.grader import Grader
from eval.records import Problem
from eval.statistics.multiple import holm
from eval.thoughts.importance import Draw, SentenceImportance, importances
from tests.eval.thoughts.scripted import END, PROMPT_END, Scripted, install
from traces.keeping.trace import Trace
from ui.traces.importance import DRAWS, PARTS, importance_handler, subject_of_trace, summary
from ui.traces.reader import RATES
from votes.casting.limits import RateLimiter

THOUGHT = "Let me see.\nThe sum is=6.\nThat is all."
TRACE = Trace(Problem("toy/3", "What is 3 + 3?", "6", "toy"), "What is 3 + 3?", "", THOUGHT, "6", "people", "Ann")


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(workers=1) as grader:
        yield grader


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grader: Grader) -> Scripted:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    monkeypatch.setattr("ui.traces.importance.check_ready", lambda served: None)
    scripted = Scripted()
    install(monkeypatch, grader, scripted)
    server = scripted.servers["distilled"]

    def script(text: str) -> str:
        known = "=6" in text.rpartition(PROMPT_END)[2]
        return f"\n</think>\n\n\\boxed{{{'6' if known else server.seen[-1]['seed'] % 5 + 10}}}{END}"

    server.script = script
    return scripted


def weigh(scripted: Scripted, trace: Trace = TRACE) -> Iterator[tuple[Any, Any]]:
    return handler(scripted, trace)("id", NOBODY)


NOBODY: Any = None


def handler(scripted: Scripted, trace: Trace = TRACE) -> Callable[[str, gr.Request], Iterator[tuple[Any, Any]]]:
    services: Any = SimpleNamespace(served=scripted.served, visitor=lambda request: "visitor")
    library: Any = SimpleNamespace(whole=lambda trace_id: trace)
    return importance_handler(services, library, RateLimiter(RATES, time.monotonic))


def test_the_sentence_that_decides_is_found_once(scripted: Scripted) -> None:
    *steps, (told, page) = weigh(scripted)
    assert steps and "answers" in steps[0][0] and steps[0][1] == gr.skip()
    assert "Colour by importance" in page and page.count("--importance") == 1
    assert told.count("“The sum is=6.” matters most: the answers before and after it differ by 100%.") == 1
    assert scripted.asked() == 4 * DRAWS, "before the first sentence, and after each"
    list(weigh(scripted))
    assert scripted.asked() == 4 * DRAWS


def test_one_thought_is_weighed_at_a_time_even_when_its_visitor_has_left(scripted: Scripted) -> None:
    weigh = handler(scripted)
    left = weigh("id", NOBODY)
    next(left)
    with pytest.raises(gr.Error, match="being weighed"):
        next(weigh("id", NOBODY))
    list(left)
    list(weigh("id", NOBODY))


def test_nobody_can_have_thoughts_weighed_without_end(scripted: Scripted) -> None:
    weigh = handler(scripted)
    for _ in range(RATES["turn"].per_visitor):
        list(weigh("id", NOBODY))
    with pytest.raises(gr.Error, match="Too many questions"):
        next(weigh("id", NOBODY))


def test_where_nothing_changes_the_answer_it_says_so() -> None:
    alike = SentenceImportance(0, 8, 0.0, 0.0, 1.0, 4, 4)
    assert "none of them decides" in summary(THOUGHT, [alike, alike]) and summary(THOUGHT, []) == summary(
        THOUGHT, [alike]
    )


@given(st.lists(st.lists(st.integers(0, 3), min_size=DRAWS, max_size=DRAWS), min_size=PARTS + 1, max_size=PARTS + 1))
@settings(max_examples=25)
def test_nothing_is_named_that_is_no_more_than_the_corrected_p_values_allow(classes: list[list[int]]) -> None:
    drawn = {end: [Draw(each, None) for each in found] for end, found in enumerate(classes)}
    weights = importances(drawn)
    named = "matters most" in summary("x" * (PARTS + 1), weights)
    assert named == any(p < 0.05 for p in holm([each.p_value for each in weights]))


def test_draws_of_a_coin_seldom_make_a_finding() -> None:
    rng = np.random.default_rng(5)
    found = []
    for _ in range(100):
        drawn = {end: [Draw(int(each), None) for each in rng.integers(2, size=DRAWS)] for end in range(PARTS + 1)}
        found.append("matters most" in summary("x" * (PARTS + 1), importances(drawn)))
    assert sum(found) <= 10


def test_with_as_many_parts_as_are_weighed_one_that_decides_is_found() -> None:
    decided = 4
    drawn = {end: [Draw(0 if end >= decided else each + 1, None) for each in range(DRAWS)] for end in range(PARTS + 1)}
    assert "“d” matters most" in summary("abcdefgh", importances(drawn))


def test_a_trace_is_weighed_as_the_served_student_would_think_it(scripted: Scripted) -> None:
    subject = subject_of_trace(scripted.served, replace(TRACE, seed=7))
    assert (subject.gold, subject.thought, subject.sampling.seed) == ("6", THOUGHT, 7)
    assert subject.sampling.temperature > 0 and 0 < subject.thought_tokens < len(THOUGHT)


def test_what_cannot_be_weighed_is_said_in_words(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(gr.Error, match="no thought"):
        next(weigh(scripted, replace(TRACE, thought="  ")))

    def not_ready(served: Any) -> None:
        raise ServerError("The model is still loading.")

    monkeypatch.setattr("ui.traces.importance.check_ready", not_ready)
    with pytest.raises(gr.Error, match="still loading"):
        next(weigh(scripted))

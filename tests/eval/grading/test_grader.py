"""The grader end to end: every known trap as a case, and nothing that hangs, crashes or passes by being empty."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import ConfigError
from eval.grading.grader import GradeItem, Grader

CASES = [
    json.loads(line) for line in (Path(__file__).parent / "grader_cases.jsonl").read_text(encoding="utf-8").splitlines()
]
SECONDS = 20.0


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(workers=2, seconds=SECONDS) as grader:
        yield grader


def reply(case: dict[str, str]) -> str:
    """The whole text of a case, or one around its answer."""
    return case.get("text") or f"So it is $\\boxed{{{case['answer']}}}$."


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{reply(case)[:60]} ? {case['gold'][:40]}")
def test_cases(grader: Grader, case: dict[str, str]) -> None:
    grade = grader.grade_one(reply(case), case["gold"], case["rule"])
    assert grade.outcome == case["outcome"], grade


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.get("trap") == "equalities"], ids=lambda case: f"{case['answer']} ? {case['gold']}"
)
def test_equalities_after_a_marker(grader: Grader, case: dict[str, str]) -> None:
    for text in (f"The final answer is {case['answer']}.", f"**Final answer**\n\n${case['answer']}$"):
        assert grader.grade_one(text, case["gold"], case["rule"]).outcome == case["outcome"]


def test_there_are_enough_cases_of_every_outcome() -> None:
    assert len(CASES) >= 700
    assert {case["outcome"] for case in CASES} == {"correct", "wrong", "no_answer", "grader_failed"}


def test_order_and_progress_are_kept_when_some_items_need_a_worker(grader: Grader) -> None:
    items = [GradeItem(rf"\boxed{{{n}+\sqrt{{{n}}}}}", rf"\sqrt{{{n}}}+{n - n % 2}") for n in range(2, 30)]
    heard: list[int] = []
    grades = list(grader.grade_many(items, heard.append))
    assert [grade.outcome for grade in grades] == ["wrong" if n % 2 else "correct" for n in range(2, 30)]
    assert heard == list(range(1, len(items) + 1))


def test_an_overdue_worker_is_killed_and_the_next_answer_is_graded() -> None:
    with Grader(workers=1, seconds=1.0) as grader:
        started = time.monotonic()
        grade = grader.grade_one(rf"\boxed{{{RUNAWAY}+{RUNAWAY}}}", RUNAWAY)
        assert (grade.outcome, grade.note) == ("grader_failed", "out of time")
        assert time.monotonic() - started < 60
        assert grader.grade_one(r"\boxed{2\cdot x+x}", "3x").outcome in ("correct", "grader_failed")


RUNAWAY = r"\int_0^x e^{t^2}\sin(t^3)\,dt"
"""An integral without a closed form: sympy looks for one far longer than any test waits."""


@pytest.mark.parametrize(("workers", "seconds"), [(0, 1.0), (-1, 1.0), (1, 0.0), (1, -5.0), (1, float("nan"))])
def test_numbers_that_make_no_sense_are_refused(workers: int, seconds: float) -> None:
    with pytest.raises(ConfigError, match=r"worker|seconds"):
        Grader(workers=workers, seconds=seconds)


def test_imports_do_not_cost_the_first_answers_their_time() -> None:
    # Importing sympy and math-verify alone takes longer than this limit, on any machine.
    with Grader(workers=2, seconds=1.0) as grader:
        items = [GradeItem(rf"\boxed{{x+{n}}}", f"{n}+x") for n in range(8)]
        assert [grade.note for grade in grader.grade_many(items)] == ["value at several points"] * 8


def test_the_plain_statement_is_a_method_of_its_own(grader: Grader) -> None:
    grade = grader.grade_one("Nine and nine. The answer is 18.", "18")
    assert (grade.outcome, grade.extraction_method) == ("correct", "stated")
    assert grade.row() == {"outcome": "correct", "rung": "stated", "extracted": "18", "note": "same text"}


@pytest.mark.parametrize(
    "answer",
    ["(" * 900, "1 " * 900, "{" * 500 + "}" * 500, "\\frac" * 300, "exp(" * 300, "5 million " * 150, "1,000," * 200,
     "x=" * 500, "\\text{" * 200, "9" * 1999, "\\sqrt" * 300, "½" * 900, "\\cup(0,1)" * 200, "(1)" * 600, "mod" * 600,
     "\\pm 1," * 200, "\ud800", "\x00" * 50, "_" * 1500, "{1,1}," * 200],
    ids=lambda answer: repr(answer[:12]),
)  # fmt: skip
def test_one_bad_answer_holds_up_nobody(grader: Grader, answer: str) -> None:
    started = time.monotonic()
    grades = list(grader.grade_many([GradeItem(f"Final answer: {answer}", "7"), GradeItem(r"\boxed{7}", "7")]))
    assert grades[0].outcome != "correct"
    assert grades[1].outcome == "correct"
    assert time.monotonic() - started < 3 * SECONDS


def test_it_works_in_a_thread(grader: Grader) -> None:
    outcomes: list[str] = []
    thread = Thread(target=lambda: outcomes.append(grader.grade_one(r"\boxed{\frac{2}{\sqrt2}}", r"\sqrt{2}").outcome))
    thread.start()
    thread.join(60)
    assert outcomes == ["correct"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(alphabet=st.sampled_from(list("0123456789xyi+-*/^_=<>!%$(){}[],.;|& \n\\")) | st.characters(), max_size=60)
)
def test_no_answer_hangs_or_crashes_the_grader(grader: Grader, answer: str) -> None:
    grade = grader.grade_one(f"\\boxed{{{answer}}}", "7")
    assert grade.outcome in ("correct", "wrong", "no_answer", "grader_failed")
    assert (grade.extraction_method == "none") == (grade.outcome == "no_answer") == (grade.extracted == "")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=" \n\t{}$~.,:*_=\\", max_size=30), st.sampled_from(["", " ", "7", r"\text{}", "{}"]))
def test_an_empty_answer_is_never_correct(grader: Grader, answer: str, gold: str) -> None:
    for text in (answer, f"\\boxed{{{answer}}}", f"Final answer: {answer}", f"#### {answer}"):
        assert grader.grade_one(text, gold).outcome != "correct"


def test_a_sentence_that_a_limit_cut_off_states_no_answer(grader: Grader) -> None:
    assert grader.grade_one("The answer is 1", "1").outcome == "correct"
    assert grader.grade_one("The answer is 1", "1", cut_off=True).outcome == "no_answer"
    assert grader.grade_one(r"\boxed{1} and", "1", cut_off=True).outcome == "correct"


def test_classes_group_equivalent_answers_and_empty_ones_do_not_vote(grader: Grader) -> None:
    answers = [r"\frac12", "0.5", "", r"\sqrt{2}", r"\frac{2}{\sqrt2}", "7", "0.50", "  "]
    assert grader.classes(answers) == [0, 0, None, 1, 1, 2, 0, None]


def test_equivalent_looks_both_ways(grader: Grader) -> None:
    assert grader.equivalent("4210_5", "4210") is True
    assert grader.equivalent("4210", "4210_5") is True
    assert grader.equivalent("3", "4") is False
    assert grader.equivalent("", "") is False
    assert grader.equivalent(r"9^{9^{9^9}}", "5") is None


def test_a_verdict_on_mathematics_is_none_on_an_option(grader: Grader) -> None:
    graded = [grader.grade_one(r"\boxed{2B-B}", "B", rule).outcome for rule in ("math", "choice", "math")]
    assert graded == ["correct", "wrong", "correct"]


def test_a_judged_set_is_not_graded(grader: Grader) -> None:
    with pytest.raises(ConfigError, match="judged"):
        grader.grade_one(r"\boxed{5}", "5", "judged")


def test_a_gold_that_cannot_be_graded_is_told(grader: Grader) -> None:
    assert grader.gold_fault(r"\frac{14}{3}") == ""
    assert "braces" in grader.gold_fault(r"\frac{1}{2")
    assert "whole number" in grader.gold_fault("2.5", "integer")
    assert grader.gold_fault(r"\frac{1}{2}\foo\bar{") != ""
    for gold in (
        r"x \in [-2,7]",
        r"x \in (-\infty, 1] \cup [3, \infty)",
        r"-2 \le x \le 7",
        r"x = \pm 3",
        r"\text{Evelyn}",
    ):
        assert grader.gold_fault(gold) == ""


def test_a_grader_that_is_wrong_about_simple_things_refuses_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.grading.grader._self_test", always_failing)
    with pytest.raises(ConfigError, match="antlr4"):
        Grader(workers=1).__enter__()


def always_failing() -> list[str]:
    return ["1 = 1"]

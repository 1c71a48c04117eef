"""The first screen: what it says of the pair, what was measured on it, and which questions it offers."""

from typing import Any

import pytest

from eval.results.measured import Measured
from eval.results.overview import SetResult
from models.chat.events import Reply
from models.config.registry import load_config
from ui.compare.examples import UNMEASURED, examples_html, pool
from ui.compare.findings import Findings
from ui.compare.waits import Usual, usual, usual_sentence
from ui.compare.welcome import finding_html, sentence, size_of, welcome_html

PAIR = load_config().pairs["smol-135m"]


def asked(question: str = "What is 2 + 2?", base: int = 0, distilled: int = 4, **fields: Any) -> Measured:
    return Measured(
        **{"subject": "sums", "of": 4, "gold": "4", "rule": "math", **fields},
        question=question,
        base=base,
        distilled=distilled,
    )


def result(title: str, difference: float, low: float, high: float) -> SetResult:
    shares = (0.1, 0.1 + difference, difference, low, high)
    p = 0.01 if low > 0 or high < 0 else 0.3
    return SetResult(title, title, "r", True, 10, 0, 4, 0.6, 512, *shares, p, 1.0, 2.0, 0.0, 0.0, *shares)


def test_the_models_are_named_with_their_size() -> None:
    said = welcome_html(PAIR)
    assert PAIR.base.title in said and PAIR.distilled.title in said and "(135M parameters)" in said
    assert size_of(load_config().pairs["qwen2.5-72b"].base) == "72.7B"
    assert "why" not in said and '<p class="why">It fits.</p>' in welcome_html(PAIR, "It fits.")


def test_examples_are_those_that_were_measured_and_do_not_say_who_was_right() -> None:
    measured = [asked("Both never"[: 4 + at] + f" {at}?", 0, 0, subject=f"s{at}") for at in range(9)] + [
        asked("Right?"),
        asked("Sometimes?", 0, 3),
        asked("The base is?", 4, 0, subject="other"),
        asked("$x$?", 4, 4),
    ]
    examples = pool(measured)
    assert [one.question for one in examples if one.kind == "right"] == ["Right?", "The base is?"]
    assert len([one for one in examples if one.kind == "wrong"]) == 6
    assert examples[-1].kind == "chinese"
    shown = examples_html(examples)
    assert "distilled" not in shown and "base model" not in shown and "Both fail" in shown and "Measured" in shown


def test_examples_are_varied() -> None:
    measured = [asked(f"{subject}{at}?", subject=subject) for subject in "abc" for at in range(20)]
    subjects = [one.question[0] for one in pool(measured) if one.kind == "right"]
    assert subjects == [*"abc"] * 6


def test_without_a_run_no_example_claims_to_be_measured() -> None:
    assert pool([]) == UNMEASURED and "Measured" not in examples_html(pool([]))


@pytest.mark.parametrize(
    ("answer", "finish", "verdict"),
    [
        ("So it is $\\boxed{4}$.", "stop", "right"),
        ("So it is $\\boxed{5}$.", "stop", "wrong"),
        ("Who knows", "stop", "no answer"),
        ("The answer is", "length", "no answer"),
    ],
)
def test_an_answer_is_right_or_wrong_where_the_question_was_measured(answer: str, finish: Any, verdict: str) -> None:
    findings = Findings((), [asked("What  is 2 + 2?\n\nThink.")])
    assert findings.verdict("what is 2 + 2? think.", Reply(answer=answer, finish_reason=finish)) == verdict
    assert findings.verdict("What is 3 + 3?", Reply(answer=answer)) == ""
    assert "4 of 4 times, its base 0 of 4" in findings.recorded_sentence("What is 2 + 2? Think.")
    assert findings.recorded_sentence("What is 3 + 3?") == ""


@pytest.mark.parametrize(
    ("rule", "gold", "answer", "verdict"),
    [
        ("choice", "C", "So the correct option is (C).", "right"),
        ("choice", "C", r"\boxed{\text{B}}", "wrong"),
        ("choice", "C", "I cannot tell.", "no answer"),
        ("integer", "042", r"\boxed{42}", "right"),
        ("integer", "042", r"\boxed{\sqrt{1764}}", ""),
        ("math", "1, 2", r"\boxed{1} and \boxed{2}", "right"),
    ],
)
def test_an_answer_is_read_as_its_set_is_graded(rule: str, gold: str, answer: str, verdict: str) -> None:
    findings = Findings((), [asked(gold=gold, rule=rule)])
    assert findings.verdict("What is 2 + 2?", Reply(answer=answer, finish_reason="stop")) == verdict


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([result("A", 0.8, 0.7, 0.9)], "better on “A”, right 90 % instead of 10 % of the time."),
        ([result("A", 0.8, 0.7, 0.9), result("B", 0.05, -0.1, 0.2)], "least on “B”, 15 % instead of 10 %"),
        ([result("B", 0.2, -0.1, 0.5), result("A", 0.08, 0.02, 0.14)], "better on “A”, right 18 % instead of 10 %"),
        ([result("A", 0.8, 0.7, 0.9), result("B", 0.004, -0.1, 0.1)], "least on “B”, 10.4 % instead of 10.0 %"),
        ([result("A", 0.8, 0.7, 0.9), result("B", 0.0, -0.1, 0.1)], "least on “B”, 10 % instead of 10 %"),
        ([result("B", 0.05, -0.1, 0.2)], "no clear gain"),
        ([result("C", -0.05, -0.09, -0.01)], "no clear gain"),
    ],
)
def test_the_finding_is_said_in_a_sentence(results: list[SetResult], said: str) -> None:
    assert said in sentence(results)
    assert 'data-tab="benchmarks"' in finding_html(results)


def test_the_worst_set_is_among_those_that_are_drawn() -> None:
    results = [
        result(title, gain, gain - 0.1, gain + 0.1) for title, gain in zip("CADB", (0.2, 0.4, -0.1, 0.3), strict=True)
    ]
    drawn = finding_html(results)
    assert [title for title in "ABCD" if f"<figcaption>{title}<" in drawn] == ["A", "B", "D"]


def test_bars_of_different_shares_do_not_look_alike() -> None:
    drawn = finding_html([result("A", 0.004, -0.1, 0.1)])
    assert ">10.0 % base<" in drawn and ">10.4 % distilled<" in drawn
    assert ">10 % base<" in finding_html([result("A", 0.4, 0.1, 0.6)])


def test_nothing_is_said_without_results() -> None:
    assert finding_html([]) == ""


@pytest.mark.parametrize(
    ("seconds", "said"),
    [([5.0] * 4, ""), ([5.0] * 5, "usually about 5 s here"), ([4.0, 20.0, 30.0, 40.0, 90.0], "usually 12–65 s here")],
)
def test_how_long_it_usually_takes_is_said_only_from_enough_battles(seconds: list[float], said: str) -> None:
    assert usual_sentence(usual(seconds)) == said


def test_the_sentence_never_promises_less_than_a_second() -> None:
    assert usual_sentence(Usual(0.1, 0.4)) == "usually about 1 s here"

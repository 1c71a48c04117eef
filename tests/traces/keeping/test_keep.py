"""Every reason for rejection, and the two checks that must agree."""

from dataclasses import replace

import pytest

from eval.grading.grader import Grader
from eval.problems.families import SPLITS, TRAINED, UNSEEN, generate
from eval.records import Grade, Problem
from traces.keeping.keep import (
    REASONS,
    KeepRules,
    Verifier,
    answer_fault,
    form_fault,
    number_check,
    reason_code,
    reject,
    reject_counts,
    solver_check,
)
from traces.keeping.trace import Trace

PROBLEM = Problem("own/1", "What is 3 times 14?", "42", "own")
CHINESE = replace(PROBLEM, question="三乘以十四等于多少？请写出答案。")
THOUGHT = "Three times ten is 30.\nThree times four is 12.\nTogether 42."
CHINESE_THOUGHT = "三乘以十等于三十，三乘以四等于十二，加起来就是四十二。这样就得到结果。"


def trace(thought: str = THOUGHT, answer: str = "So $\\boxed{42}$.", problem: Problem = PROBLEM, **extra: str) -> Trace:
    raw = f"<think>\n{thought}\n</think>\n\n{answer}"
    return Trace(problem, "", raw, thought, answer, "teacher", "m", extra=dict(extra))


REJECTED = {
    "cut off": (trace(finish_reason="length"), "cut_off"),
    "no thought": (trace(" \n"), "no_thought"),
    "a word for a thought": (trace("Easy."), "short_thought"),
    "no box": (trace(answer="It is 42."), "no_box"),
    "a box that was cut": (trace(answer="It is \\boxed{42"), "no_box"),
    "answer first": (trace(f"The answer is 42. {THOUGHT}"), "leaked"),
    "box first": (trace(f"\\boxed{{42}}\n{THOUGHT}"), "leaked"),
    "answer first, in Chinese": (trace(f"答案是42。{CHINESE_THOUGHT}", problem=CHINESE), "leaked"),
    "speaks of the given answer": (trace(f"{THOUGHT}\nThat matches the given answer."), "leaked"),
    "a line again and again": (trace("Let me look at the sum again.\n" * 5), "loop"),
    "words again and again": (trace("so we add the three and the four and the five and then " * 6), "loop"),
    "characters again and again": (
        trace("让我再算一次，三乘以十等于三十，三乘以四等于十二，加起来就是四十二。" * 6, problem=CHINESE),
        "loop",
    ),
    "Chinese in an English thought": (trace(f"{THOUGHT} {CHINESE_THOUGHT}"), "mixed_language"),
    "English to a Chinese question": (trace(problem=CHINESE), "mixed_language"),
    "no reference": (trace(problem=replace(PROBLEM, gold="")), "no_reference"),
    "words and no reference": (
        trace(answer="\\boxed{\\text{yes}}", problem=replace(PROBLEM, gold=" ")),
        "no_reference",
    ),
    "no box and no reference": (trace(answer="42", problem=replace(PROBLEM, gold="")), "no_box"),
    "wrong": (trace(answer="\\boxed{41}"), "wrong_answer"),
    "wrong words": (trace(answer="\\boxed{\\text{many}}"), "wrong_answer"),
}
KEPT = {
    "plain": trace(),
    "Chinese": trace(CHINESE_THOUGHT, problem=CHINESE),
    "Chinese steps that look alike": trace(
        "".join(f"试{n}：3×{n}={3 * n}，不是要找的数，继续试下一个。" for n in range(2, 20)), problem=CHINESE
    ),
    "another form of the number": trace(answer="\\boxed{\\frac{84}{2}}"),
    "an intermediate result first": trace(f"The result is 30 for the tens. {THOUGHT}"),
    "steps that look alike": trace("\n".join(f"Try {n}: 3*{n}={3 * n}, no." for n in range(2, 20))),
}


@pytest.mark.parametrize(("made", "code"), REJECTED.values(), ids=REJECTED)
def test_rejects_carry_their_reason(verifier, made, code):
    judged = verifier.verify(made)
    assert judged.kept is False
    assert reason_code(judged) == code and code in REASONS
    assert judged.reason.split(": ", 1)[1], "and a sentence"
    assert (judged.raw, judged.thought) == (made.raw, made.thought), "a reject is kept whole"


@pytest.mark.parametrize("made", KEPT.values(), ids=KEPT)
def test_kept(verifier, made):
    judged = verifier.verify(made)
    assert (judged.kept, judged.reason, reason_code(judged)) == (True, "", "")


RIGHT, WRONG, FAILED = (
    Grade("correct", "boxed", "42"),
    Grade("wrong", "boxed", "42"),
    Grade("grader_failed", "boxed", "42"),
)


@pytest.mark.parametrize(
    ("grade", "second", "answer", "code"),
    [
        (RIGHT, True, "42", None),
        (WRONG, False, "42", "wrong_answer"),
        (RIGHT, False, "42", "checks_disagree"),
        (WRONG, True, "42", "checks_disagree"),
        (FAILED, True, "42", "one_check"),
        (RIGHT, None, "{1, 2}", "one_check"),
        (WRONG, None, "{1, 2}", "wrong_answer"),
        (FAILED, None, "{1, 2}", "one_check"),
    ],
)
def test_both_checks_must_say_right(grade, second, answer, code):
    fault = answer_fault(trace(answer=f"\\boxed{{{answer}}}"), grade, lambda problem, found: second)
    assert (fault.code if fault else None) == code


def test_the_families_solver_is_the_second_check():
    """A stored gold that is wrong does not survive: the first check follows it, the solver does not."""
    problem = generate("train", 1, 5)[0]
    assert solver_check(problem, problem.gold) is True
    assert solver_check(problem, str(int(problem.gold) + 1)) is False
    spoilt = replace(problem, gold=str(int(problem.gold) + 1))
    assert solver_check(spoilt, spoilt.gold) is False and number_check(spoilt, spoilt.gold) is True


@pytest.mark.parametrize("split", SPLITS)
def test_the_solver_check_knows_every_family(split):
    families = UNSEEN if split == "unseen_families" else TRAINED
    for problem in generate(split, 2 * len(families), 11):
        assert solver_check(problem, problem.gold) is True


def test_earlier_rejects_stay_and_order_is_kept(verifier):
    batch = [trace(), reject(trace(), "request", "timeout"), trace(answer="\\boxed{1}"), trace()]
    judged = list(verifier.verify_all(batch))
    assert [t.kept for t in judged] == [True, False, False, True]
    assert judged[1].reason == "request: timeout"
    assert reject_counts(judged) == {"request": 1, "wrong_answer": 1}


def test_without_a_reference_nothing_is_graded():
    class Never:
        def grade_many(self, items):
            assert not list(items)
            return iter(())

    judged = Verifier(Never()).verify(trace(problem=replace(PROBLEM, gold="")))
    assert judged.reason == f"no_reference: {REASONS['no_reference']}"


def test_rules_can_be_set():
    assert form_fault(trace("Easy."), KeepRules(shortest_thought=3)) is None
    assert form_fault(trace(problem=CHINESE), KeepRules(same_language=False)) is None
    assert form_fault(trace(""), KeepRules(needs_thought=False)) is None
    assert form_fault(trace("Easy."), KeepRules(needs_thought=False)).code == "short_thought"


def test_with_the_real_grader():
    with Grader(workers=1) as grader:
        judged = list(Verifier(grader).verify_all([*KEPT.values(), trace(answer="\\boxed{41}")]))
    assert [t.kept for t in judged] == [True] * len(KEPT) + [False]

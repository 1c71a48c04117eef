"""Preference against correctness, on a small set counted by hand."""

from collections.abc import Iterator

import pytest

from eval.grading.grader import Grader
from eval.problems.benchmark import Benchmark
from eval.problems.prompts import maths_prompt
from eval.records import Problem
from insights.truth import (
    MIN_CHOICES,
    Choices,
    compare_with_truth,
    find_problem,
    grade_votes,
    index_problems,
)
from tests.insights.helpers import make_reply, make_vote
from votes.ballot import Vote

SUM = Problem("toy/1", "What is 2 + 2?", "4", "toy")
KNOWN = index_problems(
    [
        Benchmark("toy", (SUM,), "", ""),
        Benchmark("judged", (Problem("j/1", "Be kind.", "", "judged"),), "", "", "judged"),
    ]
)
RIGHT, WRONG = r"It is $\boxed{4}$.", r"It is $\boxed{5}$."


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(workers=1) as grader:
        yield grader


def vote(
    verdict: str, battle: str, distilled: str = RIGHT, base: str = WRONG, stage: str = "answers", **fields: object
) -> Vote:
    """A is the distilled model."""
    tokens, thoughts = fields.pop("tokens", (10, 20)), fields.pop("thoughts", (0, 0))
    return make_vote(
        verdict,  # type: ignore[arg-type]
        battle=battle,
        stage=stage,  # type: ignore[arg-type]
        distilled=make_reply("distilled", distilled, tokens[0], thoughts[0]),  # type: ignore[index]
        base=make_reply("base", base, tokens[1], thoughts[1]),  # type: ignore[index]
        **fields,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("prompt", [SUM.question, "  what is 2\n+ 2? ", maths_prompt(SUM)])
def test_a_known_problem_is_recognised(prompt: str) -> None:
    found = find_problem(prompt, KNOWN)
    assert found is not None and found.problem is SUM


@pytest.mark.parametrize("prompt", ["What is 2 + 3?", "Be kind.", ""])
def test_nothing_else_is(prompt: str) -> None:
    assert find_problem(prompt, KNOWN) is None


def test_counts_by_hand(grader: Grader) -> None:
    votes = [
        vote("a", "b1"),  # the right answer is preferred, and is the shorter one
        vote("b", "b2"),  # the wrong one is
        vote("b", "b2", stage="reasoning"),
        vote("b", "b3", tokens=(30, 20)),  # wrong and shorter is preferred
        vote("a", "b3", stage="reasoning"),  # and given up after reading
        vote("tie", "b4"),
        vote("a", "b4", stage="reasoning", thoughts=(50, 0)),
        vote("a", "b5", distilled=RIGHT, base=RIGHT),
        vote("both_bad", "b6", distilled=WRONG, base="No idea."),
        vote("a", "b7", prompt="Tell me a story."),
    ]
    truth = compare_with_truth(grade_votes(votes, KNOWN, lambda item: grader.grade_one(*item[:3])))
    assert truth.graded == 9
    assert truth.quadrants[True, False] == {"distilled": ("b1",), "base": ("b2", "b3"), "tie": ("b4",)}
    assert truth.quadrants[True, True] == {"distilled": ("b5",)}
    assert truth.quadrants[False, False] == {"both_bad": ("b6",)}
    assert truth.quadrants[False, True] == {}
    assert truth.by_stage["answers"] == Choices(1, 3, ("b1", "b2", "b3"))
    assert truth.by_stage["reasoning"] == Choices(2, 3, ("b2", "b3", "b4"))
    assert truth.by_length["longer"] == Choices(0, 1, ("b3",))
    assert truth.by_length["not longer"] == Choices(1, 2, ("b1", "b2"))
    assert truth.by_thought["longer"] == Choices(1, 1, ("b4",))
    assert truth.by_thought["not longer"] == Choices(1, 2, ("b2", "b3"))
    assert truth.reading[:3] == (3, 2, 0) and truth.reading.p_value == pytest.approx(0.5)


def test_only_a_blind_vote_without_sight_of_a_thought_is_one_before_reading(grader: Grader) -> None:
    votes = [
        vote("a", "b1"),
        vote("b", "b2", mode="named", reasoning_seen=True),
        vote("a", "b3", mode="named", reasoning_seen=True),
        vote("b", "b4", reasoning_seen=True),  # cast again after the thoughts were opened
        vote("a", "b4", stage="reasoning"),
    ]
    truth = compare_with_truth(grade_votes(votes, KNOWN, lambda item: grader.grade_one(*item[:3])))
    assert truth.by_stage == {"answers": Choices(1, 1, ("b1",)), "reasoning": Choices(1, 1, ("b4",))}
    assert truth.named == Choices(1, 2, ("b2", "b3"))
    assert truth.by_length["not longer"] == Choices(1, 1, ("b1",)), "a named vote is none on the answers alone"
    assert truth.quadrants[True, False] == {"distilled": ("b1",)}
    assert truth.reading.battles == 0, "the first vote of b4 was not cast before reading"


def test_whether_confident_wrong_answers_win(grader: Grader) -> None:
    votes = [
        vote("b", "b1"),
        vote("a", "b2"),
        vote("b", "b3", base=r"I think it is $\boxed{5}$."),
        vote("a", "b4", base="No idea."),
        vote("b", "b5", distilled=WRONG, base="Perhaps."),  # both are wrong
        vote("tie", "b6"),
    ]
    truth = compare_with_truth(grade_votes(votes, KNOWN, lambda item: grader.grade_one(*item[:3])))
    assert truth.by_tone == {
        "confident": Choices(1, 2, ("b1", "b2")),
        "hedged": Choices(0, 1, ("b3",)),
        "without an answer": Choices(1, 1, ("b4",)),
    }
    assert truth.by_tone["hedged"].wrong == Choices(1, 1, ("b3",))


def test_a_share_of_few_choices_is_not_shown() -> None:
    few, enough = Choices(3, MIN_CHOICES - 1, ()), Choices(8, MIN_CHOICES, ())
    assert few.share is None and few.interval is None
    assert enough.share == 0.8 and enough.interval is not None and enough.interval.low < 0.8 < enough.interval.high


def test_a_cut_off_answer_is_graded_as_one(grader: Grader) -> None:
    from dataclasses import replace

    cut = replace(make_reply("distilled", "The answer is 4"), finish_reason="length")
    (graded,) = grade_votes([make_vote("a", distilled=cut)], KNOWN, lambda item: next(grader.grade_many([item])))
    assert graded.right == {"distilled": False, "base": False}


def test_no_votes() -> None:
    truth = compare_with_truth([])
    assert truth.graded == 0 and truth.reading.p_value is None and truth.by_stage["answers"].total == 0

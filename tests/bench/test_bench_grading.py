"""The pairs that grading is timed on are what the table says of them."""

from bench.sections.grading import make_items
from eval.grading.grader import Grader


def test_the_pairs_are_distinct_and_every_second_one_is_wrong() -> None:
    items = make_items(40)
    assert len({*items}) == 40
    with Grader(workers=1) as grader:
        outcomes = [grade.outcome for grade in grader.grade_many(items)]
    assert outcomes == ["correct", "wrong"] * 20

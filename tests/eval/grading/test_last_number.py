"""The lenient reading: what the last number of a reply is, and when it is right."""

import pytest

from eval.grading.numerals import last_number, last_number_right, numeral


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("First 5, then 6 apples.", "6"),
        ("so it costs $1,234.", "1,234"),
        ("the sum is -5", "-5"),
        ("10-5", "5"),
        ("about 3.50 dollars", "3.50"),
        ("1, 2, 3", "3"),
        ("no number at all", ""),
        ("", ""),
    ],
)
def test_the_last_number_is_taken_as_written(text: str, number: str) -> None:
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        ("So we have 1,234 of them.", "1234", True),
        ("This gives 3.50 dollars.", "7/2", True),
        ("This gives 3.5.", "5", False),
        ("It is 7, or is it 8?", "7", False),
        ("I do not know.", "7", False),
        ("It is 7.", "x + 7", False),
        ("", "", False),
    ],
)
def test_it_is_right_if_it_equals_a_gold_that_is_a_number(answer: str, gold: str, right: bool) -> None:
    assert last_number_right(answer, gold) is right


@pytest.mark.parametrize("answer", ["3" * 5_000, "0." + "3" * 5_000, "1/" + "3" * 5_000, f"{'3' * 5_000} 1/2"])
def test_a_number_without_end_is_no_answer(answer: str) -> None:
    assert numeral(answer) is None and last_number_right(f"x {answer}", "3") is False

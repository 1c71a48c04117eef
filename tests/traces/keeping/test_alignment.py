"""Where two thoughts part: known cases, what holds for any two texts, and the measure on pairs judged by hand."""

from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from traces.keeping.alignment import LIKE, MOST_STEPS, align, likeness, part, steps

PAIRS = yaml.safe_load(Path(__file__).with_name("steps.yaml").read_text(encoding="utf-8"))
TOGETHER = "We are given 48 clips. Half of 48 is 24.\n"
A = TOGETHER + "48+24=72.\nWait, is it half as many more? No.\nSo the answer is 72."
B = "Okay.\n" + TOGETHER + "48-24=24.\nHm, let me read the question once more.\nSo the answer is 24."


def test_thoughts_part_where_the_first_step_differs() -> None:
    found = part(A, B)
    assert found is not None
    assert A[found.at_a :].startswith("48+24=72.")
    assert B[found.at_b :].startswith("48-24=24.")
    assert (found.step_a, found.step_b, found.shared, found.of_a, found.of_b) == (2, 3, 2, 6, 6)


def test_thoughts_that_meet_again_say_so() -> None:
    detour = "Let us count on our fingers.\nOne, two, three.\nThat takes long.\nStop.\nAnother way.\n"
    end = "48+24=72.\nCheck: 72-24=48.\nThe answer is 72."
    found = part(TOGETHER + detour + end, TOGETHER + "Let me draw a picture of boxes.\n" + end)
    assert found is not None and (found.shared, found.later) == (2, 3)


@pytest.mark.parametrize(("a", "b"), [("", ""), ("", "One."), (A, A), (A, A.upper()), (TOGETHER, A)])
def test_some_never_part(a: str, b: str) -> None:
    assert part(a, b) is None


def test_no_step_in_common_is_parting_from_the_start() -> None:
    found = part("First I multiply.", "Apples are red. Pears are green.")
    assert found is not None and (found.step_a, found.step_b, found.at_a, found.at_b, found.shared) == (0, 0, 0, 0, 0)


TEXTS = st.text(alphabet=st.sampled_from("ab1 2=.\n。!等算")) | st.text(max_size=60)


@given(TEXTS)
def test_steps_are_the_whole_text(text: str) -> None:
    found = steps(text)
    assert "".join(step.text for step in found) == text
    assert all(text[step.start : step.end] == step.text for step in found)


@given(st.lists(TEXTS, max_size=6), st.lists(TEXTS, max_size=6))
def test_pairs_are_in_order_and_alike(a: list[str], b: list[str]) -> None:
    pairs = align(a, b)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(pairs))
    if pairs:
        alike = likeness(a, b)
        assert all(alike[i, j] >= LIKE for i, j in pairs)


@given(TEXTS, TEXTS)
def test_parting_is_the_same_from_both_sides(a: str, b: str) -> None:
    found, other = part(a, b), part(b, a)
    assert (found is None) == (other is None)
    if found and other:
        assert a[found.at_a :] and b[found.at_b :]


def test_very_long_thoughts_are_aligned_as_far_as_is_useful() -> None:
    long = "".join(f"Step {number} gives {number * 7}.\n" for number in range(MOST_STEPS + 500))
    found = part(long.replace("Step 900 gives 6300", "Nothing of it works"), long)
    assert found is None, "one step in between is no parting"
    found = part(long[: long.index("Step 900")] + "Apples are red.\n" * 50, long)
    assert found is not None and found.step_b == 900


def judged(pair: list[str]) -> bool:
    """Whether the pair counts as alike among all the steps of the file."""
    others = [step for pairs in PAIRS.values() for each in pairs for step in each]
    return bool(likeness([pair[0], *others], [pair[1]])[0, 0] >= LIKE)


def test_the_measure_agrees_with_a_reader() -> None:
    right = sum(map(judged, PAIRS["same"])) + sum(not judged(pair) for pair in PAIRS["other"])
    assert right >= 28, f"{right} of 30 pairs"

"""The paper's facts: the tables as printed, and what follows from them."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep

from eval.paper.figures import (
    LEADERBOARD,
    PART_1,
    TABLE_1,
    TABLE_2,
    TIMELINE,
    Counts,
    counts,
    exact_count,
    safety_together,
    unpaired_difference,
)

TABLE_1_PRINTED = """
o1-preview | 12/30 | 9083 | 85.5 | 1501
o1-mini    | 21/30 | 9903 | 90.0 | 944
Ours-72B   | 13/30 | 8016 | 87.2 | 2235
"""
TABLE_2_PRINTED = """
91.0 | 100.0 | 92.0 | 10.58 | 47.08 | 69.08 | 89.70 | 81.6 | 77.2
92.5 | 100.0 | 86.5 | 10.41 | 45.76 | 62.65 | 92.65 | 88.0 | 87.2
"""
LEADERBOARD_PRINTED = """
Open O1             | 0  | 8  | 20 | 5  | 33
O1-Journey (Part 1) | 10 | 33 | 24 | 9  | 76
LLaMA-O1            | 0  | 6  | 0  | 5  | 11
K0Math              | 0  | 0  | 16 | 0  | 16
Skywork O1          | 0  | 0  | 0  | 0  | 0
DeepSeek-R1-Lite    | 0  | 0  | 20 | 0  | 20
O1-Journey (Part 2) | 10 | 33 | 24 | 12 | 79
"""


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]


def test_table_1_is_as_printed() -> None:
    ours = [
        [r.model, f"{r.aime_correct}/{r.aime_total}", str(r.aime_tokens), f"{r.math500:.1f}", str(r.math500_tokens)]
        for r in TABLE_1
    ]
    assert ours == cells(TABLE_1_PRINTED)


def test_table_2_is_as_printed() -> None:
    assert [f"{r.baseline:.{r.decimals}f}" for r in TABLE_2] == cells(TABLE_2_PRINTED)[0]
    assert [f"{r.ours:.{r.decimals}f}" for r in TABLE_2] == cells(TABLE_2_PRINTED)[1]


def test_leaderboard_adds_up_to_the_printed_totals() -> None:
    ours = [[r.work, *map(str, (r.data, r.methodology, r.evaluation, r.open_source, r.total))] for r in LEADERBOARD]
    assert ours == cells(LEADERBOARD_PRINTED)


def test_timeline_runs_from_september_to_november_2024() -> None:
    days = [m.day for m in TIMELINE if m.day]
    assert days == [date(2024, 9, 12), date(2024, 10, 9), date(2024, 10, 16), date(2024, 11, 22)]
    assert days == sorted(days)


def test_part_1_gains() -> None:
    assert [(r.base, r.shortcut, r.journey) for r in PART_1] == [(37.2, 38.6, 47.0), (29.0, 34.8, 42.8)]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("flames", Counts(182, 185, 200, True)),
        ("diasafety", Counts(200, 200, 200, True)),
        ("wildsafety", Counts(184, 173, 200, True)),
        ("simpleqa", Counts(458, 450, 4326, False)),
        ("chinese_simpleqa", Counts(1412, 1373, 3000, False)),
        ("chinesefacteval", None),
        ("autoj", None),
    ],
)
def test_counts_are_exact_only_where_they_follow(key: str, expected: Counts | None) -> None:
    assert counts(next(r for r in TABLE_2 if r.key == key)) == expected


def test_the_three_safety_sets_together() -> None:
    together = safety_together()
    assert together == Counts(566, 558, 600, True)
    assert (f"{together.baseline / 6:.1f}", f"{together.ours / 6:.1f}") == ("94.3", "93.0")


def test_difference_agrees_with_a_hand_computed_case() -> None:
    """Newcombe 1998, example (a): 56/70 against 48/80 gives 20 points, interval 5.24 to 33.39."""
    low, high = confint_proportions_2indep(56, 70, 48, 80, method="newcomb")
    assert (round(100 * low, 2), round(100 * high, 2)) == (5.24, 33.39)
    wild = unpaired_difference(Counts(184, 173, 200, True))
    assert wild.points == pytest.approx(-5.5)
    assert wild.low < -5.5 < wild.high < 1.0
    assert 0.05 < wild.p_value < 0.2
    assert unpaired_difference(Counts(200, 200, 200, True)).p_value == 1.0


@given(st.integers(1, 400), st.data())
def test_a_printed_count_is_found_again(size: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, size))
    assert exact_count(round(100 * count / size, 2), size, 2) == count

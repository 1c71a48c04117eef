"""Metrics against hand-computed cases, brute force and the libraries."""

from itertools import combinations, product
from math import comb, isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as sm_mcnemar
from statsmodels.stats.proportion import proportion_confint

from common.errors import ConfigError
from eval.statistics.metrics import (
    RESAMPLES,
    Scored,
    accuracy,
    budgets,
    busy_seconds,
    maj_at_k,
    maj_curve,
    mean_pass_at_k,
    pass_at_k,
    resampled_means,
    steps,
    truncation_curve,
    wilson,
)
from eval.statistics.paired import (
    compare,
    mcnemar,
    newcombe,
    power,
    sign_flips,
    smallest_difference,
    smallest_differences,
)


@pytest.mark.parametrize(
    ("n", "c", "k", "expected"),
    [(1, 1, 1, 1.0), (1, 0, 1, 0.0), (10, 3, 1, 0.3), (4, 2, 2, 1 - 1 / 6), (5, 1, 5, 1.0), (4, 3, 2, 1.0)],
)  # fmt: skip
def test_pass_at_k_by_hand(n: int, c: int, k: int, expected: float) -> None:
    assert pass_at_k(n, c, k) == pytest.approx(expected)


@pytest.mark.parametrize(("n", "c", "k"), [(4, 2, 5), (4, 2, 0), (0, 0, 1), (4, 5, 2), (4, -1, 2)])
def test_pass_at_k_is_refused(n: int, c: int, k: int) -> None:
    with pytest.raises(ConfigError):
        pass_at_k(n, c, k)


def test_mean_pass_at_k() -> None:
    assert mean_pass_at_k([[True, False], [False, False]], 2) == 0.5


def brute_force(classes: list[int | None], correct: list[bool], k: int) -> tuple[float, float, float]:
    labels = ["gold" if right else label for label, right in zip(classes, correct, strict=True)]
    totals = [0.0, 0.0, 0.0]
    for subset in combinations(labels, k):
        votes = [v for v in subset if v is not None]
        if not votes:
            continue
        top = max(votes.count(v) for v in votes)
        winners = {v for v in votes if votes.count(v) == top}
        if "gold" in winners:
            totals = [totals[0] + 1 / len(winners), totals[1] + (len(winners) == 1), totals[2] + 1]
    return tuple(t / comb(len(labels), k) for t in totals)  # type: ignore[return-value]


@given(st.lists(st.tuples(st.sampled_from([None, 0, 1, 2, 3]), st.booleans()), min_size=1, max_size=9), st.data())
@settings(deadline=None, max_examples=150)
def test_maj_at_k_equals_brute_force(samples: list[tuple[int | None, bool]], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(samples)))
    classes, correct = [c for c, _ in samples], [r for _, r in samples]
    result = maj_at_k(classes, correct, k)
    assert result == pytest.approx(brute_force(classes, correct, k))
    assert 0 <= result.low <= result.expected + 1e-12
    assert result.expected <= result.high + 1e-12


@pytest.mark.parametrize("k", [1, 2, 7, 29, 30])
def test_maj_at_k_is_the_same_where_ways_are_too_many_for_a_float(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    classes = [0, 1, 2, 2, None, 3] * 5
    correct = [label == 0 for label in classes]
    counted = maj_at_k(classes, correct, k)
    monkeypatch.setattr("eval.statistics.metrics.MOST_COUNTED", 0)
    assert maj_at_k(classes, correct, k) == pytest.approx(counted, abs=1e-12)


@pytest.mark.parametrize(("n", "k"), [(1500, 512), (1001, 500), (2000, 3)])
def test_maj_at_k_of_very_many_samples(n: int, k: int) -> None:
    """Two classes that are equally large win equally often."""
    correct = [number % 2 == 0 for number in range(n)]
    even = n % 2 == 0
    result = maj_at_k([number % 2 for number in range(n)], correct, k)
    assert result.expected == pytest.approx(0.5, abs=1e-9 if even else 0.02)
    assert result.low <= result.expected <= result.high
    assert (result.low < result.high) == (k % 2 == 0), "only an even k can tie"
    assert maj_at_k([0] * n, [True] * n, k) == pytest.approx((1, 1, 1))


@pytest.mark.parametrize(
    ("classes", "correct", "k", "expected"),
    [
        ([0, 0, 1], [True, True, False], 3, (1, 1, 1)),
        ([0, 1], [True, False], 2, (0.5, 0, 1)),
        ([0, None], [True, False], 2, (1, 1, 1)),
        ([None, None], [False, False], 2, (0, 0, 0)),
        ([0, 1, 2], [True, False, False], 3, (1 / 3, 0, 1)),
        ([0, 1, 1], [True, False, False], 3, (0, 0, 0)),
    ],
)
def test_maj_at_k_by_hand(classes: list[int | None], correct: list[bool], k: int, expected: tuple[float, ...]) -> None:
    assert maj_at_k(classes, correct, k) == pytest.approx(expected)


def test_maj_at_1_is_accuracy_and_more_than_n_is_refused() -> None:
    assert maj_at_k([0, 1, None, 0], [True, False, False, True], 1).expected == pytest.approx(0.5)
    with pytest.raises(ConfigError):
        maj_at_k([0], [True], 2)


@pytest.mark.parametrize(("correct", "n"), [(0, 30), (13, 30), (30, 30), (436, 500), (4.5, 9), (0.25, 3)])
def test_wilson_is_statsmodels(correct: float, n: int) -> None:
    estimate = wilson(correct, n)
    assert estimate[1:3] == pytest.approx(proportion_confint(correct, n, method="wilson"), abs=1e-9)


def test_resampled_means_are_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).random(40)
    whole = resampled_means(values)
    monkeypatch.setattr("eval.statistics.metrics.MOST_KEPT", 10)
    assert np.array_equal(resampled_means(values), whole) and whole.shape == (RESAMPLES,)


@pytest.mark.parametrize(
    ("differences", "p"), [([], 1.0), ([0, 0], 1.0), ([0.5, 0], 1.0), ([1, 1, 1], 2 / 8), ([0.5, -0.5, 0], 1.0)]
)
def test_exchanging_the_models_by_hand(differences: list[float], p: float) -> None:
    assert sign_flips(differences) == pytest.approx(p)


def test_accuracy_of_nothing_is_not_a_number() -> None:
    assert isnan(accuracy([]).value)


def test_several_samples_use_the_bootstrap_and_repeat_exactly() -> None:
    problems = [[True, False], [True, True], [False, False], [True, False]]
    first, second = accuracy(problems), accuracy(problems)
    assert first == second
    assert first.method == "bootstrap over problems"
    assert first.low <= first.value == 0.5 <= first.high


def test_identical_problems_do_not_claim_certainty() -> None:
    assert accuracy([[False, False]] * 30).high > 0.05


@pytest.mark.parametrize(("b", "c"), [(0, 0), (2, 12), (6, 34), (5, 5), (0, 5), (0, 6)])
def test_mcnemar_is_statsmodels(b: int, c: int) -> None:
    assert mcnemar(b, c) == pytest.approx(min(1.0, sm_mcnemar([[10, b], [c, 10]], exact=True).pvalue))


@pytest.mark.parametrize(
    ("table", "expected"),
    [  # (both, only base, only distilled, neither); the first is the worked example of Newcombe 1998
        ((36, 2, 12, 0), (0.0569, 0.3404)),
        ((0, 0, 0, 30), (-0.1135, 0.1135)),  # Wilson's upper bound of 0/30 on both sides is 0.11351
    ],
)
def test_newcombe(table: tuple[int, int, int, int], expected: tuple[float, float]) -> None:
    low, high = newcombe(*table)
    if table == (0, 0, 0, 30):
        expected = (-wilson(0, 30).high, wilson(0, 30).high)
    assert (low, high) == pytest.approx(expected, abs=1e-4)


def test_newcombe_is_antisymmetric() -> None:
    low, high = newcombe(10, 3, 9, 8)
    assert newcombe(10, 9, 3, 8) == pytest.approx((-high, -low))


def test_newcombe_covers() -> None:
    """Exact coverage at n = 12 over several truths stays near 95 %."""
    n = 12
    tables = [(a, b, c, n - a - b - c) for a, b, c in product(range(n + 1), repeat=3) if a + b + c <= n]
    intervals = np.array([newcombe(*t) for t in tables])
    logs = np.array([[np.sum(np.log(np.arange(1, x + 1))) for x in t] for t in tables]).sum(axis=1)
    multinomial = np.exp(np.sum(np.log(np.arange(1, n + 1))) - logs)
    for truth in [(0.3, 0.1, 0.2, 0.4), (0.05, 0.05, 0.4, 0.5), (0.6, 0.1, 0.1, 0.2)]:
        chance = multinomial * np.prod(np.array(truth) ** np.array(tables), axis=1)
        difference = truth[2] - truth[1]
        inside = (intervals[:, 0] <= difference) & (difference <= intervals[:, 1])
        assert chance[inside].sum() > 0.93


def test_compare_one_sample() -> None:
    base = [[True]] * 6 + [[False]] * 54
    distilled = [[True]] * 4 + [[False]] * 2 + [[True]] * 30 + [[False]] * 24
    result = compare(base, distilled)
    assert (result.both, result.only_base, result.only_distilled, result.neither) == (4, 2, 30, 24)
    assert result.difference == pytest.approx(28 / 60)
    assert result.low < 28 / 60 < result.high
    assert result.p_value is not None
    assert result.p_value < 1e-5
    assert "McNemar" in result.method


def test_compare_several_samples_brackets_the_truth() -> None:
    random = np.random.default_rng(0)
    rates = random.uniform(0, 0.6, 200)
    base = [list(random.random(4) < r) for r in rates]
    distilled = [list(random.random(4) < r + 0.2) for r in rates]
    result = compare(base, distilled)
    assert result.p_value is None
    assert result.low < 0.2 < result.high
    assert result.both + result.only_base + result.only_distilled + result.neither == pytest.approx(200)


def test_compare_identical_several_samples() -> None:
    result = compare([[False, False]] * 20, [[False, False]] * 20)
    assert result.low < 0 < result.high


VERDICTS = st.lists(st.booleans(), min_size=1, max_size=4)


@given(st.lists(st.tuples(VERDICTS, VERDICTS), min_size=2, max_size=8))
@settings(max_examples=200)
def test_the_difference_lies_within_its_interval(problems: list[tuple[list[bool], list[bool]]]) -> None:
    base, distilled = zip(*problems, strict=True)
    result, mirrored = compare(base, distilled), compare(distilled, base)
    assert -1 <= result.low <= result.difference + 1e-12
    assert result.difference - 1e-12 <= result.high <= 1
    assert (mirrored.low, mirrored.high) == pytest.approx((-result.high, -result.low), abs=1e-9)


@given(st.integers(2, 30), VERDICTS, VERDICTS)
def test_problems_that_differ_alike_claim_no_certainty(count: int, base: list[bool], distilled: list[bool]) -> None:
    """The order of a problem's samples says nothing, and no two orders may give two intervals."""
    result = compare([base] * count, [distilled] * count)
    assert result.low < result.difference < result.high or abs(result.difference) == 1
    assert result.high - result.low > 1.9 / (count + 4)
    assert compare([base[::-1]] * count, [distilled] * count)[4:6] == (result.low, result.high)


def test_equal_shares_are_equal_whatever_their_last_bit() -> None:
    result = compare([[True, False, False], [True] * 2 + [False]], [[True] * 2 + [False], [True] * 3])
    assert "differ alike" in result.method
    assert result.low < 0 < 1 / 3 < result.high


@pytest.mark.parametrize(("base", "distilled"), [([True], [False]), ([True, False], [True, True])])
def test_one_problem_alone_has_no_interval(base: list[bool], distilled: list[bool]) -> None:
    result = compare([base], [distilled])
    assert (result.low, result.high) == pytest.approx((nan, nan), nan_ok=True)
    assert "no interval" in result.method


@pytest.mark.parametrize(("base", "distilled"), [([], []), ([[True]], []), ([[True]], [[]])])
def test_compare_refuses(base: list[list[bool]], distilled: list[list[bool]]) -> None:
    with pytest.raises(ConfigError):
        compare(base, distilled)


def test_power_is_what_simulation_says() -> None:
    random = np.random.default_rng(1)
    draws = random.multinomial(40, [0.05, 0.35, 0.6], size=4000)
    rejected = np.mean([mcnemar(b, c) <= 0.05 for b, c, _ in draws])
    assert power(40, 0.3, 0.4) == pytest.approx(rejected, abs=0.025)


def test_smallest_difference() -> None:
    assert smallest_difference(4) is None
    assert smallest_difference(6) == pytest.approx(0.8 ** (1 / 6), abs=1e-3)  # all six must be won
    thirty, many = smallest_difference(30), smallest_difference(500)
    assert thirty is not None
    assert many is not None
    assert many < 0.1 < thirty


def test_each_of_several_sets_has_its_own_smallest_difference() -> None:
    assert smallest_differences({"AIME": 30}) == ""
    text = smallest_differences({"AIME": 30, "Tiny": 5, "MATH500": 500})
    assert text.startswith("This is for all sets together. For each set alone: AIME (30) ")
    assert "Tiny (5) none" in text
    assert f"MATH500 (500) {100 * (smallest_difference(500) or 0):.0f} points." in text


@pytest.mark.parametrize(("most", "expected"), [(0, []), (1, [1]), (4, [1, 2, 4]), (6, [1, 2, 4, 6])])
def test_steps(most: int, expected: list[int]) -> None:
    assert steps(most) == expected


PROBLEMS = [
    [Scored(True, 10, 0), Scored(False, 100, 1)],
    [Scored(True, 1000, 0), Scored(True, 50, 0)],
]


def test_truncation_curve() -> None:
    points = truncation_curve(PROBLEMS, [9, 10, 99, 1000])
    assert [p.accuracy.value for p in points] == [0, 0.25, 0.5, 0.75]
    assert [p.cut_share for p in points] == [1.0, 0.75, 0.5, 0.0]
    assert points[2].tokens == pytest.approx((10 + 99 + 99 + 50) / 4)


def test_maj_curve_sums_tokens() -> None:
    one, two = maj_curve(PROBLEMS)
    assert (one.budget, two.budget) == (1, 2)
    assert two.tokens == pytest.approx(2 * one.tokens) == pytest.approx(580)
    assert (one.accuracy.value, two.accuracy.value) == (0.75, 0.75)


def test_maj_curve_rests_each_k_on_the_problems_that_have_it() -> None:
    points = maj_curve([*PROBLEMS, [Scored(False, 30, 0)]])
    assert [(p.budget, p.accuracy.n) for p in points] == [(1, 3), (2, 2)]
    assert points[1] == maj_curve(PROBLEMS)[1]


@given(st.lists(st.integers(0, 10_000)))
def test_budgets_cover(lengths: list[int]) -> None:
    values = budgets(lengths)
    assert values == sorted(set(values))
    if max(lengths, default=0) > 0:
        assert values[-1] >= max(lengths)


def test_busy_seconds_skips_pauses() -> None:
    assert busy_seconds([(100, 5), (0, 10), (5, 10), (6, 2)]) == 20

"""Two models on the same problems: the paired difference, its interval, its test, and what a set could show at all."""

from collections.abc import Mapping, Sequence
from math import nan, sqrt
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binom, binomtest, permutation_test

from common.errors import ConfigError
from eval.statistics.metrics import ALIKE, CONFIDENCE, resampled_means, wilson

POWER = 0.8
EXCHANGES, EXCHANGES_SEED = 9_999, 20241122
BATCH_VALUES = 2_000_000
"""Differences held at a time while they are exchanged, which bounds the memory."""
ASSUMED_DISCORDANCE = 0.3
"""Share of problems that exactly one of the two models solves, assumed before a run when nothing better is known."""


class Paired(NamedTuple):
    """Distilled minus base on the same problems. Shares and differences lie in [-1, 1]."""

    problems: int
    base: float
    distilled: float
    difference: float
    low: float
    high: float
    """Upper end of the 95 % interval; nan if only one problem is compared, which shows no spread."""
    both: float
    only_base: float
    only_distilled: float
    neither: float
    """`both` … `neither`: problems, fractional with several samples a problem (independent draws of the two sides)."""
    p_value: float | None
    """Exact McNemar, two-sided; None with several samples a problem, where the interval is the statement."""
    method: str


def compare(base: Sequence[Sequence[bool]], distilled: Sequence[Sequence[bool]]) -> Paired:
    """Verdicts per problem, in the same order on both sides, at least one verdict each; raises ConfigError otherwise.

    One sample a problem: exact McNemar test on the discordant pairs, interval after Newcombe 1998 (method 10).
    Several: percentile bootstrap over problems of the per-problem difference of means; where all problems differ alike,
    Newcombe's interval on the mean cells. One problem alone gives no interval.
    """
    if len(base) != len(distilled) or not base:
        raise ConfigError(
            f"A paired comparison needs the same problems on both sides, got {len(base)} and {len(distilled)}."
        )
    if any(not p for p in (*base, *distilled)):
        raise ConfigError("A problem without a verdict cannot be compared.", "Leave it out on both sides.")
    b, d = (np.array([fmean(p) for p in side]) for side in (base, distilled))
    cells = [float(np.sum(x)) for x in (b * d, b - b * d, d - b * d, (1 - b) * (1 - d))]
    single = all(len(p) == 1 for p in (*base, *distilled))
    low, high, interval = _interval(d - b, cells, single)
    return Paired(
        problems=len(b),
        base=float(b.mean()),
        distilled=float(d.mean()),
        difference=float((d - b).mean()),
        low=low,
        high=high,
        both=cells[0],
        only_base=cells[1],
        only_distilled=cells[2],
        neither=cells[3],
        p_value=mcnemar(round(cells[1]), round(cells[2])) if single else None,
        method=f"exact McNemar; {interval}" if single else interval,
    )


def _interval(differences: NDArray[np.float64], cells: Sequence[float], single: bool) -> tuple[float, float, str]:
    """(low, high, method) of the mean of the per-problem differences."""
    if len(differences) == 1:
        return nan, nan, "no interval, since one problem shows no spread"
    if single:
        return *newcombe(*cells), "interval after Newcombe 1998"
    if float(np.ptp(differences)) > ALIKE:
        # Paired: each problem is drawn with both models' results on it. The problems' difficulty then cancels out, and
        # the spread reflects only how the difference between the models varies from problem to problem.
        low, high = np.quantile(resampled_means(differences), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        return float(low), float(high), "paired bootstrap over problems"
    # a bootstrap of identical differences would claim certainty
    return *newcombe(*cells), "interval after Newcombe 1998 on the mean cells, since all problems differ alike"


def mcnemar(only_base: int, only_distilled: int) -> float:
    """Two-sided exact McNemar p-value: a binomial test of the discordant pairs against one half; 1.0 without any."""
    discordant = only_base + only_distilled
    return 1.0 if discordant == 0 else float(binomtest(only_distilled, discordant).pvalue)


def sign_flips(differences: Sequence[float]) -> float:
    """Two-sided p-value of the mean of per-problem differences, exchanging the two models on each problem (Fisher,
    1935): exact where few problems differ, else from 9,999 exchanges with a fixed seed. 1.0 unless two differ."""
    values = np.array([difference for difference in differences if difference])  # equal ones change with no exchange
    if len(values) < 2:
        return 1.0
    test = permutation_test(
        (values,),
        lambda flipped, axis: np.sum(flipped, axis=axis),
        permutation_type="samples",
        n_resamples=EXCHANGES,
        batch=max(1, BATCH_VALUES // len(values)),
        rng=np.random.default_rng(EXCHANGES_SEED),
    )
    return float(test.pvalue)


def newcombe(both: float, only_base: float, only_distilled: float, neither: float) -> tuple[float, float]:
    """95 % interval of distilled − base from a paired 2×2 table; the difference itself always lies within.

    Newcombe 1998, Statistics in Medicine 17:2635, method 10: square-and-add of the two Wilson intervals, with the
    table's continuity-corrected phi coefficient for their correlation. Cells may be fractional, as means over several
    samples are; they are whole for the Wilson intervals only.
    """
    n = both + only_base + only_distilled + neither
    p1, p2 = (both + only_distilled) / n, (both + only_base) / n
    w1, w2 = wilson(both + only_distilled, round(n)), wilson(both + only_base, round(n))
    product = (both + only_base) * (only_distilled + neither) * (both + only_distilled) * (only_base + neither)
    cross = both * neither - only_base * only_distilled
    corrected = max(cross - n / 2, 0) if cross > 0 else cross
    phi = corrected / sqrt(product) if product > 0 else 0.0
    below = (p1 - w1.low) ** 2 - 2 * phi * (p1 - w1.low) * (w2.high - p2) + (w2.high - p2) ** 2
    above = (w1.high - p1) ** 2 - 2 * phi * (w1.high - p1) * (p2 - w2.low) + (p2 - w2.low) ** 2
    return p1 - p2 - sqrt(max(below, 0.0)), p1 - p2 + sqrt(max(above, 0.0))


def power(problems: int, difference: float, discordance: float) -> float:
    """Chance that the exact McNemar test at 5 % rejects, when the true rates differ by `difference` (0…discordance).

    Exact: the number of discordant pairs is Binomial(problems, discordance), and of those the better side wins
    Binomial with chance (discordance + difference) / (2 · discordance).
    """
    if discordance <= 0:
        return 0.0
    pairs = np.arange(problems + 1)
    critical = binom.ppf((1 - CONFIDENCE) / 2, pairs, 0.5)  # largest count x with P(X < x) ≤ 2.5 %
    critical = np.where(binom.cdf(critical, pairs, 0.5) > (1 - CONFIDENCE) / 2, critical - 1, critical)
    win = (discordance + difference) / (2 * discordance)
    reject = binom.sf(pairs - critical - 1, pairs, win) + binom.cdf(critical, pairs, win)
    return float(np.sum(binom.pmf(pairs, problems, discordance) * np.where(critical < 0, 0.0, reject)))


def smallest_difference(problems: int, discordance: float = ASSUMED_DISCORDANCE) -> float | None:
    """Smallest true difference detectable with 80 % power at one sample per problem; None if the set can show none.

    `discordance` is the assumed share of problems that exactly one side solves; it is raised for differences larger
    than that. Several samples per problem can only lower the figure.
    """

    def missing(difference: float) -> float:
        return power(problems, difference, max(discordance, difference)) - POWER

    if missing(1.0) < 0:
        return None
    return float(brentq(missing, 0.0, 1.0, xtol=1e-4))


def smallest_differences(sizes: Mapping[str, int]) -> str:
    """The difference each of several sets could show by itself, in a sentence; empty for a single set.

    `sizes`: title → number of problems.
    """
    if len(sizes) < 2:
        return ""
    least_by_title = {title: smallest_difference(problems) for title, problems in sizes.items()}
    parts = [
        f"{title} ({sizes[title]}) {'none' if least is None else f'{100 * least:.0f} points'}"
        for title, least in least_by_title.items()
    ]
    return f"This is for all sets together. For each set alone: {', '.join(parts)}."

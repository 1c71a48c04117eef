"""How far two judges agree: accuracy and Cohen's kappa for labels, Krippendorff's alpha and the ICC for ratings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isnan
from typing import NamedTuple

import numpy as np
from scipy.stats import permutation_test
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from common.wilson import wilson_bounds

INVALID = "invalid"
"""The label of a verdict that could not be read; no human label may be called that."""
DEALS, DEALS_SEED = 9_999, 20241122
BATCH_VALUES = 1_000_000
"""Values dealt at once, which bounds the memory."""
Ratings = Sequence[Sequence[float | None]]
"""raters × items; None where a rater did not rate an item."""


@dataclass(frozen=True)
class Agreement:
    """A judge's labels against human labels on the same items. An invalid verdict never agrees."""

    items: int
    invalid: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    kappa: float | None
    """None where it is not defined: everybody gave the same single label."""
    kappa_low: float | None
    kappa_high: float | None
    confusion: dict[str, dict[str, int]]
    """human label → judge's label → count."""


def agreement(judge: Sequence[str | None], human: Sequence[str]) -> Agreement:
    """Accuracy with Wilson's 95 % interval and Cohen's kappa with its asymptotic one; None in `judge` is invalid.

    Raises ValueError for empty or unequally long input.
    """
    if not human or len(judge) != len(human):
        raise ValueError(f"Agreement needs as many verdicts as labels and at least one: {len(judge)}, {len(human)}.")
    given = [INVALID if label is None else label for label in judge]
    same = sum(a == b for a, b in zip(given, human, strict=True))
    low, high = wilson_bounds(same, len(human))
    labels = sorted({*given, *human})
    confusion = {h: dict.fromkeys(labels, 0) for h in sorted(set(human))}
    for a, b in zip(given, human, strict=True):
        confusion[b][a] += 1
    kappa = _kappa(given, human, labels)
    return Agreement(
        items=len(human),
        invalid=given.count(INVALID),
        accuracy=same / len(human),
        accuracy_low=low,
        accuracy_high=high,
        kappa=kappa.value,
        kappa_low=kappa.low,
        kappa_high=kappa.high,
        confusion=confusion,
    )


class Kappa(NamedTuple):
    """Cohen's kappa and its 95 % interval; None where not defined. There is no interval where all agree: the asymptotic
    error is 0 then, however few they are."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


def _kappa(a: Sequence[str], b: Sequence[str], labels: Sequence[str]) -> Kappa:
    if len(labels) < 2:
        return Kappa()
    value = float(cohen_kappa_score(list(a), list(b), labels=list(labels)))
    if isnan(value):
        return Kappa()
    table = np.array([[sum(x == r and y == c for x, y in zip(a, b, strict=True)) for c in labels] for r in labels])
    with np.errstate(invalid="ignore", divide="ignore"):
        error = float(cohens_kappa(table).std_kappa)
    if isnan(error) or error == 0:
        return Kappa(value)
    return Kappa(value, max(-1.0, value - 1.96 * error), min(1.0, value + 1.96 * error))


def agreement_by_chance(confusion: Mapping[str, Mapping[str, int]]) -> float:
    """One-sided p-value of the number of agreements in a table of human label → judge's label → count: how often there
    are as many if the judge's labels are dealt out at random. Exact for few items, else from 9,999 deals with a fixed
    seed. Two items can never have less than 0.5.
    """
    return _by_chance(tuple((h, j, count) for h, row in confusion.items() for j, count in row.items() if count))


@lru_cache(maxsize=64)
def _by_chance(cells: tuple[tuple[str, str, int], ...]) -> float:
    names = sorted({label for human, judge, _ in cells for label in (human, judge)})
    counts = [count for _, _, count in cells]
    human = np.repeat([names.index(label) for label, _, _ in cells], counts)
    judge = np.repeat([names.index(label) for _, label, _ in cells], counts)
    if len(human) < 2:
        return 1.0
    test = permutation_test(
        (judge,),
        lambda dealt, axis: np.sum(dealt == human, axis=axis),
        permutation_type="pairings",
        alternative="greater",
        n_resamples=DEALS,
        batch=max(1, BATCH_VALUES // len(human)),
        rng=np.random.default_rng(DEALS_SEED),
    )
    return float(test.pvalue)


def krippendorff_alpha(ratings: Ratings) -> float | None:
    """Krippendorff's alpha with the interval metric: 1 is perfect agreement, 0 is what chance gives.

    alpha = 1 − observed/expected disagreement; a pair of ratings disagrees by its squared difference. Items with
    fewer than two ratings take no part. None where undefined: no item rated twice, or all ratings equal.
    Source: Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), with missing data.
    """
    units = [[x for x in unit if x is not None] for unit in zip(*ratings, strict=True)]
    units = [unit for unit in units if len(unit) > 1]
    values = np.array([x for unit in units for x in unit], dtype=float)
    if values.size == 0 or np.ptp(values) == 0:
        return None
    observed = sum(_pair_disagreement(np.array(unit, dtype=float)) / (len(unit) - 1) for unit in units) / values.size
    expected = _pair_disagreement(values) / (values.size * (values.size - 1))
    return 1 - observed / expected


def _pair_disagreement(values: np.ndarray) -> float:
    """Sum of squared differences over all ordered pairs: 2n·Σx² − 2(Σx)²."""
    centred = values - values.mean()
    return float(2 * values.size * (centred**2).sum())


def icc(ratings: Ratings) -> float | None:
    """ICC(2,1): how far single marks of interchangeable raters agree absolutely; over the items that all rated.

    Two-way random effects, absolute agreement. Source: Shrout and Fleiss, Psychological Bulletin 86 (1979), 420–428.
    None with fewer than two raters or two complete items, or when nothing varies.
    """
    complete = [unit for unit in zip(*ratings, strict=True) if all(x is not None for x in unit)]
    table = np.array(complete, dtype=float)
    if table.ndim != 2 or min(table.shape) < 2 or np.ptp(table) == 0:
        return None
    n, k = table.shape
    grand = table.mean()
    between_items = k * ((table.mean(axis=1) - grand) ** 2).sum() / (n - 1)
    between_raters = n * ((table.mean(axis=0) - grand) ** 2).sum() / (k - 1)
    total = ((table - grand) ** 2).sum()
    rest = (total - between_items * (n - 1) - between_raters * (k - 1)) / ((n - 1) * (k - 1))
    return float((between_items - rest) / (between_items + (k - 1) * rest + k * (between_raters - rest) / n))

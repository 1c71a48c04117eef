"""What a set of graded samples says about one model: accuracy, pass@k, maj@k, tokens, curves against tokens.

The comparison of two models on the same problems is `eval.statistics.paired`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from math import comb
from statistics import fmean
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from common.errors import ConfigError
from common.wilson import wilson_bounds

CONFIDENCE = 0.95
RESAMPLES = 10_000
BOOTSTRAP_SEED = 20241122
MOST_KEPT = 1_000
"""Problems up to which the resampling weights are kept; those of more take too much memory."""
MOST_COUNTED = 1_000
"""Samples of a problem up to which the ways to draw some of them are counted as they are: at most 2^1000."""
ALIKE = 1e-9
"""Tolerance for comparing shares and their differences: 2/3 − 1/3 and 1/3 differ in the last bit."""

CurveKind = Literal["truncated", "forced", "maj@k"]
"""Three kinds of accuracy-against-tokens curve. They mean different things and are never mixed in one line."""


class Estimate(NamedTuple):
    """A share with its 95 % interval, all between 0 and 1 (nan when there is nothing to estimate from)."""

    value: float
    low: float
    high: float
    n: int
    """Problems it rests on."""
    method: str


class MajResult(NamedTuple):
    """maj@k of one problem, between 0 and 1, averaged over every subset of k of its samples."""

    expected: float
    """A tie counts as the chance that a fair draw among the tied classes picks the right one."""
    low: float
    """Every tie lost."""
    high: float
    """Every tie won."""


class CurvePoint(NamedTuple):
    """One point of accuracy against tokens."""

    kind: CurveKind
    budget: int
    """Token budget B for `truncated` and `forced`; k for `maj@k`."""
    tokens: float
    """Mean output tokens per problem actually spent."""
    accuracy: Estimate
    cut_share: float
    """Share of samples that the budget cut off."""


class Scored(NamedTuple):
    """What the curves need to know about one sample."""

    correct: bool
    output_tokens: int
    answer_class: int | None = None
    """Class of equivalent answers within its problem; None: no answer."""


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased chance that at least one of k samples is correct, from n samples with c correct.

    1 − C(n−c, k) / C(n, k), Chen et al. 2021 (arXiv 2107.03374), equation 1. Raises ConfigError unless 1 ≤ k ≤ n
    and 0 ≤ c ≤ n: with fewer samples than k there is no unbiased estimate.
    """
    if not 1 <= k <= n:
        raise ConfigError(
            f"pass@{k} needs {k} samples; there are {n}.", f"Draw at least {max(k, 1)} samples a problem."
        )
    if not 0 <= c <= n:
        raise ConfigError(f"{c} correct samples out of {n} is impossible.")
    return 1.0 - comb(n - c, k) / comb(n, k)


def mean_pass_at_k(problems: Sequence[Sequence[bool]], k: int) -> float:
    """pass@k averaged over problems; each inner sequence holds one problem's verdicts."""
    return fmean(pass_at_k(len(p), sum(p), k) for p in problems)


def maj_at_k(classes: Sequence[int | None], correct: Sequence[bool], k: int) -> MajResult:
    """Majority vote of k samples, exact over all C(n, k) subsets of the n given ones.

    `classes[i]` names the class of equivalent answers that sample i belongs to; None (no answer) does not vote.
    Correct samples form one class whatever their label, since all equal the gold answer. A subset in which nobody
    votes is wrong. Counted with a generating function over the votes of each class, not by sampling.
    Raises ConfigError unless 1 ≤ k ≤ n.
    """
    n = len(classes)
    if not 1 <= k <= n:
        raise ConfigError(f"maj@{k} needs {k} samples; there are {n}.", f"Draw at least {max(k, 1)} samples a problem.")
    gold = sum(correct)
    labels = [label for label, right in zip(classes, correct, strict=True) if not right]
    share = k / n if n > MOST_COUNTED else None
    rivals = [_ways(size, share) for size in Counter(label for label in labels if label is not None).values()]
    golds, blanks, all_ways = (_ways(size, share) for size in (gold, labels.count(None), n))
    expected = low = high = 0.0
    for votes in range(1, min(gold, k) + 1):
        ways = golds[votes] * _rival_ways(rivals, blanks, votes, k - votes)
        expected += float(np.sum(ways / np.arange(1, len(ways) + 1)))
        low += float(ways[0])
        high += float(np.sum(ways))
    return MajResult(*(min(1.0, float(x / all_ways[k])) for x in (expected, low, high)))


def _ways(size: int, share: float | None) -> NDArray[np.float64]:
    """Number of ways to draw 0, 1, …, `size` samples of a class of `size`: C(size, v).

    `share`: where these numbers pass the range of a float, each is multiplied by share^v (1 − share)^(size − v). Over
    all classes together that is one factor for every draw of k of n samples, which cancels out.
    """
    if share is None:
        return np.array([comb(size, votes) for votes in range(size + 1)], dtype=float)
    return np.asarray(binom.pmf(np.arange(size + 1), size, share), dtype=float)


def _rival_ways(
    rivals: Sequence[NDArray[np.float64]], blanks: NDArray[np.float64], most: int, left: int
) -> NDArray[np.float64]:
    """Number of ways to draw the other `left` samples with no rival above `most` votes, indexed by how many rivals tie
    at `most`. `rivals` and `blanks` as `_ways` has them."""
    ways = np.zeros((left // most + 1, left + 1))
    ways[0, : len(blanks)] = blanks[: left + 1]
    for rival in rivals:
        grown = rival[0] * ways
        for votes in range(1, min(len(rival) - 1, most, left) + 1):
            grown[votes == most :, votes:] += rival[votes] * ways[: len(ways) - (votes == most), :-votes]
        ways = grown
    return ways[:, left]


def accuracy(problems: Sequence[Sequence[bool]]) -> Estimate:
    """Mean share of correct samples over problems, with its interval.

    One sample a problem: Wilson's score interval. Several: percentile bootstrap over problems (samples of one problem
    are not independent), which falls back to Wilson on the number of problems when every problem scores the same.
    """
    shares = np.array([fmean(p) for p in problems if len(p)], dtype=float)
    if all(len(p) <= 1 for p in problems):
        return wilson(float(shares.sum()), len(shares))
    return bootstrap_mean(shares)


def wilson(correct: float, n: int) -> Estimate:
    """The share of `correct` out of n, with Wilson's interval."""
    if n == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0, "wilson")
    return Estimate(correct / n, *wilson_bounds(correct, n), n, "wilson")


def bootstrap_mean(shares: NDArray[np.float64]) -> Estimate:
    """Mean of per-problem shares in [0, 1] with a percentile bootstrap interval over problems."""
    if len(shares) == 0 or float(np.ptp(shares)) <= ALIKE:
        return wilson(float(shares.sum()), len(shares))
    low, high = np.quantile(resampled_means(shares), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(shares.mean()), float(low), float(high), len(shares), "bootstrap over problems")


def resampled_means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """RESAMPLES bootstrap means of `values`, shape (RESAMPLES,); the draws are fixed, so reports are reproducible.

    Problems are resampled, not samples: samples of one problem are correlated, and resampling them one by one would
    make the interval too narrow.
    """
    if len(values) <= MOST_KEPT:
        return _bootstrap_weights(len(values)) @ values
    return np.concatenate([weights @ values for weights in _draws(len(values))])


@lru_cache(maxsize=4)
def _bootstrap_weights(n: int) -> NDArray[np.float64]:
    """Share of each of n problems in each resample, shape (RESAMPLES, n)."""
    return np.concatenate(list(_draws(n)))


def _draws(n: int) -> Iterator[NDArray[np.float64]]:
    """The same in parts of RESAMPLES / 20 resamples: for 12,000 problems the whole takes a gigabyte."""
    random = np.random.default_rng(BOOTSTRAP_SEED)
    for _ in range(20):
        yield random.multinomial(n, np.full(n, 1 / n), size=RESAMPLES // 20) / n


def budgets(output_tokens: Iterable[int], points: int = 16) -> list[int]:
    """Token budgets, evenly spaced on a log axis, that cover the given output lengths."""
    lengths = sorted(t for t in output_tokens if t > 0)
    if not lengths:
        return []
    start = max(1, lengths[0] // 2)
    return sorted({round(float(b)) for b in np.geomspace(start, max(lengths[-1], start + 1), points)})


def truncation_curve(problems: Sequence[Sequence[Scored]], at: Sequence[int]) -> list[CurvePoint]:
    """Accuracy if every sample had been stopped at B tokens, computed from stored samples without new requests.

    A sample counts as correct at B if it is correct and its whole output fits in B tokens.
    """
    points = []
    for budget in at:
        fits = [[s.correct and s.output_tokens <= budget for s in p] for p in problems]
        tokens = fmean(fmean(min(s.output_tokens, budget) for s in p) for p in problems)
        cut = fmean(fmean(s.output_tokens > budget for s in p) for p in problems)
        points.append(CurvePoint("truncated", budget, tokens, accuracy(fits), cut))
    return points


def steps(most: int) -> list[int]:
    """The k at which pass@k and maj@k are reported: 1, 2, 4 … and `most` itself; maj@k is too slow for every k."""
    return sorted({*(2**e for e in range(most.bit_length())), most} - {0})


def maj_curve(problems: Sequence[Sequence[Scored]]) -> list[CurvePoint]:
    """maj@k against the summed tokens of k samples, at `steps` up to the most samples of any problem.

    Each point is based on the problems with at least k samples; its accuracy says how many those are.
    """
    points = []
    for k in steps(max((len(p) for p in problems), default=0)):
        enough = [p for p in problems if len(p) >= k]
        shares = [maj_at_k([s.answer_class for s in p], [s.correct for s in p], k).expected for p in enough]
        tokens = k * fmean(fmean(s.output_tokens for s in p) for p in enough)
        points.append(CurvePoint("maj@k", k, tokens, bootstrap_mean(np.array(shares)), 0.0))
    return points


def busy_seconds(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds in which at least one request was running, from (start, duration) pairs; pauses of a run do not count."""
    total, until = 0.0, float("-inf")
    for start, duration in sorted(spans):
        end = start + duration
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total

"""How much the distilled model is preferred, as counted and controlled for position and style.

The model is a fractional logistic regression (Papke and Wooldridge, 1996) of the vote, 1, 0, or 0.5 for a tie and for
"both are bad", on the differences in `insights.style` and on the kinds of vote. Kinds are centred, so that the
intercept is the preference at equal style over the votes as they are mixed. Errors are clustered by visitor and by
prompt at once (Cameron, Gelbach and Miller, 2011): the votes of one person, or on one question, are not independent.
With few clusters such a variance may come out near zero or below by chance, so it is never taken smaller than clustered
by one of the two (Cameron and Miller, 2015; MacKinnon, Nielsen and Webb, 2021), or than of independent votes.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eval.statistics.multiple import holm
from insights.style import DIFFERENCES, Design, Floats

MIN_VOTES = 50
"""With fewer votes no model is fitted, since the intervals hold only for large samples."""
MIN_CLUSTERS = 10
"""Minimum number of visitors, and of prompts, for clustered standard errors; with fewer they are too small."""
POWER = 0.8
_CONFIDENCE = 0.95
_SAMPLE = 20_000


class Preference(NamedTuple):
    """Chance that the distilled model is preferred, with its 95 % interval."""

    share: float
    low: float
    high: float

    @property
    def decided(self) -> bool:
        """Whether the interval excludes one half."""
        return self.low > 0.5 or self.high < 0.5


@dataclass(frozen=True)
class Effect:
    """The effect of one difference on the vote, all else being equal."""

    name: str
    title: str
    odds_ratio: float
    """Odds ratio of the distilled model being preferred, per unit of the difference."""
    low: float
    high: float
    p_value: float
    """Corrected by Holm's method over all effects."""
    moved: float
    """This difference's share, in log odds, of the gap between the counted and the controlled preference."""


@dataclass(frozen=True)
class PreferenceModel:
    """The counted and the controlled preference side by side."""

    votes: int
    visitors: int
    prompts: int
    raw: Preference
    controlled: Preference
    effects: tuple[Effect, ...]
    more_votes: int | None
    """How many more such votes are needed to distinguish the controlled preference from one half with 80 % power; 0 if
    it already differs significantly, None if it is exactly one half."""


class NotEnough(NamedTuple):
    """Why there is no model yet, as a sentence."""

    sentence: str


def fit_preference(design: Design) -> PreferenceModel | NotEnough:
    """Fit the model. `NotEnough` for too few votes, visitors or prompts, and where all votes go the same way."""
    if why := _too_few(design):
        return why
    names, columns = _columns(design)
    raw = _fit_mean(design)
    full = _fit(design, np.column_stack([np.ones(len(design)), *columns]))
    if full is None:
        return NotEnough("The votes follow one difference exactly, so its effect cannot be told from the model's.")
    return PreferenceModel(
        len(design),
        _distinct(design.visitors),
        _distinct(design.prompts),
        raw.preference,
        full.preference,
        _effects(names, columns, raw, full),
        _more_votes(full, len(design)),
    )


def preference_by(design: Design, group: str) -> dict[str, Preference]:
    """The controlled preference at each level of a group, such as its topics; empty where there is no model."""
    if group not in design.groups or _too_few(design):
        return {}
    names, columns = _columns(design)
    fit = _fit(design, np.column_stack([np.ones(len(design)), *columns]))
    if fit is None:
        return {}
    of_group = [name.startswith(f"{group}=") for name, _ in names]
    result = {}
    for at, level in enumerate(design.levels[group]):
        first = int(np.argmax(design.groups[group] == at))
        where = np.array(
            [1.0, *(column[first] if mine else 0.0 for column, mine in zip(columns, of_group, strict=True))]
        )
        result[level] = fit.preference_at(where)
    return result


def _too_few(design: Design) -> NotEnough | None:
    visitors, prompts = _distinct(design.visitors), _distinct(design.prompts)
    if len(design) < MIN_VOTES:
        return NotEnough(f"Not enough votes yet: {len(design)} of {MIN_VOTES}.")
    if min(visitors, prompts) < MIN_CLUSTERS:
        return NotEnough(
            f"Not enough yet: {visitors} visitors and {prompts} different prompts; {MIN_CLUSTERS} of each are needed."
        )
    if design.outcome.min() == design.outcome.max():
        return NotEnough("All votes say the same, so nothing can be compared.")
    return None


@dataclass(frozen=True)
class _Fit:
    beta: Floats
    covariances: Floats
    """(4, k, k): clustered by visitor and prompt, by visitor, by prompt, and of independent votes."""
    critical: float
    """Half-width of the interval in standard errors: Student's t with the clusters' degrees of freedom."""
    degrees: int

    @property
    def error(self) -> Floats:
        """Standard errors."""
        return np.array([self.error_at(where) for where in np.eye(len(self.beta))])

    @property
    def preference(self) -> Preference:
        return self.preference_at(np.eye(len(self.beta))[0])

    def preference_at(self, where: Floats) -> Preference:
        """At these values of the constant and the covariates."""
        log_odds, half = float(self.beta @ where), self.critical * self.error_at(where)
        return Preference(*(_logistic(log_odds + shift) for shift in (0.0, -half, half)))

    def error_at(self, where: Floats) -> float:
        """The standard error of the log odds there, by the largest of the variances."""
        return math.sqrt(max(0.0, *(float(where @ covariance @ where) for covariance in self.covariances)))


def _fit_mean(design: Design) -> _Fit:
    """The model of a constant alone, which is the mean of the votes."""
    mean = design.outcome.mean()
    bread = np.array([[1 / (len(design) * mean * (1 - mean))]])
    return _clustered(design, np.array([math.log(mean / (1 - mean))]), (design.outcome - mean)[:, None], bread)


def _fit(design: Design, matrix: Floats) -> _Fit | None:
    """Fitted coefficients with two-way clustered errors; None where the votes are separated."""
    from statsmodels.discrete.discrete_model import Logit
    from statsmodels.tools.sm_exceptions import ConvergenceWarning, PerfectSeparationWarning

    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.simplefilter("error", PerfectSeparationWarning)
        try:
            start = None
            if len(design) > _SAMPLE:  # from a good start the full fit takes two steps instead of six
                part = slice(None, None, len(design) // _SAMPLE)
                start = Logit(design.outcome[part], matrix[part]).fit(disp=0).params
            fitted: Any = Logit(design.outcome, matrix).fit(start, disp=0, skip_hessian=True)
            bread = np.linalg.inv(-fitted.model.hessian(fitted.params))
        except (ConvergenceWarning, PerfectSeparationWarning, np.linalg.LinAlgError):
            return None
    return _clustered(design, np.asarray(fitted.params), np.asarray(fitted.model.score_obs(fitted.params)), bread)


def _clustered(design: Design, beta: Floats, scores: Floats, bread: Floats) -> _Fit:
    from scipy.stats import t

    degrees = min(_distinct(design.visitors), _distinct(design.prompts)) - 1
    critical = float(t.ppf((1 + _CONFIDENCE) / 2, degrees))
    return _Fit(beta, _covariances(design, scores, bread), critical, degrees)


def _covariances(design: Design, scores: Floats, bread: Floats) -> Floats:
    """(4, k, k), as in `_Fit`. Clustered by visitor and prompt is by visitor, plus by prompt, minus by both together.

    statsmodels gives the same, but sorts all votes for each of the three; at a million votes that takes most of the
    time. `scores` (n, k): each vote's gradient; `bread` (k, k): the inverse of the negative Hessian.
    """

    def clustered(codes: NDArray[np.int64]) -> Floats:
        sums = np.column_stack([np.bincount(codes, column) for column in scores.T])
        clusters = _distinct(codes)
        return np.asarray(clusters / (clusters - 1) * bread @ sums.T @ sums @ bread)

    both = pd.factorize(design.visitors * (int(design.prompts.max()) + 1) + design.prompts)[0]
    by_visitor, by_prompt, by_both = map(clustered, (design.visitors, design.prompts, both))
    independent = bread @ scores.T @ scores @ bread
    return np.stack([by_visitor + by_prompt - by_both, by_visitor, by_prompt, independent])


def _columns(design: Design) -> tuple[list[tuple[str, str]], list[Floats]]:
    """(name, title) and column of every covariate that varies and is not a copy of those before it."""
    candidates = [((name, title), design.differences[name]) for name, title in DIFFERENCES.items()]
    for group, codes in design.groups.items():
        levels = design.levels[group]
        most = int(np.bincount(codes).argmax())  # the most common level is the reference level
        candidates += [
            ((f"{group}={level}", f"{group.capitalize()}: {level}, against {levels[most]}"), _centred(codes == at))
            for at, level in enumerate(levels)
            if at != most
        ]
    names: list[tuple[str, str]] = []
    columns: list[Floats] = []
    for name, column in candidates:
        trial = np.stack([np.ones(len(design)), *columns, column])
        if np.linalg.matrix_rank(trial @ trial.T / len(design), tol=1e-9) == len(trial):
            names.append(name)
            columns.append(column)
    return names, columns


def _effects(names: Sequence[tuple[str, str]], columns: Sequence[Floats], raw: _Fit, full: _Fit) -> tuple[Effect, ...]:
    from scipy.stats import t

    if not names:
        return ()
    beta, error = full.beta[1:], full.error[1:]
    p_values = holm(2 * t.sf(np.abs(beta) / error, full.degrees))
    # A mean difference of zero has no share. Shares are scaled to add up to the gap between the two preferences, which
    # happens by itself only in a linear model.
    parts = beta * np.array([column.mean() for column in columns])
    total, gap = parts.sum(), raw.beta[0] - full.beta[0]
    moved = parts * (gap / total) if abs(total) > 1e-9 and 0.5 < gap / total < 2 else parts
    half = full.critical * error
    return tuple(
        Effect(name, title, math.exp(b), _exp(b - h), _exp(b + h), float(p), float(m))
        for (name, title), b, h, p, m in zip(names, beta, half, p_values, moved, strict=True)
    )


def votes_to_tell(share: float) -> int:
    """How many independent votes distinguish a preference of `share` (not one half) from one half (power 80 %)."""
    return _votes_for(1 / (share * (1 - share)), abs(math.log(share / (1 - share))))


def _more_votes(fit: _Fit, votes: int) -> int | None:
    estimate, error = abs(fit.beta[0]), fit.error[0]
    if estimate > fit.critical * error:
        return 0
    if estimate < 1e-12:
        return None
    return max(1, _votes_for(votes * error**2, estimate) - votes)


def _votes_for(variance: float, log_odds: float) -> int:
    """Votes needed to distinguish `log_odds` from zero; `variance` is one vote's contribution to the estimate's."""
    from scipy.stats import norm

    return math.ceil(variance * ((norm.ppf((1 + _CONFIDENCE) / 2) + norm.ppf(POWER)) / log_odds) ** 2)


def _distinct(codes: NDArray[np.int64]) -> int:
    return int(np.count_nonzero(np.bincount(codes))) if len(codes) else 0


def _centred(level: NDArray[np.bool_]) -> Floats:
    values = level.astype(float)
    return values - values.mean()


def _logistic(log_odds: float) -> float:
    return float(1 / (1 + np.exp(-log_odds)))


def _exp(value: float) -> float:
    return math.exp(min(700.0, value))

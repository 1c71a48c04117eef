"""What votes add up to: win rates with intervals, position bias, counts over time. Pure functions.

How verdicts are counted:

* A tie is half a win for each side.
* `both_bad` is half a win for each side too, as in Chatbot Arena (Chiang et al. 2024, arXiv 2403.04132; its published
  analysis treats "tie (bothbad)" as a tie): neither model was better. It also says something that a tie does not, so
  its share is always shown beside the win rate.
* The interval is Wilson's (1927) at 95 %, with halves as fractional successes. A score with three values varies less
  than one with two and the same mean, so with ties the interval is wider than necessary, never narrower. It treats
  votes as independent; several votes by one visitor are not quite that.

There are no ratings: with two models, a Bradley–Terry or Elo difference is the win rate on another scale.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, TypeVar

from common.wilson import wilson_bounds
from votes.ballot import Ballot

FEWEST_VOTES = 10
"""With fewer votes a share is not shown: a single vote could reverse it."""
BallotT = TypeVar("BallotT", bound=Ballot)


class Interval(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True)
class WinRate:
    """How the distilled model did against its base."""

    wins: int
    losses: int
    ties: int
    both_bad: int

    @property
    def votes(self) -> int:
        return self.wins + self.losses + self.ties + self.both_bad

    @property
    def rate(self) -> float | None:
        """Share of wins, ties and both-bad as halves; None without votes."""
        return (self.wins + (self.ties + self.both_bad) / 2) / self.votes if self.votes else None

    @property
    def interval(self) -> Interval | None:
        return wilson(self.wins + (self.ties + self.both_bad) / 2, self.votes)


@dataclass(frozen=True)
class PositionBias:
    """How often side A won, among votes that named a winner. Sides are shuffled, so without bias it is one half."""

    a_wins: int
    decisive: int

    @property
    def rate(self) -> float | None:
        return self.a_wins / self.decisive if self.decisive else None

    @property
    def interval(self) -> Interval | None:
        return wilson(self.a_wins, self.decisive)


class Day(NamedTuple):
    """One day (UTC) with votes: how many there were, and the distilled model's record up to then."""

    day: date
    votes: int
    so_far: WinRate


def wilson(successes: float, trials: int) -> Interval | None:
    """The 95 % interval of a share; None without trials."""
    return Interval(*wilson_bounds(successes, trials)) if trials else None


def effective_votes(rows: Iterable[BallotT]) -> list[BallotT]:
    """The votes that stand, in the order given: those not retracted, and the last one of each battle and stage."""
    rows = list(rows)
    retracted = {row.retracts for row in rows if row.retracts}
    standing: dict[tuple[str, str], BallotT] = {}
    for row in rows:
        if not row.retracts and row.row_id not in retracted:
            standing.pop((row.battle_id, row.stage), None)
            standing[row.battle_id, row.stage] = row
    return list(standing.values())


def win_rate(votes: Iterable[Ballot]) -> WinRate:
    """The win rate over votes that stand (see `effective_votes`)."""
    count: Counter[str] = Counter(vote.winner or vote.verdict for vote in votes)
    return WinRate(count["distilled"], count["base"], count["tie"], count["both_bad"])


def win_rates_by(votes: Iterable[Ballot], key: Callable[[Ballot], str]) -> dict[str, WinRate]:
    """The win rate of each group, in order of first appearance."""
    groups: dict[str, list[Ballot]] = {}
    for vote in votes:
        groups.setdefault(key(vote), []).append(vote)
    return {name: win_rate(group) for name, group in groups.items()}


def position_bias(votes: Iterable[Ballot]) -> PositionBias:
    """Over votes with shuffled sides, which those in a named battle are not."""
    sides = Counter(vote.verdict for vote in votes if vote.shuffled)
    return PositionBias(sides["a"], sides["a"] + sides["b"])


def over_time(votes: Sequence[Ballot]) -> list[Day]:
    """One entry for each day with votes, in order."""
    days: dict[date, list[Ballot]] = {}
    for vote in sorted(votes, key=lambda v: v.voted_at):
        days.setdefault(date.fromisoformat(vote.voted_at[:10]), []).append(vote)
    result, so_far = [], WinRate(0, 0, 0, 0)
    for day, group in days.items():
        today = win_rate(group)
        so_far = WinRate(
            so_far.wins + today.wins,
            so_far.losses + today.losses,
            so_far.ties + today.ties,
            so_far.both_bad + today.both_bad,
        )
        result.append(Day(day, len(group), so_far))
    return result

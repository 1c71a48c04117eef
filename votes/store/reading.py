"""Queries on a store: battles, votes and counts from its rows. Battles that were taken down are excluded."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Set

from votes.ballot import Ballot, BattleRecord, HiddenRecord, RevealRecord, Row, RowT, Vote


class Reading(ABC):
    """The queries; a subclass provides the rows."""

    @abstractmethod
    def _read(self, kind: type[RowT], battle_id: str | None = None, known: Set[str] = frozenset()) -> Iterator[RowT]:
        """Rows of this kind, of one battle or of all, except those with `known` ids."""

    def battle(self, battle_id: str) -> BattleRecord | None:
        """The latest record of the battle."""
        return max(self._read(BattleRecord, battle_id), key=lambda record: record.finished_at, default=None)

    def votes_of(self, battle_id: str) -> list[Vote]:
        """All rows of the battle, including retractions, oldest first."""
        return sorted(self._read(Vote, battle_id), key=lambda vote: vote.voted_at)

    def reveal_of(self, battle_id: str) -> RevealRecord | None:
        return next(self._read(RevealRecord, battle_id), None)

    def ballots(self) -> list[Ballot]:
        """The countable part of every row of votes, including retractions, oldest first."""
        hidden = self.hidden()
        visible = (ballot for ballot in self._read(Ballot) if ballot.battle_id not in hidden)
        return sorted(visible, key=lambda ballot: ballot.voted_at)

    def votes(self) -> Iterator[Vote]:
        """Every row of votes whole, including retractions, in the order they were saved; fetched in portions."""
        hidden = self.hidden()
        return (vote for vote in self._read(Vote) if vote.battle_id not in hidden)

    def revealed(self) -> set[str]:
        """Ids of the battles whose names were given away."""
        return {row.battle_id for row in self._read(RevealRecord)}

    def hidden(self) -> set[str]:
        """Ids of the battles that were taken down and not put back."""
        latest = {row.battle_id: row for row in sorted(self._read(HiddenRecord), key=lambda row: row.hidden_at)}
        return {battle_id for battle_id, row in latest.items() if row.hidden}

    def hidden_of(self, battle_id: str) -> list[HiddenRecord]:
        """When and why this battle was taken down or put back."""
        return list(self._read(HiddenRecord, battle_id))

    def unknown(self, known: Set[str]) -> list[Row]:
        """Every row with an id not in `known`, including those of hidden battles."""
        return [
            *self._read(BattleRecord, known=known),
            *self._read(Vote, known=known),
            *self._read(RevealRecord, known=known),
            *self._read(HiddenRecord, known=known),
        ]

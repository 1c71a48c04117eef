"""The battles in memory: bounded in time and number, and found again in the store after a restart.

Does not know what may be done with a battle (`votes.desk`).
"""

import threading
from collections.abc import Callable
from typing import Protocol

from votes.ballot import BattleRecord, RevealRecord, Row, Vote
from votes.battle import LiveBattle, to_unix
from votes.errors import Refused, UnknownBattle
from votes.limits import Limits


class History(Protocol):
    """What the desk needs of a store: rows in, and the rows of one battle out, oldest first."""

    def append(self, row: Row) -> None:
        """Returns once the row is on disk; StoreError when it could not be saved."""

    def battle(self, battle_id: str) -> BattleRecord | None:
        """The latest record of the battle."""

    def votes_of(self, battle_id: str) -> list[Vote]: ...
    def reveal_of(self, battle_id: str) -> RevealRecord | None: ...
    @property
    def notice(self) -> str: ...


class LiveBattles:
    """Thread-safe."""

    def __init__(self, store: History, limits: Limits, clock: Callable[[], float]) -> None:
        self._store = store
        self._limits = limits
        self._clock = clock
        self._battles: dict[str, LiveBattle] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._battles)

    def add(self, battle: LiveBattle) -> None:
        """Take in a new battle. Raises Refused where every place is taken by a battle that is being answered."""
        with self._lock:
            self._make_room(battle.touched)
            self._battles[battle.record.battle_id] = battle

    def known(self, battle_id: str) -> LiveBattle:
        """The battle of that id. Raises UnknownBattle."""
        with self._lock:
            battle = self._battles.get(battle_id) if isinstance(battle_id, str) else None
        battle = battle or self._recall(battle_id)
        if battle is None:
            raise UnknownBattle("This battle is not known.", "Start a new one.")
        return battle

    def mine(self, battle_id: str, visitor: str) -> LiveBattle:
        """The battle, if it is this visitor's and has not expired. Raises UnknownBattle."""
        try:
            battle = self.known(battle_id)
        except UnknownBattle:
            battle = None
        if battle is None or battle.record.visitor != visitor:
            # One sentence for both, so that nobody learns which ids exist.
            raise UnknownBattle("This battle is not known, or it is not yours.", "Start a new one.")
        if self._clock() > battle.touched + self._limits.expire_seconds:
            raise UnknownBattle("This battle has expired.", "Start a new one.")
        with self._lock:
            return self._battles.setdefault(battle_id, battle)

    def _recall(self, battle_id: str) -> LiveBattle | None:
        """The battle as the store knows it, after a restart or when it had to leave memory."""
        record = self._store.battle(battle_id) if isinstance(battle_id, str) and len(battle_id) <= 64 else None
        if record is None:
            return None
        votes = self._store.votes_of(battle_id)
        touched = max([to_unix(record.finished_at), *(to_unix(vote.voted_at) for vote in votes)])
        return LiveBattle(record, touched, votes, self._store.reveal_of(battle_id))

    def _make_room(self, now: float) -> None:
        """Forget expired battles, then the one longest without a step that is not being answered."""
        for battle_id in [k for k, b in self._battles.items() if now > b.touched + self._limits.expire_seconds]:
            del self._battles[battle_id]
        if len(self._battles) >= self._limits.battles:
            idle = [(b.touched, k) for k, b in self._battles.items() if b.running is None]
            if not idle:
                raise Refused("Too many battles are running just now.", "Please try again in a minute.")
            del self._battles[min(idle)[1]]

"""The battles in memory: bounded in age and number, and reloaded from the store when needed."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from votes.ballot import BattleRecord, RevealRecord, Row, Vote
from votes.casting.limits import Limits
from votes.casting.rules import LiveBattle, to_unix, went_on_from
from votes.errors import Refused, UnknownBattle

TAKEN_DOWN = "This battle was taken down by the owner of this page."
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class History(Protocol):
    """What the desk needs from a store: adding rows, and reading the rows of one battle, oldest first."""

    def append(self, row: Row) -> None:
        """Return once the row is on disk. StoreError if it could not be saved."""

    def battle(self, battle_id: str) -> BattleRecord | None:
        """The latest record of the battle."""

    def votes_of(self, battle_id: str) -> list[Vote]: ...
    def reveal_of(self, battle_id: str) -> RevealRecord | None: ...
    def is_hidden(self, battle_id: str) -> bool: ...
    def hidden(self) -> set[str]: ...
    @property
    def notice(self) -> str: ...


class LiveBattles:
    """Thread-safe."""

    def __init__(self, store: History, limits: Limits, clock: Callable[[], float]) -> None:
        self._store = store
        self._limits = limits
        self._clock = clock
        self._battles: dict[str, LiveBattle] = {}
        self._taken_down: dict[str, BattleRecord] = {}
        """Those that were looked up, to be compared with continuations at every step."""
        self._lock = threading.Lock()
        self._forgotten = 0
        """How many battles have left memory."""
        self._next_sweep = 0.0

    def __len__(self) -> int:
        return len(self._battles)

    def add(self, battle: LiveBattle) -> None:
        """Add a new battle. Refused if memory is full of battles that are being answered."""
        with self._lock:
            self._make_room(battle.touched)
            self._battles[battle.record.battle_id] = battle

    def known(self, battle_id: str) -> LiveBattle:
        """The battle with that id, for reading. UnknownBattle if there is none."""
        with self._lock:
            battle = self._battles.get(battle_id) if isinstance(battle_id, str) else None
        battle = battle or self._recall(battle_id)
        if battle is None:
            raise UnknownBattle("This battle is not known.", "Start a new one.")
        return battle

    def public(self, battle_id: str) -> LiveBattle:
        """The battle with that id, for anyone to see. UnknownBattle if there is none, or if it was taken down."""
        self._check_shown(battle_id)
        battle = self.known(battle_id)
        self._check_beginning(battle.record)
        return battle

    @contextmanager
    def locked(self, battle_id: str, visitor: str) -> Iterator[LiveBattle]:
        """The battle, locked for one step of this visitor. UnknownBattle if it is not theirs, has expired, or was taken
        down."""
        self._check_shown(battle_id)
        while True:
            battle = self._own(battle_id, visitor)
            self._check_beginning(battle.record)
            with battle.lock:
                # While we waited for the lock, the battle may have been dropped and reloaded by another thread: two
                # copies of one battle would take two votes.
                if self._battles.get(battle_id) is not battle:
                    continue
                yield battle
                return

    def forget(self, battle: LiveBattle) -> None:
        """Drop a battle that is over from memory. Its link keeps working, from the store."""
        with self._lock:
            if battle.stored and self._battles.get(battle.record.battle_id) is battle:
                self._drop(battle.record.battle_id)

    def _check_shown(self, battle_id: str) -> None:
        if isinstance(battle_id, str) and self._store.is_hidden(battle_id):
            raise UnknownBattle(TAKEN_DOWN)

    def _check_beginning(self, record: BattleRecord) -> None:
        """UnknownBattle if the battle went on from one that was taken down: it has all of its words."""
        if record.mode != "continued":
            return
        for battle_id in self._store.hidden():
            earlier = self._taken_down.get(battle_id) or self._store.battle(battle_id)
            if earlier is not None:
                self._taken_down[battle_id] = earlier
                if went_on_from(record, earlier):
                    raise UnknownBattle(TAKEN_DOWN)

    def _own(self, battle_id: str, visitor: str) -> LiveBattle:
        while True:
            with self._lock:
                forgotten = self._forgotten
            try:
                battle = self.known(battle_id)
            except UnknownBattle:
                battle = None
            if battle is None or battle.record.visitor != visitor:
                # One message for both cases, so that nobody learns which ids exist.
                raise UnknownBattle("This battle is not known, or it is not yours.", "Start a new one.")
            if self._clock() > battle.touched + self._limits.expire_seconds:
                raise UnknownBattle("This battle has expired.", "Start a new one.")
            with self._lock:
                # What was read may be stale if a battle has left memory meanwhile, since it may be this one.
                if battle_id in self._battles or forgotten == self._forgotten:
                    return self._battles.setdefault(battle_id, battle)

    def _recall(self, battle_id: str) -> LiveBattle | None:
        """The battle as the store knows it, after a restart or after it has left memory."""
        # Callers may send anything; only a well-formed id reaches the database.
        if not (isinstance(battle_id, str) and _ID.fullmatch(battle_id)):
            return None
        record = self._store.battle(battle_id)
        if record is None:
            return None
        votes = self._store.votes_of(battle_id)
        touched = max([to_unix(record.finished_at), *(to_unix(vote.voted_at) for vote in votes)])
        return LiveBattle(record, touched, votes, self._store.reveal_of(battle_id), stored=True)

    def _make_room(self, now: float) -> None:
        """Drop expired battles, idle ones that are stored, and if needed the one that has been inactive longest."""
        if now >= self._next_sweep or len(self._battles) >= self._limits.battles:
            self._next_sweep = now + self._limits.idle_seconds / 10
            for battle_id, battle in list(self._battles.items()):
                seconds = self._limits.idle_seconds if battle.stored else self._limits.expire_seconds
                if now > battle.touched + seconds:
                    self._drop_unless_busy(battle_id, battle)
        if len(self._battles) >= self._limits.battles:
            longest_idle = sorted(self._battles.items(), key=lambda item: item[1].touched)
            if not any(self._drop_unless_busy(battle_id, battle) for battle_id, battle in longest_idle):
                raise Refused("Too many battles are running just now.", "Please try again in a minute.")

    def _drop_unless_busy(self, battle_id: str, battle: LiveBattle) -> bool:
        """Whether it may be dropped from memory: not while it is being answered or in the middle of a step."""
        if battle.running is not None or not battle.lock.acquire(blocking=False):
            return False
        try:
            self._drop(battle_id)
        finally:
            battle.lock.release()
        return True

    def _drop(self, battle_id: str) -> None:
        del self._battles[battle_id]
        self._forgotten += 1

"""Battles, votes and reveals on disk: one DuckDB file, rows only added, one writer.

* `append` returns only after the row is committed (or synced to a journal, see below), so an acknowledged vote survives
  `kill -9` at any moment. Threads that wait at the same time are committed together.
* When the database is locked by another process, read-only, from a later version, damaged while running, or the disk
  fails, the row goes to a journal beside it (`<name>.journal-*.jsonl`), or to one in the spare folder if that cannot be
  written. `notice` says so in a sentence. The database is tried again at most every `retry_seconds`; once it opens, the
  journals are replayed, each row once by its id, and kept as `*.replayed`. Only if no journal can be written either
  does `append` raise StoreError: then the row is not saved, and the vote can be cast again.
* A corrupt file is renamed to `<name>.corrupt-<UTC time>` and a new one is begun. Nothing is ever deleted.
* Rows that were committed and are gone at the next start (a log that was cut short) are noticed and told.
"""

import contextlib
import hashlib
import logging
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import duckdb

from common.errors import DataError
from votes.ballot import Row, RowT
from votes.errors import StoreError
from votes.store.faults import explain, is_corrupt
from votes.store.journal import Entry, Journal, retire, waiting
from votes.store.migrations import NewerSchema, migrate
from votes.store.reading import Reading
from votes.store.tables import count_rows, insert_all, latest_waits, read_entry, select, to_entry
from votes.store.tally import Tally, missing

_LOG = logging.getLogger(__name__)
_ROWS_AT_ONCE = 500


@dataclass
class _Pending:
    row: Row
    entry: Entry
    done: bool = False
    error: StoreError | None = None


class Store(Reading):
    """Opens at once and never fails to: if the database cannot be used, `notice` says why. Thread-safe."""

    def __init__(
        self,
        path: Path,
        *,
        spare: Path | None = None,
        retry_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        own = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:12]
        self._folders = (path.parent, *([spare / own] if spare else []))
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._queue: deque[_Pending] = deque()
        self._journal = Journal(self._folders, path.stem)
        self._tally = Tally(path)
        self._counts: Counter[str] = Counter()
        self._spilled: dict[str, Row] = {}
        self._con: duckdb.DuckDBPyConnection | None = None
        self._reader: duckdb.DuckDBPyConnection | None = None
        self._hidden: tuple[tuple[int, int], set[str]] = (-1, -1), set()
        """Hidden battles, and the row counts at which they were read."""
        self._trouble = ""
        self._remarks: list[str] = []
        self._look_at = 0.0
        with self._lock:
            self._open()

    @property
    def notice(self) -> str:
        """What a visitor should know about the state of the store; empty if all is well. The log has the details."""
        return " ".join(filter(None, (self._trouble, *self._remarks)))

    @property
    def trouble(self) -> str:
        """Why rows do not go into the database now; empty if they do. Part of `notice`."""
        return self._trouble

    @property
    def counts(self) -> dict[str, int]:
        """Rows of each table in the database, as last counted."""
        return dict(self._counts)

    def append(self, row: Row) -> None:
        """Return once the row is on disk. StoreError if it could not be saved anywhere."""
        pending = _Pending(row, to_entry(row))
        self._queue.append(pending)
        # The first thread to get the lock saves the rows of all waiting threads: one commit and sync for many votes.
        with self._lock:
            if not pending.done:
                self._flush()
        if pending.error is not None:
            raise pending.error

    def merge(self, rows: Sequence[Row]) -> int:
        """Add rows from elsewhere, keeping existing ones unchanged. Returns how many were added.

        StoreError if the database cannot be used now; no journal is written, since the rows can be fetched again later.
        """
        added = 0
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            with self._lock:  # released in between, so that votes do not wait long
                self._look_around()
                counted = self._insert([to_entry(row) for row in rows[start : start + _ROWS_AT_ONCE]])
            if counted is None:
                raise StoreError("The vote database cannot take in copied votes now.", "They are tried again later.")
            added += counted.total()
        return added

    def close(self) -> None:
        with self._lock:
            self._disconnect()
            self._journal.close()

    # reading

    def is_hidden(self, battle_id: str) -> bool:
        """Whether the battle was taken down. Kept in memory, since every step of a battle asks."""
        state = self._counts["hidden"], len(self._spilled)
        if self._hidden[0] != state or self._clock() >= self._look_at:
            self._hidden = state, self.hidden()
        return battle_id in self._hidden[1]

    def _read(self, kind: type[RowT], battle_id: str | None = None, known: Set[str] = frozenset()) -> Iterator[RowT]:
        """Rows of the database, then those that still wait in a journal."""
        with self._lock:
            self._look_around()
            spilled = {k: row for k, row in self._spilled.items() if isinstance(row, kind)}
            con = self._con or self._reader
            # Each reader gets its own cursor: threads that share a connection lose rows.
            cursor = con.cursor() if con is not None else None
        if cursor is not None:
            try:
                yield from (row for row in select(cursor, kind, battle_id, known) if row.row_id not in spilled)
            except duckdb.Error as error:
                with self._lock:
                    if con in (self._con, self._reader):
                        self._give_up(error)
        yield from (row for k, row in spilled.items() if battle_id in (None, row.battle_id) and k not in known)

    def waits(self, pair: str, most: int) -> list[float]:
        """Seconds that the latest turns of this pair took, the newest first; none while the database cannot be read."""
        with self._lock:
            con = self._con or self._reader
            cursor = con.cursor() if con is not None else None
        try:
            return latest_waits(cursor, pair, most) if cursor is not None else []
        except duckdb.Error:
            return []

    # writing; everything from here on happens under the lock

    def _flush(self) -> None:
        """Save everything that waits in one transaction, in the database or else in the journal."""
        batch = [self._queue.popleft() for _ in range(len(self._queue))]
        error: StoreError | None = StoreError("Your vote could not be saved.", "Please try again.")
        try:
            error = self._save(batch)
        finally:
            for item in batch:
                item.done, item.error = True, error

    def _save(self, batch: list[_Pending]) -> StoreError | None:
        entries = [item.entry for item in batch]
        self._look_around()
        if self._insert(entries) is not None:
            return None
        try:
            self._journal.append(entries)
        except (OSError, DataError) as error:
            _LOG.error("Nothing was saved: neither the database nor a journal can be written: %s", error)
            message = "Your vote could not be saved: the server has no place to write it."
            return StoreError(message, "Please tell whoever runs this page, then try again.")
        self._spilled |= {item.row.row_id: item.row for item in batch}
        return None

    def _insert(self, entries: list[Entry]) -> Counter[str] | None:
        """How many rows the database took; None if it cannot. A corrupt one is replaced by a new one, which is tried
        as well."""
        for _ in range(2):
            if self._con is None:
                return None
            try:
                added = insert_all(self._con, entries)
            except duckdb.Error as error:
                self._give_up(error)
                continue
            self._count(added)
            return added
        return None

    def _look_around(self) -> None:
        """Every `retry_seconds`, try again to open the database, or replay journals left by other processes."""
        if self._clock() < self._look_at:
            return
        if self._con is None:
            self._open()
            return
        self._look_at = self._clock() + self._retry_seconds
        try:
            self._replay(self._con)
        except duckdb.Error as error:
            self._give_up(error)

    def _open(self, *, renew: bool = True) -> None:
        """Try to use the database; `notice` says what prevents it."""
        self._disconnect()
        self._look_at = self._clock() + self._retry_seconds
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._con = duckdb.connect(self.path, config={"threads": 1})
            migrate(self._con)
            self._check_tally(self._con)
            self._replay(self._con)
            self._trouble = ""
        except (duckdb.Error, NewerSchema, OSError) as error:
            self._give_up(error, renew=renew)

    def _check_tally(self, con: duckdb.DuckDBPyConnection) -> None:
        """Compare the rows that are there with those that were."""
        self._counts = count_rows(con)
        if lost := missing(self._tally.read(), self._counts):
            rows = "One row" if lost == 1 else f"{lost} rows"
            self._remark(f"{rows} of earlier battles and votes were lost: the database's log was cut short.")
        self._count({})

    def _count(self, added: dict[str, int]) -> None:
        self._counts.update(added)
        self._tally.write(self._counts)

    def _give_up(self, error: Exception, *, renew: bool = True) -> None:
        """Continue without the database, read-only if possible. A corrupt one is replaced by a new one, once."""
        _LOG.warning("The vote database %s cannot be used: %s", self.path, error)
        self._disconnect()
        self._trouble = f"{explain(error)} New votes are kept in a journal until it can be opened."
        if renew and is_corrupt(error) and self._set_aside():
            self._open(renew=False)
            return
        with contextlib.suppress(duckdb.Error):
            self._reader = duckdb.connect(self.path, read_only=True)
        for journal in waiting(self._folders, self.path.stem):
            self._spilled |= {row.row_id: row for row in map(read_entry, journal.entries) if row is not None}

    def _replay(self, con: duckdb.DuckDBPyConnection) -> None:
        """Move every waiting journal into the database. Rows that are already there stay as they are."""
        self._journal.close()
        for journal in waiting(self._folders, self.path.stem):
            rows = [row for row in map(read_entry, journal.entries) if row is not None]
            self._count(insert_all(con, [to_entry(row) for row in rows]))
            damaged = journal.damaged + len(journal.entries) - len(rows)
            # If it cannot be renamed, it is replayed again at the next opening, without effect.
            with contextlib.suppress(OSError):
                retire(journal._replace(damaged=damaged))
            if damaged:
                _LOG.warning("%d lines of %s cannot be read. It is kept as *.damaged", damaged, journal.path)
                rows_of = "One row of a journal is" if damaged == 1 else f"{damaged} rows of a journal are"
                self._remark(f"{rows_of} unreadable; the journal is kept.")
        self._spilled.clear()

    def _set_aside(self) -> bool:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        aside = self.path.with_name(f"{self.path.name}.corrupt-{stamp}-{secrets.token_hex(2)}")
        try:
            self.path.rename(aside)
            wal = self.path.with_name(f"{self.path.name}.wal")
            if wal.exists():
                wal.rename(aside.with_name(f"{aside.name}.wal"))
        except OSError:
            return False
        self._tally.forget()
        _LOG.warning("The damaged vote database is kept as %s", aside)
        self._remark("The vote database was damaged. The damaged file is kept, and a new one was begun.")
        return True

    def _remark(self, sentence: str) -> None:
        _LOG.warning("%s: %s", self.path, sentence)
        self._remarks.append(sentence)

    def _disconnect(self) -> None:
        for con in (self._con, self._reader):
            if con is not None:
                with contextlib.suppress(duckdb.Error):
                    con.close()
        self._con = self._reader = None

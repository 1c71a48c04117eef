"""Synchronises the store with a backup repository: fetches what others have pushed, pushes what is new here.

Every push adds one Parquet file per table that has new rows. Rows are identified by their ids, so a row in two files is
still one row, and it makes no difference whether a file was pushed by this page, by one of its replicas, or by the
command `arena votes hide` elsewhere.
"""

import logging
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from common.errors import ArenaError
from votes.backup.repository import REPOSITORY, SUFFIX, Repository, open_repository
from votes.ballot import BattleRecord, HiddenRecord, RevealRecord, Row, Vote
from votes.parquet import read_rows, write_rows
from votes.store import KINDS, TABLES, Store

SECONDS_BETWEEN = 300.0
_ORDER = tuple(TABLES[kind] for kind in (HiddenRecord, RevealRecord, Vote, BattleRecord))
"""Battles are fetched last: one that was taken down must not be readable while the rest is still on its way."""
_LOG = logging.getLogger(__name__)


class Keeper:
    """`start` it, and `stop` it at the end. `sync` may be called from any thread."""

    def __init__(
        self,
        store: Store,
        repository: Repository,
        *,
        seconds: float = SECONDS_BETWEEN,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.seconds = seconds
        self.copied_at: float | None = None
        """Unix time of the last round that worked."""
        self.failures = 0
        """Rounds that failed since the start."""
        self._store = store
        self._repository = repository
        self._clock = clock
        self._replica = secrets.token_hex(4)
        self._seen: set[str] = set()
        """Names of files whose rows are here."""
        self._known: set[str] = set()
        """Ids of rows that are in the repository."""
        self._trouble = ""
        self._unreadable = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def sentence(self) -> str:
        """A sentence for the page: where votes are copied to, how often, and what may be lost."""
        minutes = max(1, round(self.seconds / 60))
        interval = "minute" if minutes == 1 else f"{minutes} minutes"
        sentences = [f"Votes are copied to {self._repository.title} every {interval}."]
        if self.copied_at is None and not self._trouble:
            sentences.append("Earlier votes are being fetched from there.")
        if self._trouble:
            since = f" since {datetime.fromtimestamp(self.copied_at, UTC):%H:%M} UTC" if self.copied_at else ""
            sentences.append(
                f"This has not worked{since}; it is tried again. Until then votes are on this server only."
            )
        else:
            sentences.append(f"If this server loses its disk, the votes of the last {interval} are lost.")
        if self._unreadable:
            files = "One file there is" if self._unreadable == 1 else f"{self._unreadable} files there are"
            sentences.append(f"{files} unreadable and left out.")
        return " ".join(sentences)

    def start(self) -> None:
        """Start synchronising at once, in the background."""
        self._thread = threading.Thread(target=self._run, name="votes-keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Push new rows a last time. A failure is only logged, since nobody is left to see it."""
        self._stopped.set()
        self._round()

    def sync(self) -> tuple[int, int]:
        """Fetch, then push; returns how many rows were fetched and pushed. DataError or StoreError on failure."""
        with self._lock:
            try:
                fetched = self._pull()
            finally:  # a database that cannot take rows may still have some to push
                pushed = self._push(self.new_rows())
            self.copied_at, self._trouble = self._clock(), ""
            return fetched, pushed

    def fetch(self) -> int:
        """Fetch only; returns how many rows were fetched. DataError or StoreError on failure."""
        with self._lock:
            return self._pull()

    def push(self, rows: Sequence[Row]) -> None:
        """Push only these rows. DataError on failure."""
        with self._lock:
            self._push(rows)

    def new_rows(self) -> list[Row]:
        """The rows of this store that, as far as was fetched, are in no file of the repository."""
        return self._store.unknown(self._known)

    def _run(self) -> None:
        self._round()
        while not self._stopped.wait(self.seconds):
            self._round()

    def _round(self) -> None:
        try:
            self.sync()
        except ArenaError as error:
            self._fail(str(error))
            _LOG.warning("Votes could not be copied: %s", error)
        except Exception as error:  # a bug here must not stop the backups for good
            self._fail(type(error).__name__)
            _LOG.exception("Votes could not be copied")

    def _fail(self, trouble: str) -> None:
        self.failures += 1
        self._trouble = trouble

    def _pull(self) -> int:
        """Merge the rows of files not seen yet."""
        added = 0
        new = [name for name in self._repository.names() - self._seen if _table(name) in KINDS]
        for name, path in self._repository.fetch(sorted(new, key=lambda name: (_ORDER.index(_table(name)), name))):
            try:
                rows = read_rows(KINDS[_table(name)], path)
            except (OSError, ValueError, LookupError, TypeError):
                _LOG.warning("%s is not a file of votes and is left out", name, exc_info=True)
                self._unreadable += 1
            else:
                added += self._store.merge(rows)
                self._known.update(row.row_id for row in rows)
            self._seen.add(name)
        return added

    def _push(self, rows: Sequence[Row]) -> int:
        if not rows:
            return 0
        now = datetime.fromtimestamp(self._clock(), UTC)
        with tempfile.TemporaryDirectory(prefix="journey-arena-votes-") as folder:
            files = {}
            for kind, table in TABLES.items():
                if own := [row for row in rows if isinstance(row, kind)]:
                    # The time is for human readers; the replica and the random part make the name unique.
                    name = f"{now:%H%M%S}-{self._replica}-{secrets.token_hex(3)}{SUFFIX}"
                    path = Path(folder) / f"{table}{SUFFIX}"
                    write_rows(kind, own, path)
                    files[f"{table}/{now:%Y-%m-%d}/{name}"] = path
            self._repository.add(files, f"{len(rows)} rows")
        self._seen.update(files)
        self._known.update(row.row_id for row in rows)
        return len(rows)


def _table(name: str) -> str:
    """The table whose rows a file of the repository holds."""
    return name.split("/")[0]


def configured_keeper(store: Store) -> Keeper | None:
    """The keeper for the repository named by `JOURNEY_VOTES_REPO`; None if that is unset. Raises ConfigError."""
    where = os.environ.get(REPOSITORY, "")
    return Keeper(store, open_repository(where, os.environ.get("HF_TOKEN"))) if where else None

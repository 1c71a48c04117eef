"""How many rows the database held, kept in a small file beside it, so that rows that vanish are noticed.

DuckDB cuts a torn end off its write-ahead log without a word. The count is written after each commit and is not synced:
it may lag behind the database, and then misses a loss, but it never runs ahead, so it raises no false alarm.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

_WIDTH = 200
"""Every count is written over the one before it, padded to this length, in one call: a reader sees either whole."""


class Tally:
    """Rows by table, in `<database>.tally`."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}.tally")

    def read(self) -> dict[str, int]:
        """The last counts. Empty if there are none, or if they cannot be read."""
        try:
            counts = json.loads(self._path.read_bytes())
            return {str(table): int(count) for table, count in counts.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def write(self, counts: Mapping[str, int]) -> None:
        """Keep these counts. A disk that refuses costs only the check, so its error is left out."""
        with contextlib.suppress(OSError):
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.write(handle, json.dumps(dict(counts)).ljust(_WIDTH).encode())
            finally:
                os.close(handle)

    def forget(self) -> None:
        """Begin again: the database is a new one."""
        with contextlib.suppress(OSError):
            self._path.unlink()


def missing(before: Mapping[str, int], now: Mapping[str, int]) -> int:
    """How many rows have vanished, over all tables."""
    return sum(max(0, count - now.get(table, 0)) for table, count in before.items())

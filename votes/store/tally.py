"""How many rows the database held, kept in a small file beside it, so that rows that vanish are noticed.

DuckDB silently truncates a torn end of its write-ahead log. The count is written after each commit and is not synced:
it may lag behind the database and then miss a loss, but it never runs ahead, so it raises no false alarm.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

_WIDTH = 200
"""Each count overwrites the previous one in one call, padded to this length: readers see either of them whole."""


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
        """Save these counts. If that fails, only the check is lost, so the error is ignored."""
        with contextlib.suppress(OSError):
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.write(handle, json.dumps(dict(counts)).ljust(_WIDTH).encode())
            finally:
                os.close(handle)

    def forget(self) -> None:
        """Start over, for a new database."""
        with contextlib.suppress(OSError):
            self._path.unlink()


def missing(before: Mapping[str, int], now: Mapping[str, int]) -> int:
    """How many rows have vanished, over all tables."""
    return sum(max(0, count - now.get(table, 0)) for table, count in before.items())

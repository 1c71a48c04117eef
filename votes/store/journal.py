"""Where rows wait while the database cannot take them: JSONL files, one per process, each line synced to disk.

A journal is locked (flock) by the process that writes it, so that no other process replays it half-written. The lock
ends with the process, even on `kill -9`.
"""

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from common import jsonl
from common.errors import DataError
from common.locks import lock_file


class Entry(NamedTuple):
    table: str
    row: dict[str, Any]


class Journal:
    """Writes `<stem>.journal-<time>-<random>.jsonl` in the first of `folders` that takes it."""

    def __init__(self, folders: Sequence[Path], stem: str) -> None:
        self._folders = folders
        self._stem = stem
        self._file: TextIO | None = None
        """Open for its lock; lines are added through `common.jsonl`."""

    def append(self, entries: Sequence[Entry]) -> Path:
        """Add the entries and return their file once they are on disk. OSError or DataError if no folder takes them."""
        if self._file is not None:
            with contextlib.suppress(OSError, DataError):
                return self._write(self._file, entries)
        failure: OSError | DataError = OSError("There is no folder for a journal.")
        # The disk may fill up after the file was created; then the next folder is tried too.
        for folder in self._folders:
            try:
                return self._write(self._create(folder), entries)
            except (OSError, DataError) as error:
                failure = error
        raise failure

    def close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _write(self, file: TextIO, entries: Sequence[Entry]) -> Path:
        path = Path(file.name)
        size = path.stat().st_size
        try:
            jsonl.append(path, (entry._asdict() for entry in entries))
        except (OSError, DataError):
            # Remove lines that did get written, since the voters are told that their votes were not saved.
            with contextlib.suppress(OSError):
                os.truncate(path, size)
                if size == 0:
                    path.unlink()
            self.close()
            raise
        return path

    def _create(self, folder: Path) -> TextIO:
        name = f"{self._stem}.journal-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(4)}.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / name).open("x", encoding="utf-8")
        lock_file(self._file)
        _sync_folder(folder)
        return self._file


class Waiting(NamedTuple):
    """A journal that no living process is writing."""

    path: Path
    entries: list[Entry]
    damaged: int
    """Lines that cannot be read. A torn last line does not count: it was never acknowledged."""


def waiting(folders: Sequence[Path], stem: str) -> Iterator[Waiting]:
    """Every journal that no living process is writing, locked while the caller looks at it."""
    for path in [path for folder in folders for path in _journals_in(folder, stem)]:
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(path.open(encoding="utf-8"))
                lock_file(file)
            except OSError:
                continue
            # Between the listing and the lock another process may have replayed and renamed it.
            if path.exists():
                yield _read(path)


def retire(journal: Waiting) -> None:
    """Rename a replayed journal. It is kept, so that a person can look at damaged lines."""
    journal.path.rename(journal.path.with_suffix(".damaged" if journal.damaged else ".replayed"))
    _sync_folder(journal.path.parent)


def _journals_in(folder: Path, stem: str) -> list[Path]:
    try:
        return sorted(folder.glob(f"{stem}.journal-*.jsonl"))
    except OSError:  # A folder that may not be entered holds no journal of ours.
        return []


def _read(path: Path) -> Waiting:
    entries, damaged = [], 0
    for number, line in jsonl.read_lines(path):
        try:
            value = jsonl.parse(line, f"{path}, line {number}")
            entries.append(Entry(str(value["table"]), dict(value["row"])))
        except (DataError, ValueError, KeyError, TypeError):
            damaged += 1
    return Waiting(path, entries, damaged)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":  # a folder cannot be opened there
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

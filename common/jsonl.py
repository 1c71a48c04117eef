"""Files of one JSON value a line that only grow; a last line that a crash tore is left out, and cut off at the next.

Does not know what the lines hold.
"""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from common.errors import DataError

_appending = threading.Lock()


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line's number, from 1, and its text; empty ones and a last one torn by a crash are left out."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip() and not _is_torn(line):
                yield number, line.decode("utf-8", errors="replace")


def append_line(path: Path, text: str) -> None:
    """Add a line, on disk when this returns; one torn by a crash is cut off first. DataError if the disk refuses."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _appending, path.open("ab+") as file:  # while a torn line is looked for and cut off, nobody may add one
            _mend_end(file)
            file.write(text.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}.", "Make room or mend its rights.") from error


def _is_torn(line: bytes) -> bool:
    """Whether a crash cut the line short. One that is whole JSON only lacks its line end: an editor took it away."""
    if line.endswith(b"\n"):
        return False
    try:
        json.loads(line)
    except ValueError:
        return True
    return False


def _mend_end(file: BinaryIO) -> None:
    """Cut a torn last line off, or end one that is whole."""
    size, tail = file.seek(0, os.SEEK_END), b""
    while b"\n" not in tail and len(tail) < size:  # from behind: the rest of the file may be large
        file.seek(max(0, size - 2 * len(tail) - 4096))
        tail = file.read(size - file.tell())
    last = tail.rpartition(b"\n")[2]
    if _is_torn(last):
        file.truncate(size - len(last))
    elif last:
        file.write(b"\n")

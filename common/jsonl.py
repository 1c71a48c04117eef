"""Files of JSON values, one a line, that only grow; and JSON from anywhere, read so that bad input becomes a sentence.

One policy for every such file: a value is on disk when `append` returns; a last line that a crash cut short is left out
when reading and cut off before the next value is added. Concurrent processes are the caller's business (a run's lock).
"""

import json
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from common.errors import DataError

_appending = threading.Lock()


class Line(NamedTuple):
    """A value and the number of its line, counted from 1."""

    number: int
    value: Any


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line's number and text; empty lines and a torn last one are left out. DataError if it cannot be read."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if line.strip() and not _is_torn(line):
                    yield number, line.decode("utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions.") from error


def read(path: Path) -> Iterator[Line]:
    """Each line's value. A missing file is an error; a torn last line is left out. DataError names file and line."""
    for number, text in read_lines(path):
        yield Line(number, parse(text, f"{path}, line {number}"))


def parse(text: str, where: str) -> Any:
    """The value of a JSON text. DataError, which begins with `where`, for anything that is none.

    Lone halves of a surrogate pair, which JSON can hold and UTF-8 cannot, are replaced.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise DataError(f"{where} is nested too deeply.", "Give a file of plain JSON objects.") from error
    except ValueError as error:  # also for an integer of thousands of digits
        raise DataError(f"{where} is not JSON: {error}.", "Give a UTF-8 file of JSON.") from error
    return _whole_characters(value) if "\\ud" in text.lower() else value


def append(path: Path, values: Iterable[Any]) -> None:
    """Add values, on disk when this returns; a torn last line is cut off first. DataError if the disk refuses."""
    text = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
    append_text(path, text)


def append_text(path: Path, text: str) -> None:
    """Add whole lines, as `append` does."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One thread at a time: between looking for a torn line and cutting it off, nobody may add one.
        with _appending, path.open("ab+") as file:
            _mend_end(file)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror}.", "Free some disk space or check the permissions."
        ) from error


def write(path: Path, values: Iterable[Any]) -> None:
    """Write the whole file anew: readers see the old content or the new, never a part. DataError if it cannot be."""
    draft = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
        draft.replace(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror}.", "Free some disk space or check the permissions."
        ) from error


def _whole_characters(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _is_torn(line: bytes) -> bool:
    """Whether a crash cut the line short. A last line that is whole JSON only lacks its line end."""
    if line.endswith(b"\n"):
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return True
    return False


def _mend_end(file: BinaryIO) -> None:
    """Cut off a torn last line, or end one that is whole."""
    size, tail = file.seek(0, os.SEEK_END), b""
    while b"\n" not in tail and len(tail) < size:  # from the end: the rest of the file may be large
        file.seek(max(0, size - 2 * len(tail) - 4096))
        tail = file.read(size - file.tell())
    last = tail.rpartition(b"\n")[2]
    if _is_torn(last):
        file.truncate(size - len(last))
    elif last:
        file.write(b"\n")

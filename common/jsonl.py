"""Append-only JSON Lines files; and parsing JSON from any source, with errors a person can read.

Every such file follows one policy: a value is on disk when `append` returns; a last line cut short by a crash is
skipped when reading and removed before the next value is added. Callers must lock out other processes (a run's lock).
"""

import contextlib
import json
import lzma
import os
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from common.errors import DataError
from common.text import whole_characters

MOST_DEPTH = 200
"""Maximum nesting depth that is read. Copying and writing values is recursive, and Python's recursion limit is about
1,000 calls; nothing this product writes comes near it."""
LINES_AT_ONCE = 100
"""So many lines of a new file are in memory at a time."""
_appending = threading.Lock()


class Line(NamedTuple):
    """A value and its line number, counted from 1."""

    number: int
    value: Any


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line's number and text, skipping empty lines and a torn last one. Raises DataError if it cannot be read.

    A .xz file is decompressed on the fly.
    """
    try:
        with lzma.open(path) if path.suffix == ".xz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if line.strip() and not _is_torn(line):
                    yield number, line.decode("utf-8", errors="replace")
    except (lzma.LZMAError, EOFError) as error:
        raise DataError(f"{path} is not a whole .xz file.", "Get the file again.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions.") from error


def read(path: Path) -> Iterator[Line]:
    """Each line's value, skipping a torn last line. Raises DataError, naming file and line, also if the file is
    missing."""
    for number, text in read_lines(path):
        yield Line(number, parse(text, f"{path}, line {number}"))


def read_text(path: Path) -> str:
    """The contents of a UTF-8 file, without a byte order mark. Raises DataError if it is not UTF-8 or unreadable."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text.", "Give a text file, saved as UTF-8.") from error
    except (OSError, ValueError) as error:  # a path with a null character is a ValueError
        why = getattr(error, "strerror", None) or error
        raise DataError(f"{path} cannot be read: {why}.", "Check the path and its permissions.") from error


def write_text(path: Path, text: str) -> None:
    """Replace a text file atomically, creating its folder if needed: readers see the old content or the new, never a
    part. Lone surrogates are replaced. Raises DataError if writing fails."""
    _replace(path, [text])


def parse(text: str, where: str) -> Any:
    """The value of a JSON text. Raises DataError, with a message that begins with `where`, for anything else.

    Lone halves of a surrogate pair, which JSON can hold and UTF-8 cannot, are replaced.
    """
    try:
        value = json.loads(text.removeprefix("\ufeff"))
        too_deep = is_deeper(value, MOST_DEPTH)
    except RecursionError:
        too_deep = True
    except json.JSONDecodeError as error:
        raise DataError(f"{where} is not JSON: {error}.", "Give a UTF-8 file of JSON.") from error
    except ValueError as error:
        raise DataError(f"{where} contains a number with thousands of digits.", "Write it as text.") from error
    if too_deep:
        raise DataError(f"{where} is nested too deeply.", "Give a file of plain JSON objects.")
    return _mended(value) if "\\ud" in text.lower() else value


def is_deeper(value: Any, most: int) -> bool:
    """Whether lists and mappings are nested more than `most` levels deep. True for a value that contains itself."""
    level = [value]
    for _ in range(most + 1):
        # Compared by identity: YAML references share parts of a value, and counting each use would be exponential.
        inner = {
            id(part): part
            for whole in level
            if isinstance(whole, dict | list)
            for part in (whole.values() if isinstance(whole, dict) else whole)
            if isinstance(part, dict | list)
        }
        if not inner:
            return False
        level = list(inner.values())
    return True


def append(path: Path, values: Iterable[Any], *, durable: bool = True) -> None:
    """Add values, which are on disk when this returns; a torn last line is removed first. Raises DataError on failure.

    Without `durable` they have only been handed to the operating system: they survive a killed process, but perhaps not
    a power failure.
    """
    text = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)
    append_text(path, text, durable=durable)


def append_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Add complete lines of text, as `append` does with values."""
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # One thread at a time: no line may be added between finding a torn line and removing it.
        with _appending, path.open("ab+") as file:
            _mend_end(file)
            file.write(text.encode())
            file.flush()
            if durable:
                os.fsync(file.fileno())


def write(path: Path, values: Iterable[Any]) -> None:
    """Write the whole file anew, as `write_text` does, while the values come: they need not fit into memory. If one of
    them cannot be made or written, the old file stays."""
    _replace(path, _batches(json.dumps(value, ensure_ascii=False) + "\n" for value in values))


def _batches(lines: Iterable[str]) -> Iterator[str]:
    rest = iter(lines)
    while batch := "".join(islice(rest, LINES_AT_ONCE)):
        yield batch


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A draft to write to, which takes the file's place at the end; its folder is created if needed. If anything goes
    wrong, the old file stays and the draft is removed. Raises DataError if the disk refuses one or the other."""
    draft = path.with_name(f".{path.name}.part")
    try:
        with _explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(b"")
        yield draft
        with _explained(path):
            draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def _replace(path: Path, parts: Iterable[str]) -> None:
    with replacing(path) as draft:
        for part in parts:  # what goes wrong in making one is no fault of the disk
            with _explained(path), draft.open("a", encoding="utf-8", errors="replace") as file:
                file.write(part)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns a refusal by the system into a DataError that says so of this file."""
    try:
        yield
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error.strerror}.", "Free some disk space or check the permissions."
        ) from error


def _mended(value: Any) -> Any:
    return json.loads(whole_characters(json.dumps(value, ensure_ascii=False)))


def _is_torn(line: bytes) -> bool:
    """Whether a crash cut the line short. A last line that is complete JSON only lacks its newline."""
    if line.endswith(b"\n"):
        return False
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return True
    return False


def _last_byte(file: BinaryIO, size: int) -> bytes:
    file.seek(size - 1)
    return file.read(1)


def _mend_end(file: BinaryIO) -> None:
    """Remove a torn last line, or add the newline to a complete one."""
    size, tail = file.seek(0, os.SEEK_END), b""
    if size == 0 or _last_byte(file, size) == b"\n":  # as nearly always
        return
    while b"\n" not in tail and len(tail) < size:  # from the end: the rest of the file may be large
        file.seek(max(0, size - 2 * len(tail) - 4096))
        tail = file.read(size - file.tell())
    last = tail.rpartition(b"\n")[2]
    if _is_torn(last):
        file.truncate(size - len(last))
    elif last:
        file.write(b"\n")

"""Append-only JSONL of frozen dataclasses, checked on reading. Does not know what a case is."""

import json
import os
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import TypeAdapter, ValidationError

from models.errors import DataError

T = TypeVar("T")
REMEDY = "Mend or remove it."
_appending = threading.Lock()


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def plain(value: object) -> Any:
    """JSON values of a dataclass."""
    return _adapter(type(value)).dump_python(value, mode="json")  # type: ignore[arg-type]


def validate(row: object, kind: type[T], where: str) -> T:
    """The dataclass of a row; DataError names `where` and the first field that does not fit."""
    try:
        value: T = _adapter(kind).validate_python(row)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{where} cannot be used: {place}: {first['msg']}.", REMEDY) from error
    return value


def parse(text: str, kind: type[T], where: str) -> T:
    try:
        row = json.loads(text)
    except ValueError as error:
        raise DataError(f"{where} is not JSON: {error}.", REMEDY) from error
    return validate(row, kind, where)


def read(path: Path, kind: type[T]) -> list[T]:
    """All rows, oldest first; a last line torn by a crash is left out."""
    return [parse(text, kind, f"{path}, line {n}") for n, text in read_lines(path)] if path.exists() else []


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Each line's number, from 1, and its text; empty ones and a last one torn by a crash are left out."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip() and not _is_torn(line):
                yield number, line.decode("utf-8", errors="replace")


def append(path: Path, value: object) -> None:
    """Add a row, as `append_line` does."""
    append_line(path, json.dumps(plain(value), ensure_ascii=False))


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

"""Append-only JSONL of frozen dataclasses, checked on reading. Does not know what a case is."""

import json
import os
import threading
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

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
    if not path.exists():
        return []
    text = path.read_bytes()[: _whole(path)].decode("utf-8", errors="replace")
    return [parse(line, kind, f"{path}, line {n}") for n, line in enumerate(text.split("\n"), 1) if line.strip()]


def append(path: Path, value: object) -> None:
    """Add a row, on disk when this returns; a line torn by a crash is cut off first. DataError if the disk refuses."""
    line = json.dumps(plain(value), ensure_ascii=False).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _appending:  # between looking for the torn line and cutting it off, nobody may add one
            if path.exists():
                os.truncate(path, _whole(path))
            with path.open("ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}.", "Make room or mend its rights.") from error


def _whole(path: Path) -> int:
    """Bytes up to the end of the last whole line."""
    return path.read_bytes().rfind(b"\n") + 1

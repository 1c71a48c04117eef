"""Append-only files of frozen dataclasses, checked when they are read."""

from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from common import jsonl
from common.errors import DataError

T = TypeVar("T")
REMEDY = "Correct or remove it."


@cache
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def plain(value: object) -> Any:
    """JSON values of a dataclass."""
    return _adapter(type(value)).dump_python(value, mode="json")  # type: ignore[arg-type]


def validate(row: object, kind: type[T], where: str) -> T:
    """The row as a dataclass. Raises DataError naming `where` and the first invalid field."""
    try:
        value: T = _adapter(kind).validate_python(row)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{where} cannot be used: {place}: {first['msg']}.", REMEDY) from error
    return value


def parse(text: str, kind: type[T], where: str) -> T:
    return validate(jsonl.parse(text, where), kind, where)


def read(path: Path, kind: type[T]) -> list[T]:
    """All rows, oldest first; a last line that a crash cut short is left out."""
    return [validate(value, kind, f"{path}, line {n}") for n, value in jsonl.read(path)] if path.exists() else []


def append(path: Path, value: object) -> None:
    """Add a row, on disk when this returns."""
    jsonl.append(path, [plain(value)])

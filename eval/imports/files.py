"""Reading a file of outputs from any harness; which one wrote it is detected from the content."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import jsonl
from common.errors import DataError
from eval.imports.evalscope import is_evalscope, read_evalscope
from eval.imports.harness import is_harness, read_samples
from eval.imports.inspect_log import is_inspect, read_eval, read_json
from eval.imports.lighteval import read_details
from eval.imports.messages import LogRows, RowFault
from eval.imports.outputs import Fields, read_outputs

SUFFIXES = (".jsonl", ".json", ".eval", ".parquet")
ZIP, PARQUET = b"PK\x03\x04", b"PAR1"
"""Magic bytes at the start of these file types."""
LOOKED_AT = 20
"""Lines searched for a readable one when detecting who wrote the file."""


def read_file(path: Path, fields: Fields | None = None) -> LogRows:
    """Every usable row, and what is wrong with the others.

    `fields` says where things are in a plain file; if given, the file is taken to be one. Raises DataError for a file
    that cannot be read and, in a plain file, at the first faulty row.
    """
    try:
        with path.open("rb") as file:
            begins = file.read(4)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", "Check the path and its permissions.") from error
    if begins == ZIP:
        return read_eval(path)
    if begins == PARQUET:
        return read_details(path)
    if fields is None or fields == Fields():
        if path.suffix == ".json" and _is_inspect(path):
            return read_json(path)
        known = next((value for _, _, value in _values(path, LOOKED_AT) if isinstance(value, dict)), None)
        if is_harness(known):
            return read_samples(path, _values(path))
        if is_evalscope(known):
            return read_evalscope(path, _values(path))
    return LogRows("", read_outputs(path, fields), [])


def _is_inspect(path: Path) -> bool:
    try:
        return is_inspect(jsonl.parse(jsonl.read_text(path), path.name))
    except DataError:
        return False


def _values(path: Path, most: int | None = None) -> Iterator[tuple[str, int, Any]]:
    """Each line's location, number and value; a RowFault for a line that is not JSON, such as one torn by a crash."""
    # Not `jsonl.read_lines`, which silently drops a torn last line.
    for number, line in enumerate(path.read_bytes().split(b"\n")[:most], 1):
        if not line.strip():
            continue
        try:
            value = jsonl.parse(line.decode("utf-8", "replace"), "it")
        except DataError:
            value = RowFault("is not whole JSON; it may have been cut short")
        yield f"{path.name}, line {number}", number, value

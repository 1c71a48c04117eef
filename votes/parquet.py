"""Rows as Parquet files. Nested columns (`turns`, `sampling`, `reasons`) are JSON text."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from votes.ballot import Row, RowT, from_row, to_row

_PORTION = 500
_TYPES: dict[Any, pa.DataType] = {bool: pa.bool_(), float: pa.float64(), int | None: pa.int64()}


def schema(kind: type[RowT]) -> pa.Schema:
    """One column per field; everything but numbers and booleans is text."""
    return pa.schema([(field.name, _TYPES.get(field.type, pa.string())) for field in fields(kind)])


def write_rows(kind: type[RowT], rows: Iterable[Row], path: Path) -> int:
    """One row per value, all of one kind. Returns the number of rows."""
    count = 0
    with pq.ParquetWriter(path, schema(kind), compression="zstd") as writer:
        for portion in portions(rows):
            writer.write_table(pa.Table.from_pylist(portion, schema=schema(kind)))
            count += len(portion)
    return count


def read_rows(kind: type[RowT], path: Path) -> list[RowT]:
    """The rows of a file. OSError or ValueError (pyarrow's errors are subclasses) if it is not one of ours."""
    with pq.ParquetFile(path) as file:
        return [from_row(kind, row) for row in file.read().to_pylist()]


def portions(rows: Iterable[Row]) -> Iterator[list[dict[str, Any]]]:
    """The rows as column mappings, in batches of a few hundred."""
    flat = (to_row(row) for row in rows)
    while portion := list(islice(flat, _PORTION)):
        yield portion

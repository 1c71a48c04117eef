"""Checking the figures quoted in a Markdown document's tables against the files they come from.

A comment right above a table says where its numbers come from:

    <!-- figures: FILE [PREFIX] | KEY KEY … -->

There is one dotted key (a number is a list index) for each number after the first column, in reading order. `{row}` is
the row's first cell in snake_case, `{n}` its index from 0; `%` after a key means that a share is shown as a percentage.
A number matches if the value rounds to it at the decimals shown; a cell `–` means there is no value.
"""

import json
import re
from collections.abc import Iterable
from math import isclose
from pathlib import Path
from typing import Any, NamedTuple

import yaml

READABLE = (".json", ".yaml")
"""Files whose values can be read directly; values computed from other files are the caller's business."""
_COMMENT = re.compile(r"<!-- figures: (?P<file>\S+) ?(?P<prefix>\S*) \|(?P<keys>[^>]*)-->")
_NUMBER = re.compile(r"(?<![\w.])[+−]?\d+(?:,\d{3}\b)*(?:\.\d+)?(?:e-?\d+)?")


class Quoted(NamedTuple):
    """A table and where its numbers come from."""

    file: str
    prefix: str
    keys: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """Cells of each row below the head."""


def quoted_tables(text: str) -> list[Quoted]:
    """The tables that say where their numbers come from."""
    lines = text.splitlines()
    tables = []
    for place, line in enumerate(lines):
        if comment := _COMMENT.fullmatch(line.strip()):
            rows = _rows(lines[place + 1 :])
            tables.append(Quoted(comment["file"], comment["prefix"], tuple(comment["keys"].split()), rows))
    return tables


def _rows(lines: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Rows of the table at the start of these lines, without its header and the line below that."""
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append(tuple(cell.strip() for cell in line.strip().strip("|").split("|")))
    return tuple(rows[2:])


def differing(table: Quoted, document: Any) -> list[str]:
    """The differences between the table and the document, in words; empty if there are none."""
    wrong = [] if table.rows else [f"{table.file}: no table follows the comment"]
    for place, (name, *cells) in enumerate(table.rows):
        shown = [number for cell in cells for number in numbers_of(cell)]
        row = re.sub(r"\W+", "_", name.lower()).strip("_")
        keys = [f"{table.prefix}.{key}".strip(".").format(row=row, n=place) for key in table.keys]
        if len(shown) != len(keys):
            wrong.append(f"{name}: {len(shown)} numbers for {len(keys)} keys")
            continue
        for number, key in zip(shown, keys, strict=True):
            value = below(document, key.removesuffix("%").split("."))
            if not _same(number, value, percent=key.endswith("%")):
                wrong.append(f"{name}: {number or '–'} where {table.file} has {value} ({key})")
    return wrong


def numbers_of(cell: str) -> list[str]:
    """The numbers in a cell as written; one empty string for a cell that marks a missing value."""
    return [""] if cell == "–" else _NUMBER.findall(cell)


def _same(shown: str, value: Any, *, percent: bool) -> bool:
    if not shown:
        return value is None
    if not isinstance(value, int | float):
        return False
    number, exact = float(shown.replace(",", "").replace("−", "-")), value * (100 if percent else 1)
    if "e" in shown:
        return isclose(number, exact)
    return abs(number - exact) <= 0.5 * 10.0 ** -len(shown.partition(".")[2]) + 1e-9


def figures_hold(text: str, root: Path) -> bool:
    """Whether the text quotes figures from JSON or YAML files below `root`, and all of them match."""
    tables = [table for table in quoted_tables(text) if table.file.endswith(READABLE)]
    documents = {file: read_document(root / file) for file in {table.file for table in tables}}
    return bool(tables) and not any(differing(table, documents[table.file]) for table in tables)


def read_document(path: Path) -> Any:
    """A JSON or YAML file; None if it is missing or broken."""
    try:
        return parse_document(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def parse_document(text: str) -> Any:
    """JSON or YAML. Raises ValueError or YAMLError."""
    return json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)


def below(value: Any, path: Iterable[str]) -> Any:
    """The value under these keys or list indices; None if there is none."""
    for part in path:
        if isinstance(value, list):
            value = value[int(part)] if part.isdecimal() and int(part) < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value

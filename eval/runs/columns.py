"""The columns of each of a run's files, and checks that a row has them.

Kinds are DuckDB type names: `eval.results.samples` makes its tables from the same columns.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from common import jsonl
from common.errors import DataError

SAMPLE = {
    "model": "VARCHAR", "problem_id": "VARCHAR", "index": "INTEGER", "prompt": "VARCHAR", "text": "VARCHAR",
    "thought": "VARCHAR", "answer": "VARCHAR", "thought_tokens": "INTEGER", "answer_tokens": "INTEGER",
    "finish_reason": "VARCHAR", "seed": "BIGINT", "seconds": "DOUBLE", "started_at": "TIMESTAMP",
    "config_hash": "VARCHAR", "error": "VARCHAR",
}  # fmt: skip
COLUMNS: dict[str, dict[str, str]] = {
    "problems": {
        "id": "VARCHAR", "question": "VARCHAR", "gold": "VARCHAR", "benchmark": "VARCHAR", "subject": "VARCHAR",
        "level": "VARCHAR",
    },
    "samples": SAMPLE,
    "grades": {
        "model": "VARCHAR", "problem_id": "VARCHAR", "index": "INTEGER", "outcome": "VARCHAR", "rung": "VARCHAR",
        "extracted": "VARCHAR", "note": "VARCHAR", "graded_at": "VARCHAR", "grader": "VARCHAR",
    },
    "classes": {"model": "VARCHAR", "problem_id": "VARCHAR", "indices": "INTEGER[]", "classes": "INTEGER[]"},
    "forced": {
        "model": "VARCHAR", "problem_id": "VARCHAR", "index": "INTEGER", "budget": "INTEGER", "answer": "VARCHAR",
        "thought_tokens": "INTEGER", "answer_tokens": "INTEGER", "outcome": "VARCHAR", "cut": "BOOLEAN",
    },
    "transplants": {
        "model": "VARCHAR", "problem_id": "VARCHAR", "index": "INTEGER", "given": "VARCHAR", "source": "VARCHAR",
        "text": "VARCHAR", "answer": "VARCHAR", "thought_tokens": "INTEGER", "answer_tokens": "INTEGER",
        "finish_reason": "VARCHAR", "seed": "BIGINT", "outcome": "VARCHAR", "extracted": "VARCHAR",
    },
    "flags": {
        "model": "VARCHAR", "problem_id": "VARCHAR", "index": "INTEGER", "outcome": "VARCHAR", "note": "VARCHAR",
        "flagged_at": "VARCHAR",
    },
    "judgements": {
        "item": "VARCHAR", "rubric": "VARCHAR", "judge": "VARCHAR", "reason": "VARCHAR", "invalid": "VARCHAR",
        "prompts": "VARCHAR[]", "raws": "VARCHAR[]", "flipped": "BOOLEAN", "extra": "MAP",
    },
    "golds": {"checked": "INTEGER", "faults": "MAP[]"},
}  # fmt: skip
DEFAULTS: dict[str, dict[str, Any]] = {
    "problems": {"subject": "", "level": ""},
    "samples": {"error": ""},
    "grades": {"note": "", "graded_at": None, "grader": None},
    "flags": {"note": ""},
    "judgements": {"flipped": False, "extra": {}},
}
"""Default values of optional columns; every other column is required."""
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "VARCHAR": ("text", ("VARCHAR",)),
    "TIMESTAMP": ("a time", ("VARCHAR",)),
    "INTEGER": ("a whole number", ("BIGINT", "UBIGINT")),
    "BIGINT": ("a whole number", ("BIGINT", "UBIGINT")),
    "DOUBLE": ("a number", ("BIGINT", "UBIGINT", "DOUBLE")),
    "BOOLEAN": ("true or false", ("BOOLEAN",)),
    "MAP": ("an object", ("OBJECT",)),
    "INTEGER[]": ("a list of whole numbers", ("ARRAY",)),
    "VARCHAR[]": ("a list of texts", ("ARRAY",)),
    "MAP[]": ("a list of objects", ("ARRAY",)),
}
"""A column's kind → its name in a sentence, and the JSON types it accepts, as DuckDB names them."""


def checked_rows(path: Path) -> Iterator[tuple[int, Any, str]]:
    """(line number, value, fault) of each row of one of a run's files; nothing if there is no file.

    A last line torn by a crash is not a fault. Raises DataError for a file that cannot be read.
    """
    if not path.is_file():
        return
    for number, text in jsonl.read_lines(path):
        try:
            value = jsonl.parse(text, "it")
        except DataError:
            yield number, None, "it is not JSON that can be read"
        else:
            yield number, value, fault_of(path.stem, value)


def fault_of(name: str, row: Any) -> str:
    """What is wrong with a row of the file `name`, e.g. “`index` is not a whole number”; empty if it is valid."""
    if not isinstance(row, Mapping):
        return "it is not an object"
    for column, kind in COLUMNS.get(name, {}).items():
        if row.get(column) is None:
            if column not in DEFAULTS.get(name, {}):
                return f"`{column}` is missing"
        elif not _is(row[column], kind):
            return f"`{column}` is not {KINDS[kind][0]}"
    return ""


def _is(value: Any, kind: str) -> bool:
    types = KINDS[kind][1]
    if isinstance(value, list):
        inner = kind.removesuffix("[]")  # an answer that is missing has no class
        return kind != inner and all((each is None and inner == "INTEGER") or _is(each, inner) for each in value)
    if isinstance(value, Mapping):
        return "OBJECT" in types
    if isinstance(value, bool):
        return "BOOLEAN" in types
    if isinstance(value, int):
        return "BIGINT" in types and abs(value) < (2**31 if kind.startswith("INTEGER") else 2**63)
    if isinstance(value, float):
        return "DOUBLE" in types
    return isinstance(value, str) and "VARCHAR" in types and (kind != "TIMESTAMP" or is_time(value))


def is_time(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False

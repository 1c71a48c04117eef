"""Reading outputs made elsewhere from a JSONL file, whatever its field names.

A row of the plainest kind of file:
{"problem": "What is 2 + 3?", "gold": "5", "output": "2 and 3 make \\boxed{5}."}
Several outputs of a problem may come as a list or as several rows; token counts and finish reasons likewise. This
product's own JSON export can be read too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

from common.errors import DataError
from eval.problems.benchmark import gold_text
from eval.problems.rows import first_of, read_rows

QUESTION = ("problem", "question", "prompt", "input")
OUTPUT = ("outputs", "output", "responses", "response", "completions", "completion", "generations", "text", "code",
          "samples", "model_output")  # fmt: skip
GOLD = ("gold", "gold_answer", "target", "expected", "reference", "answer", "gt")
"""`answer` before `gt`: in files with both, such as those of Qwen2.5-Math's harness, `gt` has been cleaned up."""
TOKENS = ("output_tokens", "tokens", "completion_tokens", "num_tokens")


@dataclass(frozen=True)
class Fields:
    """Where things are in a row, as dotted paths; empty means the usual names. Lists on the way are expanded:
    `choices.message.content` finds every choice, `choices.0.message.content` only the first."""

    question: str = ""
    gold: str = ""
    output: str = ""
    tokens: str = ""
    """Output tokens, one count per output."""
    finish: str = ""
    """Finish reasons, one per output."""
    id: str = ""
    """Rows with the same id hold samples of one problem."""


class Output(NamedTuple):
    """One output of a row."""

    text: str
    tokens: float | None
    """Output tokens, where their field was named; else they are among the facts."""
    finish_reason: str
    """Lower-case; empty if the file does not say."""
    facts: Mapping[str, Any]
    """The row's other fields, each list replaced by its element for this output."""
    parts: tuple[str, str] | None = None
    """Thought and answer, if the file separates them."""
    right: bool | None = None
    """The file's own verdict, if it is a plain yes or no."""


class OutputRow(NamedTuple):
    """One row of a file of outputs."""

    line: int
    where: str
    """File and line, for messages."""
    question: str
    """Empty where the file has none."""
    gold: str
    """Empty where the file has none, or several."""
    id: str
    """Empty where the file has none."""
    outputs: tuple[Output, ...]
    row: Mapping[str, Any]


def read_outputs(path: Path, fields: Fields | None = None) -> list[OutputRow]:
    """Every row of a file. Raises DataError naming the line that lacks an output or whose parts do not fit together."""
    rows = read_rows(path)
    if not rows:
        raise DataError(f"{path.name} is empty.", "It needs one JSON object a line.")
    return [_read_row(_present(row), number, path.name, fields or Fields()) for number, row in enumerate(rows, 1)]


def _present(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without NaN, which pandas writes for a missing cell, in its fields and in lists there: None instead."""
    return {
        key: [_or_none(each) for each in value] if isinstance(value, list) else _or_none(value)
        for key, value in row.items()
    }


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and isnan(value) else value


def _read_row(row: Mapping[str, Any], number: int, file: str, fields: Fields) -> OutputRow:
    where = f"{file}, line {number}"
    texts = _texts(row, fields, where)
    tokens = _aligned(row, fields.tokens, len(texts), where, "token count")
    if not all(isinstance(count, int | float | None) for count in tokens):
        raise DataError(f"{where}: a token count is not a number.", "Name the right field of the token counts.")
    reasons = _aligned(row, fields.finish, len(texts), where, "finish reason")
    outputs = []
    for position, (text, count, reason) in enumerate(zip(texts, tokens, reasons, strict=True)):
        facts = _facts_at(row, position)
        outputs.append(Output(text, count, str(reason or facts.get("finish_reason") or "").lower(), facts))
    golds = _at(row, fields.gold) if fields.gold else _golds(row)
    gold = gold_text(golds[0]) if len(golds) == 1 and golds[0] is not None else ""
    key = next(iter(_at(row, fields.id)), None) if fields.id else row.get("problem_id")
    if fields.id and key in (None, ""):
        raise DataError(f"{where} has no id at {fields.id}.", "Name the field that tells problems apart.")
    known_by = "" if key is None else str(key)
    return OutputRow(number, where, _question(row, fields, where), gold, known_by, tuple(outputs), row)


def _question(row: Mapping[str, Any], fields: Fields, where: str) -> str:
    if not fields.question:
        return next((row[name] for name in QUESTION if isinstance(row.get(name), str) and row[name]), "")
    question = next(iter(_at(row, fields.question)), None)
    if not isinstance(question, str) or not question:
        raise DataError(f"{where} has no question at {fields.question}.", "Name its field.")
    return question


def _golds(row: Mapping[str, Any]) -> list[Any]:
    gold = first_of(row, *GOLD)
    return list(_walk(gold, ()))


def _texts(row: Mapping[str, Any], fields: Fields, where: str) -> list[str]:
    """The row's output texts; an output field that is present but empty means the model said nothing."""
    if fields.output:
        values = _at(row, fields.output)
    else:
        named = [name for name in OUTPUT if name in row]
        values = list(_walk(first_of(row, *named), ())) if named or row.get("error") else []
    if not values:
        at = f" at {fields.output}" if fields.output else ""
        raise DataError(f"{where} has no output{at}.", f"Name its field, or use one of {', '.join(OUTPUT)}.")
    if not all(isinstance(value, str | None) for value in values):
        raise DataError(f"{where} has no output text: an output is not text.", "Name the field of the text.")
    return [value or "" for value in values]


def _aligned(row: Mapping[str, Any], path: str, count: int, where: str, what: str) -> list[Any]:
    if not path:
        return [None] * count
    values = _at(row, path)
    if len(values) != count:
        raise DataError(
            f"{where} has {count} outputs but {len(values)} values at {path}.", f"Name the right field of the {what}s."
        )
    return values


def _facts_at(row: Mapping[str, Any], position: int) -> dict[str, Any]:
    """The row reduced to the output at `position`: each list is replaced by its element there."""
    at = slice(position, position + 1)
    return {key: next(iter(value[at]), None) if isinstance(value, list) else value for key, value in row.items()}


def _at(row: Mapping[str, Any], path: str) -> list[Any]:
    """The values at a dotted path, lists flattened."""
    return list(_walk(row, path.split(".")))


def _walk(value: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, list):
        if path and path[0].isdecimal():
            if int(path[0]) < len(value):
                yield from _walk(value[int(path[0])], path[1:])
            return
        for element in value:
            yield from _walk(element, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _walk(value[path[0]], path[1:])

"""Rows of a set: from a folder laid out like JOURNEY_DATA, from the Hugging Face hub, or from a user's file."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from common.errors import DataError
from common.jsonl import parse

FOLDER = "folder "
"""What the source of rows begins with that are from a folder, whose name follows."""
OWN = "prompts of this product"
"""The source of what ships."""
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class KnownSet:
    """A set: what it is called, how large it is, and where its rows are found."""

    title: str
    path: str
    """Its file below JOURNEY_DATA, or below `shipped`."""
    shipped: Path | None = None
    """The product's folder that holds the file, if it ships."""
    size: int | None = None
    """Rows of the published set; None where that is not known."""
    question: str = "problem"
    """Column with what is asked."""
    gold: str = "answer"
    """Column with the answer; empty where there is none."""
    hub: str = ""
    """Its id on the Hugging Face hub; empty when it is not there."""
    config: str = ""
    """Its configuration on the hub, where there are several."""
    revision: str = ""
    """Its commit on the hub; empty for the newest."""
    split: str = "test"
    origin: str = ""
    """Who publishes the file, where that is not the hub."""
    answer_mark: str = ""
    """Separator between solution and answer in the hub's answer column, such as #### in GSM8K."""


class Fetched(NamedTuple):
    """The rows of a set."""

    rows: list[Row]
    source: str
    """Where they came from, in words."""


def data_folder() -> Path | None:
    """The folder of public sets, from JOURNEY_DATA; None when it is not set."""
    name = os.environ.get("JOURNEY_DATA")
    return Path(name) if name else None


def fetch(known: KnownSet, data: Path | None = None) -> Fetched:
    """The rows of a set: its own if it ships, else from `data` or JOURNEY_DATA if there is one, else from the hub.

    Raises DataError that says how to get the set.
    """
    if known.shipped:
        return Fetched(read_rows(known.shipped / known.path), OWN)
    folder = data or data_folder()
    if folder:
        path = folder / known.path
        if not path.exists():
            remedy = how_to_get(known, None if data else folder)
            raise DataError(f"{known.title} is not in {folder}: {path} does not exist.", remedy)
        return Fetched(read_rows(path), f"{FOLDER}{folder}")
    if not known.hub:
        raise DataError(f"{known.title} is not on the Hugging Face hub.", how_to_get(known))
    rows = [
        _split_answer(row, known.answer_mark)
        for row in hub_rows(known.hub, known.config, known.split, revision=known.revision, remedy=how_to_get(known))
    ]
    config = f" ({known.config})" if known.config else ""
    return Fetched(rows, f"hub {known.hub}{config}, split {known.split}")


def how_to_get(known: KnownSet, folder: Path | None = None) -> str:
    """How to get the set, in a sentence; `folder`: the one that JOURNEY_DATA names and that lacks it."""
    columns = " and ".join(column for column in (known.question, known.gold) if column)
    origin = f", from {known.origin}" if known.origin else ""
    if folder:
        instead = ", or unset JOURNEY_DATA to take it from the hub" if known.hub else ""
        return f"Put it there (with {columns}{origin}){instead}."
    own = f"set JOURNEY_DATA to a folder that holds {known.path} (with {columns}{origin})"
    return f"Connect to the Hugging Face hub ({known.hub}), or {own}." if known.hub else f"To get it, {own}."


def hub_rows(
    dataset: str,
    config: str = "",
    split: str = "test",
    *,
    revision: str = "",
    streaming: bool = False,
    remedy: str = "",
) -> Iterator[Row]:
    """The rows of a dataset on the hub, or in a folder laid out as one. Raises DataError, with `remedy`."""
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HfHubHTTPError

    options: dict[str, Any] = {"streaming": True} if streaming else {}
    if revision:
        options["revision"] = revision
    try:
        for row in load_dataset(*filter(None, (dataset, config)), split=split, **options):
            yield dict(row)
    except (DatasetsError, HfHubHTTPError, OSError, ValueError) as error:
        raise DataError(
            f"The dataset {dataset} could not be fetched from the hub: {error}.",
            remedy or "Check its name, configuration and split, and the network.",
        ) from error


def _split_answer(row: Row, mark: str) -> Row:
    """The row with its answer column (solution, mark, answer) split in two; commas in thousands are removed."""
    answer = str(row.get("answer", ""))
    if not mark or mark not in answer:
        return row
    solution, _, final = answer.rpartition(mark)
    return {**row, "solution": solution.strip(), "answer": final.strip().replace(",", "")}


def read_rows(path: Path) -> list[Row]:
    """The objects of a JSONL file, or of one that is a JSON list. Raises DataError naming file and line."""
    remedy = "Give a UTF-8 file with one JSON object a line, or a JSON list of objects."
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", remedy) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line} is not UTF-8 text.", remedy) from error
    rows: list[Row] = []
    # Not splitlines, which would also split at U+2028 inside a text.
    for number, piece in enumerate([text] if text.lstrip().startswith("[") else text.split("\n"), 1):
        if piece.strip():
            where = f"{path}, line {number}"
            value = parse(piece, where)
            for row in value if isinstance(value, list) else [value]:
                if not isinstance(row, dict):
                    raise DataError(f"{where} is not a JSON object.", remedy)
                rows.append(row)
    return rows


def first_of(row: Mapping[str, Any], *columns: str) -> Any:
    """The first non-empty value among these columns; empty text if there is none."""
    return next((row[column] for column in columns if row.get(column) not in (None, "")), "")

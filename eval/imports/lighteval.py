"""Details of lighteval: `details/<model>/<time>/details_<task>_<time>.parquet`, a row a sample.

Since version 0.10 a row has the columns `doc` (query, choices, gold_index, task_name, specific), `model_response`
(input, text, reasonings, output_tokens) and `metric`; before, `example`, `predictions`, `gold`, `cont_tokens`,
`metrics` and others, in some versions all of them as text.
"""

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from common.errors import DataError
from eval.imports.messages import LogRows, RowFault, Spoken, as_text, asked, gold_of, output, task_of, verdict_of
from eval.imports.outputs import Output, OutputRow

HARNESS = "lighteval"
_FILE = re.compile(r"details_(.+)_\d{4}-\d{2}-\d{2}T.*")
_USED = ("doc", "model_response", "metric", "example", "full_prompt", "predictions", "gold", "cont_tokens")
"""The columns to read; the others hold prompt tokens, logits and images."""


def read_details(path: Path) -> LogRows:
    """Raises DataError if the file is not Parquet or lacks the expected columns."""
    try:
        with pq.ParquetFile(path) as file:
            columns = [name for name in _USED if name in file.schema_arrow.names]
            if not {"doc", "model_response"} <= set(columns) and "predictions" not in columns:
                names = ", ".join(file.schema_arrow.names[:8])
                raise DataError(
                    f"{path.name} has the columns {names}, not those of lighteval's details.",
                    "Give a file details_….parquet that lighteval wrote.",
                )
            table = file.read(columns=columns)
            values = [row for batch in table.to_batches(max_chunksize=200) for row in batch.to_pylist()]
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name} is not a whole Parquet file.", "Get the file again.") from error
    named = _FILE.fullmatch(path.stem)
    about = {"benchmark": task_of(named[1]) if named else "imported", "model": _model(path) if named else ""}
    rows: list[OutputRow] = []
    faults: list[str] = []
    for number, value in enumerate(values, 1):
        where = f"{path.name}, row {number}"
        try:
            rows.append(_row(number, where, value, about))
        except RowFault as fault:
            faults.append(f"{where} {fault}.")
    return LogRows(HARNESS, rows, faults)


def _model(path: Path) -> str:
    """…/details/<owner>/<model>/<time>/details_….parquet"""
    folders = path.resolve().parts
    place = len(folders) - 1 - folders[::-1].index("details") if "details" in folders else len(folders)
    return "/".join(folders[place + 1 : -2])


def _row(number: int, where: str, value: Mapping[str, Any], about: Mapping[str, str]) -> OutputRow:
    if value.get("doc") is None:
        return _older(number, where, value, about)
    doc, response = value["doc"], value.get("model_response")
    if not isinstance(doc, Mapping) or not isinstance(response, Mapping):
        raise RowFault("has no doc and model_response")
    prompt = asked(response.get("input")) or str(doc.get("query") or "")
    task = task_of(doc["task_name"]) if doc.get("task_name") else about["benchmark"]
    outputs = tuple(_outputs(response, prompt, verdict_of(value.get("metric"))))
    question = str(doc.get("original_query") or doc.get("query") or "")
    return OutputRow(
        number, where, question, gold_of(_golds(doc)), str(doc.get("id") or number), outputs,
        {**about, "benchmark": task},
    )  # fmt: skip


def _golds(doc: Mapping[str, Any]) -> list[Any]:
    choices = doc.get("choices") or []
    index = doc.get("gold_index")
    places = index if isinstance(index, list) else [index]
    return [choices[at] for at in places if isinstance(at, int) and 0 <= at < len(choices)]


def _outputs(response: Mapping[str, Any], prompt: str, right: bool | None) -> list[Output]:
    texts = response.get("text") or []
    if not texts:
        raise RowFault("has no text of the model: its task chooses between given answers")
    thoughts, tokens = response.get("reasonings") or [], response.get("output_tokens") or []
    outputs = []
    for place, text in enumerate(texts):
        thought = thoughts[place] if place < len(thoughts) else None
        facts: dict[str, Any] = {"prompt": prompt}
        if place < len(tokens) and isinstance(tokens[place], list) and tokens[place]:
            facts["output_tokens"] = len(tokens[place])
        verdict = right if len(texts) == 1 else None
        outputs.append(output(Spoken(thought or None, str(text or "")), "", facts, verdict))
    return outputs


def _older(number: int, where: str, value: Mapping[str, Any], about: Mapping[str, str]) -> OutputRow:
    texts = _listed(value.get("predictions"))
    texts = [text for each in texts for text in (each if isinstance(each, list) else [each])]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise RowFault("has no text of the model: its task chooses between given answers")
    tokens = _listed(value.get("cont_tokens"))
    prompt = as_text(value.get("full_prompt") or value.get("example") or "")
    outputs = []
    for place, text in enumerate(texts):
        counted = len(tokens[place]) if place < len(tokens) and isinstance(tokens[place], list) else 0
        facts = {"prompt": prompt} | ({"output_tokens": counted} if counted else {})
        outputs.append(output(Spoken(None, text), "", facts))
    question = str(value.get("example") or prompt)
    return OutputRow(number, where, question, gold_of(_listed(value.get("gold"))), str(number), tuple(outputs), about)


def _listed(value: Any) -> list[Any]:
    """A list, including one stored as its Python repr."""
    if isinstance(value, str) and value.startswith("["):
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return [value]
    return value if isinstance(value, list) else [] if value is None else [value]

"""Samples of lm-evaluation-harness: `samples_<task>_<time>.jsonl` in a folder named after the model.

A row, shortened: {"doc_id": 0, "doc": {"question": "What is 2 + 3?", "answer": "2 + 3 = 5 #### 5"}, "target": "…",
"arguments": {"gen_args_0": {"arg_0": "Question: What is 2 + 3? Answer:", "arg_1": {"until": ["\\n\\n"]}}},
"resps": [["2 + 3 = 5. The answer is 5."]], "filtered_resps": ["5"], "filter": "strict-match", "exact_match": 1.0}
Each row is repeated for every filter, with the same responses.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from eval.imports.messages import LogRows, RowFault, as_text, asked, gold_of, output, spoken, task_of, verdict_of
from eval.imports.outputs import QUESTION, Output, OutputRow
from eval.problems.rows import first_of

HARNESS = "lm-evaluation-harness"
_FILE = re.compile(r"samples_(.+)_\d{4}-\d{2}-\d{2}T.*")


def is_harness(row: Any) -> bool:
    """Whether this line comes from an lm-evaluation-harness log."""
    return isinstance(row, Mapping) and {"doc_id", "resps"} <= row.keys()


def read_samples(path: Path, values: Iterator[tuple[str, int, Any]]) -> LogRows:
    """Read a log; `values` gives each line's location, number, and value or RowFault."""
    named = _FILE.fullmatch(path.stem)
    task = task_of(named[1] if named else path.stem.removeprefix("samples_"))
    parent = path.resolve().parent.name
    model = parent.replace("__", "/") if named and "__" in parent else ""
    rows: list[OutputRow] = []
    faults: list[str] = []
    seen: set[str] = set()
    for where, number, value in values:
        try:
            row = _row(where, number, value, {"benchmark": task, "model": model})
            if row.id not in seen:
                rows.append(row)
            seen.add(row.id)
        except RowFault as fault:
            faults.append(f"{where} {fault}.")
    return LogRows(HARNESS, rows, faults)


def _row(where: str, number: int, value: Any, about: Mapping[str, Any]) -> OutputRow:
    if isinstance(value, RowFault):
        raise value
    if not is_harness(value):
        raise RowFault("has no doc_id and resps, as rows of lm-evaluation-harness have")
    doc = value.get("doc")
    doc = doc if isinstance(doc, Mapping) else {}
    prompt = _prompt(value.get("arguments"))
    question = first_of({str(k).lower(): v for k, v in doc.items()}, *QUESTION)
    # The set's own answer before the task's target, which may be a worked solution.
    gold = gold_of(value.get("target")) or gold_of(first_of(doc, "answer", "Answer"))
    return OutputRow(
        number,
        where,
        question if isinstance(question, str) and question else prompt,
        gold,
        str(value["doc_id"]),
        tuple(_outputs(value["resps"], prompt, _verdict(value))),
        {**about, "subject": first_of(doc, "subject", "type"), "level": str(first_of(doc, "level"))},
    )


def _verdict(value: Mapping[str, Any]) -> bool | None:
    metrics = value.get("metrics")
    name = metrics[0] if isinstance(metrics, list) and metrics else "exact_match"
    return verdict_of(value.get(name)) if isinstance(name, str) else None


def _outputs(resps: Any, prompt: str, right: bool | None) -> Iterator[Output]:
    texts = [text for each in resps if isinstance(each, list) for text in each] if isinstance(resps, list) else []
    if not texts:
        raise RowFault("has no response")
    if not all(isinstance(text, str) for text in texts):
        raise RowFault("has likelihoods in place of texts: its task chooses between given answers")
    for text in texts:
        yield output(spoken(text), "", {"prompt": prompt}, right if len(texts) == 1 else None)


def _prompt(arguments: Any) -> str:
    """What the model was asked; for a chat, the last question."""
    if isinstance(arguments, Mapping):
        arguments = list(arguments.values())
    first = arguments[0] if isinstance(arguments, list) and arguments else None
    if isinstance(first, Mapping):
        first = first.get("arg_0")
    elif isinstance(first, list) and first:
        first = first[0]
    if isinstance(first, list):
        first = asked(first)
    return as_text(first) if first is not None else ""

"""Logs of evalscope: `reviews/<model>/<set>_<part>.jsonl` and `predictions/<model>/<set>_<part>.jsonl`.

A review, shortened: {"index": 0, "target": "5", "messages": [{"role": "user", "content": "What is 2 + 3?"}, {"role":
"assistant", "content": [{"type": "reasoning", "reasoning": "…"}, {"type": "text", "text": "5"}]}],
"sample_score": {"score": {"value": {"acc": 1.0}, "prediction": "5"}}}; until 1.0 the question was in `input`.
A prediction has `model` and `model_output` (choices, usage) in place of target and score. Before version 1, both had
`choices` with messages and `raw_input`, the set's own row; a review's choice has the gold answer in `review`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from eval.imports.messages import (
    LogRows,
    RowFault,
    Spoken,
    asked,
    gold_of,
    output,
    spoken,
    task_of,
    tokens_of,
    verdict_of,
)
from eval.imports.outputs import GOLD, QUESTION, Output, OutputRow
from eval.problems.rows import first_of

HARNESS = "evalscope"


def is_evalscope(row: Any) -> bool:
    """Whether this line comes from an evalscope log."""
    if not isinstance(row, Mapping):
        return False
    return "index" in row and bool({"sample_score", "model_output", "raw_input"} & row.keys())


def read_evalscope(path: Path, values: Iterator[tuple[str, int, Any]]) -> LogRows:
    """Read a log; `values` gives each line's location, number, and value or RowFault."""
    about = {"benchmark": task_of(path.stem.removesuffix("_default").removesuffix("_main")), "model": _model(path)}
    rows: list[OutputRow] = []
    faults: list[str] = []
    for where, number, value in values:
        try:
            if isinstance(value, RowFault):
                raise value
            if not is_evalscope(value):
                raise RowFault("has no index with a model_output or sample_score, as rows of evalscope have")
            rows.append(_row(where, number, value, about))
        except RowFault as fault:
            faults.append(f"{where} {fault}.")
    return LogRows(HARNESS, rows, faults)


def _model(path: Path) -> str:
    """The model named by a path …/reviews/<owner>/<model>/<set>.jsonl, in which the owner may be missing."""
    folders = path.resolve().parent.parts
    place = max((at for at, name in enumerate(folders) if name in ("reviews", "predictions")), default=len(folders))
    return "/".join(folders[place + 1 :])


def _row(where: str, number: int, value: Mapping[str, Any], about: Mapping[str, str]) -> OutputRow:
    own = value.get("raw_input")
    model = value.get("model")
    row = {**about, "model": model if isinstance(model, str) and model else about["model"]}
    if isinstance(own, Mapping):  # before version 1
        question, key = str(first_of(own, *QUESTION)), str(value["index"])
        return OutputRow(number, where, question, _older_gold(value, own), key, _older_outputs(value), row)
    score = value.get("sample_score")
    group = score.get("group_id") if isinstance(score, Mapping) else None  # `index` counts repeats as well
    key = "" if group is None else str(group)
    question = asked(value.get("messages")) or asked(value.get("input"))
    return OutputRow(number, where, question, gold_of(value.get("target")), key, (_output(value),), row)


def _output(value: Mapping[str, Any]) -> Output:
    model_output = value.get("model_output")
    if isinstance(model_output, Mapping):
        choices = [choice for choice in model_output.get("choices") or () if isinstance(choice, Mapping)]
        facts = {
            "seconds": model_output.get("time") or 0,
            "error": model_output.get("error") or "",
            **tokens_of(model_output.get("usage")),
        }
        if choices:
            return output(spoken(choices[0].get("message")), choices[0].get("stop_reason"), facts)
        if facts["error"]:
            return output(Spoken(None, ""), "", facts)
    score = value.get("sample_score")
    score = score.get("score") if isinstance(score, Mapping) else None
    score = score if isinstance(score, Mapping) else {}
    right = verdict_of(score.get("value"))
    for message in reversed(value.get("messages") or ()):
        if isinstance(message, Mapping) and message.get("role") == "assistant":
            return output(spoken(message), "", {}, right)
    if isinstance(score.get("prediction"), str):
        return output(Spoken(None, score["prediction"]), "", {}, right)
    raise RowFault("has no message of the model")


def _older_outputs(value: Mapping[str, Any]) -> tuple[Output, ...]:
    facts = tokens_of(value.get("usage"))
    choices = [choice for choice in value.get("choices") or () if isinstance(choice, Mapping)]
    if not choices:
        raise RowFault("has no message of the model")
    return tuple(output(spoken(choice.get("message")), choice.get("finish_reason"), facts) for choice in choices)


def _older_gold(value: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    for choice in value.get("choices") or ():
        review = choice.get("review") if isinstance(choice, Mapping) else None
        gold = review.get("gold") if isinstance(review, Mapping) else None
        if isinstance(gold, str | int | float) and not str(gold).startswith("*"):  # "*Same as Input*"
            return gold_of(gold)
    return gold_of(first_of(own, *GOLD))

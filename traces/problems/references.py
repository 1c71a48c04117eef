"""Problems of public training sets, held by reference: files never contain their texts, only where to find them.

A problem as a file holds it:
{"set": "gsm8k/train", "revision": "7403…", "row": 17, "sha256": "…"}

The sha256 is of the problem's text, which is looked up and verified when the file is read.
"""

import hashlib
import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from common.errors import DataError
from eval.problems.benchmark import gold_text
from eval.problems.benchmark_sets import TRAINING
from eval.problems.rows import data_folder, fetch, first_of, how_to_get
from eval.records import Problem

MARK = "⟦question⟧"
"""Placeholder in a file wherever the problem's whole text would be repeated."""
SOLUTION_MARK = "⟦solution⟧"
"""The same for the set's own solution, which a model is shown to rewrite it."""
RETRY_SECONDS = 60.0
"""How long a failed lookup of a set is remembered, so that it is not repeated for each of thousands of lines."""


class MissingSetError(DataError):
    """A set that a file refers to is unavailable, or is not the one referred to."""


class Detached(NamedTuple):
    """The values of a line without the texts of its problem."""

    problem: dict[str, Any]
    rest: Any


_sets: dict[tuple[str, str], tuple[Problem, ...] | tuple[float, DataError]] = {}
_loading = threading.Lock()


def is_referred(problem: Problem) -> bool:
    """Whether the problem's text stays out of files."""
    return problem.benchmark in TRAINING


def training_problems(name: str) -> tuple[Problem, ...]:
    """All problems of a key of TRAINING, in the order of their rows; read once. Raises DataError.

    Problem 17 of gsm8k/train has the id gsm8k/train/17, and its own solution in `extra`.
    """
    key = name, str(data_folder())
    with _loading:
        problems = _sets.get(key)
        if problems and isinstance(problems[0], float):
            if time.monotonic() < problems[0] + RETRY_SECONDS:
                raise problems[1]
            problems = None
        if not problems:
            try:
                problems = _sets[key] = _load(name)
            except DataError as error:
                _sets[key] = time.monotonic(), error
                raise
    return problems


def _load(name: str) -> tuple[Problem, ...]:
    rows, source = fetch(TRAINING[name])
    problems = []
    for number, row in enumerate(rows):
        question, gold = first_of(row, "problem", "question"), gold_text(first_of(row, "answer", "gold"))
        if not isinstance(question, str) or not question or not gold:
            raise DataError(
                f"{source}: row {number + 1} has no problem or no answer.", "Each row needs a problem and an answer."
            )
        problems.append(Problem(f"{name}/{number}", question, gold, name, extra={"solution": str(row["solution"])}))
    return tuple(problems)


def text_hash(text: str) -> str:
    """Hex sha256 of a problem's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def reference(problem: Problem) -> dict[str, Any]:
    """The reference stored in a file in place of the problem."""
    row = int(problem.id.rpartition("/")[2])
    revision = TRAINING[problem.benchmark].revision
    return {"set": problem.benchmark, "revision": revision, "row": row, "sha256": text_hash(problem.question)}


def is_reference(values: Any) -> bool:
    return isinstance(values, Mapping) and set(values) == {"set", "revision", "row", "sha256"}


def referred(values: Mapping[str, Any]) -> Problem:
    """The problem that a reference names. Raises MissingSetError where the set is missing or another one."""
    name, row = values["set"], values["row"]
    if name not in TRAINING:
        raise MissingSetError(f"The set {name} is not known.", f"Known are {', '.join(TRAINING)}.")
    title, remedy = TRAINING[name].title, how_to_get(TRAINING[name])
    try:
        problems = training_problems(name)
    except DataError as error:
        raise MissingSetError(f"{title} is needed to read this, and not available: {error.args[0]}", remedy) from error
    if not isinstance(row, int) or not 0 <= row < len(problems):
        raise MissingSetError(f"{title} has {len(problems)} problems here, and problem {row} is wanted.", remedy)
    if text_hash(problems[row].question) != values["sha256"]:
        raise MissingSetError(
            f"Problem {row} of {title} has another text here than where this was made (revision "
            f"{values['revision']}): expected sha256 {values['sha256']}.",
            remedy,
        )
    return problems[row]


def detached(problem: Problem, rest: Any) -> Detached:
    """The reference of a problem, and JSON values with its text and its solution replaced by their marks."""
    for text, mark in _marked(problem):
        rest = _replaced(rest, text, mark)
    return Detached(reference(problem), rest)


def attached(problem: Problem, rest: Any) -> Any:
    """The JSON values that `detached` took the texts from."""
    for text, mark in _marked(problem):
        rest = _replaced(rest, mark, text)
    return rest


def _marked(problem: Problem) -> list[tuple[str, str]]:
    solution = str(problem.extra.get("solution", ""))
    return [(problem.question, MARK), *([(solution, SOLUTION_MARK)] if solution else [])]


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, list | tuple):
        return [_replaced(part, old, new) for part in value]
    if isinstance(value, dict):
        return {name: _replaced(part, old, new) for name, part in value.items()}
    return value

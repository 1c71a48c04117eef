"""Where problems come from: a JSONL file, a dataset of the hub (hub:AI-MO/NuminaMath-1.5), a public training set
(gsm8k/train), curated problem files, and the families that are trained on (families:1900).

For a dataset with several configurations, name one after a colon: hub:openai/gsm8k:main. A folder on disk that is laid
out as a dataset is read in the same way.

A row has a question (`problem`, `question` or `prompt`), a labelled answer (`answer`, `gold`, `final_answer` or
`expected_answer`; else the last box of `solution`) and maybe `image` or `images`.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from common import jsonl
from common.errors import DataError
from common.strict import describe
from eval.grading.extraction import last_box
from eval.problems.benchmark_sets import TRAINING
from eval.problems.families import generate
from eval.problems.rows import hub_rows
from eval.records import Problem
from traces.problems.references import is_reference, is_referred, reference, referred, text_hash, training_problems

QUESTION_KEYS = ("problem", "question", "prompt")
ANSWER_KEYS = ("answer", "gold", "final_answer", "expected_answer")
IMAGE_KEYS = ("image", "images", "figure")
GENERATED = re.compile(r"families:([1-9]\d{0,5})")
SEED = 77
"""Of generated problems. Not that of any recipe, so that a recipe's journeys are mostly about others."""
_PROBLEM = TypeAdapter(Problem)


class Example(NamedTuple):
    """One problem that was dropped."""

    id: str
    question: str
    why: str


class Source(NamedTuple):
    """Problems as they are in a file, not yet curated; `unreadable` rows could not become a problem."""

    name: str
    problems: tuple[Problem, ...]
    unreadable: tuple[Example, ...]
    sha256: str


def read_source(source: str, *, split: str = "train", limit: int | None = None) -> Source:
    """Problems of a JSONL file, of "hub:<dataset>[:<configuration>]", or of a public training set such as gsm8k/train.

    Raises DataError if the source itself cannot be read.
    """
    if source in TRAINING:
        problems_of_set = training_problems(source)[:limit]
        hashes = "\n".join(text_hash(problem.question) for problem in problems_of_set)
        return Source(source.replace("/", "-"), problems_of_set, (), text_hash(hashes))
    if source.startswith("hub:"):
        dataset, _, configuration = source.removeprefix("hub:").partition(":")
        rows: Iterable[Any] = hub_rows(dataset, configuration, split, streaming=True)
        name = dataset.rpartition("/")[2]
    else:
        rows, name = _file_rows(Path(source)), Path(source).stem
    problems: list[Problem] = []
    unreadable: list[Example] = []
    digest = hashlib.sha256()
    for number, row in enumerate(islice(rows, limit), start=1):
        digest.update(json.dumps(row, sort_keys=True, ensure_ascii=False, default=str).encode())
        if not isinstance(row, dict) or not (question := _text(row, QUESTION_KEYS)):
            unreadable.append(Example(f"{name}/{number}", str(row)[:300], "no question"))
            continue
        problems.append(_problem(name, number, question, row))
    if not problems:
        raise DataError(f"{source} holds no problem.", f"Rows need one of the columns {', '.join(QUESTION_KEYS)}.")
    return Source(name, tuple(problems), tuple(unreadable), digest.hexdigest())


def _file_rows(path: Path) -> Iterable[Any]:
    """The value of each line; a line that is not JSON as its text, so that the funnel can count it."""
    for number, text in jsonl.read_lines(path):
        try:
            yield jsonl.parse(text, f"{path}, line {number}")
        except DataError:
            yield text


def _problem(name: str, number: int, question: str, row: dict[str, Any]) -> Problem:
    gold = _text(row, ANSWER_KEYS)
    solution = _text(row, ("solution",))
    gold = gold or last_box(solution)
    extra = {"solution": solution} if solution else {}
    if any(row.get(key) for key in IMAGE_KEYS):
        extra["image"] = "yes"
    subject, level = _text(row, ("subject", "type", "problem_type")), _text(row, ("level", "difficulty"))
    return Problem(f"{name}/{number}", question, gold, name, subject, level, extra)


def _text(row: dict[str, Any], keys: Sequence[str]) -> str:
    """The first of these fields that holds text or a number."""
    values = (row.get(key) for key in keys)
    return next((str(v).strip() for v in values if isinstance(v, str | int | float) and v != ""), "")


def write_problems(path: Path, problems: Sequence[Problem]) -> None:
    """One problem a line: all fields, or a reference where it comes from a public training set. DataError if the disk
    refuses."""
    jsonl.write(path, (reference(p) if is_referred(p) else dataclasses.asdict(p) for p in problems))


def read_problems(path: Path) -> list[Problem]:
    """What `write_problems` wrote, or generated problems to train on, as `families:1900`.

    Raises DataError naming the line and its first wrong field, MissingSetError where it refers to a set that is not
    available.
    """
    if wanted := GENERATED.fullmatch(str(path)):
        return generate("train", int(wanted[1]), SEED)
    problems = []
    for number, row in jsonl.read(path):
        if is_reference(row):
            problems.append(referred(row))
            continue
        try:
            problems.append(_PROBLEM.validate_python(row))
        except ValidationError as error:
            raise DataError(
                f"{path}, line {number} is not a curated problem: {describe(error, 1)}.",
                "Curate the file first: `arena traces curate`.",
            ) from error
    return problems

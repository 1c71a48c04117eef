"""A set of problems with one rule of grading: made from rows, and hashed."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from common.errors import DataError
from eval.problems.choices import gold_option, options_of, with_options
from eval.problems.rows import first_of
from eval.records import Problem

Rule = Literal["math", "integer", "choice", "judged"]
"""How answers are graded: as mathematics, as whole numbers (AIME), as one of the problem's options (MMLU-Pro), or by a
judge instead of the grader."""


@dataclass(frozen=True)
class Benchmark:
    """A set of problems with one rule of grading."""

    name: str
    problems: tuple[Problem, ...]
    sha256: str
    """Hash of the questions and golds, independent of their order and of other columns: see `content_hash`."""
    source: str
    """Where these problems came from, in words: a folder, a hub id, a generator and its seed."""
    rule: Rule = "math"
    title: str = ""
    warning: str = ""
    """Set if size or content differ from the published set; shown wherever the results are."""
    drawn_from: int = 0
    """Problems of the whole set, if these were drawn from it; 0: these are all."""

    @property
    def size(self) -> int:
        """Problems of the whole set."""
        return self.drawn_from or len(self)

    def __len__(self) -> int:
        return len(self.problems)


def content_hash(problems: Iterable[Problem]) -> str:
    """sha256 over the sorted (question, gold) pairs with white space squeezed, so that it does not depend on a copy's
    order, ids or other columns."""
    return _digest(sorted([squeeze(p.question), _plain(p.gold)] for p in problems))


def gold_hash(problems: Iterable[Problem]) -> str:
    """sha256 over the sorted golds alone."""
    return _digest(sorted(_plain(p.gold) for p in problems))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()


def squeeze(text: str) -> str:
    """The text with every run of white space collapsed to one space."""
    return " ".join(text.split())


def _plain(gold: str) -> str:
    """The gold without leading zeros, in which copies differ: 025 is 25."""
    return gold.lstrip("0") or "0" if gold.isascii() and gold.isdecimal() else squeeze(gold)


def problems_of(name: str, rows: Iterable[Mapping[str, Any]], source: str) -> Iterator[Problem]:
    """Problems from rows with `problem` (or `question`) and `answer` (or `gold`); multiple-choice `options` become part
    of the question. Raises DataError naming the row."""
    seen: set[str] = set()
    for number, row in enumerate(rows):
        question, options = first_of(row, "problem", "question"), options_of(row)
        gold = gold_option(row, options) if options else gold_text(first_of(row, "answer", "gold"))
        if options and question and not gold:
            raise DataError(
                f"{source}: the answer of row {number + 1} is none of its {len(options)} options.",
                "Give its letter, its text, or its number from 0 as answer_index.",
            )
        if not question or not gold:
            missing = "problem" if not question else "answer"
            raise DataError(f"{source}: row {number + 1} has no {missing}.", "Each row needs a problem and an answer.")
        if not isinstance(question, str):
            raise DataError(f"{source}: the problem of row {number + 1} is not text.", "Put it in quotation marks.")
        key, subject = problem_key(row, number, seen), str(first_of(row, "subject", "category"))
        asked = with_options(question, options) if options else question
        yield Problem(f"{name}/{key}", asked, gold, name, subject, str(row.get("level") or ""))
    if not seen:
        raise DataError(f"{source} holds no problems.", "Each row needs a problem and an answer.")


def problem_key(row: Mapping[str, Any], number: int, seen: set[str]) -> str:
    """The row's own id, or its number if it has none, made different from all keys in `seen` and added to them."""
    own = first_of(row, "unique_id", "id", "question_id")
    key = str(number if own == "" else own)
    key = key if key not in seen else f"{key}#{number}"
    seen.add(key)
    return key


def gold_text(value: object) -> str:
    """A gold answer as text; 27.0 is the whole number 27, since copies of AMC keep their golds as floats."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()

"""Matching each row of outputs to a problem: one from a chosen set, or one made from the row itself."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from common.errors import DataError
from eval.grading.equivalence import quick
from eval.imports.messages import LogRows
from eval.imports.outputs import QUESTION, OutputRow
from eval.problems.benchmark import Benchmark, squeeze
from eval.records import Problem


def place(rows: Sequence[OutputRow], benchmark: Benchmark | None) -> tuple[list[tuple[OutputRow, Problem]], list[str]]:
    """Each row with its problem, and a sentence about each row whose question is not in the set.

    Raises DataError for an id with two questions or golds, and if no row belongs to the set.
    """
    known = {squeeze(p.question): p for p in benchmark.problems} if benchmark else None
    problems: dict[str, Problem] = {}
    placed, strangers = [], []
    for row in rows:
        problem = _known_problem(row, known) if known is not None else _own_problem(row, problems)
        if problem is None:
            strangers.append(f"{row.where}: this question is not in the chosen set.")
            continue
        first = problems.setdefault(problem.id, problem)
        if (squeeze(problem.question), problem.gold) != (squeeze(first.question), first.gold):
            raise DataError(
                f"{row.where}: {problem.id} has another question or gold answer than in an earlier line.",
                "Give every problem an id of its own, and one gold answer.",
            )
        placed.append((row, problem))
    if not placed:
        raise DataError(strangers[0], "Choose another set, or none.")
    return placed, strangers


def in_one_spelling(first: LogRows, second: LogRows) -> LogRows:
    """The second file of a pair, with the golds of its questions as the first file spells them: 0.5 there may be 1/2
    here. A row whose question has another gold in the first becomes a fault that names both.

    Raises DataError if that leaves no row.
    """
    golds: dict[str, list[str]] = defaultdict(list)
    for row in first.rows:
        golds[_asked(row)].append(row.gold)
    rows, conflicts = [], []
    for row in second.rows:
        known = [gold for gold in golds.get(_asked(row), ()) if gold and row.gold and _asked(row)]
        same = next((gold for gold in sorted(known, key=row.gold.__ne__) if _equal(row.gold, gold)), None)
        if known and same is None:
            conflicts.append(f"{row.where}: its gold answer is {row.gold}, but in the other file {known[0]}.")
        else:
            rows.append(row._replace(gold=same or row.gold))
    if conflicts and not rows:
        raise DataError(conflicts[0], "Choose the set that the problems are from: then its gold answers count.")
    return second._replace(rows=rows, faults=[*second.faults, *conflicts])


def _asked(row: OutputRow) -> str:
    return squeeze(row.question) or row.id


def _equal(gold: str, other: str) -> bool:
    """Whether two golds are equal by their text or as numbers."""
    verdict = quick(gold, other)
    return gold == other or (verdict is not None and verdict.same is True)


def _known_problem(row: OutputRow, known: Mapping[str, Problem]) -> Problem | None:
    """The set's problem with this question, or the last one contained in it: a log may hold the whole prompt, with
    instructions and examples."""
    if not row.question:
        raise DataError(f"{row.where} has no question.", f"Name its field, or use one of {', '.join(QUESTION)}.")
    question = squeeze(row.question)
    if question in known:
        return known[question]
    places = {at: each for each in known if (at := question.rfind(each)) >= 0}
    return known[places[max(places)]] if places else None


def _own_problem(row: OutputRow, taken: Mapping[str, Problem]) -> Problem:
    """A problem identified by the row's id, else by its question (and gold, where golds differ), else by its line."""
    name = str(row.row.get("benchmark") or "imported")

    def problem(key: str) -> Problem:
        # Prefixed with the set's name, as in runs made here, so that a re-imported export keeps its ids.
        key = key if key.startswith(f"{name}/") else f"{name}/{key}"
        subject, level = (str(row.row.get(column) or "") for column in ("subject", "level"))
        return Problem(key, row.question, row.gold, name, subject, level)

    if row.id or not row.question:
        return problem(row.id or str(row.line))
    question = squeeze(row.question)
    candidate = problem(_digest(question))
    same = taken.get(candidate.id)
    return candidate if same is None or same.gold == row.gold else problem(_digest(f"{question}\n{row.gold}"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def renumbered(log: LogRows, benchmark: Benchmark | None) -> Iterator[OutputRow]:
    """The rows without the log's own ids: two logs may number the same problem differently. A question with one gold
    answer that has several ids stays several problems, told apart by their order."""
    ids: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in log.rows:
        if not row.question:
            yield row
            continue
        problem = f"{squeeze(row.question)}\n{row.gold}"
        same = ids[str(row.row.get("model")), problem]
        if row.id not in same:
            same.append(row.id)
        number = same.index(row.id)
        yield row._replace(id=f"{_digest(problem)}-{number + 1}" if number and benchmark is None else "")


def check_paired(placed: Sequence[tuple[OutputRow, Problem]]) -> None:
    """Raises DataError if the two models have no problem in common."""
    asked: dict[str, set[str]] = {}
    for row, problem in placed:
        asked.setdefault(str(row.row["model"]), set()).add(problem.id)
    if len(asked) < 2 or not set.intersection(*asked.values()):
        counts = " and ".join(f"{len(ids)} of {model}" for model, ids in asked.items())
        raise DataError(
            f"The two files have no problem in common ({counts}).",
            "Choose the set that the problems are from, or give two logs of the same task.",
        )

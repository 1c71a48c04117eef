"""Problems of the sets that this installation has run, which are recognised too, wherever the sets came from."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

from common.errors import DataError
from eval.problems.benchmark import Benchmark, Rule
from eval.records import Problem
from eval.runs.log import DataInfo, RunLog, list_runs
from insights.truth import question_key


def stored_benchmarks(runs: Path, known: Iterable[Benchmark]) -> list[Benchmark]:
    """The sets of the runs in this folder, each with its problems that are not in `known`. Those graded by a judge, and
    runs whose problems cannot be read, are left out."""
    seen = {question_key(problem.question) for benchmark in known for problem in benchmark.problems}
    sets: dict[str, DataInfo] = {}
    problems: dict[str, list[Problem]] = {}
    for data, problem in _graded_problems(runs):
        key = question_key(problem.question)
        if key not in seen and problem.gold:
            seen.add(key)
            sets.setdefault(data.name, data)
            problems.setdefault(data.name, []).append(problem)
    return [
        Benchmark(name, tuple(own), sets[name].sha256, "runs kept here", cast(Rule, sets[name].rule), sets[name].title)
        for name, own in problems.items()
    ]


def _graded_problems(runs: Path) -> Iterator[tuple[DataInfo, Problem]]:
    """The graded problems of every run, newest first; runs with the same problems are read only once."""
    drawn: set[tuple[str, int, int]] = set()
    for info in list_runs(runs):
        sets = {data.name: data for data in info.data if data.rule != "judged" and data.texts}
        draws = {(data.sha256, data.problems, info.config.seed) for data in sets.values()}
        if draws <= drawn:
            continue
        try:
            own = RunLog(runs / info.id).problems()
        except DataError:
            continue
        drawn |= draws
        yield from ((sets[problem.benchmark], problem) for problem in own if problem.benchmark in sets)

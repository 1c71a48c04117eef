"""The individual questions a pair was measured on, and how often each model was right."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from eval.problems.prompts import PROMPTINGS
from eval.results.overview import SetResult
from eval.results.samples import Results, Side
from eval.runs.log import ROLES, RunLog


class Measured(NamedTuple):
    """One question as it was put to both models, and how many of its `of` samples were right on each side."""

    question: str
    subject: str
    base: int
    distilled: int
    of: int
    gold: str
    rule: str
    """By which replies are graded, see `eval.problems.benchmark.Benchmark.rule`."""


def measured_questions(runs: Path, results: Sequence[SetResult]) -> list[Measured]:
    """The questions behind these results of one pair (`eval.results.overview`), in the order of the runs.

    Only questions whose samples were all graded, and that were asked without earlier turns.
    """
    chosen: dict[str, set[str]] = {}
    for result in results:
        chosen.setdefault(result.run, set()).add(result.set)
    return [question for run, sets in chosen.items() for question in _of_run(runs, run, sets)]


def _of_run(runs: Path, run: str, sets: set[str]) -> list[Measured]:
    log = RunLog.open(runs, run)
    info, results = log.info(), Results(runs, [run])
    if info.history:
        return []
    sets = {data.name for data in info.data if data.texts} & sets
    right: dict[str, Counter[str]] = {role: Counter() for role in ROLES}
    judged: Counter[str] = Counter()
    for role in ROLES:
        for row in results.rows(Side(run, info.sides[role].model)):
            right[role][row.problem_id] += row.correct
            judged[row.problem_id] += row.judged
    template = info.prompt if "{question}" in info.prompt else PROMPTINGS[info.config.prompting].template
    return [
        Measured(
            template.format(question=problem.question),
            problem.subject,
            right["base"][problem.id],
            right["distilled"][problem.id],
            info.config.samples,
            problem.gold,
            info.rules[problem.benchmark],
        )
        for problem in log.problems()
        if problem.benchmark in sets and judged[problem.id] == 2 * info.config.samples
    ]

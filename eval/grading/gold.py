"""Whether a benchmark's own gold answers are graded correct."""

from typing import NamedTuple

from eval.grading.grader import Grader
from eval.problems.loader import Benchmark
from eval.records import Problem


class GoldFault(NamedTuple):
    """A gold answer that would not be graded correct against itself."""

    problem: Problem
    reason: str


def gold_faults(benchmark: Benchmark, grader: Grader) -> list[GoldFault]:
    """The problems whose gold fails against itself; a run shows them before it starts. Empty for judged sets."""
    if benchmark.rule == "judged":
        return []
    faults = ((problem, grader.gold_fault(problem.gold, benchmark.rule)) for problem in benchmark.problems)
    return [GoldFault(problem, reason) for problem, reason in faults if reason]

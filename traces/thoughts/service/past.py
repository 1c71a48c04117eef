"""What earlier runs left in a traces file: which attempts are made, and that they are attempts at what is asked now."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from common.errors import DataError
from eval.records import Problem
from traces.keeping.keep import reason_code
from traces.keeping.trace import Method, Trace, read_traces

ANOTHER_FILE = "Give another --out."
Things = Literal[
    "thoughts",
    "debates",
    "solutions",
    "rewritten solutions",
    "translations",
    "searched thoughts",
    "written thoughts",
]
_THINGS: dict[Method, Things] = {
    "search": "searched thoughts",
    "teacher": "thoughts",
    "debate": "debates",
    "people": "written thoughts",
    "solution": "solutions",
}


class Maker(NamedTuple):
    """What is made and by whom, e.g. Maker("solutions", "qwen-1.5b"): equal for all attempts that one command makes."""

    things: Things
    model: str
    """As `Trace.model` has it; of a translation only the translator."""

    @property
    def words(self) -> str:
        return f"{self.things} by {self.model}"


def maker_of(trace: Trace) -> Maker:
    """Who made a trace. A file of translations has many authors, but one translator."""
    if is_translation(trace):
        return Maker("translations", trace.model.rpartition(", translated by ")[2])
    if trace.extra.get("phase") == 1 and trace.method == "teacher":
        return Maker("rewritten solutions", trace.model)
    return Maker(_THINGS[trace.method], trace.model)


def is_translation(trace: Trace) -> bool:
    """Whether the trace holds a question in other words than the problem that was asked."""
    return "translated_from" in trace.extra


class Past:
    """The attempts made so far, by problem."""

    def __init__(self, traces: Iterable[Trace] = ()) -> None:
        self.done: defaultdict[str, set[int]] = defaultdict(set)
        """Numbers of the attempts made."""
        self.kept: set[str] = set()
        self.failed: Counter[str] = Counter()
        """How many of them got no reply."""
        for trace in traces:
            self.add(trace)

    def add(self, trace: Trace) -> None:
        self.done[trace.problem.id].add(trace.attempt)
        self.failed[trace.problem.id] += reason_code(trace) == "request"
        if trace.kept:
            self.kept.add(trace.problem.id)

    def unanswered(self, problems: Iterable[Problem], most: int, *, until_kept: bool) -> int:
        """How many attempts `--retry-failed` would make up for: those that failed and that nothing has replaced."""
        left = 0
        for problem in problems:
            if failed := 0 if until_kept and problem.id in self.kept else self.failed[problem.id]:
                answered = len(self.done[problem.id]) - failed
                left += min(failed, max(0, most - answered))
        return left


def read_past(out: Path, problems: Iterable[Problem] = (), by: Maker | None = None) -> Past:
    """What is in the file; nothing where there is none.

    Attempts are known by their problem's id and their number alone. So a file is refused with a DataError if it holds
    another question under the id of one of these problems, or an attempt at one of them by another maker than `by`:
    they would pass for what is asked now. What it holds on other problems does not matter. Two questions of one id
    among the problems are refused for the same reason.
    """
    past, asked = Past(), dict[str, Problem]()
    for problem in problems:
        if asked.setdefault(problem.id, problem).question != problem.question:
            raise DataError(f"Two different problems have the id {problem.id}.", "Give each an id of its own.")
    if not out.exists():
        return past
    for trace in read_traces(out, skip_broken=True):
        if trace.problem.id in asked:
            _check(out, trace, asked[trace.problem.id], by)
        past.add(trace)
    return past


def _check(out: Path, trace: Trace, problem: Problem, by: Maker | None) -> None:
    if by is not None and (before := maker_of(trace)) != by:
        raise DataError(f"{out} holds {before.words}, and {by.words} are asked for.", ANOTHER_FILE)
    if trace.problem.question != problem.question and not is_translation(trace):
        raise DataError(f"{out} holds another question under the id {problem.id}.", ANOTHER_FILE)

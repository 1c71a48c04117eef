"""Grading in bulk: extraction, then equivalence in worker processes that are killed at a time limit."""

import logging
import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import NamedTuple, Self

from pebble import ProcessExpired, ProcessPool

from common.errors import ConfigError
from eval.grading.equivalence import compare, is_listed, quick, whole_gold
from eval.grading.extraction import Extraction, extract
from eval.grading.partwise import Equality
from eval.grading.statements import MAX_ANSWER, is_blank
from eval.problems.benchmark import Benchmark
from eval.problems.choices import gold_letter, same_option, stated_option
from eval.records import Grade, Outcome, Problem

Rule = str

WORKERS = max(1, min(8, os.cpu_count() or 1))
SECONDS = 15.0
"""Wall-clock limit of one comparison."""
_MEMORY = 4 << 30
"""Address-space limit of a worker, in bytes."""
_QUICK = 200
"""Characters. Longer texts are compared only in a worker, where a slow comparison can be killed."""
_IN_FLIGHT = 512
_REMEMBERED = 200_000
_START_SECONDS = 120.0
_SELF_TEST = (
    (r"\frac{28}{6}", r"\frac{14}{3}", True),
    (r"2\sqrt{13}+\sqrt{13}", r"3\sqrt{13}", True),
    (r"(x-1)(x+1)", r"x^2-1", True),
    (r"3+\sqrt{2}", r"3-\sqrt{2}", False),
)


class GradeItem(NamedTuple):
    """One answer to grade."""

    answer_text: str
    """The reply without its thought (`Sample.answer`)."""
    gold: str
    rule: Rule = "math"
    """`math`, `integer` (sets such as AIME, whose answers are whole numbers) or `choice`; see `Benchmark.rule`."""
    cut_off: bool = False
    """Whether the token limit ended the reply; its last sentence may then be incomplete."""


class GoldFault(NamedTuple):
    """A gold answer that would not be graded correct against itself."""

    problem: Problem
    reason: str


class Grader:
    """A context manager that owns the workers. Safe to use from any thread.

    with Grader() as grader:
        for grade in grader.grade_many(items): ...

    Runs `workers` processes; one that spends more than `seconds` on a comparison is killed and replaced, and the grade
    is `grader_failed`. A worker takes its first comparison only after its imports, so they never count against an
    answer. Raises ConfigError for invalid numbers and, on entering, if math-verify does not work here.
    """

    def __init__(self, workers: int = WORKERS, seconds: float = SECONDS) -> None:
        if workers < 1:
            raise ConfigError(f"The grader cannot work with {workers} workers.", "Give at least one worker.")
        if not 0 < seconds < float("inf"):
            raise ConfigError(
                f"A time limit of {seconds:g} seconds ends every comparison or none.",
                f"Give a positive number of seconds; {SECONDS:g} is usual.",
            )
        self._seconds = seconds
        # Spawned, because forking a process with threads (a server, a page) can deadlock the child.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPool(max_workers=workers, initializer=_prepare_worker, context=context)
        self._known: dict[tuple[str, str], Equality] = {}

    def __enter__(self) -> Self:
        try:
            failed = self._pool.schedule(_self_test, timeout=_START_SECONDS).result()
        except (ProcessExpired, TimeoutError, ImportError) as error:
            self.close()
            raise _broken(f"its worker process failed ({error})") from error
        if failed:
            self.close()
            raise _broken(f"it is wrong about {', '.join(failed)}")
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers, including busy ones."""
        self._pool.stop()
        self._pool.join()

    def grade_many(self, items: Iterable[GradeItem], progress: Callable[[int], None] | None = None) -> Iterator[Grade]:
        """Grades in the order of `items`; `progress` is called with the number done so far."""
        waiting: deque[Grade | tuple[Extraction, Future[Equality]]] = deque()
        done = 0
        source = iter(items)
        exhausted = False
        while waiting or not exhausted:
            while not exhausted and len(waiting) < _IN_FLIGHT:
                item = next(source, None)
                exhausted = item is None
                if item is not None:
                    waiting.append(self._begin(*item))
            if waiting:
                yield self._finish(waiting.popleft())
                done += 1
                if progress is not None:
                    progress(done)

    def grade_one(self, answer_text: str, gold: str, rule: Rule = "math", *, cut_off: bool = False) -> Grade:
        """The grade of one answer, within the time limit. `cut_off`: it ends where a token limit stopped it."""
        return self._finish(self._begin(answer_text, gold, rule, cut_off))

    def gold_fault(self, gold: str, rule: Rule = "math") -> str:
        """Why this gold answer, in a box, would not be graded correct against itself; empty if it would.

        It is compared by its value as well, which equal texts otherwise skip.
        """
        if rule == "choice":
            return "" if gold_letter(gold) else "it names no option"
        grade = self.grade_one(f"\\boxed{{{gold}}}", gold, rule)
        if grade.outcome != "correct":
            return grade.note or "no answer in its box: it is empty, or its braces do not balance"
        verdict = _settled(self._pool.schedule(_check_gold, args=(gold,), timeout=self._seconds))
        return "" if verdict.same else verdict.note

    def equivalent(self, a: str, b: str, rule: Rule = "math") -> bool | None:
        """Whether two extracted answers are the same in either direction; None when the grader failed."""
        if is_blank(a) or is_blank(b):
            return False
        both = [self._compare(a, b, rule), self._compare(b, a, rule)]
        return _either(verdict if isinstance(verdict, Equality) else _settled(verdict) for verdict in both)

    def classes(self, answers: Sequence[str], rule: Rule = "math") -> list[int | None]:
        """Class number of each extracted answer, the same for equivalent answers; None for an empty answer, which has
        no vote. Answers whose comparison fails stay in separate classes."""
        leaders: list[str] = []
        class_numbers: dict[str, int] = {}
        for answer in answers:
            if is_blank(answer) or answer in class_numbers:
                continue
            trials = [[self._compare(answer, b, rule), self._compare(b, answer, rule)] for b in leaders]
            settled = (_either(v if isinstance(v, Equality) else _settled(v) for v in trial) for trial in trials)
            number = next((index for index, same in enumerate(settled) if same), len(leaders))
            if number == len(leaders):
                leaders.append(answer)
            class_numbers[answer] = number
        return [class_numbers.get(answer) for answer in answers]

    def _begin(
        self, answer_text: str, gold: str, rule: Rule, cut_off: bool = False
    ) -> "Grade | tuple[Extraction, Future[Equality]]":
        extraction = read_answer(answer_text, gold, rule, cut_off=cut_off)
        if extraction.method == "none":
            return Grade("no_answer", "none", "")
        verdict = self._compare(extraction.answer, gold, rule)
        return _grade(extraction, verdict) if isinstance(verdict, Equality) else (extraction, verdict)

    def _finish(self, begun: "Grade | tuple[Extraction, Future[Equality]]") -> Grade:
        return begun if isinstance(begun, Grade) else _grade(begun[0], _settled(begun[1]))

    def _compare(self, answer: str, gold: str, rule: Rule) -> "Equality | Future[Equality]":
        """The verdict if it is known immediately, otherwise a future."""
        key = (answer, _gold_under(rule, gold) or gold)
        # The rule first: what is remembered are verdicts on mathematics.
        verdict = compare_at_once(answer, gold, rule) or self._known.get(key)
        if verdict is not None:
            return verdict
        future = self._pool.schedule(_work, args=key, timeout=self._seconds)
        future.add_done_callback(lambda done: self._remember(key, done))
        return future

    def _remember(self, key: tuple[str, str], done: "Future[Equality]") -> None:
        if not done.cancelled() and done.exception() is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = done.result()


def read_answer(answer_text: str, gold: str, rule: Rule = "math", *, cut_off: bool = False) -> Extraction:
    """The final answer of a reply, as the rule reads it; see `eval.grading.extraction.extract`."""
    extraction = extract(answer_text, several=rule == "math" and is_listed(gold), cut_off=cut_off)
    if extraction.method == "none" and rule == "choice" and not cut_off and (option := stated_option(answer_text)):
        return Extraction(option, "stated")
    return extraction


def compare_at_once(answer: str, gold: str, rule: Rule = "math") -> Equality | None:
    """The verdict on an extracted answer; None if it takes computer algebra. ConfigError for judged answers."""
    if rule == "choice":
        return Equality(same_option(answer, gold), "option")
    if rule not in ("math", "integer"):
        raise ConfigError(f"Answers under the rule “{rule}” are judged, not graded.", "Use the judge for this set.")
    if max(len(answer), len(gold)) > MAX_ANSWER:
        return Equality(None, f"longer than {MAX_ANSWER} characters")
    known = _gold_under(rule, gold)
    if known is None:
        return Equality(None, f"the gold “{gold}” is not a whole number")
    return quick(answer, known) if max(len(answer), len(known)) <= _QUICK else None


def _gold_under(rule: Rule, gold: str) -> str | None:
    return whole_gold(gold) if rule == "integer" else gold


def gold_faults(benchmark: Benchmark, grader: Grader) -> list[GoldFault]:
    """The problems whose gold fails against itself, which a run shows before it starts. Empty for judged sets."""
    if benchmark.rule == "judged":
        return []
    faults = ((problem, grader.gold_fault(problem.gold, benchmark.rule)) for problem in benchmark.problems)
    return [GoldFault(problem, reason) for problem, reason in faults if reason]


def _grade(extraction: Extraction, verdict: Equality) -> Grade:
    outcomes: dict[bool | None, Outcome] = {True: "correct", False: "wrong", None: "grader_failed"}
    return Grade(outcomes[verdict.same], extraction.method, extraction.answer, verdict.note)


def _settled(future: "Future[Equality]") -> Equality:
    """The worker's verdict; undecided if the worker was killed, died or raised."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, TimeoutError):
        return Equality(None, "out of time")
    return Equality(None, f"{type(error).__name__}: {error}"[:200])


def _either(verdicts: Iterable[Equality]) -> bool | None:
    outcomes = {verdict.same for verdict in verdicts}
    return True if True in outcomes else None if None in outcomes else False


def _broken(what: str) -> ConfigError:
    return ConfigError(
        f"The grader does not work on this machine: {what}.",
        "Install the pinned versions of requirements.txt; math-verify 0.9.0 needs antlr4-python3-runtime 4.13.2.",
    )


def _prepare_worker() -> None:
    """Limit the worker's memory, so that a runaway expression ends in an error inside it, and warm it up.

    The pool starts timing comparisons only after this: on a busy machine, importing sympy and math-verify and using
    their parser for the first time can take longer than a comparison is allowed.
    """
    if sys.platform == "linux":  # macOS has the limit but refuses to set it; Windows has none
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY if limit < 0 else min(_MEMORY, limit), limit))
    logging.disable(logging.WARNING)
    with suppress(Exception):  # the self-test that follows reports whatever does not work
        _self_test()


def _work(answer: str, gold: str) -> Equality:
    from eval.grading.symbolic import same

    return compare(answer, gold, same)


def _check_gold(gold: str) -> Equality:
    from eval.grading.symbolic import same

    return compare(gold, gold, same, by_text=False)


def _self_test() -> list[str]:
    from eval.grading.symbolic import same

    return [f"{a} = {b}" for a, b, expected in _SELF_TEST if same(a, b).same is not expected]

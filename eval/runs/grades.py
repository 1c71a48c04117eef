"""Grades of a run's samples: as they arrive, afterwards, or again. Regrading adds rows and never generates."""

import logging
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from common.errors import ArenaError
from common.software import versions
from eval.grading.grader import GradeItem, Grader
from eval.records import CUT_OFF, Outcome, Sample
from eval.runs.log import RunLog

BATCH = 64
"""Most samples graded together while a run is in progress."""
REGRADED_AT_ONCE = 512
GRADING_THREADS = 16
Key = tuple[str, str, int]
LOG = logging.getLogger(__name__)


class Grading:
    """Grades samples in its own thread while a run is in progress; leaving the context grades what is still queued.

    with Grading(log, grader) as grading:
        Runner(log, connect, on_sample=grading.put)
    """

    def __init__(self, log: RunLog, grader: Grader) -> None:
        self.log = log
        self.error = ""
        """Why grading stopped, as a message for people; the samples are kept and can be graded later."""
        self._grader = grader
        self._queue: queue.SimpleQueue[Sample | None] = queue.SimpleQueue()
        self._facts = facts_of(log)
        self._thread = threading.Thread(target=self._work, name=f"grading {log.folder.name}", daemon=True)

    def __enter__(self) -> Self:
        for sample in ungraded(self.log):
            self._queue.put(sample)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        self._thread.join()

    def put(self, sample: Sample) -> None:
        if not sample.error:
            self._queue.put(sample)

    def _work(self) -> None:
        more = True
        while more:
            batch, more = self._next_batch()
            try:
                grade_samples(self.log, self._grader, batch, self._facts)
            except ArenaError as error:
                self.error, more = str(error), False
            except Exception as error:  # a bug or a machine out of processes: the run must not look graded
                LOG.exception("grading of %s ended", self.log.folder.name)
                self.error, more = f"Grading broke off ({type(error).__name__}); the log says more.", False

    def _next_batch(self) -> tuple[list[Sample], bool]:
        batch: list[Sample] = []
        while len(batch) < BATCH and (not batch or not self._queue.empty()):
            sample = self._queue.get()
            if sample is None:
                return batch, False
            batch.append(sample)
        return batch, True


def ungraded(log: RunLog) -> list[Sample]:
    """Complete samples without a grade, or whose grading failed: a busy machine may have run into the time limit."""
    graded = {key for key, outcome in last_outcomes(log).items() if outcome != "grader_failed"}
    return [s for s in log.samples() if not s.error and (s.model, s.problem_id, s.index) not in graded]


def last_outcomes(log: RunLog) -> dict[Key, Outcome]:
    """(model, problem id, index) of every graded sample → its outcome; the last grade counts."""
    return {(row["model"], row["problem_id"], row["index"]): row["outcome"] for row in log.rows("grades")}


def check_golds(log: RunLog, grader: Grader) -> list[tuple[str, str]]:
    """(problem id, reason) of the run's gold answers that fail against themselves; checked once and stored."""
    for row in log.rows("golds"):
        return [(str(fault.get("problem_id", "")), str(fault.get("reason", ""))) for fault in row["faults"]]
    facts = facts_of(log)
    with ThreadPoolExecutor(GRADING_THREADS) as pool:  # so that every worker of the grader has something to do
        reasons = pool.map(lambda fact: grader.gold_fault(*fact), facts.values())
    faults = [(key, reason) for key, reason in zip(facts, reasons, strict=True) if reason]
    rows = [{"problem_id": key, "reason": reason} for key, reason in faults]
    log.append("golds", [{"checked": len(facts), "faults": rows}])
    return faults


def grade_run(
    log: RunLog, grader: Grader, *, anew: bool = False, progress: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Grade what has no grade yet, or everything `anew`; then the classes for maj@k. Returns how many were graded."""
    check_golds(log, grader)
    samples = [s for s in log.samples() if not s.error] if anew else ungraded(log)
    facts = facts_of(log)
    for start in range(0, len(samples), REGRADED_AT_ONCE):
        grade_samples(log, grader, samples[start : start + REGRADED_AT_ONCE], facts)
        progress(min(start + REGRADED_AT_ONCE, len(samples)), len(samples))
    write_classes(log, grader, anew=anew)
    return len(samples)


def grade_samples(
    log: RunLog, grader: Grader, samples: Sequence[Sample], facts: dict[str, tuple[str, str]] | None = None
) -> None:
    """Append one grade row a sample."""
    if not samples:
        return
    known = facts if facts is not None else facts_of(log)
    items = [GradeItem(s.answer, *known[s.problem_id], cut_off=s.finish_reason in CUT_OFF) for s in samples]
    stamp = {
        "graded_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "grader": grader_version(),
    }
    rows = [
        {"model": s.model, "problem_id": s.problem_id, "index": s.index, **grade.row(), **stamp}
        for s, grade in zip(samples, grader.grade_many(items), strict=True)
    ]
    log.append("grades", rows)


def grader_version() -> str:
    """What did the grading, e.g. "journey-arena 0.8.0 with math-verify 0.9.0": the grades depend on both."""
    installed = versions(["math-verify"])
    return " with ".join(f"{name} {installed[name]}" for name in ("journey-arena", "math-verify") if name in installed)


def write_classes(log: RunLog, grader: Grader, *, anew: bool = False) -> None:
    """Append the classes of equivalent answers for each problem with several samples, unless they are up to date."""
    answers: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for row in log.rows("grades"):
        answers[row["model"], row["problem_id"]][row["index"]] = row["extracted"]
    have = {} if anew else {(row["model"], row["problem_id"]): row["indices"] for row in log.rows("classes")}
    facts = facts_of(log)

    def classes_of(key: tuple[str, str]) -> dict[str, Any]:
        (model, problem_id), by_index = key, answers[key]
        indices = sorted(by_index)
        classes = grader.classes([by_index[i] for i in indices], facts[problem_id][1])
        return {"model": model, "problem_id": problem_id, "indices": indices, "classes": classes}

    missing = [key for key, by_index in answers.items() if len(by_index) > 1 and have.get(key) != sorted(by_index)]
    with ThreadPoolExecutor(GRADING_THREADS) as pool:
        log.append("classes", pool.map(classes_of, missing))


def facts_of(log: RunLog) -> dict[str, tuple[str, str]]:
    """Problem id → (gold, rule)."""
    rules = log.info().rules
    return {p.id: (p.gold, rules.get(p.benchmark, "math")) for p in log.problems()}

"""The traces of this installation for the Traces tab: finding, filtering, reading, generating and adding them."""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from common import jsonl
from common.errors import DataError
from common.paths import ADAPTERS
from eval.grading.grader import Grader
from eval.problems.families import generate
from eval.records import Problem
from insights.likeness import shared
from traces.keeping.keep import REASONS, Verifier, reason_code
from traces.keeping.trace import Trace, append_trace, trace_from_json, without_bulk
from traces.problems.references import RETRY_SECONDS, MissingSetError
from traces.thoughts.search import SearchSettings
from traces.training.make import searched, token_counter

PATTERN = "*traces*.jsonl"
MOST_PER_FILE = 20_000
"""Most traces listed per file: nobody pages through a million in a browser, and the export has the rest."""
NEAREST = 50
"""Traces listed when sorting by similarity."""
MADE_HERE = SearchSettings(slips=0.6)
"""More slips than in training data, since people want to see wrong turns."""


@dataclass(frozen=True)
class Filters:
    """What to show; empty means any."""

    method: str = ""
    family: str = ""
    outcome: str = ""
    """"kept", "unverified", "rejected", or a code of `traces.keeping.keep.REASONS`."""
    words: str = ""
    """Words in the thought or answer, e.g. "wait"; comma-separated, and all must occur."""
    at_least: int = 0
    """Minimum length of the thought in words."""
    at_most: int | None = None
    like: str = ""
    """A question: only the traces whose questions are nearest to it in meaning, nearest first."""

    def let_through(self, entry: "Entry") -> bool:
        """Whether an entry is shown."""
        trace = entry.trace
        text = f"{trace.thought}\n{trace.answer}".lower()
        return (
            self.method in ("", trace.method)
            and self.family in ("", trace.problem.subject)
            and self.outcome in ("", entry.outcome, "rejected" if trace.kept is False else "")
            and all(word.strip() in text for word in self.words.lower().split(","))
            and self.at_least <= entry.words
            and (self.at_most is None or entry.words <= self.at_most)
        )


class Entry(NamedTuple):
    """A trace without its bulk, and where to find the whole of it."""

    trace: Trace
    id: str
    words: int
    path: Path
    offset: int

    @property
    def outcome(self) -> str:
        if self.trace.kept is None:
            return "unverified"
        return "kept" if self.trace.kept else reason_code(self.trace)


class Scan(NamedTuple):
    """The contents of one file, as far as they can be read here."""

    entries: list[Entry]
    missing: Counter[str]
    """Set → number of traces whose problems are references that cannot be resolved."""


class Kept(NamedTuple):
    """A cached file, as last read."""

    stamp: tuple[int, int]
    read_at: float
    scan: Scan

    def holds(self, stamp: tuple[int, int]) -> bool:
        """Whether the cache is valid. A file that lacked a set is re-read now and then: the set may have arrived."""
        fresh = not self.scan.missing or time.monotonic() < self.read_at + RETRY_SECONDS
        return self.stamp == stamp and fresh


class BaseAnswer(NamedTuple):
    """What the base model said to a trace's prompt."""

    prompt: str
    text: str
    model: str
    tokens: int
    finish_reason: str


class TraceLibrary:
    """All traces files below `home`/traces and `home`/distil, and the sample that ships; safe from any thread."""

    def __init__(self, home: Path, shipped: Path = ADAPTERS) -> None:
        self.folder = home / "traces"
        self._folders = (self.folder, home / "distil", shipped)
        self.problems = home / "problems"
        self._lock = threading.Lock()
        self._read: dict[Path, Kept] = {}

    def entries(self) -> list[Entry]:
        """Every trace, newest file first; files are read anew only when they changed."""
        scans = self._scans()
        return list({entry.id: entry for scan in scans for entry in reversed(scan.entries)}.values())

    def missing(self) -> Counter[str]:
        """Number of traces left out, by the missing set (a key of TRAINING) that contains their problems."""
        return sum((scan.missing for scan in self._scans()), Counter[str]())

    def chosen(self, filters: Filters) -> list[Entry]:
        return chosen(self.entries(), filters)

    def whole(self, trace_id: str) -> Trace:
        """The trace with everything that was kept of it. Raises DataError if it is gone."""
        entry = next((entry for entry in self.entries() if entry.id == trace_id), None)
        if entry is None:
            raise DataError("This trace no longer exists.", "Choose another one from the list.")
        return _read_at(entry)

    def whole_of(self, entries: list[Entry]) -> Iterator[Trace]:
        """Each entry's whole trace, one at a time."""
        return map(_read_at, entries)

    def add(self, trace: Trace, name: str) -> None:
        """Append to `home`/traces/<name>.traces.jsonl."""
        with self._lock:
            append_trace(self.folder / f"{name}.traces.jsonl", trace)

    def make(self, count: int, seed: int, progress: Callable[[int, int], None] | None = None) -> list[Trace]:
        """Generate and verify traces for `count` new problems, and keep them all, rejects with their reason."""
        verified = []
        with Grader(workers=1) as grader:
            verifier, tokens = Verifier(grader), token_counter()
            for done, problem in enumerate(generate("train", count, seed), start=1):
                verified.append(verifier.verify(searched(problem, seed, MADE_HERE, tokens)))
                self.add(verified[-1], "made-here")
                if progress:
                    progress(done, count)
        return verified

    def verify_and_add(self, trace: Trace, name: str) -> Trace:
        """Verify one trace, add it whatever the verdict, and return it with the verdict."""
        with Grader(workers=1) as grader:
            verified = Verifier(grader).verify(trace)
        self.add(verified, name)
        return verified

    def base_answer(self, prompt: str) -> BaseAnswer | None:
        """The last known answer of the base to this prompt."""
        path = self.folder / "base-answers.jsonl"
        if not path.exists():
            return None
        for line in reversed(path.read_text(encoding="utf-8").split("\n")):  # an answer may hold other line ends
            with suppress(ValueError):  # a line torn by a full disk; the base can be asked again
                if (row := json.loads(line))["prompt"] == prompt:
                    return BaseAnswer(**row)
        return None

    def add_base_answer(self, answer: BaseAnswer) -> None:
        jsonl.append(self.folder / "base-answers.jsonl", [answer._asdict()])

    def funnels(self) -> list[Path]:
        """Funnel reports of curated problem files, newest first."""
        return sorted(self.problems.glob("*.funnel.json"), key=lambda path: -path.stat().st_mtime)

    def _scans(self) -> list[Scan]:
        with self._lock:
            paths = (path for folder in self._folders for path in folder.rglob(PATTERN))
            files = sorted(paths, key=lambda path: -path.stat().st_mtime)
            self._read = {path: self._kept(path) for path in files}
            return [kept.scan for kept in self._read.values()]

    def _kept(self, path: Path) -> Kept:
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        kept = self._read.get(path)
        return kept if kept and kept.holds(stamp) else Kept(stamp, time.monotonic(), _scan(path))


def chosen(entries: Iterable[Entry], filters: Filters) -> list[Entry]:
    """The entries that pass the filters. ConfigError where likeness is asked for and its model is not installed."""
    passing = [entry for entry in entries if filters.let_through(entry)]
    if not filters.like.strip():
        return passing
    return [
        passing[match.place]
        for match in shared().nearest(filters.like, [e.trace.problem.question for e in passing], NEAREST)
    ]


def _scan(path: Path) -> Scan:
    scan = Scan([], Counter())
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if number >= MOST_PER_FILE:
                break
            start, offset = offset, offset + len(line)
            try:
                trace = trace_from_json(line.decode())
            except MissingSetError:
                scan.missing[str(json.loads(line)["problem"]["set"])] += 1
                continue
            except (DataError, UnicodeDecodeError):
                continue  # a line torn by a killed process, or altered
            scan.entries.append(Entry(without_bulk(trace), trace.hash, len(trace.thought.split()), path, start))
    return scan


def _read_at(entry: Entry) -> Trace:
    with entry.path.open("rb") as file:
        file.seek(entry.offset)
        trace = trace_from_json(file.readline().decode(), str(entry.path))
    if trace.hash != entry.id:
        raise DataError(f"{entry.path} changed while it was being read.", "Choose the trace again.")
    return trace


def own_problem(question: str, gold: str) -> Problem:
    """A visitor's own problem; the same question has the same id."""
    digest = hashlib.sha256(f"{question.strip()}|{gold.strip()}".encode()).hexdigest()[:12]
    return Problem(f"own/{digest}", question.strip(), gold.strip(), "own")


OUTCOMES: dict[str, str] = {
    "": "Any outcome",
    "kept": "Kept",
    "rejected": "Rejected, whatever the reason",
    **{code: f"Rejected: {rule}" for code, rule in REASONS.items()},
    "unverified": "Not verified",
}

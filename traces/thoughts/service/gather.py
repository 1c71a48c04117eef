"""Many attempts at once. Each (problem, attempt) is made once over all runs, and appended as soon as it is done.

`traces.thoughts.teacher` and others say how an attempt is made.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import ArenaError, ServerError
from common.text import counted
from eval.records import Problem
from traces.keeping.keep import reason_code
from traces.keeping.trace import Trace, append_trace
from traces.thoughts.service.pacing import CapReached
from traces.thoughts.service.past import Maker, Past, read_past

FAILURES_IN_A_ROW = 10
CONTINUE = "Run the same command again to continue."
RETRY = "Check the service, then run again with --retry-failed."

MakeAttempt = Callable[[Problem, int, int], Awaitable[Trace]]
"""(problem, attempt from 1, seed) → a trace not yet verified, or already rejected."""


@dataclass(frozen=True)
class Attempts:
    """How often to try a problem."""

    most: int = 1
    """Most attempts per problem."""
    until_kept: bool = True
    """Stop trying once a trace of the problem is kept."""
    retry_failed: bool = False
    """Attempts whose request failed in an earlier run (not those with a wrong answer) do not count against `most`."""
    seed: int = 0
    """Attempt n is made with seed + n."""
    at_once: int = 16
    limit: int | None = None
    """Attempts to make in this run; None for all."""
    seconds: float | None = None
    """After this time no new request is sent; pending replies are waited for."""


@dataclass(frozen=True)
class Summary:
    """What one run made."""

    asked: int
    kept: int
    rejected: Mapping[str, int]
    """By code, see `traces.keeping.keep.REASONS`."""
    tokens: int
    cost: float
    """US dollars, of the traces this run made."""
    stopped: str = ""
    """Why it ended early, in words."""
    unanswered: int = 0
    """Attempts whose request failed, in this run or an earlier one, and which have not been repeated."""

    @property
    def sentence(self) -> str:
        rejected = ", ".join(f"{count} {code}" for code, count in self.rejected.items()) or "none"
        made = f"{self.asked} made, {self.kept} kept, rejected: {rejected}; {self.tokens} output tokens"
        parts = (f"{made}, ${self.cost:.4f}.", self.stopped, retry_sentence(self.unanswered))
        return " ".join(filter(None, parts))


def retry_sentence(unanswered: int) -> str:
    """How to repeat so many failed attempts; empty if there are none."""
    return f"{counted(unanswered, 'request')} failed. Ask again with --retry-failed." if unanswered else ""


async def gather(
    problems: Sequence[Problem],
    make: MakeAttempt,
    verify: Callable[[Trace], Trace],
    out: Path,
    attempts: Attempts = Attempts(),
    progress: Callable[[Trace], None] | None = None,
    by: Maker | None = None,
) -> Summary:
    """Make every attempt that is not yet in `out`. `verify` runs in a thread; caps on money, time or number of attempts
    end the run early. `by`: what `make` makes.

    Raises ServerError if the service refuses, or when FAILURES_IN_A_ROW requests in a row have failed, or all of fewer;
    DataError if `out` holds something else (see `read_past`) or the disk refuses. Finished traces are on disk.
    """
    past = read_past(out, problems, by)
    run = _Run(make, verify, out, attempts, progress, past)
    waiting = iter(problems)

    async def worker() -> None:
        # All workers share one iterator: tens of thousands of problems do not need a task each.
        for problem in waiting:
            await run.problem(problem)
            if run.stop:
                return

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(attempts.at_once, len(problems))):
                group.create_task(worker())
    except* ArenaError as errors:  # e.g. of a full disk
        raise errors.exceptions[0] from None
    if isinstance(run.stop, ServerError):
        raise run.stop
    if run.asked and run.failures == run.asked:
        raise run.silence()
    unanswered = past.unanswered(problems, attempts.most, until_kept=attempts.until_kept)
    return Summary(run.asked, run.kept, dict(run.rejected), run.tokens, run.cost, str(run.stop or ""), unanswered)


class _Run:
    """One run's counts, and when to give up."""

    def __init__(
        self,
        make: MakeAttempt,
        verify: Callable[[Trace], Trace],
        out: Path,
        attempts: Attempts,
        progress: Callable[[Trace], None] | None,
        past: Past,
    ) -> None:
        self.make, self.verify, self.out, self.attempts, self.progress = make, verify, out, attempts, progress
        self.past = past
        self.rejected: Counter[str] = Counter()
        self.asked = self.kept = self.failures = self.tokens = self.started = 0
        self.began = time.monotonic()
        self.cost = 0.0
        self.last_failure = ""
        self.stop: CapReached | ServerError | None = None
        """Set once no new request may be sent. Pending replies are waited for, as they are already paid for."""

    async def problem(self, problem: Problem) -> None:
        if self.attempts.until_kept and problem.id in self.past.kept:
            return
        extra = self.past.failed[problem.id] if self.attempts.retry_failed else 0
        for number in range(1, self.attempts.most + extra + 1):
            if number in self.past.done[problem.id]:
                continue
            self.stop = self.stop or self.limit_reached()
            if self.stop:
                return
            self.started += 1
            try:
                trace = await self.make(problem, number, self.attempts.seed + number)
            except (CapReached, ServerError) as error:
                self.stop = error
                return
            if (await self.finish(trace)).kept and self.attempts.until_kept:
                return

    def limit_reached(self) -> CapReached | None:
        """The cap on time or number of attempts that stops this run, if one is reached."""
        limit, seconds = self.attempts.limit, self.attempts.seconds
        if limit is not None and self.started >= limit:
            return CapReached(f"The limit of {limit} attempts is reached.", CONTINUE)
        if seconds is not None and time.monotonic() - self.began >= seconds:
            return CapReached("The time is over.", CONTINUE)
        return None

    async def finish(self, trace: Trace) -> Trace:
        if trace.kept is None:
            trace = await asyncio.to_thread(self.verify, trace)
        append_trace(self.out, trace)
        self.past.add(trace)
        self.asked += 1
        self.tokens += trace.tokens
        self.cost += trace.cost
        self.kept += bool(trace.kept)
        code = reason_code(trace)
        if code:
            self.rejected[code] += 1
        if code == "request":
            self.failures += 1
            self.last_failure = trace.reason.removeprefix("request: ")
        else:
            self.failures = 0
        if self.progress:
            self.progress(trace)
        if self.failures >= FAILURES_IN_A_ROW:
            self.stop = self.silence()
        return trace

    def silence(self) -> ServerError:
        """The error that says how many requests in a row failed."""
        many = f"{self.failures} requests in a row failed, the last with"
        return ServerError(f"{many if self.failures > 1 else 'The request failed with'} {self.last_failure}.", RETRY)

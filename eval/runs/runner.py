"""Both models on the same problems: prompts out, samples in, each sample on disk as soon as it is complete.

Problems are put to the models as `RunInfo.prompt` and `RunInfo.history` say, so a resumed run never mixes two prompts.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from common.errors import ArenaError, DataError, for_visitors
from eval.records import Problem, Sample
from eval.runs.log import TOO_LONG, Role, RunInfo, RunLog, sample_seed
from models.chat.client import Completer, Message
from models.chat.events import Reply
from models.chat.retry import PAUSE_SECONDS, ask_again
from models.config.sampling import Sampling

DOWN_AFTER = 8
"""Consecutive failed samples after which a server counts as down. They are not recorded: resuming draws them again."""
LIMIT_TOO_HIGH = "limit_too_high"
"""Finish reason of a sample whose prompt would fit, but not with the run's token limit. It is not recorded: where the
context is longer, resuming gets its answer."""
DOES_NOT_FIT = (TOO_LONG, LIMIT_TOO_HIGH)
"""Refusals from a server that is up."""
PROBE = "Hello"
"""Sent to a server at the end if the last samples failed: if this fails too, the server is down."""


Connect = Callable[[], Awaitable[Completer]]
"""Waits, up to a limit, until one of the side's servers is ready, and returns a client for it. Called before each
request: several servers take turns, and a restarted one may have a new address."""


@dataclass(frozen=True)
class SideProgress:
    """How far one model is."""

    total: int
    done: int
    """Samples on disk, those of earlier jobs included; failed ones too."""
    failed: int
    in_flight: int
    output_tokens: int
    """Of this job."""
    seconds: float
    """Since this job began, until now or until the side was finished."""
    drawn_now: int
    """Samples made in this job."""
    message: str = ""

    @property
    def tokens_per_second(self) -> float:
        return self.output_tokens / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At the pace of this job; None before its first sample."""
        return (self.total - self.done) * self.seconds / self.drawn_now if self.drawn_now else None


@dataclass
class _Side:
    role: Role
    model: str
    connect: Connect
    todo: deque[tuple[Problem, int]]
    total: int
    done: int
    failed: int
    in_flight: int = 0
    output_tokens: int = 0
    drawn_now: int = 0
    message: str = "waiting for its server"
    began: float = 0.0
    ended: float = 0.0
    unrecorded: list[Sample] = field(default_factory=list)
    """Failures not yet recorded: only the next success shows whether the request or the server was at fault."""
    refused: list[Sample] = field(default_factory=list)
    """Samples for which the token limit is too high here."""
    down: bool = False

    def progress(self) -> SideProgress:
        seconds = (self.ended or time.monotonic()) - self.began if self.began else 0.0
        return SideProgress(
            self.total,
            self.done,
            self.failed,
            self.in_flight,
            self.output_tokens,
            seconds,
            self.drawn_now,
            self.message,
        )


def may_be_retried(sample: Sample) -> bool:
    return bool(sample.error) and sample.finish_reason != TOO_LONG


class Runner:
    """One job of a run. `run` it to the end, or `stop` it from another thread or task; then a new one resumes."""

    def __init__(
        self,
        log: RunLog,
        connect: Mapping[Role, Connect],
        *,
        on_sample: Callable[[Sample], None] = lambda sample: None,
        retry_failed: bool = False,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        self.log = log
        self.info: RunInfo = log.info()
        self.pause = pause
        self.on_sample = on_sample
        self._hash = self.info.config_hash
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False
        self._sides = self._plan(connect, retry_failed)

    def _plan(self, connect: Mapping[Role, Connect], retry_failed: bool) -> dict[Role, _Side]:
        problems, have = self.log.problems(), self.log.samples()
        count = self.info.config.samples
        sides: dict[Role, _Side] = {}
        for role, way in connect.items():
            model = self.info.sides[role].model
            mine = [s for s in have if s.model == model and not (retry_failed and may_be_retried(s))]
            done = {(s.problem_id, s.index) for s in mine}
            todo = deque((p, i) for i in range(count) for p in problems if (p.id, i) not in done)
            failed = sum(1 for s in mine if s.error)
            sides[role] = _Side(role, model, way, todo, count * len(problems), len(done), failed)
        return sides

    def progress(self) -> dict[Role, SideProgress]:
        """May be called from any thread."""
        return {role: side.progress() for role, side in self._sides.items()}

    @property
    def complete(self) -> bool:
        return all(side.done >= side.total for side in self._sides.values())

    def stop(self) -> None:
        """Cancel the requests in flight; finished samples are on disk. May be called from any thread."""
        self._stopped = True
        if self._loop is not None and self._task is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)

    async def run(self) -> bool:
        """Draw every missing sample; True if none is missing afterwards. The run must be claimed first.

        A side whose server is down stops with a message in its progress while the other continues.
        """
        self._loop, self._task = asyncio.get_running_loop(), asyncio.create_task(self._run_sides())
        if self._stopped:
            self._task.cancel()
        try:
            await self._task
        except asyncio.CancelledError:
            for side in self._sides.values():
                side.message = side.message if side.done >= side.total else "stopped"
            if not self._stopped:
                raise
        finally:
            for side in self._sides.values():
                side.ended, side.in_flight = side.ended or time.monotonic(), 0
        return self.complete

    async def _run_sides(self) -> None:
        async with asyncio.TaskGroup() as group:
            for side in self._sides.values():
                group.create_task(self._run_side(side))

    async def _run_side(self, side: _Side) -> None:
        if side.todo:
            try:
                await side.connect()
            except ArenaError as error:
                side.message = str(error)
                return
            side.began, side.message = time.monotonic(), "running"
            workers = min(self.info.config.concurrency, len(side.todo))
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._work(side))
            if side.unrecorded and not side.down:
                await self._probe(side)
            side.ended = time.monotonic()
        if not side.down:
            side.message = _misfit(side.refused) if side.refused else "finished"
            self._save(side, self._record_failures, side)

    async def _work(self, side: _Side) -> None:
        while side.todo and not side.down:
            problem, index = side.todo.popleft()
            side.in_flight += 1
            try:
                sample = await self._draw(side, problem, index)
            finally:
                side.in_flight -= 1
            self._save(side, self._keep, side, sample)

    async def _draw(self, side: _Side, problem: Problem, index: int) -> Sample:
        config = self.info.config
        prompt = self.info.prompt.format(question=problem.question)
        seed = sample_seed(config.seed, problem.id, index)
        limit = self.info.sides[side.role].max_tokens or config.max_tokens
        sampling = Sampling(limit, config.thinking_budget, config.temperature, config.top_p, seed)
        started = datetime.now(UTC).isoformat(timespec="milliseconds")
        reply = await self._ask(side, prompt, sampling)
        return Sample(
            run=self.info.id,
            model=side.model,
            problem_id=problem.id,
            index=index,
            prompt=prompt,
            text=reply.raw,
            thought=reply.thought,
            answer=reply.answer,
            thought_tokens=reply.thought_tokens,
            answer_tokens=reply.answer_tokens,
            finish_reason=reply.refusal if reply.refusal in DOES_NOT_FIT else reply.finish_reason,
            seed=seed,
            seconds=round(reply.seconds, 3),
            started_at=started,
            config_hash=self._hash,
            error=for_visitors(reply.error) if reply.finish_reason == "failed" else "",
        )

    async def _ask(self, side: _Side, prompt: str, sampling: Sampling) -> Reply:
        """The reply, or the last failed one; a server that was restarted meanwhile is found again."""
        messages = [*self.info.history, Message("user", prompt)]

        async def ask(_: int) -> Reply:
            client = await side.connect()
            return await client.complete(messages, sampling)

        return await ask_again(ask, pause=self.pause, give_up=lambda: side.down)

    async def _probe(self, side: _Side) -> None:
        """Ask for a few tokens to find out whether the server caused the last failures, as no success followed them."""
        reply = await self._ask(side, PROBE, Sampling(max_tokens=16))
        if reply.finish_reason == "failed":
            side.down = True
            side.message = f"stopped because its server no longer answers: {reply.error}"

    def _save(self, side: _Side, write: Callable[..., None], *given: Any) -> None:
        """Write samples; if the disk is full or gone, the side ends, and they are drawn again on resuming."""
        try:
            write(*given)
        except DataError as error:
            side.down, side.message = True, str(error)

    def _keep(self, side: _Side, sample: Sample) -> None:
        if sample.finish_reason == LIMIT_TOO_HIGH:
            self._record_failures(side)
            side.refused.append(sample)
            if len(side.refused) >= DOWN_AFTER and not side.drawn_now:
                side.down, side.message = True, _misfit(side.refused)
            return
        if not sample.error or sample.finish_reason == TOO_LONG:  # a refusal too is an answer: the server is up
            self._record_failures(side)
            self._record(side, sample)
            return
        side.unrecorded.append(sample)
        if len(side.unrecorded) >= DOWN_AFTER:
            side.down = True
            side.message = f"stopped after {len(side.unrecorded)} failures in a row: {sample.error}"

    def _record_failures(self, side: _Side) -> None:
        samples, side.unrecorded = side.unrecorded, []
        for sample in samples:
            self._record(side, sample)

    def _record(self, side: _Side, sample: Sample) -> None:
        self.log.append("samples", [asdict(sample)])
        side.done += 1
        side.drawn_now += 1
        side.failed += bool(sample.error)
        side.output_tokens += sample.output_tokens
        self.on_sample(sample)


def _misfit(refused: Sequence[Sample]) -> str:
    return f"some answers cannot be drawn here: {refused[0].error}"

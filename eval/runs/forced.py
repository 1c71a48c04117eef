"""Forced answers: what a model says when its thought is closed after B tokens and it must answer from what it has.

Works from the stored samples of a run and adds to its `forced.jsonl`; the samples are never touched. The curve is
plotted at the tokens really used, not at B.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from common.errors import ArenaError, ConfigError, ServerError
from eval.grading.grader import Grader
from eval.records import Sample
from eval.runs.grades import facts_of
from eval.runs.jobs import CoroutineJob, Tell
from eval.runs.log import ROLES, TOO_LONG, Role, RunInfo, RunLog
from eval.runs.plan import check_resumable
from eval.runs.run_job import Connection, ServedRun
from eval.runs.runner import DOWN_AFTER
from models.chat.client import Message, ModelClient
from models.chat.events import Reply
from models.chat.resume import answer_now
from models.chat.retry import PAUSE_SECONDS, ask_again
from models.config.sampling import Sampling
from models.config.thought_format import ThoughtFormat


@dataclass(frozen=True)
class Task:
    """One forced answer to make."""

    role: Role
    sample: Sample
    budget: int


def pending(log: RunLog, budgets: Sequence[int]) -> list[Task]:
    """What is not made yet. Models without a thought are left out: there is nothing to close."""
    info = log.info()
    made = {(r["model"], r["problem_id"], r["index"], r["budget"]) for r in log.rows("forced")}
    return [
        Task(role, sample, budget)
        for role, sample in _thinking_samples(info, log.samples())
        for budget in budgets
        if (sample.model, sample.problem_id, sample.index, budget) not in made
    ]


def _thinking_samples(info: RunInfo, samples: Sequence[Sample]) -> Iterator[tuple[Role, Sample]]:
    for role in ROLES:
        side = info.sides.get(role)
        if side is not None and ThoughtFormat(**side.thought).kind != "none":
            yield from ((role, s) for s in samples if s.model == side.model and not s.error)


def stands(sample: Sample, budget: int) -> bool:
    """Whether the thought ended by itself within the budget, so that the stored answer is the answer at this budget."""
    return bool(sample.answer) and sample.thought_tokens <= budget


async def force_answers(
    log: RunLog,
    served: ServedRun,
    budgets: Sequence[int],
    answer_tokens: int = 128,
    *,
    lead_in: str = "",
    progress: Tell = lambda done, total: None,
    pause: float = PAUSE_SECONDS,
) -> int:
    """Make, grade and append every missing forced answer; returns how many. To be called with the run claimed.

    A failed request is retried a few times. What still fails is left for the next call, and the others are still made
    unless DOWN_AFTER of a side fail in a row. Raises ConfigError for a budget below 1 or for models that are not those
    of the run; ServerError at the end when any failed. Finished answers are kept.
    """
    if any(budget < 1 for budget in budgets):
        raise ConfigError("A budget below one token leaves no thought to keep.", "Give budgets of at least 1.")
    info = log.info()
    check_resumable(info, served.pair, {role: served.weight_hash(role) for role in info.sides}, served.profile)
    tasks = pending(log, budgets)
    if not tasks:
        return 0
    maker = _Maker(log, {role: Connection(served, role) for role in info.sides}, answer_tokens, lead_in, pause)
    try:
        async with AsyncExitStack() as stack:
            grader = stack.enter_context(Grader(workers=1))
            for connection in maker.connections.values():
                stack.push_async_callback(connection.aclose)
            async with asyncio.TaskGroup() as group:
                for task in tasks:
                    group.create_task(maker.make(task, grader, lambda made: progress(made, len(tasks))))
    except* ArenaError as errors:  # the disk is full
        raise errors.exceptions[0] from None
    if maker.error:
        missing = len(tasks) - maker.made
        raise ServerError(
            f"{missing} of {len(tasks)} forced answers were not made: {maker.error}",
            "Run the same command again to make them.",
        )
    return maker.made


class _Maker:
    """Makes forced answers, and counts what became of them."""

    def __init__(
        self, log: RunLog, connections: Mapping[Role, Connection], answer_tokens: int, lead_in: str, pause: float
    ) -> None:
        self.connections = connections
        self.made = 0
        self.error = ""
        """Why the last one that failed did."""
        self._log, self._info, self._facts = log, log.info(), facts_of(log)
        self._answer_tokens, self._lead_in, self._pause = answer_tokens, lead_in, pause
        self._limit = asyncio.Semaphore(self._info.config.concurrency)
        self._in_a_row: Counter[Role] = Counter()
        """Failures of each side since its server last answered."""

    async def make(self, task: Task, grader: Grader, tell: Callable[[int], None]) -> None:
        """Make, grade and append one, unless its server is down; `tell` hears how many are made."""
        async with self._limit:
            if self._in_a_row[task.role] >= DOWN_AFTER:
                return
            reply = await ask_again(lambda _: self._ask(task), pause=self._pause)
        if reply.finish_reason == "failed":
            self._in_a_row[task.role] += reply.refusal != TOO_LONG
            self.error = reply.error
            return
        if not stands(task.sample, task.budget):
            self._in_a_row[task.role] = 0
        grade = await asyncio.to_thread(grader.grade_one, reply.answer, *self._facts[task.sample.problem_id])
        self._log.append("forced", [_row(task, reply, grade.outcome, grade.extracted)])
        self.made += 1
        tell(self.made)

    async def _ask(self, task: Task) -> Reply:
        client = await self.connections[task.role]()
        sampling = _sampling(self._info, task, self._answer_tokens)
        return await force(client, task, sampling, self._lead_in, self._info.history)


class ForcedJob(CoroutineJob):
    """Forced answers made in the background."""

    telling = "{} of {} forced answers"

    def __init__(self, log: RunLog, served: ServedRun, budgets: Sequence[int], answer_tokens: int = 128) -> None:
        async def make(tell: Tell) -> str:
            with log.claim():
                made = await force_answers(log, served, budgets, answer_tokens, progress=tell)
            return f"{made} forced answers made."

        super().__init__(log, make)


async def force(
    client: ModelClient, task: Task, sampling: Sampling, lead_in: str = "", history: Sequence[Message] = ()
) -> Reply:
    """The answer at the task's budget: the stored one where it stands, else a new one after the closed thought."""
    sample = task.sample
    stored = Reply(
        thought=sample.thought,
        answer=sample.answer,
        raw=sample.text,
        thought_tokens=sample.thought_tokens,
        answer_tokens=sample.answer_tokens,
    )
    if stands(sample, task.budget):
        return stored
    kept = await client.thought_at(stored, task.budget)
    resume = answer_now(kept, client.thought, lead_in)
    return await client.complete([*history, Message("user", sample.prompt)], sampling, resume=resume)


def _sampling(info: RunInfo, task: Task, answer_tokens: int) -> Sampling:
    config = info.config
    return Sampling(answer_tokens, None, config.temperature, config.top_p, task.sample.seed)


def _row(task: Task, reply: Reply, outcome: str, extracted: str) -> dict[str, Any]:
    return {
        "model": task.sample.model,
        "problem_id": task.sample.problem_id,
        "index": task.sample.index,
        "budget": task.budget,
        "cut": not stands(task.sample, task.budget),
        "answer": reply.answer,
        "thought_tokens": reply.thought_tokens,
        "answer_tokens": reply.answer_tokens,
        "outcome": outcome,
        "extracted": extracted,
        "finish_reason": reply.finish_reason,
    }

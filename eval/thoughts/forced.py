"""Forced answers: what a model says when its thought is closed after B tokens and it must answer from what it has.

Works from the stored samples of a run and adds to its `forced.jsonl`; the samples are never touched. The curve is
plotted at the tokens really used, not at B.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from common.errors import ConfigError
from eval.grading.grader import Grader
from eval.records import CUT_OFF, Sample
from eval.runs.grades import facts_of
from eval.runs.jobs import CoroutineJob, Tell
from eval.runs.log import ROLES, Role, RunInfo, RunLog
from eval.runs.run_job import ServedRun, check_served
from eval.thoughts.asking import Asker
from models.chat.client import Message, ModelClient
from models.chat.events import Reply
from models.chat.resume import answer_now
from models.chat.retry import PAUSE_SECONDS
from models.config.sampling import Sampling
from models.config.thought_format import ThoughtFormat


@dataclass(frozen=True)
class Task:
    """One forced answer to make."""

    role: Role
    sample: Sample
    budget: int


def pending(log: RunLog, budgets: Sequence[int]) -> list[Task]:
    """The forced answers still to make. Models without a thought are left out: there is nothing to close."""
    info = log.info()
    done = {(r["model"], r["problem_id"], r["index"], r["budget"]) for r in log.rows("forced")}
    return [
        Task(role, sample, budget)
        for role, sample in _thinking_samples(info, log.samples())
        for budget in budgets
        if (sample.model, sample.problem_id, sample.index, budget) not in done
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
    progress: Tell = lambda done, total: None,
    pause: float = PAUSE_SECONDS,
) -> int:
    """Make, grade and append every missing forced answer; returns how many. The run must be claimed first.

    A failed request is retried a few times. If it still fails, it is left for the next call, and the others are still
    made unless DOWN_AFTER on one side fail in a row. Raises ConfigError for a budget below 1 or for models other than
    those of the run; ServerError at the end if any failed. Finished answers are kept.
    """
    if any(budget < 1 for budget in budgets):
        raise ConfigError("A budget below one token leaves no thought to keep.", "Give budgets of at least 1.")
    info = log.info()
    check_served(info, served)
    tasks = pending(log, budgets)
    if not tasks:
        return 0
    maker = _Maker(log, Asker(served, info.sides, info.config.concurrency, pause), answer_tokens)
    with Grader(workers=1) as grader:
        await maker.asker.all(maker.make(task, grader, lambda count: progress(count, len(tasks))) for task in tasks)
    maker.asker.check_complete(len(tasks) - maker.made, len(tasks), "forced answers")
    return maker.made


class _Maker:
    """Makes forced answers and counts them."""

    def __init__(self, log: RunLog, asker: Asker, answer_tokens: int) -> None:
        self.asker = asker
        self.made = 0
        self._log, self._info, self._facts = log, log.info(), facts_of(log)
        self._answer_tokens = answer_tokens

    async def make(self, task: Task, grader: Grader, tell: Callable[[int], None]) -> None:
        """Make, grade and append one, unless its server is down; `tell` hears how many are made."""
        reply = await self.asker.ask(
            task.role, lambda client: self._ask(client, task), stored=stands(task.sample, task.budget)
        )
        if reply is None:
            return
        facts, cut_off = self._facts[task.sample.problem_id], reply.finish_reason in CUT_OFF
        grade = await asyncio.to_thread(grader.grade_one, reply.answer, *facts, cut_off=cut_off)
        self._log.append("forced", [_row(task, reply, grade.outcome, grade.extracted)])
        self.made += 1
        tell(self.made)

    async def _ask(self, client: ModelClient, task: Task) -> Reply:
        sampling = _sampling(self._info, task, self._answer_tokens)
        return await force(client, task, sampling, self._info.history)


class ForcedJob(CoroutineJob):
    """Forced answers made in the background."""

    telling = "{} of {} forced answers"

    def __init__(self, log: RunLog, served: ServedRun, budgets: Sequence[int]) -> None:
        async def make(tell: Tell) -> str:
            with log.claim():
                count = await force_answers(log, served, budgets, progress=tell)
            return f"{count} forced answers made."

        super().__init__(log, make)


async def force(client: ModelClient, task: Task, sampling: Sampling, history: Sequence[Message] = ()) -> Reply:
    """The answer at the task's budget: the stored one if it still stands, else a new one after the closed thought."""
    sample = task.sample
    stored = Reply(
        thought=sample.thought,
        answer=sample.answer,
        raw=sample.text,
        thought_tokens=sample.thought_tokens,
        answer_tokens=sample.answer_tokens,
        finish_reason="length" if sample.finish_reason in CUT_OFF else "stop",
    )
    if stands(sample, task.budget):
        return stored
    cut = await client.thought_at(stored, task.budget)
    resume = answer_now(cut, client.thought)
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

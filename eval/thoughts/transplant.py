"""Thoughts transplanted: each model of a run answers again from the other's thought, half of it, or none.

Works from the stored samples of a run and adds to its `transplants.jsonl`; the samples are never touched. A model whose
format has no thought gives and receives reasoning as plain text. Only what the model adds to the given text is graded,
so that an answer already contained in the other's thought does not count by itself.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from common.errors import DataError, ServerError
from eval.grading.grader import GradeItem, Grader
from eval.records import CUT_OFF, Problem, Sample
from eval.runs.grades import facts_of
from eval.runs.jobs import Tell
from eval.runs.log import Role, RunInfo, RunLog, sample_seed
from eval.runs.run_job import ServedRun, check_served
from eval.thoughts.asking import Asker
from eval.thoughts.sentences import first_half
from models.chat.client import Message
from models.chat.events import Reply
from models.chat.resume import Resume, think_more, transplant
from models.chat.retry import PAUSE_SECONDS
from models.config.sampling import Sampling
from models.config.thought_format import ThoughtFormat
from models.serving.clients import Served, client_of

Given = Literal["other", "half", "none", "more"]
GIVEN: dict[Given, str] = {
    "other": "the other's thought",
    "half": "half of the other's thought",
    "none": "no thought",
    "more": "its own, made to think more",
}
"""What a model answers from: the other's whole thought, closed, so that the answer follows; the first half of it, which
the model continues; an empty thought; or its own with “Wait” appended (budget forcing, as in s1)."""
LEAST_TOKENS = 128
"""Tokens always left for the answer, however long the given text."""


@dataclass(frozen=True)
class Task:
    """One answer to ask for."""

    role: Role
    given: Given
    own: Sample
    other: Sample | None
    """The other model's sample of the same problem and index."""

    @property
    def key(self) -> tuple[str, str, int, str]:
        return self.own.model, self.own.problem_id, self.own.index, self.given


def reasoning(sample: Sample) -> str:
    """The model's thought or, if there is none, everything it wrote: its reasoning is then in its answer."""
    return sample.thought or sample.text.strip()


def pending(log: RunLog, given: Sequence[Given] = tuple(GIVEN)) -> list[Task]:
    """The answers still to make. A model without a thought is not asked to answer with none: it already has."""
    done = {(r["model"], r["problem_id"], r["index"], r["given"]) for r in log.rows("transplants")}
    return [task for task in _tasks(log.info(), log.samples()) if task.given in given and task.key not in done]


def _tasks(info: RunInfo, samples: Sequence[Sample]) -> Iterator[Task]:
    whole = {(s.model, s.problem_id, s.index): s for s in samples if not s.error}
    for role, side in sorted(info.sides.items()):
        partner = next((s.model for r, s in info.sides.items() if r != role), "")
        thinks = ThoughtFormat(**side.thought).kind != "none"
        for (model, problem_id, index), own in whole.items():
            if model != side.model:
                continue
            other = whole.get((partner, problem_id, index))
            if other is not None and reasoning(other):
                yield from (Task(role, given, own, other) for given in ("other", "half"))
            if thinks:
                yield Task(role, "none", own, None)
            yield Task(role, "more", own, None)


async def transplant_thoughts(
    log: RunLog,
    served: ServedRun,
    given: Sequence[Given] = tuple(GIVEN),
    *,
    progress: Tell = lambda done, total: None,
    pause: float = PAUSE_SECONDS,
) -> int:
    """Make, grade and append every missing answer; returns how many. The run must be claimed first.

    Each uses the seed and sampling of the sample it belongs to. Raises ConfigError for models other than those of the
    run; ServerError at the end if requests failed. What was made is kept.
    """
    info = log.info()
    check_served(info, served)
    tasks = pending(log, given)
    if not tasks:
        return 0
    asker, maker = Asker(served, info.sides, info.config.concurrency, pause), _Maker(log)
    with Grader(workers=1) as grader:
        await asker.all(maker.make(task, asker, grader, lambda count: progress(count, len(tasks))) for task in tasks)
    asker.check_complete(len(tasks) - maker.made, len(tasks), "answers")
    return maker.made


class _Maker:
    """Makes the answers and counts them."""

    def __init__(self, log: RunLog) -> None:
        self.made = 0
        self._log, self._info, self._facts = log, log.info(), facts_of(log)

    async def make(self, task: Task, asker: Asker, grader: Grader, tell: Callable[[int], None]) -> None:
        """Make, grade and append one, unless its server is down."""
        thought = ThoughtFormat(**self._info.sides[task.role].thought)
        resume = resume_of(task, thought)
        messages = [*self._info.history, Message("user", task.own.prompt)]
        sampling = sampling_of(self._info, task)
        reply = await asker.ask(task.role, lambda client: client.complete(messages, sampling, resume=resume))
        if reply is None:
            return
        # Without a thought, what was given is part of the answer.
        foreign = thought.kind == "none" and task.given != "more"
        text = reply.raw[len(resume.raw) :] if foreign else reply.answer
        item = GradeItem(text, *self._facts[task.own.problem_id], cut_off=reply.finish_reason in CUT_OFF)
        grade = (await asyncio.to_thread(lambda: list(grader.grade_many([item]))))[0]
        row = {**row_of(task, reply, text), "outcome": grade.outcome, "extracted": grade.extracted}
        self._log.append("transplants", [row])
        self.made += 1
        tell(self.made)


class Answered(NamedTuple):
    """A model's answer from a thought written for it."""

    reply: Reply
    added: str
    """What the model wrote itself."""
    outcome: str
    extracted: str


def problem_of(log: RunLog, problem_id: str) -> Problem:
    """Raises DataError for a problem that the run does not have."""
    for problem in log.problems():
        if problem.id == problem_id:
            return problem
    raise DataError(
        f"Run {log.folder.name} has no problem “{problem_id}”.", "Its file problems.jsonl lists the problems."
    )


async def answer_from(
    served: Served, log: RunLog, role: Role, problem_id: str, text: str, *, closed: bool = True
) -> Answered:
    """Let one model of a run answer one of its problems from this thought, e.g. one edited by hand.

    `closed`: the answer follows; otherwise the model goes on thinking. Nothing is written down. Raises DataError for
    a problem that the run does not have.
    """
    info = log.info()
    problem = problem_of(log, problem_id)
    config, messages = info.config, [*info.history, Message("user", info.prompt.format(question=problem.question))]
    seed = sample_seed(config.seed, problem_id, 0)
    sampling = Sampling(config.max_tokens, config.thinking_budget, config.temperature, config.top_p, seed)
    async with await client_of(served, role) as client:
        resume = transplant(text, client.thought, closed=closed)
        reply = await client.complete(messages, sampling, resume=resume)
        added, none = reply.raw[len(resume.raw) :], client.thought.kind == "none"
    if reply.finish_reason == "failed":
        raise ServerError(reply.error)
    with Grader(workers=1) as grader:
        own, cut_off = added if none else reply.answer, reply.finish_reason in CUT_OFF
        grade = grader.grade_one(own, *facts_of(log)[problem_id], cut_off=cut_off)
    return Answered(reply, added, grade.outcome, grade.extracted)


def resume_of(task: Task, thought: ThoughtFormat) -> Resume:
    """The point from which the model continues."""
    if task.given == "more":
        own = task.own
        return think_more(Reply(thought=own.thought, answer=own.answer, raw=own.text), thought)
    text = reasoning(task.other) if task.other else ""
    return transplant(first_half(text) if task.given == "half" else text, thought, closed=task.given != "half")


def sampling_of(info: RunInfo, task: Task) -> Sampling:
    """The run's sampling, with whatever the given text leaves of the token limit."""
    config = info.config
    limit = info.sides[task.role].max_tokens or config.max_tokens
    source = task.own if task.given == "more" else task.other
    used = source.output_tokens // (2 if task.given == "half" else 1) if source else 0
    left = max(limit - used, min(LEAST_TOKENS, limit))
    return Sampling(left, config.thinking_budget, config.temperature, config.top_p, task.own.seed)


def row_of(task: Task, reply: Reply, answer: str) -> dict[str, Any]:
    return {
        "model": task.own.model,
        "problem_id": task.own.problem_id,
        "index": task.own.index,
        "given": task.given,
        "source": task.other.model if task.other else task.own.model,
        "text": reply.raw,
        "answer": answer,
        "thought_tokens": reply.thought_tokens,
        "answer_tokens": reply.answer_tokens,
        "finish_reason": reply.finish_reason,
        "seed": task.own.seed,
    }

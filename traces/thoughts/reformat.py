"""Phase 1's data: a known solution rewritten by an LLM, step by step, in detail, with the answer in a box.

Problems of the generated families need no LLM: the search's own shortcut path is such a solution
(`traces.thoughts.journey`, `extra["shortcut"]`). `arena traces rows` makes the same kind of row of both.
"""

from common.errors import DataError
from eval.problems.prompts import maths_prompt
from eval.records import Problem
from models.chat.client import Message
from traces.keeping.keep import KeepRules, reject
from traces.keeping.trace import Trace
from traces.thoughts.service.client import ServiceClient
from traces.thoughts.service.gather import MakeAttempt

REFORMAT_PROMPT = """Here are a maths problem and its solution.

Problem:
{question}

Solution:
{solution}

Rewrite the solution so that a student can follow every step: one step a paragraph, each calculation written out, \
nothing skipped, longer than the original. Keep its method and its result. Do not mention that a solution was given. \
End with the final answer in \\boxed{{}}."""
RULES = KeepRules(needs_thought=False)


def reformat_attempt(client: ServiceClient, prompt: str = REFORMAT_PROMPT) -> MakeAttempt:
    """How `service.gather` gets one rewritten solution. The problem's `extra` holds the known "solution"."""

    async def attempt(problem: Problem, number: int, seed: int) -> Trace:
        sent = prompt.format(question=problem.question, solution=problem.extra["solution"])
        reply = await client.ask([Message("user", sent)], seed=seed)
        text = reply.text.strip()
        trace = Trace(
            problem=problem,
            prompt=maths_prompt(problem),
            raw=text,
            thought="",
            answer=text,
            method="teacher",
            model=client.endpoint.model,
            tokens=reply.output_tokens,
            seconds=round(reply.seconds, 3),
            cost=reply.cost,
            attempt=number,
            seed=seed,
            extra={"phase": 1, "sent": sent, "finish_reason": reply.finish_reason, "shortcut": text},
        )
        return reject(trace, "request", f"{reply.failure}, {reply.detail}") if reply.failure else trace

    return attempt


def with_solutions(problems: list[Problem]) -> list[Problem]:
    """The problems that have a solution. Raises DataError if none has."""
    solved = [problem for problem in problems if problem.extra.get("solution")]
    if not solved:
        raise DataError("None of these problems has a solution.", "Curate a source with a solution column.")
    return solved

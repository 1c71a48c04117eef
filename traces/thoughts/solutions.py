"""Plain solutions from any served model or service, asked as in a benchmark, several times per problem."""

from dataclasses import replace

from eval.grading.extraction import last_box
from eval.problems.prompts import maths_prompt
from eval.records import Problem
from models.chat.client import Message
from traces.keeping.keep import KeepRules
from traces.keeping.trace import Trace
from traces.thoughts.journey import closing
from traces.thoughts.service.client import ServiceClient
from traces.thoughts.service.gather import MakeAttempt
from traces.thoughts.teacher import trace_of

RULES = KeepRules(needs_thought=False)


def solution_attempt(client: ServiceClient) -> MakeAttempt:
    """How `traces.thoughts.service.gather` gets one solution. `extra` holds how it was drawn."""
    options = client.options
    drawn = {"temperature": options.temperature, "top_p": options.top_p, "max_tokens": options.max_tokens}

    async def attempt(problem: Problem, number: int, seed: int) -> Trace:
        prompt = maths_prompt(problem)
        reply = await client.ask([Message("user", prompt)], seed=seed)
        trace = trace_of(problem, reply, prompt, client.endpoint.model, number, seed)
        extra = {name: value for name, value in trace.extra.items() if name != "sent"}  # it is the prompt
        return replace(trace, method="solution", extra={**extra, **drawn})

    return attempt


def as_thought(trace: Trace) -> Trace:
    """The solution turned into a thought, followed by the bare answer; a trace with a thought stays unchanged."""
    if trace.thought:
        return trace
    extra = {name: value for name, value in trace.extra.items() if name not in ("phase", "shortcut")}
    return replace(trace, thought=trace.answer.strip(), answer=closing(last_box(trace.answer)), extra=extra)


def as_solution(trace: Trace) -> Trace:
    """The solution as a plain reply, for phases that train without thoughts."""
    return replace(trace, extra={**trace.extra, "phase": 1, "shortcut": trace.answer.strip()})

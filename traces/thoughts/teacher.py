"""Long thoughts from a teacher: any OpenAI-compatible service, asked for its thought and its answer.

The paper's teacher hides its thoughts and had to be carefully prompted to write them out; others return them in a
separate field. Both are supported: the field if there is one, otherwise `<think>` tags in the text.
"""

from typing import Any

from eval.problems.prompts import maths_prompt
from eval.records import Problem
from models.chat.client import Message
from models.chat.thought import split_text
from models.config.thought_format import ThoughtFormat
from traces.keeping.keep import reject
from traces.keeping.trace import Trace, compose
from traces.thoughts.service.client import ServiceClient, ServiceReply
from traces.thoughts.service.gather import MakeAttempt

TAGS = ThoughtFormat("tags")
TEACHER_PROMPT = """{prompt}

Think aloud before you answer, and write the whole of your thinking between <think> and </think>, as it comes to you: \
what the problem asks, what you plan to try, each step in detail, where you doubt a step and why, what you go back to \
and do differently, and how you check the result. Do not tidy it up afterwards. Then write a short solution that ends \
with the final answer in \\boxed{{}}."""


def trace_of(problem: Problem, reply: ServiceReply, sent: str, model: str, attempt: int, seed: int) -> Trace:
    """The trace of a reply, to be verified later; failed and cut-off requests are rejected right away."""
    if reply.reasoning:
        raw, thought, answer = compose(reply.reasoning, reply.text), reply.reasoning.strip(), reply.text.strip()
    else:
        split = split_text(TAGS, reply.text)
        raw, thought, answer = reply.text, split.thought, split.answer
    extra: dict[str, Any] = {"sent": sent, "finish_reason": reply.finish_reason, "tries": reply.tries}
    if reply.reasoning_field:
        extra["reasoning_field"] = reply.reasoning_field
    trace = Trace(
        problem=problem,
        prompt=maths_prompt(problem),
        raw=raw,
        thought=thought,
        answer=answer,
        method="teacher",
        model=model,
        tokens=reply.output_tokens,
        seconds=round(reply.seconds, 3),
        cost=reply.cost,
        attempt=attempt,
        seed=seed,
        extra=extra,
    )
    if reply.failure:
        return reject(trace, "request", f"{reply.failure}, {reply.detail}")
    return reject(trace, "cut_off") if reply.finish_reason == "length" else trace


def teacher_attempt(client: ServiceClient, prompt: str = TEACHER_PROMPT) -> MakeAttempt:
    """How `traces.thoughts.service.gather` gets one attempt from a teacher.

    `prompt` contains {prompt}, the user message of training; "{prompt}" alone suits a teacher that shows its thought.
    """

    async def attempt(problem: Problem, number: int, seed: int) -> Trace:
        sent = prompt.format(prompt=maths_prompt(problem))
        reply = await client.ask([Message("user", sent)], seed=seed)
        return trace_of(problem, reply, sent, client.endpoint.model, number, seed)

    return attempt

"""Kept long thoughts in a second language, by an LLM: the paper trains on English and Chinese pairs of the same data.

A translation is verified like any other trace: one that lost its box or its numbers is rejected.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from common.errors import DataError
from eval.problems.prompts import MATHS_PROMPT
from eval.records import Problem
from models.chat.client import Message
from traces.keeping.keep import KeepRules, chinese_share, reject
from traces.keeping.trace import Trace, compose
from traces.problems.references import is_referred
from traces.thoughts.service.client import ServiceClient
from traces.thoughts.service.gather import MakeAttempt

TRANSLATE_PROMPT = """Translate a maths problem and its solution into {language}. Translate all of it: doubts, wrong \
turns and corrections belong to the solution. Leave every number, formula and \\boxed{{}} as it is, and keep the line \
breaks.

{parts}

Reply with the same parts in the same tags, and with nothing else."""
PROMPTS = {"chinese": "{question}\n\n请逐步推理，并把最终答案写在 \\boxed{{}} 中。", "english": MATHS_PROMPT}
"""Language → the user message of training."""
RULES = KeepRules(needs_thought=False)
"""`trace_of` already requires a thought if the source has one; solutions of phase 1 have none."""
_PART = re.compile(r"<(question|thought|answer)>\s*(.*?)\s*</\1>", re.DOTALL)
_NUMBER = re.compile(r"\d+")


class Task(NamedTuple):
    """A trace to translate, as a problem with an id of its own for `traces.thoughts.service.gather`."""

    problem: Problem
    source: Trace


def tasks(traces: Iterable[Trace], language: str) -> list[Task]:
    """The kept traces that can be translated. Not those with masked lines, as translation would lose the masks, nor
    those on problems held by reference, as a translation would hold their text.

    Raises DataError if there is none.
    """
    chosen = [
        Task(replace(trace.problem, id=f"{trace.problem.id}@{language}/{trace.hash}"), trace)
        for trace in traces
        if trace.kept and not is_referred(trace.problem) and all(learn for _, learn in trace.extra.get("segments", ()))
    ]
    if not chosen:
        raise DataError(
            "There is no kept trace to translate.",
            "Give verified traces of a teacher, a debate or people, on problems that are not held by reference.",
        )
    return chosen


def tagged(source: Trace) -> str:
    """The parts of a trace in tags, as they are sent."""
    parts = {"question": source.problem.question, "thought": source.thought, "answer": source.answer}
    return "\n\n".join(f"<{name}>\n{text}\n</{name}>" for name, text in parts.items() if text)


def trace_of(source: Trace, problem: Problem, reply: str, language: str) -> Trace:
    """The translated trace; already rejected if a part is missing, in the wrong language, or has other numbers."""
    parts = dict(_PART.findall(reply))
    question, thought, answer = (parts.get(name, "") for name in ("question", "thought", "answer"))
    extra: dict[str, Any] = {"translated_from": source.hash, "sent": tagged(source)}
    if source.extra.get("phase") == 1:
        extra |= {"phase": 1, "shortcut": answer}
    trace = replace(
        source,
        problem=replace(problem, question=question or problem.question),
        prompt=PROMPTS[language].format(question=question),
        raw=compose(thought, answer) if thought else answer,
        thought=thought,
        answer=answer,
        kept=None,
        reason="",
        extra=extra,
    )
    if not question or not answer or bool(thought) != bool(source.thought):
        return reject(trace, "untranslated", "the reply does not hold every part in its tags")
    share = chinese_share(question)
    if share < 0.5 if language == "chinese" else share > 0.1:
        return reject(trace, "untranslated", f"the question is not in {language.capitalize()}")
    if sorted(_NUMBER.findall(question)) != sorted(_NUMBER.findall(source.problem.question)):
        return reject(trace, "untranslated", "the question has other numbers than the original")
    return trace


def translate_attempt(client: ServiceClient, sources: Mapping[str, Trace], language: str) -> MakeAttempt:
    """How `traces.thoughts.service.gather` gets one translation. `sources`: id of the task's problem → trace."""

    async def attempt(problem: Problem, number: int, seed: int) -> Trace:
        source = sources[problem.id]
        sent = TRANSLATE_PROMPT.format(language=language.capitalize(), parts=tagged(source))
        reply = await client.ask([Message("user", sent)], seed=seed)
        trace = replace(
            trace_of(source, problem, reply.text, language),
            model=f"{source.model}, translated by {client.endpoint.model}",
            tokens=reply.output_tokens,
            seconds=round(reply.seconds, 3),
            cost=reply.cost,
            attempt=number,
            seed=seed,
        )
        if reply.failure:
            return reject(trace, "request", f"{reply.failure}, {reply.detail}")
        return reject(trace, "cut_off") if reply.finish_reason == "length" else trace

    return attempt

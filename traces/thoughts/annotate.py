"""Long thoughts by people: a draft that is edited step by step, and the trace it becomes.

Each edit returns a new draft. Steps are counted from 1, as people count.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from common.errors import ArenaError
from eval.grading.extraction import last_box
from eval.problems.prompts import maths_prompt
from eval.records import Problem
from traces.keeping.anatomy import segments
from traces.keeping.trace import Trace, compose


class DraftError(ArenaError):
    """An edit is impossible, or a draft is not yet complete enough to be a trace."""


@dataclass(frozen=True)
class Step:
    """One step of the thought. A wrong step stays in it, with the reason it was abandoned."""

    text: str
    wrong: str = ""
    """Why the step is wrong, in a sentence; empty for a step that is right."""


@dataclass(frozen=True)
class Draft:
    """A thought being written."""

    problem: Problem
    steps: tuple[Step, ...] = ()
    answer: str = ""
    """The final answer alone, e.g. "42", or a solution that ends in a box."""


def add(draft: Draft, text: str, after: int | None = None) -> Draft:
    """A new step after step `after` (0: in front), by default at the end."""
    place = len(draft.steps) if after is None else after
    if not 0 <= place <= len(draft.steps):
        raise DraftError(f"There is no step {place}.", f"Choose a step from 1 to {len(draft.steps)}.")
    step = Step(_written(text))
    return replace(draft, steps=(*draft.steps[:place], step, *draft.steps[place:]))


def edit(draft: Draft, number: int, text: str) -> Draft:
    """The draft with a new text for step `number`."""
    step = replace(_step(draft, number), text=_written(text))
    return _with(draft, number, (step,))


def move(draft: Draft, number: int, to: int) -> Draft:
    """The draft with step `number` moved so that it becomes step `to`."""
    step = _step(draft, number)
    _step(draft, to)
    rest = [other for place, other in enumerate(draft.steps, start=1) if place != number]
    return replace(draft, steps=(*rest[: to - 1], step, *rest[to - 1 :]))


def delete(draft: Draft, number: int) -> Draft:
    """The draft without step `number`."""
    _step(draft, number)
    return _with(draft, number, ())


def mark_wrong(draft: Draft, number: int, reason: str) -> Draft:
    """The draft with step `number` marked as wrong; the step stays in the thought, with the reason."""
    if not reason.strip():
        raise DraftError("A wrong step needs a reason.", "Write in a sentence what is wrong with it.")
    return _with(draft, number, (replace(_step(draft, number), wrong=reason.strip()),))


def mark_right(draft: Draft, number: int) -> Draft:
    """The draft with step `number` no longer marked as wrong."""
    return _with(draft, number, (replace(_step(draft, number), wrong=""),))


def thought_of(steps: Sequence[Step]) -> str:
    """The steps as one thought, a paragraph each; a wrong step is followed by a sentence that says why it was wrong."""
    parts: list[str] = []
    for step in steps:
        parts.append(step.text.strip())
        if step.wrong:
            parts.append(f"Wait, that is wrong: {step.wrong.rstrip('.')}. Go back.")
    return "\n".join(parts)


def draft_of(trace: Trace) -> Draft:
    """A draft that continues an existing trace: a human one as it was saved, any other split into its segments."""
    saved = trace.extra.get("steps")
    if trace.method == "people" and isinstance(saved, list):
        steps = tuple(Step(str(row["text"]), str(row.get("wrong", ""))) for row in saved)
    else:
        steps = tuple(Step(part.text.strip()) for part in segments(trace.thought) if part.text.strip())
    return Draft(trace.problem, steps, trace.answer)


def trace_of(draft: Draft, annotator: str, seconds: float, attempt: int = 1) -> Trace:
    """The trace, not yet verified. Raises DraftError naming what is still missing.

    `seconds` is the time the person worked on it; `extra` holds the annotator and the steps.
    """
    name = annotator.strip()
    if not name:
        raise DraftError("The annotator is missing.", "Write your name or a pseudonym.")
    if not any(not step.wrong for step in draft.steps):
        raise DraftError("The thought has no step that is right.", "Write at least one.")
    if not draft.answer.strip():
        raise DraftError("The final answer is missing.", "Write it in the answer field.")
    answer = draft.answer.strip()
    if not last_box(answer):
        answer = f"The answer is $\\boxed{{{answer.strip('$')}}}$."
    thought = thought_of(draft.steps)
    return Trace(
        problem=draft.problem,
        prompt=maths_prompt(draft.problem),
        raw=compose(thought, answer),
        thought=thought,
        answer=answer,
        method="people",
        model=name,
        seconds=round(seconds, 1),
        attempt=attempt,
        extra={"annotator": name, "steps": [{"text": step.text, "wrong": step.wrong} for step in draft.steps]},
    )


def _step(draft: Draft, number: int) -> Step:
    if not 1 <= number <= len(draft.steps):
        many = f"Choose a step from 1 to {len(draft.steps)}." if draft.steps else "Write a first step."
        raise DraftError(f"There is no step {number}.", many)
    return draft.steps[number - 1]


def _with(draft: Draft, number: int, steps: tuple[Step, ...]) -> Draft:
    _step(draft, number)
    return replace(draft, steps=(*draft.steps[: number - 1], *steps, *draft.steps[number:]))


def _written(text: str) -> str:
    if not text.strip():
        raise DraftError("The step is empty.", "Write what you think in this step.")
    return text.strip()

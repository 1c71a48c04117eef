"""Ways to continue a reply that stopped or was cut off. A client's `resume` takes them."""

from dataclasses import dataclass, replace
from typing import Literal

from models.chat.events import Reply
from models.chat.separated import written
from models.chat.thought import close_thought_text, reopen_thought, split_text
from models.config.thought_format import ThoughtFormat

Intervention = Literal["answer_now", "think_more", "continue", "transplant"]
Wish = Intervention | Literal["think_on"]
"""What the user asks for. `think_on`: transplant a thought and let the model continue it before answering."""


@dataclass(frozen=True)
class Resume:
    """Continue generating after `raw`. Tokens and seconds already counted in `reply` are added to."""

    reply: Reply
    """What is kept of the earlier reply."""
    raw: str
    """The text that the model continues as if it had written it."""
    forced: Intervention


def answer_now(reply: Reply, thought: ThoughtFormat) -> Resume:
    """Close an unfinished thought and let the model answer from what it has thought so far. If the thought is already
    closed, the answer continues."""
    marks = written(thought, reply)
    closing = close_thought_text(marks.format, reply.raw, marks.literal)
    return Resume(reply, reply.raw + closing, "answer_now")


def think_more(reply: Reply, thought: ThoughtFormat) -> Resume:
    """Drop the answer, reopen the thought, append "Wait" and let the thought continue (budget forcing, as in s1).

    The tokens of the dropped answer no longer count. Format `none` has no thought, so the answer itself continues.
    """
    marks = written(thought, reply)
    raw = reopen_thought(marks.format, reply.raw, "Wait", marks.literal)
    if marks.format.kind == "none":
        return Resume(reply, raw, "think_more")
    without_answer = replace(reply, answer="", answer_tokens=0)
    return Resume(without_answer, raw, "think_more")


def continue_cut(reply: Reply) -> Resume:
    """Continue where the token limit or a person cut the reply off."""
    return Resume(reply, reply.raw, "continue")


def transplant(text: str, thought: ThoughtFormat, *, closed: bool = True) -> Resume:
    """Give a model this text as if it had thought it, e.g. another model's thought or one edited by hand.

    `closed`: the thought ends there and the answer follows; otherwise the model goes on thinking. Format `none` has no
    thought, so the text begins the answer. Tokens of the text are not counted as the model's own.
    """
    if thought.kind == "tags":
        text = text.replace(thought.close, "")  # it would end the thought
    opening = f"{thought.open}\n" if thought.kind == "tags" and not thought.prefilled else ""
    raw = f"{opening}{text}" if text or not closed else ""
    if closed:
        raw += "\n\n" if thought.kind == "none" and raw else close_thought_text(thought, raw)
    return Resume(Reply(), raw, "transplant")


def cut_thought(reply: Reply, thought: ThoughtFormat, raw: str, tokens: int) -> Reply:
    """The reply as it stood when `raw`, its first `tokens` tokens, had been generated."""
    marks = written(thought, reply)
    split = split_text(marks.format, raw, ended=False, literal=marks.literal)
    return replace(
        reply,
        raw=raw,
        thought=split.thought,
        answer=split.answer,
        thought_tokens=tokens,
        answer_tokens=0,
        finish_reason="length",
    )


def resume_for(wish: Wish, reply: Reply, thought: ThoughtFormat) -> Resume:
    """The continuation the user asked for. A transplant takes the reply's thought or, without one, its answer."""
    if wish == "continue":
        return continue_cut(reply)
    if wish in ("transplant", "think_on"):
        return transplant(reply.thought or reply.answer, thought, closed=wish == "transplant")
    return (answer_now if wish == "answer_now" else think_more)(reply, thought)

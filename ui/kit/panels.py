"""How a reply looks: pure functions from replies to chat messages with a collapsible thought."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

from models.chat.events import Reply
from ui.kit.typeset import Typeset, typeset

Message = dict[str, Any]
"""A gradio chat message: role, content and, for a thought, metadata."""

ThoughtView = Literal["folded", "unfolded", "hidden"]
"""How a finished thought is shown. One that is still running is always open, unless it is hidden."""


def ours(text: str) -> str:
    """A remark in a reply by the page, not the model; ui/language.js recognises it by its class."""
    return f'<em class="ours">{text}</em>'


ENDINGS: Mapping[str, str] = {
    "length": ours("Cut off at the token limit."),
    "repetition": ours("Ended, as it repeated itself."),
    "stopped": ours("Stopped."),
    "blocked": ours("Blocked by the guard model."),
}
UNANSWERED = ours("The thought ended without an answer.")
UNFINISHED: Mapping[str, str] = {
    "length": ours("The thought used up the token limit before an answer."),
    "repetition": ours("The thought repeated itself and was ended before an answer."),
}
EMPTY = ours("An empty reply.")


def count_tokens(number: int) -> str:
    return f"{number:,} token{'' if number == 1 else 's'}"


def thought_title(reply: Reply, running: bool) -> str:
    """E.g. `Thought for 12 s · 240 tokens`; `Thinking …` while it runs, to which the page's script adds the seconds."""
    if running:
        return "Thinking …"
    # A reply that came whole has no times inside.
    took = f"Thought for {in_seconds(reply.thought_seconds)}" if reply.thought_seconds else "Thought"
    return " · ".join([took, count_tokens(reply.thought_tokens)] if reply.thought_tokens else [took])


def in_seconds(seconds: float) -> str:
    """E.g. `5.4 s`, `12 s`; never minutes, as the page's script counts while a thought runs."""
    return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"


def answer_text(reply: Reply) -> str:
    """The answer as Markdown, followed by the reason it ended if the model did not end it by itself."""
    ending = ours(typeset(reply.error)) if reply.finish_reason == "failed" else ENDINGS.get(reply.finish_reason, "")
    return "\n\n".join(part for part in (typeset(reply.answer), ending) if part)


def reply_messages(reply: Reply, *, running: bool, thought: ThoughtView = "folded") -> list[Message]:
    """The assistant's messages for one reply: the thought, if there is one and it may be seen, then the answer."""
    messages: list[Message] = []
    thinking = running and not reply.answer
    if reply.thought and thought != "hidden":
        metadata = {"title": thought_title(reply, thinking)}
        if thinking or thought == "folded":  # gradio folds what is done, and opens what has no status
            metadata["status"] = "pending" if thinking else "done"
        messages.append(
            {"role": "assistant", "content": typeset(reply.thought, growing=thinking), "metadata": metadata}
        )
    if running:
        answer = typeset(reply.answer, growing=True) or ("" if messages else "…")
    else:  # nothing may hint at a hidden thought
        in_thought = UNFINISHED.get(reply.finish_reason) if messages and not reply.answer.strip() else None
        answer = in_thought or answer_text(reply) or (UNANSWERED if messages else EMPTY)
    return [*messages, {"role": "assistant", "content": answer}] if answer else messages


def turn_messages(
    question: str, reply: Reply | None, *, running: bool, thought: ThoughtView = "folded"
) -> list[Message]:
    """One turn of a conversation: the question and, once something has arrived, the reply."""
    user: Message = {"role": "user", "content": _asked(question)}
    return [user] if reply is None else [user, *reply_messages(reply, running=running, thought=thought)]


@lru_cache(maxsize=512)
def _asked(question: str) -> Typeset:
    """A question stays as it is while its reply grows."""
    return typeset(question)


def waiting_message(sentence: str) -> Message:
    """A line in place of a reply, saying what is being waited for."""
    return {"role": "assistant", "content": ours(sentence)}

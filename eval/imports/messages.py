"""What the logs of other harnesses have in common: chat messages, gold answers, task names and unusable rows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from eval.grading.extraction import last_box
from eval.imports.outputs import Output, OutputRow
from eval.problems.benchmark import gold_text

MARK = "####"
"""Separates solution and answer in the golds of GSM8K."""


class RowFault(Exception):
    """Why a row of a log cannot be used, worded as the end of a sentence: “has no text of the model”."""


class LogRows(NamedTuple):
    """A log that was read."""

    harness: str
    """Which harness wrote it, e.g. `inspect_ai`; empty for a plain file."""
    rows: list[OutputRow]
    faults: list[str]
    """For each unusable row, where it is and why it cannot be used."""


class Spoken(NamedTuple):
    """A model's message, with thought and answer kept separate if the log separates them."""

    thought: str | None
    """None if the log does not separate thought and answer; the answer may then contain tags."""
    answer: str

    @property
    def raw(self) -> str:
        """As one text, with the thought between tags."""
        return self.answer if self.thought is None else f"<think>\n{self.thought}\n</think>\n\n{self.answer}"


def spoken(message: Any) -> Spoken:
    """A message of a chat: `content` is text, or a list of parts of which some are reasoning.

    Raises RowFault if there is no text.
    """
    if isinstance(message, str):
        return Spoken(None, message)
    if not isinstance(message, Mapping) or not isinstance(message.get("content"), str | list | None):
        raise RowFault("has no message of the model")
    content = message.get("content")
    thoughts = [text for key in ("reasoning_content", "reasoning") if (text := _text(message.get(key)))][:1]
    answers = [content] if isinstance(content, str) else []
    for part in content if isinstance(content, list) else []:
        kind = part.get("type") if isinstance(part, Mapping) else "text"
        if kind == "reasoning":
            hidden = bool(part.get("redacted"))
            thoughts.append(_text(part.get("summary" if hidden else "reasoning")) or _text(part.get("summary")))
        elif kind == "text":
            answers.append(_text(part.get("text") if isinstance(part, Mapping) else part))
    return Spoken("\n\n".join(filter(None, thoughts)) if thoughts else None, "\n".join(answers).strip())


def asked(messages: Any) -> str:
    """The user's last question: the text itself, or the last user message of a chat; otherwise empty."""
    if isinstance(messages, str):
        return messages.strip()
    for message in reversed(messages if isinstance(messages, Sequence) else ()):
        if isinstance(message, Mapping) and message.get("role") == "user":
            try:
                return spoken(message).answer
            except RowFault:
                return ""
    return ""


def gold_of(value: Any) -> str:
    """The bare gold answer: for a worked solution, what follows #### or is in its last box. Empty if unknown."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        different = list(dict.fromkeys(map(gold_of, value)))
        return different[0] if len(different) == 1 else ""
    if value is None or isinstance(value, Mapping):
        return ""
    text = gold_text(value)
    if MARK in text:
        return text.rpartition(MARK)[2].strip().replace(",", "")
    return last_box(text) or text


def task_of(name: Any) -> str:
    """A task's name without its owner and variant: `inspect_evals/gsm8k`, `lighteval|gsm8k|5` → `gsm8k`."""
    parts = str(name or "").split("|")
    return (parts[1] if len(parts) > 1 else parts[0]).rpartition("/")[2] or "imported"


def output(message: Spoken, finish: Any, facts: Mapping[str, Any], right: bool | None = None) -> Output:
    """One output; `facts` and `right` as `eval.imports.outputs.Output` has them."""
    reason = str(finish or "").lower()
    parts = None if message.thought is None else (message.thought, message.answer)
    return Output(message.raw, None, "length" if reason == "model_length" else reason, facts, parts, right)


def verdict_of(scores: Any) -> bool | None:
    """A log's own verdict, from the first score if there are several. None unless it is a plain yes or no."""
    if isinstance(scores, Mapping):
        return verdict_of(next(iter(scores.values()), None))
    if isinstance(scores, int | float | str):
        return {1.0: True, 0.0: False, "C": True, "I": False}.get(scores)
    return None


def tokens_of(usage: Any) -> dict[str, int]:
    """Counts of a model's usage as facts of an output."""
    if not isinstance(usage, Mapping):
        return {}
    total = next((usage[k] for k in ("output_tokens", "completion_tokens") if isinstance(usage.get(k), int)), 0)
    thinking = usage.get("reasoning_tokens")
    if isinstance(thinking, int) and 0 < thinking <= total:
        return {"thought_tokens": thinking, "answer_tokens": total - thinking}
    return {"output_tokens": total} if total else {}


def as_text(value: Any) -> str:
    """Text unchanged; anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

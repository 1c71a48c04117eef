"""The one vocabulary of a streamed reply: what a model does, as plain values."""

from dataclasses import dataclass, field
from typing import Literal

from common.errors import Refusal

FinishReason = Literal["stop", "length", "stopped", "failed"]
"""`stop`: the model ended its reply; `length`: its token limit did; `stopped`: a person did; `failed`: an error did."""


@dataclass(frozen=True)
class Reply:
    """A reply as it stands, whole or cut: the concatenation of every event before it."""

    thought: str = ""
    answer: str = ""
    raw: str = ""
    """The model's text exactly as it was generated, tags included; what a continuation is appended to."""
    finish_reason: FinishReason = "stop"
    error: str = ""
    """Why the reply failed, in words for a person; empty unless `finish_reason` is `failed`."""
    refusal: Refusal = ""
    """Why asking again cannot help; empty for a fault that may pass, and for a reply that did not fail."""
    prompt_tokens: int = 0
    thought_tokens: int = 0
    answer_tokens: int = 0
    first_token_seconds: float = 0.0
    thought_seconds: float = 0.0
    seconds: float = 0.0
    forced: tuple[str, ...] = field(default=())
    """Interventions in order: `budget` (thought closed at its budget), `answer_now`, `think_more`, `continue`."""

    @property
    def final(self) -> bool:
        """Whether the same request would fail again."""
        return self.refusal != ""

    @property
    def output_tokens(self) -> int:
        return self.thought_tokens + self.answer_tokens

    @property
    def cut_off(self) -> bool:
        return self.finish_reason == "length"


@dataclass(frozen=True)
class Thinking:
    """More text of the thought."""

    text: str


@dataclass(frozen=True)
class Answering:
    """More text of the answer."""

    text: str


@dataclass(frozen=True)
class Finished:
    """The reply ended by itself, at its token limit, or because a person stopped it."""

    reply: Reply


@dataclass(frozen=True)
class Failed:
    """The reply could not go on; `reply.error` says why, and what had arrived is kept."""

    reply: Reply


Event = Thinking | Answering | Finished | Failed

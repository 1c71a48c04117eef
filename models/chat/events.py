"""The events of a reply in progress, as plain values."""

from dataclasses import dataclass, field
from typing import Literal

from common.errors import Refusal

FinishReason = Literal["stop", "length", "repetition", "stopped", "failed", "blocked"]
"""What ended the reply. `stop`: the model; `length`: its token limit; `repetition`: its server, as it repeated itself;
`stopped`: a person; `failed`: an error; `blocked`: the guard model, which also took its text."""


@dataclass(frozen=True)
class Reply:
    """A reply so far, complete or cut off: all events before it, put together."""

    thought: str = ""
    answer: str = ""
    raw: str = ""
    """The model's text exactly as generated, tags included. A continuation is appended to it."""
    finish_reason: FinishReason = "stop"
    error: str = ""
    """Why the reply failed, as shown to a person; empty unless `finish_reason` is `failed`."""
    refusal: Refusal = ""
    """Why retrying cannot help; empty for a temporary fault and for a reply that did not fail."""
    prompt_tokens: int = 0
    thought_tokens: int = 0
    answer_tokens: int = 0
    first_token_seconds: float = 0.0
    thought_seconds: float = 0.0
    seconds: float = 0.0
    forced: tuple[str, ...] = field(default=())
    """Interventions in order: `budget` (thought closed at its budget), `answer_now`, `think_more`, `continue`,
    `transplant` (given another thought)."""

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
    """The reply ended: by itself, at its token limit, or because a person stopped it."""

    reply: Reply


@dataclass(frozen=True)
class Failed:
    """The reply failed; `reply.error` says why. What had arrived is kept."""

    reply: Reply


Event = Thinking | Answering | Finished | Failed

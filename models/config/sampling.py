"""How tokens are drawn, as data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. The same for both sides of a battle unless a person changes it."""

    max_tokens: int = 1024
    """Limit on all output tokens of the reply, thought and answer together."""
    thinking_budget: int | None = None
    """Limit on the thought's tokens; when it is reached the thought is closed and the model must answer."""
    temperature: float = 0.0
    """0 is greedy decoding."""
    top_p: float = 1.0
    seed: int | None = None

"""Sampling parameters."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """Sampling parameters of a reply. The same for both sides of a battle unless the user changes them."""

    max_tokens: int = 1024
    """Limit on all output tokens of the reply, thought and answer together."""
    thinking_budget: int | None = None
    """Limit on the thought's tokens; once it is reached, the thought is closed and the model must answer."""
    temperature: float = 0.0
    """0 is greedy decoding."""
    top_p: float = 1.0
    seed: int | None = None

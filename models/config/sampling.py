"""Sampling parameters. Their limits are checked where they are read from a file, not where they are made."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, PositiveInt


@dataclass(frozen=True)
class Sampling:
    """Sampling parameters of a reply. The same for both sides of a battle unless the user changes them."""

    max_tokens: PositiveInt = 1024
    """Limit on all output tokens of the reply, thought and answer together."""
    thinking_budget: PositiveInt | None = None
    """Limit on the thought's tokens; once it is reached, the thought is closed and the model must answer."""
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """0 is greedy decoding."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: int | None = None

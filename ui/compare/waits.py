"""How long an answer usually takes on this installation, from the battles it has had."""

import statistics
import time
from typing import NamedTuple

from votes.store import Store

FEWEST = 5
"""Fewest battles from which anything is reported."""
MOST = 200
"""Number of latest battles that count."""
SECONDS_KEPT = 300.0


class Usual(NamedTuple):
    """First and third quartile of the latest turns' durations in seconds: half of the turns ended in between."""

    low: float
    high: float


class Waits:
    """Waiting times, read from the store now and then; thread-safe."""

    def __init__(self, store: Store, pair: str) -> None:
        self._store = store
        self._pair = pair
        self._read_at = float("-inf")
        self.usual: Usual | None = None
        """None before there have been enough battles."""

    @property
    def are_old(self) -> bool:
        """Whether the latest battles were last read more than a few minutes ago."""
        return time.monotonic() - self._read_at > SECONDS_KEPT

    def refresh(self) -> None:
        """Read the latest battles, unless that was done a few minutes ago."""
        if self.are_old:
            self._read_at = time.monotonic()
            self.usual = usual(self._store.waits(self._pair, MOST))


def usual(seconds: list[float]) -> Usual | None:
    if len(seconds) < FEWEST:
        return None
    low, _, high = statistics.quantiles(seconds, n=4)
    return Usual(low, high)


def usual_sentence(usual: Usual | None) -> str:
    """E.g. `usually 20–40 s here`; empty where that is not known."""
    if usual is None:
        return ""
    low, high = max(1, round(usual.low)), max(1, round(usual.high))
    return f"usually {low}–{high} s here" if high > low else f"usually about {high} s here"

"""Limits on texts (too long, or not text) and on request rates. All times in seconds."""

import threading
import unicodedata
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from votes.errors import TextRefused, TooOften

Action = Literal["battle", "turn", "vote", "key"]
_WHAT: dict[Action, str] = {
    "battle": "battles",
    "turn": "questions",
    "vote": "votes",
    "key": "wrong keys",
}


class Rate(NamedTuple):
    """How often something may happen within `seconds`."""

    per_visitor: int
    in_total: int
    seconds: float = 60.0


RATES: dict[Action, Rate] = {
    "battle": Rate(per_visitor=20, in_total=600),
    "turn": Rate(per_visitor=30, in_total=900),
    "vote": Rate(per_visitor=40, in_total=1200),
}
"""A visitor is an address, which a whole classroom may share. Even so, it takes thirty of them to exhaust a total."""


@dataclass(frozen=True)
class Limits:
    """Everything the desk bounds."""

    prompt_characters: int = 8000
    comment_characters: int = 2000
    thought_characters: int = 20_000
    """Length of a thought that the user has written or edited."""
    turns: int = 12
    """Turns of one battle."""
    running: int = 100
    """Concurrent turns of one visitor: a quarter of all, so that no one visitor blocks the others."""
    battles: int = 2000
    """Battles kept in memory at once."""
    expire_seconds: float = 2 * 3600
    """After this long without a step, a battle is closed."""
    idle_seconds: float = 300.0
    """After this long without a step, a battle whose answers are stored leaves memory; its next step reads it again."""
    undo_seconds: float = 60.0
    gesture_seconds: float = 1.0
    """Votes closer together than this are one gesture (a held key, a double click) and count once."""
    rates: Mapping[Action, Rate] = field(default_factory=lambda: dict(RATES))


class RateLimiter:
    """Sliding windows, per visitor and in total. Memory is bounded by the totals, however many visitors come."""

    def __init__(self, rates: Mapping[Action, Rate], clock: Callable[[], float]) -> None:
        self._rates = rates
        self._clock = clock
        self._lock = threading.Lock()
        self._taken: dict[Action, deque[tuple[float, str]]] = {action: deque() for action in rates}

    def take(self, action: Action, visitor: str) -> None:
        """Count one `action` of this visitor. TooOften, with nothing counted, if that exceeds the rate."""
        with self._lock:
            self._check(action, visitor).append((self._clock(), visitor))

    def check(self, action: Action, visitor: str) -> None:
        """Raise TooOften if one more would exceed the rate. Nothing is counted."""
        with self._lock:
            self._check(action, visitor)

    def _check(self, action: Action, visitor: str) -> deque[tuple[float, str]]:
        """The actions counted within the window."""
        rate, now, taken = self._rates[action], self._clock(), self._taken[action]
        while taken and taken[0][0] <= now - rate.seconds:
            taken.popleft()
        own = [at for at, who in taken if who == visitor]
        if len(own) >= rate.per_visitor:
            message = f"Too many {_WHAT[action]} from you (at most {rate.per_visitor} in {rate.seconds:.0f} s)."
            raise TooOften(message, own[0] + rate.seconds - now)
        if len(taken) >= rate.in_total:
            raise TooOften(f"Too many {_WHAT[action]} from all visitors together.", taken[0][0] + rate.seconds - now)
        return taken


def clean_text(text: object, limit: int, what: str) -> str:
    """`text` without surrounding space and with plain line ends. TextRefused says why it is not accepted."""
    if not isinstance(text, str):
        raise TextRefused(f"The {what} is not text.", "Send plain text.")
    if len(text) > limit:
        raise TextRefused(f"The {what} is too long: {len(text)} characters, at most {limit}.", "Please shorten it.")
    clean = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    odd = next((c for c in clean if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cs")), None)
    if odd is not None:
        message = f"The {what} contains a control character (U+{ord(odd):04X}), which plain text does not."
        raise TextRefused(message, "Paste it as plain text.")
    return clean


def clean_prompt(text: object, limits: Limits) -> str:
    """A question as it is asked. TextRefused if it is empty, too long or not plain text."""
    return _filled(clean_text(text, limits.prompt_characters, "question"), "question")


def clean_thought(text: object, limits: Limits) -> str:
    """A thought that a person has written for a model. TextRefused as for a question."""
    return _filled(clean_text(text, limits.thought_characters, "thought"), "thought")


def _filled(text: str, what: str) -> str:
    if not text:
        raise TextRefused(f"The {what} is empty.", "Type one first.")
    return text

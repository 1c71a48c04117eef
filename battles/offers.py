"""Remembers the questions that the page has offered, so that a battle can record how its question was chosen."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

MOST = 2000
"""How many offers are remembered; the oldest are dropped first."""
RECORDED = "prompt"
"""The key in a battle's recorded sampling that holds how its question was drawn."""


class Offers:
    """By visitor and question. Safe from any thread."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._drawn: OrderedDict[tuple[str, str], Mapping[str, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, visitor: str, question: str, drawn: Mapping[str, Any]) -> None:
        """Remember how the question was drawn for this visitor, as JSON values."""
        with self._lock:
            self._drawn[visitor, question.strip()] = dict(drawn)
            while len(self._drawn) > self._most:
                self._drawn.popitem(last=False)

    def recorded(self, visitor: str, question: str) -> dict[str, Any]:
        """What a battle that begins with this question records of it; empty if it was not offered."""
        with self._lock:
            drawn = self._drawn.get((visitor, question.strip()))
        return {RECORDED: drawn} if drawn else {}

"""What a family of generated problems is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

Params = Mapping[str, int]
"""The numbers that make one problem of a family; two problems with the same numbers are the same problem."""

LEVELS = 5


@dataclass(frozen=True)
class Family:
    """Problems of one kind with one checkable whole-number answer."""

    name: str
    draw: Callable[[Random, int], dict[str, int]]
    """(random source, size) → numbers. Sizes 1–5 are the levels; 6–10 are the same levels with larger numbers."""
    solve: Callable[[Params], int]
    wordings: Callable[[Params], list[str]]
    """Every way to ask for it, words and LaTeX; any of them is a whole question."""
    largest: int
    """No number of a problem of sizes 1–5 is larger; a larger one marks the problem as out of the trained range."""

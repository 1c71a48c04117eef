"""Whether two answers are equal, and how the equality of their parts adds up."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Equality(NamedTuple):
    """Whether two answers are the same; None if that could not be decided."""

    same: bool | None
    note: str


Symbolic = Callable[[str, str], Equality]
"""(answer, gold) → equality, for two single expressions in LaTeX."""


def all_same(verdicts: Iterable[Equality], note: str) -> Equality:
    """The verdict on all parts together: wrong if any part is, else undecided if any is. Stops at the first that
    decides."""
    undecided = None
    for verdict in verdicts:
        if verdict.same is False:
            return Equality(False, note)
        if verdict.same is None:
            undecided = verdict
    return undecided or Equality(True, note)


def matched(ours: Sequence[T], theirs: Sequence[T], same: Callable[[T, T], Equality], note: str) -> Equality:
    """Pairs each of `theirs` with a different one of `ours`; greedy, since equality is transitive."""
    if len(ours) != len(theirs):
        return Equality(False, note)
    left = list(ours)
    for wanted in theirs:
        undecided = None
        for candidate in left:
            verdict = same(candidate, wanted)
            if verdict.same:
                left.remove(candidate)
                break
            if verdict.same is None:
                undecided = verdict
        else:
            return undecided or Equality(False, note)
    return Equality(True, note)


def distinct(parts: Sequence[str], same: Callable[[str, str], Equality]) -> list[str]:
    """The parts, minus those that equal an earlier one."""
    different: list[str] = []
    for part in parts:
        if not any(same(part, other).same for other in different):
            different.append(part)
    return different

"""The verdict on two answers, and how the verdicts on their parts add up."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


class Verdict(NamedTuple):
    """Whether two answers are the same; None when that could not be told."""

    same: bool | None
    note: str


Symbolic = Callable[[str, str], Verdict]
"""(answer, gold) → verdict, for two single expressions in LaTeX."""


def all_same(verdicts: Iterable[Verdict], note: str) -> Verdict:
    """One verdict on all parts: a wrong part decides, then one that could not be told. Looks no further than needed."""
    undecided = None
    for verdict in verdicts:
        if verdict.same is False:
            return Verdict(False, note)
        if verdict.same is None:
            undecided = verdict
    return undecided or Verdict(True, note)


def matched(ours: Sequence[T], theirs: Sequence[T], same: Callable[[T, T], Verdict], note: str) -> Verdict:
    """Each of `theirs` paired with its own one of `ours`; greedy, since being equal is transitive."""
    if len(ours) != len(theirs):
        return Verdict(False, note)
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
            return undecided or Verdict(False, note)
    return Verdict(True, note)


def distinct(parts: Sequence[str], same: Callable[[str, str], Verdict]) -> list[str]:
    """The parts without those that equal an earlier one."""
    kept: list[str] = []
    for part in parts:
        if not any(same(part, other).same for other in kept):
            kept.append(part)
    return kept

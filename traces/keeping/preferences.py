"""Pairs for preference training: a right and a wrong solution to the same problem, of similar length. Pure.

The lengths must be similar so that length itself is not what is learned. Programs are in no pair, as in no row.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import NamedTuple, TypeVar

from traces.keeping.keep import reason_code
from traces.keeping.roads import is_program
from traces.keeping.trace import Trace

T = TypeVar("T")
MOST_RATIO = 1.5
"""Largest ratio of the longer length to the shorter."""


class Preference(NamedTuple):
    """Two solutions of one problem."""

    chosen: Trace
    """Right by both checks."""
    rejected: Trace
    """Right by neither check and wrong by one, and with an answer, so not merely cut off."""


def preferences(traces: Iterable[Trace], most: int = 2, ratio: float = MOST_RATIO) -> list[Preference]:
    """At most `most` pairs per problem, the closest in length first; no solution is used twice, nor another one of the
    same text."""
    right: defaultdict[str, list[Trace]] = defaultdict(list)
    wrong: defaultdict[str, list[Trace]] = defaultdict(list)
    for trace in traces:
        if is_program(trace):
            continue
        if trace.kept:
            right[trace.problem.id].append(trace)
        elif trace.kept is False and reason_code(trace) == "wrong_answer":
            wrong[trace.problem.id].append(trace)
    return [
        Preference(*pair)
        for problem, solutions in right.items()
        for pair in alike(solutions, wrong[problem], lambda trace: (len(trace.raw), trace.raw), most, ratio)
    ]


def alike(
    right: Sequence[T], wrong: Sequence[T], length: Callable[[T], tuple[int, str]], most: int, ratio: float
) -> list[tuple[T, T]]:
    """At most `most` pairs of a right and a wrong item, the closest in length first; no item is used twice.

    `length` gives the length and a key that identifies the item. Pairs beyond `ratio` are left out.
    """

    def unlikeness(pair: tuple[T, T]) -> tuple[float, str, str]:
        (a, first), (b, second) = map(length, pair)
        return max(a, b) / max(min(a, b), 1), first, second

    used: set[str] = set()
    pairs: list[tuple[T, T]] = []
    for pair in sorted(product(right, wrong), key=unlikeness):
        if len(pairs) >= most or unlikeness(pair)[0] > ratio:
            break
        names = {length(one)[1] for one in pair}
        if len(names) == 2 and not used & names:
            used |= names
            pairs.append(pair)
    return pairs

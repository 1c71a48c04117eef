"""Pairs for preference training: a right and a wrong solution of the same problem, of like length. Pure.

Like length, so that neither long nor short is what is learned.
"""

from collections import defaultdict
from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

from traces.keeping.keep import reason_code
from traces.keeping.trace import Trace

MOST_RATIO = 1.5
"""Of the lengths of the two, the longer divided by the shorter."""


class Preference(NamedTuple):
    """Two solutions of one problem."""

    chosen: Trace
    """Right by both checks."""
    rejected: Trace
    """Wrong by both checks, with an answer: nothing that was merely cut off."""


def preferences(traces: Iterable[Trace], most: int = 2, ratio: float = MOST_RATIO) -> list[Preference]:
    """At most `most` pairs of every problem, those most alike in length first; no solution is in two pairs."""
    right: defaultdict[str, list[Trace]] = defaultdict(list)
    wrong: defaultdict[str, list[Trace]] = defaultdict(list)
    for trace in traces:
        if trace.kept:
            right[trace.problem.id].append(trace)
        elif trace.kept is False and reason_code(trace) == "wrong_answer":
            wrong[trace.problem.id].append(trace)
    made = []
    for problem, solutions in right.items():
        used: set[str] = set()
        alike = sorted(product(solutions, wrong[problem]), key=_unlikeness)
        for chosen, rejected in alike:
            if len(used) >= 2 * most or _unlikeness((chosen, rejected))[0] > ratio:
                break
            if not used & {chosen.hash, rejected.hash}:
                used |= {chosen.hash, rejected.hash}
                made.append(Preference(chosen, rejected))
    return made


def _unlikeness(pair: tuple[Trace, Trace]) -> tuple[float, str, str]:
    lengths = sorted(len(trace.raw) for trace in pair)
    return lengths[1] / max(lengths[0], 1), pair[0].hash, pair[1].hash

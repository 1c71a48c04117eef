"""Which of several right solutions to a problem are kept: one per road, the most varied first. Pure.

A road is the sequence of calculations a solution states, however worded: the order of terms in a sum, units, percent
signs and LaTeX do not matter. Counting equivalent solutions once follows arXiv 2308.01825, section 3.3.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from traces.keeping.keep import reason_code
from traces.keeping.trace import Trace

DROPPED: dict[str, str] = {
    "unverified": "it was not verified",
    "program": "it writes a program instead of reasoning",
    "same_text": "the same solution stands in the files already",
    "same_road": "another solution of the problem makes the same calculations",
    "enough": "the problem has as many solutions as wanted",
}
"""Reasons for leaving a solution out, in addition to the codes of `traces.keeping.keep.REASONS`."""

_CLEANING = (
    (re.compile(r"\\(?:text|mathrm|mathbf|textbf|mbox)\s*\{[^{}]*\}"), " "),
    (re.compile(r"\\boxed\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r"(\1)/(\2)"),
    (re.compile(r"\\(?:times|cdot)(?![a-z])|[×·∗]"), "*"),
    (re.compile(r"\\div(?![a-z])|÷"), "/"),
    (re.compile(r"[−–]"), "-"),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"\\?\$|\\[()\[\],;!: ]|\\(?:left|right)|&"), " "),
    (re.compile(r"(?<=\d)(?:,|\{,\})(?=\d{3}(?!\d))"), ""),
    (re.compile(r"(?<=\d) ?x ?(?=\d)"), "*"),
    (re.compile(r"\\?[^\W\d_]+(?:[/ -][^\W\d_]+)*"), " "),
)
_NUMBER = r"\d+(?:\.\d+)?%?"
_TERM = rf"[(]*-?[ \t]*{_NUMBER}[ \t)]*"
_SIDE = rf"{_TERM}(?:[ \t]*[-+*/][ \t]*{_TERM})*"
_EQUATION = re.compile(rf"({_TERM}(?:[ \t]*[-+*/][ \t]*{_TERM})+)((?:[ \t]*=[ \t]*{_SIDE})+)")


class Equation(NamedTuple):
    """One calculation, e.g. `0.80 \\times 50 = 40`, in a form that is equal for equal ones."""

    numbers: tuple[Fraction, ...]
    """Sorted by size, so that 3 · 4 equals 4 · 3."""
    operators: str
    result: Fraction


def equations(text: str) -> tuple[Equation, ...]:
    """Every calculation stated in the text, in order; for a chain a = b = c, its first and last side."""
    for pattern, replacement in _CLEANING:
        text = pattern.sub(replacement, text)
    return tuple(_equations(text))


def _equations(text: str) -> Iterator[Equation]:
    for match in _EQUATION.finditer(text):
        last = re.findall(_NUMBER, match[2].rpartition("=")[2])
        if len(last) == 1:  # a chain that ends in another calculation has no result yet
            numbers = sorted(map(_value, re.findall(_NUMBER, match[1])))
            yield Equation(tuple(numbers), "".join(sorted(re.findall(r"[-+*/]", match[1]))), _value(last[0]))


def _value(number: str) -> Fraction:
    return Fraction(number.rstrip("%")) / (100 if number.endswith("%") else 1)


def road(text: str) -> Hashable:
    """A key shared by solutions that reach the answer in the same way; without calculations, the solution's words."""
    return equations(text) or " ".join(text.lower().split())


def difference(left: Sequence[Equation], right: Sequence[Equation]) -> float:
    """Share of the calculations that only one of two solutions makes (Jaccard distance of multisets), 0 to 1."""
    first, second = Counter(left), Counter(right)
    together = (first | second).total()
    return 1 - (first & second).total() / together if together else 0.0


@dataclass(frozen=True)
class Selection:
    """What was chosen and what was not."""

    chosen: tuple[Trace, ...]
    """The first solution to every problem, then the second to every problem, and so on: any prefix is varied."""
    dropped: Counter[str]
    """How many were left out, by code of DROPPED or `traces.keeping.keep.REASONS`."""


def is_program(trace: Trace) -> bool:
    """Whether the solution writes a program instead of reasoning."""
    return "```" in trace.raw


def select(traces: Iterable[Trace], most: int = 4) -> Selection:
    """At most `most` kept solutions per problem, one per road: the shortest represents its road."""
    dropped: Counter[str] = Counter()
    problems: defaultdict[str, list[Trace]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    for trace in traces:
        if not trace.kept:
            dropped["unverified" if trace.kept is None else reason_code(trace)] += 1
        elif is_program(trace):
            dropped["program"] += 1
        elif (trace.problem.id, trace.raw) in seen:
            dropped["same_text"] += 1
        else:
            seen.add((trace.problem.id, trace.raw))
            problems[trace.problem.id].append(trace)
    picks = []
    for group in problems.values():
        roads = _one_a_road(group)
        dropped["same_road"] += len(group) - len(roads)
        dropped["enough"] += max(0, len(roads) - most)
        picks.append(_varied(roads)[:most])
    rounds = max(map(len, picks), default=0)
    chosen = tuple(pick[number] for number in range(rounds) for pick in picks if number < len(pick))
    return Selection(chosen, +dropped)


def _one_a_road(traces: Iterable[Trace]) -> list[Trace]:
    roads: dict[Hashable, Trace] = {}
    for trace in sorted(traces, key=_short_first):
        roads.setdefault(road(trace.raw), trace)
    return list(roads.values())


def _varied(traces: Sequence[Trace]) -> list[Trace]:
    """The shortest first, then repeatedly the one that differs most from all before it; ties go to the shorter."""
    equations_by_hash = {trace.hash: equations(trace.raw) for trace in traces}
    left = sorted(traces, key=_short_first)
    order = left[:1]
    left = left[1:]
    while left:
        nearest = [
            min(difference(equations_by_hash[trace.hash], equations_by_hash[other.hash]) for other in order)
            for trace in left
        ]
        order.append(left.pop(nearest.index(max(nearest))))
    return order


def _short_first(trace: Trace) -> tuple[int, str]:
    return len(trace.raw), trace.hash

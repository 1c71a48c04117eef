"""What the lens marks in a thought: pieces of text with their kind, sections, shares by kind, columns of a strip.

Pure values; `ui.lens.view` makes them HTML.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from traces.keeping.anatomy import KINDS, Kind, Segment, segments

SECTION = 3_000
"""Shortest section of a long thought, in characters; a browser lays out only the sections in view."""
LONGEST_SECTION = 9_000
"""Longest section, in characters; a section ends at a line end if there is one before this."""
WIDTH = 80
"""Approximate characters per line, for estimating the height of a section that is not yet laid out."""
COLUMNS = 400
"""Most columns of the divergence strip."""

Span = tuple[int, int, float]
"""(start, end, importance): a piece of text, and how much the answer depends on it, from 0 to 1."""
Token = tuple[str, float]
"""A token, and how far the two models' predictions of it differ, in nats or bits."""


class Piece(NamedTuple):
    """A stretch of text that is marked in one way."""

    kind: Kind
    text: str
    cue: str
    number: int
    """Which part of the thought it belongs to: pieces of one part fold together."""
    opens: bool
    """Whether it is the first piece of its part."""
    start: int
    importance: float | None
    parts_here: bool
    """Whether the other thought diverges from this one where the piece begins."""


@dataclass(frozen=True)
class Section:
    """A run of pieces, drawn as one block."""

    pieces: tuple[Piece, ...]

    @property
    def lines(self) -> int:
        """How many lines it takes, roughly."""
        text = "".join(piece.text for piece in self.pieces)
        return sum(1 + len(line) // WIDTH for line in text.removesuffix("\n").split("\n"))


class Share(NamedTuple):
    """How much of a thought is of one kind."""

    kind: Kind
    parts: int
    characters: int
    share: float
    """Of the characters, from 0 to 1."""


@lru_cache(64)
def parts_of(thought: str) -> tuple[Segment, ...]:
    """The thought's parts, remembered: the same thought is shown in several places."""
    return segments(thought)


def shares(thought: str) -> list[Share]:
    """Every kind that occurs, in the order of `KINDS`."""
    parts = parts_of(thought)
    sizes = {kind: [len(part.text) for part in parts if part.kind == kind] for kind in KINDS}
    return [Share(kind, len(each), sum(each), sum(each) / max(1, len(thought))) for kind, each in sizes.items() if each]


def pieces(thought: str, importance: Sequence[Span] = (), parting: int | None = None) -> Iterator[Piece]:
    """The parts in order, cut where importance changes and where the other thought parts. They are the whole text."""
    values = _by_start(importance, len(thought))
    edges = sorted({edge for start, end, _ in values for edge in (start, end)} | {parting or 0})
    at = 0
    for number, part in enumerate(parts_of(thought)):
        inner = []
        while at < len(edges) and edges[at] < part.end:
            if edges[at] > part.start:
                inner.append(edges[at])
            at += 1
        for start, end in pairwise([part.start, *inner, part.end]):
            text = thought[start:end]
            opens, value = start == part.start, _value_at(values, start)
            yield Piece(part.kind, text, part.cue, number, opens, start, value, start == parting)


def sections(found: Sequence[Piece]) -> list[Section]:
    """The pieces grouped into blocks, which end at line ends where possible."""
    finished: list[Section] = []
    current: list[Piece] = []
    size = 0
    for piece in found:
        for each in _cut(piece):
            current.append(each)
            size += len(each.text)
            if size >= LONGEST_SECTION or (size >= SECTION and each.text.endswith("\n")):
                finished.append(Section(tuple(current)))
                current, size = [], 0
    return [*finished, Section(tuple(current))] if current else finished


def columns(tokens: Sequence[Token], most: int = COLUMNS) -> list[float]:
    """The strip's columns: the greatest value among the tokens in each, spaced by text length and scaled to 0 to 1."""
    length = sum(len(text) for text, _ in tokens)
    highest = max((value for _, value in tokens), default=0.0)
    if not length or highest <= 0:
        return []
    strip = [0.0] * min(most, length)
    at = 0
    for text, value in tokens:
        first, last = at * len(strip) // length, max(at, at + len(text) - 1) * len(strip) // length
        for column in range(first, min(last, len(strip) - 1) + 1):
            strip[column] = max(strip[column], value / highest)
        at += len(text)
    return strip


def _cut(piece: Piece) -> Iterator[Piece]:
    """A piece that is longer than a section, line by line."""
    if len(piece.text) <= SECTION:
        yield piece
        return
    at = 0
    while at < len(piece.text):
        end = piece.text.rfind("\n", at, at + SECTION) + 1 or piece.text.find("\n", at) + 1 or len(piece.text)
        end = min(end if end > at else at + SECTION, at + LONGEST_SECTION)
        first = at == 0
        yield piece._replace(
            text=piece.text[at:end],
            opens=piece.opens and first,
            start=piece.start + at,
            parts_here=piece.parts_here and first,
        )
        at = end


def _by_start(spans: Sequence[Span], length: int) -> list[Span]:
    """Spans inside the text, in order, without those that overlap an earlier one."""
    apart: list[Span] = []
    for start, end, value in sorted(spans):
        if 0 <= start < end <= length and (not apart or start >= apart[-1][1]):
            apart.append((start, end, min(1.0, max(0.0, value))))
    return apart


def _value_at(values: list[Span], place: int) -> float | None:
    """The value of the span that covers a place; spans already passed are dropped, since places only grow."""
    while values and values[0][1] <= place:
        values.pop(0)
    return values[0][2] if values and values[0][0] <= place else None

"""A thought cut into sentences: where each of them starts and ends."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

_SENTENCE = re.compile(r"[^\n]*?(?:[.!?…](?=\s)|[。！？]|\n|$)\s*", re.DOTALL)


class Span(NamedTuple):
    """A part of a text: `text[start:end]`."""

    start: int
    end: int


def sentences(text: str) -> list[Span]:
    """The sentences in order. A sentence ends at a line end or a sentence mark, and includes the white space after it,
    so that together they are the whole text."""
    return [Span(*match.span()) for match in _SENTENCE.finditer(text) if match.group()]


def grouped(spans: Sequence[Span], most: int) -> list[Span]:
    """At most `most` spans of neighbouring sentences, each of about as many sentences as the others."""
    groups = min(most, len(spans))
    cuts = [round(len(spans) * number / groups) for number in range(groups + 1)] if groups else []
    return [Span(spans[a].start, spans[b - 1].end) for a, b in pairwise(cuts)]


def first_half(text: str) -> str:
    """The sentences of the first half of the text, counted in characters; at least one sentence."""
    halves = [half for span in sentences(text) if (half := text[: span.end].rstrip())]
    return next((half for half in reversed(halves) if len(half) <= len(text) / 2), halves[0] if halves else "")

"""Consistent formatting of values for people, and short digests of texts."""

import hashlib


def duration(seconds: float | None) -> str:
    """A time in the unit that suits it, to two digits or so: "12 ms", "4.5 s", "30 min"; "–" for None."""
    if seconds is None:
        return "–"
    if seconds < 0.1:
        return f"{_short(seconds * 1000)} ms"
    if seconds < 90:
        return f"{_short(seconds)} s"
    return f"{_short(seconds / 60)} min" if seconds < 90 * 60 else f"{_short(seconds / 3600)} h"


def counted(number: int, noun: str) -> str:
    """A number of things that are named regularly: "1 vote", "2,000 votes"."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _short(number: float) -> str:
    return f"{number:.1f}" if number < 9.95 else f"{number:.0f}"


def whole_characters(text: str) -> str:
    """The text with lone halves of surrogate pairs replaced: JSON and YAML can write them, UTF-8 cannot hold them."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def digest(text: str) -> str:
    """A short digest of a text, e.g. for a file name: 16 hex digits of its sha256. Lone surrogates count as `?`."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]

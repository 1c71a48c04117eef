"""A report card as values: sections of lines, and the tables of rows that every number is computed from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Literal, NamedTuple

from eval.statistics.multiple import ALPHA, holm

Finding = Literal["distilled", "base", "open"]
READINGS: Mapping[Finding, str] = {
    "distilled": "distilled better",
    "base": "base better",
    "open": "cannot be told apart",
}
Table = Sequence[Mapping[str, Any]]


class Line(NamedTuple):
    """One line of a section: what is measured, its numbers, and which rows they are computed from."""

    name: str
    cells: tuple[str, ...]
    """The numbers as text, one for each further column of the section."""
    values: Mapping[str, Any]
    """The same numbers for programs. Shares lie between 0 and 1."""
    rows: str
    """Name of the table."""
    where: str = ""
    """A condition in SQL that picks the rows; empty: all of them."""


@dataclass(frozen=True)
class Section:
    """A heading with a sentence and a table of lines; without lines the sentence says why there are none."""

    key: str
    title: str
    sentence: str
    head: tuple[str, ...] = ()
    """Names of the columns; the first is that of the lines' names."""
    lines: tuple[Line, ...] = ()
    note: str = ""
    """How to read the numbers."""


@dataclass(frozen=True)
class Card:
    """Everything on the page, and the rows behind it."""

    pair: str
    title: str
    base: str
    """The base's title."""
    distilled: str
    made_at: str
    """UTC, ISO 8601."""
    sections: tuple[Section, ...]
    tables: Mapping[str, Table]

    def section(self, key: str) -> Section:
        """Raises KeyError where there is none."""
        return {section.key: section for section in self.sections}[key]


def corrected(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values corrected by Holm's method over those that are not None, in the order given."""
    known = iter(holm([p for p in p_values if p is not None]))
    return [None if p is None else float(next(known)) for p in p_values]


def finding_of(difference: float, p: float | None) -> Finding:
    """Who is better; `open` unless the corrected p-value is below 5 %."""
    if p is None or isnan(p) or p >= ALPHA or difference == 0:
        return "open"
    return "distilled" if difference > 0 else "base"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def between(low: float | None, high: float | None) -> str:
    """An interval of shares, in brackets; empty without one."""
    return "" if low is None or high is None or isnan(low) else f" [{100 * low:.1f}, {100 * high:.1f}]"


def p_text(p: float | None) -> str:
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def quoted(value: str) -> str:
    """A text as an SQL string literal."""
    return "'" + value.replace("'", "''") + "'"

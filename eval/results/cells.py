"""The grid of problems: how both sides did on one problem."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eval.results.samples import Row

CellOutcome = Literal["both", "only_distilled", "only_base", "neither", "unsure"]
CELL_OUTCOMES: dict[CellOutcome, str] = {
    "both": "both right",
    "only_distilled": "only distilled right",
    "only_base": "only base right",
    "neither": "neither right",
    "unsure": "unsure",
}


@dataclass(frozen=True)
class Cell:
    """One problem of the grid."""

    problem_id: str
    benchmark: str
    subject: str
    level: str
    outcome: CellOutcome
    base_right: int
    base_of: int
    distilled_right: int
    distilled_of: int
    tokens: int
    """The longest output of either side."""
    cut: bool
    """Whether any sample of either side was cut off."""
    flags: int
    base_solves: bool | None = None
    """Whether most samples are right; None if that depends on missing verdicts."""
    distilled_solves: bool | None = None


def cell_of(base: Sequence[Row], distilled: Sequence[Row]) -> Cell:
    """The problem of these samples, of which each side has at least one."""
    rows = [*base, *distilled]
    b, d = ([r.correct for r in side if r.judged] for side in (base, distilled))
    base_solves, distilled_solves = _solves(base), _solves(distilled)
    return Cell(
        problem_id=rows[0].problem_id,
        benchmark=rows[0].benchmark,
        subject=rows[0].subject,
        level=rows[0].level,
        outcome=_cell_outcome(base_solves, distilled_solves),
        base_right=sum(b),
        base_of=len(b),
        distilled_right=sum(d),
        distilled_of=len(d),
        tokens=max(r.output_tokens for r in rows),
        cut=any(r.finish_reason == "length" for r in rows),
        flags=sum(r.flags for r in rows),
        base_solves=base_solves,
        distilled_solves=distilled_solves,
    )


def _solves(rows: Sequence[Row]) -> bool | None:
    """Whether more than half of the samples are right; None if that depends on missing verdicts."""
    right, unknown = sum(r.correct for r in rows), sum(not r.judged for r in rows)
    wrong = len(rows) - right - unknown
    if right > wrong + unknown:
        return True
    return False if wrong > right + unknown else None


def _cell_outcome(base: bool | None, distilled: bool | None) -> CellOutcome:
    if base is None or distilled is None:
        return "unsure"
    if base and distilled:
        return "both"
    if base or distilled:
        return "only_base" if base else "only_distilled"
    return "neither"

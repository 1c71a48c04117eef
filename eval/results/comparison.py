"""Two sides compared: headline, summaries, breakdowns."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from statistics import fmean
from typing import Protocol

from eval.results.cells import Cell, cell_of
from eval.results.samples import Row
from eval.statistics.metrics import (
    Estimate,
    MajResult,
    accuracy,
    busy_seconds,
    maj_at_k,
    mean_pass_at_k,
    steps,
)
from eval.statistics.paired import Paired, compare, sign_flips

NOTABLE_NO_ANSWER = 0.05
"""Share of samples without an answer at or above which the lenient reading is shown beside the strict one."""


@dataclass(frozen=True)
class SideSummary:
    """One model on one set. Shares lie between 0 and 1; tokens and seconds are means per sample."""

    title: str
    problems: int
    samples: int
    outcomes: dict[str, int]
    accuracy: Estimate
    thought_tokens: float
    answer_tokens: float
    cut_share: float
    """nan if nobody says why the outputs ended, as in files made elsewhere."""
    no_answer_share: float
    seconds: float
    tokens_per_second: float
    """Output tokens of all samples, divided by the time in which at least one request was running."""
    flags: int
    pass_at: dict[int, float]
    maj_at: dict[int, MajResult]
    problems_at: dict[int, int]
    """k → number of problems with at least k verdicts, over which pass@k and maj@k are averaged."""
    stated: int = 0
    """Answers read from a plain statement at the end of the text, where there was no marker or box."""

    @property
    def output_tokens(self) -> float:
        return self.thought_tokens + self.answer_tokens


@dataclass(frozen=True)
class Breakdown:
    """The paired comparison within one subject or level."""

    key: str
    paired: Paired


@dataclass(frozen=True)
class Comparison:
    """Everything about two sides on one set, or on several together."""

    benchmark: str
    base: SideSummary
    distilled: SideSummary
    paired: Paired | None
    """None while no problem has a verdict on both sides."""
    left_out: int
    """Problems without a verdict on both sides: not answered yet, request failed, or grader failed."""
    cells: tuple[Cell, ...]
    by_subject: tuple[Breakdown, ...]
    by_level: tuple[Breakdown, ...]
    lenient: Paired | None = None
    """As `paired`, with the last number of the text as the answer where none was found."""

    @property
    def form_matters(self) -> bool:
        """Whether so many samples on one side have no answer that a difference may be due to format alone."""
        return max(self.base.no_answer_share, self.distilled.no_answer_share) >= NOTABLE_NO_ANSWER

    @property
    def differing(self) -> int:
        """Problems with a verdict on both sides of which the two got different shares of samples right."""
        judged = (cell for cell in self.cells if cell.base_of and cell.distilled_of)
        return sum(c.base_right * c.distilled_of != c.distilled_right * c.base_of for c in judged)


Grouped = Mapping[str, Sequence[Row]]


def build_comparison(
    base: Sequence[Row], distilled: Sequence[Row], titles: tuple[str, str], benchmark: str = ""
) -> Comparison:
    """Compare the samples of two sides; problems that only one side has are counted as left out."""
    b, d = _by_problem(base), _by_problem(distilled)
    cells = tuple(cell_of(b.get(key, []), d.get(key, [])) for key in sorted({*b, *d}, key=_natural))
    judged = [cell.problem_id for cell in cells if cell.base_of and cell.distilled_of]
    paired = _paired(b, d, judged)
    loose = any(row.last_number_right for row in (*base, *distilled))
    return Comparison(
        benchmark=benchmark,
        base=summarise_side(base, titles[0]),
        distilled=summarise_side(distilled, titles[1]),
        paired=paired,
        left_out=len(cells) - len(judged),
        cells=cells,
        by_subject=_breakdown(b, d, judged, lambda row: row.subject),
        by_level=_breakdown(b, d, judged, lambda row: row.level),
        lenient=_paired(b, d, judged, lambda row: row.correct_leniently) if loose else paired,
    )


def headline(comparison: Comparison) -> str:
    """The one sentence to read: the paired difference on the same problems with its interval."""
    p = comparison.paired
    if p is None:
        return "No problem has a graded answer from both models yet."
    if p.p_value is not None:
        counts = (
            f"Distilled solves {round(p.distilled * p.problems)} of {p.problems}, base {round(p.base * p.problems)}"
        )
        start = f"{counts} of {p.problems}"
    else:
        start = (
            f"Distilled is right in {100 * p.distilled:.1f} % of its samples, base in {100 * p.base:.1f} %"
            f" ({p.problems} problems)"
        )
    test = f", exact McNemar p {_p(p.p_value)}" if p.p_value is not None else ""
    return f"{start}: {points(p.difference)} points, 95 % interval {interval(p)}{test}."


class Bounded(Protocol):
    """A difference of shares with the bounds of its interval, which are not numbers if there is only one problem."""

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def interval(p: Bounded) -> str:
    """The interval in percentage points, in brackets; a dash if there is only one problem."""
    return "–" if isnan(p.low) else f"[{points(p.low)}, {points(p.high)}]"


def between(p: Bounded) -> str:
    """The interval in percentage points, in words; a dash if there is only one problem."""
    return "–" if isnan(p.low) else f"{points(p.low)} to {points(p.high)}"


def points(share: float) -> str:
    """A difference of shares in points, with its sign."""
    return f"{100 * share:+.1f}".replace("-", "−")


def p_of(paired: Paired, cells: Iterable[Cell]) -> float:
    """P-value of a difference: exact McNemar test with one sample a problem, otherwise `sign_flips` of the cells."""
    if paired.p_value is not None:
        return paired.p_value
    judged = [cell for cell in cells if cell.base_of and cell.distilled_of]
    return sign_flips([c.distilled_right / c.distilled_of - c.base_right / c.base_of for c in judged])


def stated_note(c: Comparison) -> str:
    """How many answers were extracted by the weakest method, in a sentence; empty if none were."""
    if not c.base.stated and not c.distilled.stated:
        return ""
    return (
        "Answers read from a plain last sentence (“The answer is …”), because nothing was boxed or marked as final:"
        f" base {c.base.stated}, distilled {c.distilled.stated}."
    )


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"= {value:.4f}".rstrip("0").rstrip(".")


def summarise_side(rows: Sequence[Row], title: str) -> SideSummary:
    """Summarise one side. Failed requests count only in `outcomes`: they have no tokens and no verdict."""
    whole = [r for r in rows if r.answered]
    problems = [[r for r in rs if r.judged] for rs in _by_problem(whole).values()]
    judged = [rs for rs in problems if rs]
    verdicts = [[r.correct for r in rs] for rs in judged]
    ks = steps(max((len(v) for v in verdicts), default=0))
    enough = {k: [rs for rs in judged if len(rs) >= k] for k in ks}
    busy = busy_seconds((r.started, r.seconds) for r in whole)
    return SideSummary(
        title=title,
        problems=len({r.problem_id for r in rows}),
        samples=len(rows),
        outcomes=dict(Counter(r.outcome for r in rows)),
        accuracy=accuracy(verdicts),
        thought_tokens=_mean(r.thought_tokens for r in whole),
        answer_tokens=_mean(r.answer_tokens for r in whole),
        cut_share=_mean((r.finish_reason == "length" for r in whole if r.finish_reason), nan if whole else 0.0),
        no_answer_share=_mean(r.outcome == "no_answer" for r in whole),
        seconds=_mean(r.seconds for r in whole),
        tokens_per_second=sum(r.output_tokens for r in whole) / busy if busy else 0.0,
        flags=sum(r.flags for r in rows),
        pass_at={k: mean_pass_at_k([[r.correct for r in rs] for rs in those], k) for k, those in enough.items()},
        maj_at={k: _mean_maj(those, k) for k, those in enough.items() if k > 1 and has_classes(judged)},
        problems_at={k: len(those) for k, those in enough.items()},
        stated=sum(r.extraction_method == "stated" for r in whole),
    )


def has_classes(problems: Iterable[Sequence[Row]]) -> bool:
    """Whether every wrong answer has its class; the only answer to a problem needs none.

    Classes are written last: until then, the wrong answers would seem to have no votes.
    """
    voting = (rows for rows in problems if len(rows) > 1)
    return all(r.answer_class is not None for rows in voting for r in rows if r.outcome == "wrong")


def _mean_maj(problems: Sequence[Sequence[Row]], k: int) -> MajResult:
    each = [maj_at_k([r.answer_class for r in p], [r.correct for r in p], k) for p in problems]
    return MajResult(*(fmean(values) for values in zip(*each, strict=True)))


def _natural(text: str) -> list[tuple[int, str]]:
    """Sort key that puts aime/9 before aime/10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]


def _by_problem(rows: Iterable[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.problem_id].append(row)
    return dict(groups)


def _paired(
    base: Grouped, distilled: Grouped, keys: Sequence[str], right: Callable[[Row], bool] = lambda row: row.correct
) -> Paired | None:
    if not keys:
        return None
    verdicts = [[[right(r) for r in side[key] if r.judged] for key in keys] for side in (base, distilled)]
    return compare(verdicts[0], verdicts[1])


def _breakdown(
    base: Grouped, distilled: Grouped, keys: Sequence[str], name: Callable[[Row], str]
) -> tuple[Breakdown, ...]:
    groups: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        groups[name(base[key][0])].append(key)
    comparisons = {
        key: _paired(base, distilled, members)
        for key, members in sorted(groups.items(), key=lambda g: _natural(g[0]))
        if key
    }
    return tuple(Breakdown(key, paired) for key, paired in comparisons.items() if paired)


def _mean(values: Iterable[float], empty: float = 0.0) -> float:
    collected = list(values)
    return fmean(collected) if collected else empty

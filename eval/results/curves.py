"""Accuracy against tokens, from a side's samples and its forced answers."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from eval.results.comparison import _by_problem, has_classes
from eval.results.samples import Forced, Row
from eval.statistics.metrics import (
    CurvePoint,
    Scored,
    accuracy,
    budgets,
    maj_curve,
    truncation_curve,
)


def curves(rows: Sequence[Row], forced: Sequence[Forced]) -> list[CurvePoint]:
    """The points of all three curves (see `CurveKind`) for the samples of one side."""
    judged = list(_by_problem([r for r in rows if r.judged]).values())
    if not judged:
        return []
    problems = [[Scored(r.correct, r.output_tokens, r.answer_class) for r in group] for group in judged]
    points = truncation_curve(problems, budgets(s.output_tokens for p in problems for s in p))
    points += forced_curve(forced)
    voting = max(len(p) for p in problems) > 1 and has_classes(judged)
    return points + (maj_curve(problems) if voting else [])


def forced_curve(forced: Sequence[Forced]) -> list[CurvePoint]:
    """Accuracy of forced answers against the tokens actually used."""
    by_budget: dict[int, list[Forced]] = defaultdict(list)
    for answer in forced:
        by_budget[answer.budget].append(answer)
    result = []
    for budget, answers in sorted(by_budget.items()):
        groups: dict[str, list[Forced]] = defaultdict(list)
        for answer in answers:
            groups[answer.problem_id].append(answer)
        judged = [[a.outcome == "correct" for a in g if a.outcome != "grader_failed"] for g in groups.values()]
        tokens = fmean(fmean(a.output_tokens for a in g) for g in groups.values())
        cut = fmean(fmean(a.cut for a in g) for g in groups.values())
        result.append(CurvePoint("forced", budget, tokens, accuracy([v for v in judged if v]), cut))
    return result

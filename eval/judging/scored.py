"""What a judge's verdicts add up to: a score for each judge, question, set and model.

Every score comes with how well the judge agrees with people, or with a note that nobody checked it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isnan
from pathlib import Path
from statistics import fmean

import numpy as np
from scipy.stats import t as student

from common import jsonl
from eval.judging.judge import RUBRICS, Judgement
from eval.judging.judged import judge_items, judgements
from eval.judging.labelled import JudgeCheck, check_sentence, checks, latest_check
from eval.problems.open_ended import RubricKey
from eval.runs.log import ROLES, RunLog, list_runs
from eval.statistics.metrics import wilson

Group = tuple[RubricKey, str, str]
"""Question, set and model."""
CHECKS = "checks"
"""Name of the file in a recorded run's folder with the checks of its judges."""


@dataclass(frozen=True)
class JudgedScore:
    """One judge's score of one model on one set, always with the judge's own standing."""

    judge: str
    rubric: RubricKey
    benchmark: str
    role: str
    """`base`, `distilled`; for pairs `distilled`, whose win rate it is."""
    due: int
    """Answers (or pairs) to be judged."""
    valid: int
    invalid: int
    value: float
    """Share of good verdicts, win rate with ties half (pairs), or mean mark from 0 to 100 (rating)."""
    low: float
    high: float
    """95 % interval over problems: Wilson's for a share or win rate, Student's t for a mean mark; nan if all marks are
    equal."""
    won: int
    """Pairs in which the distilled model's answer was preferred."""
    tied: int
    """Pairs without a preference, those decided by their order included."""
    flipped: int
    """Pairs in which the judge preferred a position rather than an answer."""
    check: JudgeCheck | None
    """None: this judge was never checked against people."""

    @property
    def who(self) -> str:
        """Whose score it is, in words."""
        return "distilled preferred to base" if self.rubric == "pair" else self.role

    @property
    def lost(self) -> int:
        """Pairs in which the base's answer was preferred."""
        return self.valid - self.won - self.tied

    @property
    def flaw(self) -> str:
        """Why these verdicts say little, whatever the judge's standing; empty if nothing speaks against them."""
        given = self.valid + self.invalid
        if 2 * self.invalid > given:
            return "Most verdicts on this run could not be read."
        if 2 * (self.invalid + self.flipped) > given:
            return "Most verdicts on this run changed with the order of the answers or could not be read."
        return ""


def run_scores(log: RunLog) -> list[JudgedScore]:
    """The scores of a run. A recorded run brings the checks of its judges along; for others this installation's count.

    Raises DataError when the run or the checks cannot be read.
    """
    verdicts, info = judgements(log), log.info()
    if not verdicts:
        return []
    problems, samples = log.problems(), log.samples()
    due: Counter[Group] = Counter(
        (rubric, item.extra["benchmark"], item.extra.get("role", "distilled"))
        for rubric in {verdict.rubric for verdict in verdicts}
        for item in judge_items(info, problems, samples, rubric)
    )
    return scores(verdicts, checks(log.path(CHECKS)) if info.recorded else checks(), due)


def pair_scores(runs: Path, pair: str) -> list[JudgedScore]:
    """The scores of a pair: of each set, those of the newest run of both models that has been judged."""
    found: dict[tuple[str, ...], list[JudgedScore]] = {}
    for info in list_runs(runs):
        if info.config.pair != pair or len(info.sides) < len(ROLES) or found.get(info.config.benchmarks):
            continue
        found[info.config.benchmarks] = run_scores(RunLog(runs / info.id))
    return [score for of_run in found.values() for score in of_run]


def scores(
    verdicts: Iterable[Judgement], known: Sequence[JudgeCheck] = (), due: Mapping[Group, int] | None = None
) -> list[JudgedScore]:
    """Scores by judge, rubric, set and model. Invalid verdicts are counted separately and do not enter the score.

    known: checks of judges; due: how much there is to judge (by default what has been judged).
    """
    groups: dict[tuple[str, RubricKey, str, str], list[Judgement]] = {}
    for judgement in verdicts:
        role = judgement.extra.get("role", "distilled")
        key = (judgement.judge, judgement.rubric, judgement.extra.get("benchmark", ""), role)
        groups.setdefault(key, []).append(judgement)
    return [
        _score(*key, group, latest_check(key[0], key[1], known), (due or {}).get(key[1:], len(group)))
        for key, group in sorted(groups.items())
    ]


def _score(
    judge: str,
    rubric: RubricKey,
    benchmark: str,
    role: str,
    group: Sequence[Judgement],
    check: JudgeCheck | None,
    due: int,
) -> JudgedScore:
    valid = [j for j in group if j.value is not None]
    of_problem: dict[str, list[float]] = {}
    for judgement in valid:
        of_problem.setdefault(judgement.extra.get("problem", judgement.item), []).append(_mark(judgement, rubric))
    marks = [fmean(each) for each in of_problem.values()]  # samples of one problem are not independent
    value, low, high = _mean(marks) if rubric == "rating" else wilson(sum(marks), len(marks))[:3]
    winners = Counter(preferred(judgement) for judgement in valid) if rubric == "pair" else Counter()
    return JudgedScore(
        judge=judge,
        rubric=rubric,
        benchmark=benchmark,
        role=role,
        due=due,
        valid=len(valid),
        invalid=len(group) - len(valid),
        value=value,
        low=low,
        high=high,
        won=winners["distilled"],
        tied=winners[""],
        flipped=sum(j.flipped for j in group),
        check=check,
    )


def _mark(judgement: Judgement, rubric: RubricKey) -> float:
    if rubric == "rating":
        return float(judgement.value or 0)
    if rubric == "pair":
        return {"distilled": 1.0, "base": 0.0}.get(preferred(judgement), 0.5)
    return float(judgement.value in RUBRICS[rubric].good)


def preferred(judgement: Judgement) -> str:
    """The model whose answer won a pair; empty for a tie or an invalid verdict."""
    return judgement.extra.get(str(judgement.value), "")


def _mean(marks: Sequence[float]) -> tuple[float, float, float]:
    """Mean with Student's t interval; the bounds are nan if all marks are equal, since that shows no spread."""
    if len(set(marks)) < 2:
        return marks[0] if marks else float("nan"), float("nan"), float("nan")
    mean, error = float(np.mean(marks)), float(np.std(marks, ddof=1)) / len(marks) ** 0.5
    half = float(student.ppf(0.975, len(marks) - 1)) * error
    return mean, mean - half, mean + half


def figure(value: float, rubric: RubricKey) -> str:
    """A mark or a share; without verdicts there is no value, and a mean of equal marks has no interval."""
    if isnan(value):
        return "–"
    return f"{value:.1f}" if rubric == "rating" else f"{value:.1%}"


def counted(score: JudgedScore) -> str:
    """How many verdicts there are, and of which kind."""
    unread = f", {score.invalid} invalid"
    if score.rubric == "pair":
        tied = f"{score.tied} ties ({score.flipped} by a change with the order)"
        text = f"{score.won} won, {score.lost} lost, {tied}{unread}"
    else:
        text = f"{score.valid} valid{unread}"
    judged = score.valid + score.invalid
    return text if judged == score.due else f"{text}; {judged} of {score.due} judged"


def score_sentence(score: JudgedScore) -> str:
    """One score in words, without the judge's standing."""
    low, high = figure(score.low, score.rubric), figure(score.high, score.rubric)
    interval = "no interval" if isnan(score.low) else f"{low} to {high}"
    text = f"{score.benchmark}, {score.who}: {figure(score.value, score.rubric)} ({interval}); {counted(score)}"
    return f"{text}. {score.flaw}" if score.flaw else text


def score_lines(scores: Iterable[JudgedScore]) -> list[str]:
    """Every score in words, with the judge and its standing."""
    return [
        f"{score_sentence(score)}\n    judge {score.judge}. {check_sentence(score.check, score.rubric)}"
        for score in scores
    ]


def keep_checks(log: RunLog) -> None:
    """Put the newest checks of a run's judges beside its verdicts, so that they go where the run goes."""
    judges = sorted({(verdict.judge, verdict.rubric) for verdict in judgements(log)})
    known = checks()
    found = [check for judge, rubric in judges if (check := latest_check(judge, rubric, known))]
    if found:
        jsonl.write(log.path(CHECKS), map(asdict, found))

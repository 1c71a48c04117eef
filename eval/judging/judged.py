"""Judged runs: a judge reads every answer of a run; verdicts are kept in the run's folder and add up to scores.

Every score comes with how well the judge agrees with people, or with a note that nobody checked it.

    arena judge check --url http://127.0.0.1:8001/v1 --model NAME --set safetyj_diasafety
    arena judge run RUN --url … --model … [--rubric safety] [--benchmark flames]
    arena judge scores RUN
"""

import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import isnan
from statistics import fmean

import numpy as np
from scipy.stats import t as student

from common.errors import ConfigError, ServerError
from eval.judging.judge import REQUEST_FAILED, RUBRICS, Judge, JudgeItem, Judgement
from eval.judging.labelled import (
    JudgeCheck,
    latest_check,
)
from eval.problems.open_ended import RubricKey
from eval.records import Problem, Sample
from eval.runs.jobs import CoroutineJob
from eval.runs.log import RunInfo, RunLog
from eval.runs.runner import DOWN_AFTER
from eval.statistics.metrics import wilson
from models.chat.client import Endpoint, ModelClient
from models.config.thought_format import ThoughtFormat

JUDGEMENTS = "judgements"
"""Name of the log in a run's folder: judgements.jsonl."""
KEY_VARIABLE = "JUDGE_API_KEY"


class JudgeJob(CoroutineJob):
    """A background job in which a judge reads a run's answers."""

    telling = "{} of {} judged."


def judge_items(info: RunInfo, problems: Iterable[Problem], samples: Iterable[Sample], rubric: RubricKey,
                benchmark: str | None = None) -> list[JudgeItem]:  # fmt: skip
    """Everything to judge in a run: each sample that did not fail, or for `pair` both models' samples together.

    The judge sees question, answer and reference, never the model or the thought.
    """
    asked = {p.id: p for p in problems if benchmark is None or p.benchmark == benchmark}
    usable = [s for s in samples if s.problem_id in asked and not s.error]
    if rubric == "pair":
        return _pair_items(info, asked, usable)
    items = []
    for sample in usable:
        problem = asked[sample.problem_id]
        fields = {"question": problem.question, "gold": problem.gold, "answer": sample.answer}
        extra = {"role": info.role_of(sample.model), "problem": problem.id, "benchmark": problem.benchmark}
        items.append(JudgeItem(f"{sample.model}|{sample.problem_id}|{sample.index}", fields, extra))
    return items


def _pair_items(info: RunInfo, asked: Mapping[str, Problem], samples: Iterable[Sample]) -> list[JudgeItem]:
    sides: dict[tuple[str, int], dict[str, Sample]] = {}
    for sample in samples:
        sides.setdefault((sample.problem_id, sample.index), {})[info.role_of(sample.model)] = sample
    items = []
    for (problem_id, index), both in sides.items():
        if both.keys() >= {"base", "distilled"}:
            problem = asked[problem_id]
            answers = {"first": both["base"].answer, "second": both["distilled"].answer}
            extra = {"first": "base", "second": "distilled", "problem": problem_id, "benchmark": problem.benchmark}
            items.append(JudgeItem(f"{problem_id}|{index}", {"question": problem.question, **answers}, extra))
    return items


async def judge_run(log: RunLog, judge: Judge, benchmark: str | None = None) -> AsyncIterator[tuple[int, int]]:
    """Judge what this judge has not judged yet, appending each verdict as it comes; yields (done, of).

    A request that fails is made again next time. Raises ServerError if DOWN_AFTER fail in a row, or all of a
    run that nobody has judged yet.
    """
    items = judge_items(log.info(), log.problems(), log.samples(), judge.rubric.key, benchmark)
    known = {j.item for j in judgements(log) if (j.judge, j.rubric) == (judge.name, judge.rubric.key)}
    todo = [item for item in items if item.id not in known]
    done, in_a_row = len(items) - len(todo), 0
    yield done, len(items)
    async for judgement in judge.judge_all(todo):
        if judgement.invalid.startswith(REQUEST_FAILED):
            in_a_row += 1
            if in_a_row == DOWN_AFTER or in_a_row == len(items):
                raise ServerError(f"The judge does not answer: {judgement.invalid}", "Check its address and its name.")
            continue
        log.append(JUDGEMENTS, [asdict(judgement)])
        done, in_a_row = done + 1, 0
        yield done, len(items)


def judgements(log: RunLog) -> list[Judgement]:
    """All verdicts kept in the run's folder, invalid ones included."""
    names = {f.name for f in fields(Judgement)}
    rows = ({key: value for key, value in row.items() if key in names} for row in log.rows(JUDGEMENTS))
    return [
        Judgement(**{"value": None, **row, "prompts": tuple(row["prompts"]), "raws": tuple(row["raws"])})
        for row in rows
    ]


@dataclass(frozen=True)
class JudgedScore:
    """One judge's score of one model on one set, always with the judge's own standing."""

    judge: str
    rubric: RubricKey
    benchmark: str
    role: str
    """`base`, `distilled`; for pairs `distilled`, whose win rate it is."""
    valid: int
    invalid: int
    value: float
    """Share of good verdicts, win rate with ties half (pairs), or mean mark from 0 to 100 (rating)."""
    low: float
    high: float
    """95 % interval over problems: Wilson's for a share or win rate, Student's t for a mean mark; nan if all marks are
    equal."""
    flipped: int
    check: JudgeCheck | None
    """None: this judge was never checked against people."""


def scores(verdicts: Iterable[Judgement]) -> list[JudgedScore]:
    """Scores by judge, rubric, set and model. Invalid verdicts are counted separately and do not enter the score."""
    groups: dict[tuple[str, RubricKey, str, str], list[Judgement]] = {}
    for judgement in verdicts:
        role = judgement.extra.get("role", "distilled")
        key = (judgement.judge, judgement.rubric, judgement.extra.get("benchmark", ""), role)
        groups.setdefault(key, []).append(judgement)
    return [_score(*key, group) for key, group in sorted(groups.items())]


def _score(judge: str, rubric: RubricKey, benchmark: str, role: str, group: Sequence[Judgement]) -> JudgedScore:
    valid = [j for j in group if j.value is not None]
    of_problem: dict[str, list[float]] = {}
    for judgement in valid:
        of_problem.setdefault(judgement.extra.get("problem", judgement.item), []).append(_mark(judgement, rubric))
    marks = [fmean(each) for each in of_problem.values()]  # samples of one problem are not independent
    value, low, high = _mean(marks) if rubric == "rating" else wilson(sum(marks), len(marks))[:3]
    return JudgedScore(
        judge=judge,
        rubric=rubric,
        benchmark=benchmark,
        role=role,
        valid=len(valid),
        invalid=len(group) - len(valid),
        value=value,
        low=low,
        high=high,
        flipped=sum(j.flipped for j in group),
        check=latest_check(judge, rubric),
    )


def _mark(judgement: Judgement, rubric: RubricKey) -> float:
    if rubric == "rating":
        return float(judgement.value or 0)
    if rubric == "pair":
        winner = judgement.extra.get(str(judgement.value), "")
        return {"distilled": 1.0, "base": 0.0}.get(winner, 0.5)
    return float(judgement.value in RUBRICS[rubric].good)


def _mean(marks: Sequence[float]) -> tuple[float, float, float]:
    """Mean with Student's t interval; the bounds are nan if all marks are equal, since that shows no spread."""
    if len(set(marks)) < 2:
        return marks[0] if marks else float("nan"), float("nan"), float("nan")
    mean, error = float(np.mean(marks)), float(np.std(marks, ddof=1)) / len(marks) ** 0.5
    half = float(student.ppf(0.975, len(marks) - 1)) * error
    return mean, mean - half, mean + half


def judge_client(url: str, model: str) -> ModelClient:
    """A judge at any OpenAI-compatible address; the key comes from JUDGE_API_KEY. A thought in tags is ignored."""
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"“{url}” is not the address of a server.", "Use one such as http://127.0.0.1:8001/v1.")
    endpoint = Endpoint(url.rstrip("/"), model, os.environ.get(KEY_VARIABLE, ""))
    return ModelClient(endpoint, ThoughtFormat("tags"))


def score_sentence(score: JudgedScore) -> str:
    """One score in words, without the judge's standing."""
    shown = f"{score.value:.1f}" if score.rubric == "rating" else f"{score.value:.1%}"
    low, high = (f"{x:.1f}" if score.rubric == "rating" else f"{x:.1%}" for x in (score.low, score.high))
    interval = "no interval" if isnan(score.low) else f"{low} to {high}"
    flipped = f", {score.flipped} decided by order" if score.rubric == "pair" else ""
    return (
        f"{score.benchmark}, {score.role}: {shown} ({interval}), {score.valid} verdicts, "
        f"{score.invalid} invalid{flipped}"
    )

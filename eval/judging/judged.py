"""Judged runs: a judge reads every answer of a run; verdicts are kept in the run's folder.

arena judge check --url http://127.0.0.1:8001/v1 --model NAME --set safetyj_diasafety
arena judge run RUN --url … --model … [--rubric safety] [--benchmark flames]
arena judge scores RUN
"""

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import asdict, fields

from common.errors import ConfigError, ServerError
from eval.judging.judge import REQUEST_FAILED, Judge, JudgeItem, Judgement
from eval.problems.open_ended import RubricKey
from eval.records import Problem, Sample
from eval.runs.jobs import CoroutineJob
from eval.runs.log import RunInfo, RunLog
from eval.runs.runner import DOWN_AFTER
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

    A request that fails is made again next time; an answer that is too long for the judge has an invalid verdict for
    good. Raises ServerError if DOWN_AFTER requests fail in a row, or all of those to be made; ConfigError if answers
    are to be compared with references that there are not.
    """
    items = judge_items(log.info(), log.problems(), log.samples(), judge.rubric.key, benchmark)
    if judge.rubric.key == "reference" and not all(item.fields["gold"] for item in items):
        raise ConfigError("This set has no reference answers to compare with.", "Choose another question.")
    known = {j.item for j in judgements(log) if (j.judge, j.rubric) == (judge.name, judge.rubric.key)}
    todo = [item for item in items if item.id not in known]
    done, in_a_row = len(items) - len(todo), 0
    yield done, len(items)
    async for judgement in judge.judge_all(todo):
        if judgement.invalid.startswith(REQUEST_FAILED):
            in_a_row += 1
            if in_a_row == min(DOWN_AFTER, len(todo)):
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


def judge_client(url: str, model: str) -> ModelClient:
    """A judge at any OpenAI-compatible address; the key comes from JUDGE_API_KEY. A thought in tags is ignored."""
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"“{url}” is not the address of a server.", "Use one such as http://127.0.0.1:8001/v1.")
    endpoint = Endpoint(url.rstrip("/"), model, os.environ.get(KEY_VARIABLE, ""))
    return ModelClient(endpoint, ThoughtFormat("tags"))

"""A benchmark problem as a case study, with both models' samples."""

from pathlib import Path
from typing import get_args

from common.errors import ConfigError
from eval.records import Problem, Sample
from eval.runs.log import RunLog
from models.chat.events import FinishReason, Reply
from models.config.registry import ROLES
from models.config.sampling import Sampling
from traces.cases.cases import (
    Case,
    SideRun,
    keep_run,
    new_run,
    pin,
    runs_of,
)

PROBLEMS_LISTED = 500


def problem_choices(runs: Path, run_id: str | None) -> list[tuple[str, str]]:
    """(label, id) of the problems of a run; the label has the beginning of the question."""
    if not run_id:
        return []
    problems = _quoted(RunLog.open(runs, run_id))[:PROBLEMS_LISTED]
    return [(f"{p.id}: {' '.join(p.question.split())[:70]}", p.id) for p in problems]


def _quoted(log: RunLog) -> list[Problem]:
    """The run's problems, without those that it only names."""
    names = {data.name for data in log.info().data if data.texts}
    return [problem for problem in log.problems() if problem.benchmark in names]


def pin_from_run(runs: Path, run_id: str | None, problem_id: str | None, note: str) -> Case:
    """Pin a benchmark problem with both models' first samples."""
    if not run_id or not problem_id:
        raise ConfigError("No problem is chosen.", "Choose a run, then one of its problems.")
    log = RunLog.open(runs, run_id)
    info, problem = log.info(), next((p for p in _quoted(log) if p.id == problem_id), None)
    if problem is None:
        raise ConfigError(f"Run {run_id} has no text of a problem {problem_id}.", "Choose another one.")
    samples = [s for s in log.samples() if s.problem_id == problem_id and s.index == 0 and not s.error]
    case = pin_problem(problem, f"run {run_id}, problem {problem_id}", note)
    sides = {}
    for role in ROLES:
        sample = next((s for s in samples if info.role_of(s.model) == role), None)
        if sample is not None:
            side = info.sides[role]
            sides[role] = SideRun(side.model, side.title, sample_reply(sample), side.weight_hash)
    c = info.config
    if sides and all(run.sides != sides for run in runs_of(case.key)):
        sampling = Sampling(c.max_tokens, c.thinking_budget, c.temperature, c.top_p, samples[0].seed)
        keep_run(new_run(case, c.pair, sampling, sides, "pinned", info.versions))
    return case


def pin_problem(problem: Problem, origin: str, note: str = "") -> Case:
    """Pin a problem, with its gold answer as the truth."""
    return pin(problem.question, note=note, origin=origin, truth=problem.gold)


def sample_reply(sample: Sample) -> Reply:
    """A benchmark sample as a reply."""
    return Reply(
        thought=sample.thought,
        answer=sample.answer,
        raw=sample.text,
        finish_reason=next((known for known in get_args(FinishReason) if known == sample.finish_reason), "stop"),
        thought_tokens=sample.thought_tokens,
        answer_tokens=sample.answer_tokens,
        seconds=sample.seconds,
    )

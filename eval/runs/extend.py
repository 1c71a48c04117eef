"""A run with more problems or samples than an earlier one, whose answers it takes over.

    arena run --extend 20261130-072919-qwen-0.5b

The earlier run stays as it is. Requests that failed are not taken over, nor answers to problems that are not drawn
again.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from common.errors import ConfigError, DataError
from common.text import counted
from eval.problems.benchmark import Benchmark, content_hash, gold_hash
from eval.problems.sycophancy import NAME as PROBE
from eval.records import Problem, Sample
from eval.runs.log import Role, RunConfig, RunInfo, RunLog
from eval.runs.plan import check_made_here, check_unchanged, chosen_problems, describe, load_benchmarks
from models.config.registry import PairSpec, Profile


@dataclass(frozen=True)
class Extension:
    """A run to come, and what it begins with."""

    before: RunInfo
    """The run it extends."""
    config: RunConfig
    benchmarks: tuple[Benchmark, ...]
    samples: tuple[Sample, ...]
    """Answers of that run which it takes over."""


def plan_extension(
    log: RunLog,
    pair: PairSpec,
    profile: Profile,
    *,
    concurrency: int,
    problems: int | None = None,
    samples: int | None = None,
    data: Path | None = None,
) -> Extension:
    """The choices of a run with `problems` of each set (None: all) and `samples` of each (None: as many as before).

    Raises ConfigError if that is no extension, or if the sets, the models or the way they are asked have changed; no
    model is loaded. DataError if a set or the run cannot be read.
    """
    before = log.info()
    check_made_here(before)
    if any(one.rule == "judged" or one.name == PROBE for one in before.data):
        raise ConfigError(f"Run {before.id} is not of a graded set, and only those are extended.", "Start a new run.")
    samples = samples or before.config.samples
    if samples > 1 and before.config.temperature == 0:
        raise ConfigError(
            f"Run {before.id} draws at temperature 0, where a second sample repeats the first.",
            "Extend it without --samples.",
        )
    check_unchanged(before, pair, {}, profile)
    sets = tuple(load_benchmarks(before.config.benchmarks, data))
    _check_sets(before, log.problems(), sets)
    config = replace(before.config, problems=problems, samples=samples, concurrency=concurrency)
    _check_longer(before, config, sets)
    drawn = {problem.id for one in sets for problem in chosen_problems(one, problems, config.seed)}
    kept = (sample for sample in log.samples() if not sample.error)
    taken = tuple(sample for sample in kept if sample.problem_id in drawn and sample.index < samples)
    return Extension(before, config, sets, taken)


def extend(
    runs: Path,
    extension: Extension,
    pair: PairSpec,
    weight_hashes: Mapping[Role, str],
    profile: Profile,
    software: Mapping[str, str],
    names: Mapping[Role, str] | None = None,
) -> RunLog:
    """Make the folder of the new run, with the answers it takes over. Raises ConfigError if the models have changed."""
    before = extension.before
    check_unchanged(before, pair, weight_hashes, profile, names)
    hashes = {role: weight_hashes[role] for role in before.sides}
    info, problems = describe(runs, extension.config, pair, hashes, extension.benchmarks, profile, software)
    info = replace(info, sides=before.sides, prompt=before.prompt, history=before.history, extends=before.id)
    log = RunLog.create(runs, info, problems)
    try:
        log.append("samples", map(asdict, extension.samples))
    except DataError:
        shutil.rmtree(log.folder, ignore_errors=True)  # without them it would not be what it says
        raise
    return log


def _check_sets(before: RunInfo, problems: Sequence[Problem], sets: Sequence[Benchmark]) -> None:
    """Raise ConfigError unless the sets are those of the run, with the same ids."""
    then = {one.name: one for one in before.data}
    for one in sets:
        if one.name not in then or one.sha256 != then[one.name].sha256:
            raise ConfigError(
                f"{one.title or one.name} has changed since run {before.id}: its sha256 is another.",
                "Restore that copy, or start a new run.",
            )
    now = {problem.id: problem for one in sets for problem in one.problems}
    for problem in problems:
        # A run that ships names the problems of public sets without their texts.
        alike = content_hash if then[problem.benchmark].texts else gold_hash
        if problem.id not in now or alike([problem]) != alike([now[problem.id]]):
            raise ConfigError(
                f"This copy of {then[problem.benchmark].title} numbers its problems in another way than the one that "
                f"run {before.id} was made with: {problem.id} is another problem.",
                "Restore that copy, or start a new run.",
            )


def _check_longer(before: RunInfo, config: RunConfig, sets: Sequence[Benchmark]) -> None:
    """Raise ConfigError unless the new run asks everything that the earlier one asks, and more."""
    then = [sum(one.problems for one in before.data), before.config.samples]
    now = [sum(min(len(one), config.problems or len(one)) for one in sets), config.samples]
    if now == then or any(new < old for new, old in zip(now, then, strict=True)):
        raise ConfigError(
            f"Run {before.id} asks {counted(then[0], 'problem')}, {counted(then[1], 'sample')} each; this would be "
            f"{now[0]:,} and {now[1]:,}.",
            "Give --problems or --samples that ask more, or finish the run itself with arena resume.",
        )

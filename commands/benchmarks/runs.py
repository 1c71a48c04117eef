"""`arena run`, `resume` and `forced`: run a problem set on a pair, with a progress line."""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from commands.benchmarks.watching import watch
from commands.kit.arguments import (
    AGAIN,
    add_pair_option,
    add_profile_option,
    add_run_argument,
    count,
    describe,
    number,
    positive,
    seed,
)
from commands.kit.printing import note, progress, show
from common.errors import ConfigError
from common.paths import home

if TYPE_CHECKING:
    from eval.problems.benchmark import Benchmark
    from eval.runs.log import RunConfig
    from models.config.registry import PairSpec, Profile
    from models.config.sampling import Sampling

OF_THE_RUN = ("pair", "open_ended", "max_tokens", "thinking_budget", "temperature", "top_p", "seed")
"""Options that --extend takes from the run."""


def add_run(parser: argparse.ArgumentParser) -> None:
    describe(parser, run_command, "arena run --pair smol-135m --benchmark same_kind --samples 4 --problems 50")
    add_pair_option(parser)
    add_profile_option(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--benchmark", action="append", help="a set (see arena sets) or a .jsonl file; may be repeated")
    what.add_argument(
        "--extend",
        metavar="RUN",
        help="instead: ask more problems (default: all) or samples than this run, with its settings and its answers",
    )
    parser.add_argument(
        "--open-ended", action="store_true", help="the file has prompts without gold answers, to be judged afterwards"
    )
    parser.add_argument("--samples", type=count, help="samples per problem (default: 1; with --extend, as many as RUN)")
    parser.add_argument(
        "--problems",
        type=count,
        help="draw this many problems of each set, using the seed (default: all; 50 of a known open-ended set)",
    )
    parser.add_argument("--max-tokens", type=count, help="limit on thought and answer together (default: the pair's)")
    parser.add_argument("--thinking-budget", type=count, help="limit on the thought alone")
    parser.add_argument("--temperature", type=number, help="default: the pair's; 0.6 with several samples if that is 0")
    parser.add_argument("--top-p", type=positive, help="default: the pair's")
    parser.add_argument("--seed", type=seed, help="default: 0")
    parser.add_argument(
        "--concurrency", type=count, help="requests at a time to each model (default: as many as one server takes)"
    )


def add_resume(parser: argparse.ArgumentParser) -> None:
    describe(parser, resume_command, "arena resume 20261127-124343-smol-135m")
    add_run_argument(parser)
    parser.add_argument("--retry-failed", action="store_true", help="repeat requests that failed")
    add_profile_option(parser)


def add_forced(parser: argparse.ArgumentParser) -> None:
    example = "arena forced 20261127-124343-smol-135m --budget 64 --budget 256"
    describe(parser, forced_command, example, continues=AGAIN)
    add_run_argument(parser)
    parser.add_argument(
        "--budget", type=count, action="append", required=True, help="tokens of thought to keep; may be repeated"
    )
    parser.add_argument("--answer-tokens", type=count, default=128, help="limit on the forced answer")
    add_profile_option(parser)


def run_command(options: argparse.Namespace) -> int:
    if options.extend is not None:
        return _extend(options)
    from commands.kit.serving import chosen_pair, chosen_profile
    from eval.problems.open_ended import SETS
    from eval.problems.sycophancy import NAME as PROBE
    from models.config.registry import load_config

    config = load_config()
    pair = chosen_pair(config, options.pair)
    chosen_profile(config, options.profile, pair)  # a wrong name is reported before any set is loaded
    if options.open_ended or any(name == PROBE or name in SETS for name in options.benchmark):
        return _run_open_ended(options, pair)
    return _run_graded(options, pair)


def _run_open_ended(options: argparse.Namespace, pair: "PairSpec") -> int:
    from commands.kit.serving import chosen_profile, serving
    from eval.runs import open_ended
    from eval.runs.cost import cost, throughputs
    from models.config.registry import load_config

    name, *others = options.benchmark
    if others or (options.samples or 1) > 1:
        raise ConfigError(f"{name} is asked alone, once per question.", "Give one --benchmark, without --samples.")
    profile = chosen_profile(load_config(), options.profile, pair)
    drawn, sampling = options.seed or 0, _sampling(options, pair, profile)
    benchmark = open_ended.load_set(name, options.problems, drawn)
    config = open_ended.configure(pair, profile, benchmark, sampling, seed=drawn, concurrency=options.concurrency)
    asked = f"{len(benchmark)} of {benchmark.size}" if benchmark.size > len(benchmark) else f"all {len(benchmark)}"
    note(f"{benchmark.title or benchmark.name}: {asked} questions; --problems asks another number.")
    note(cost(config, [len(benchmark)], throughputs(open_ended.runs_folder(), pair)).sentence)
    with serving(pair.key, options.profile) as served:
        return watch(options, open_ended.start_run(served, benchmark, config))


def _sampling(options: argparse.Namespace, pair: "PairSpec", profile: "Profile") -> "Sampling":
    """How answers are drawn: as the options say, else as is usual for the pair."""
    from eval.runs.plan import usual_sampling

    usual = usual_sampling(pair, profile)
    temperature = usual.temperature or (0.6 if (options.samples or 1) > 1 else 0.0)
    return replace(
        usual,
        max_tokens=options.max_tokens or usual.max_tokens,
        thinking_budget=options.thinking_budget,
        temperature=temperature if options.temperature is None else options.temperature,
        top_p=options.top_p or usual.top_p,
    )


def _run_graded(options: argparse.Namespace, pair: "PairSpec") -> int:
    from commands.kit.serving import chosen_profile, serving
    from eval.runs.cost import most_in_flight
    from eval.runs.log import ROLES, RUNS, RunConfig
    from eval.runs.plan import check_limit, load_benchmarks, prepare
    from eval.runs.run_job import RunJob, served_names
    from models.config.registry import load_config

    profile = chosen_profile(load_config(), options.profile, pair)
    sampling = _sampling(options, pair, profile)
    config = RunConfig(
        pair=pair.key,
        benchmarks=tuple(options.benchmark),
        samples=options.samples or 1,
        problems=options.problems,
        max_tokens=sampling.max_tokens,
        thinking_budget=sampling.thinking_budget,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=options.seed or 0,
        concurrency=options.concurrency or most_in_flight(profile),
    )
    check_limit(config, pair, profile)
    sets = load_benchmarks(config.benchmarks)
    _tell_cost(config, pair, profile, sets)
    with serving(pair.key, options.profile) as served:
        hashes, names = {role: served.weight_hash(role) for role in ROLES}, served_names(served, ROLES)
        log = prepare(home() / RUNS, config, served.pair, hashes, sets, served.profile, served.software(), names)
        return watch(options, RunJob(log, served))


def _tell_cost(
    config: "RunConfig", pair: "PairSpec", profile: "Profile", sets: "Sequence[Benchmark]", taken: int = 0
) -> None:
    """The sets of a run, what it costs and what it could show, before it starts. `taken`: answers it begins with."""
    from eval.runs.cost import cost, throughputs
    from eval.runs.log import RUNS
    from eval.runs.plan import limits
    from eval.statistics.paired import smallest_differences

    for benchmark in sets:
        note(f"{benchmark.name}: {len(benchmark)} problems, sha256 {benchmark.sha256[:12]}…, {benchmark.source}")
        if benchmark.warning:
            note(f"  {benchmark.warning}")
    estimate = cost(config, [len(benchmark) for benchmark in sets], throughputs(home() / RUNS, pair), taken)
    drawn = {b.title or b.name: min(len(b), config.problems or len(b)) for b in sets}
    note(f"{estimate.sentence}\n{estimate.power_sentence} {smallest_differences(drawn)}".rstrip())
    if warning := limits(config, pair, profile):
        note(warning)


def _extend(options: argparse.Namespace) -> int:
    from commands.kit.serving import chosen_pair, chosen_profile, serving
    from eval.runs.cost import most_in_flight
    from eval.runs.extend import extend, plan_extension
    from eval.runs.log import ROLES, RUNS, find_run
    from eval.runs.plan import check_made_here
    from eval.runs.recorded import unpack_recorded
    from eval.runs.run_job import RunJob, served_names
    from models.config.registry import load_config

    given = [f"--{name.replace('_', '-')}" for name in OF_THE_RUN if _is_given(getattr(options, name))]
    if given:
        raise ConfigError(f"A run is extended with its own settings, not with {', '.join(given)}.", "Leave that out.")
    unpack_recorded(home())
    log = find_run(options.extend)
    check_made_here(log.info())
    config = load_config()
    pair = chosen_pair(config, log.info().config.pair)
    profile = chosen_profile(config, options.profile, pair)
    at_once = options.concurrency or most_in_flight(profile)
    plan = plan_extension(log, pair, profile, problems=options.problems, samples=options.samples, concurrency=at_once)
    note(f"{len(plan.samples):,} answers are taken over from run {log.folder.name}; what remains:")
    _tell_cost(plan.config, pair, profile, plan.benchmarks, len(plan.samples))
    with serving(pair.key, options.profile) as served:
        hashes, names = {role: served.weight_hash(role) for role in ROLES}, served_names(served, ROLES)
        longer = extend(home() / RUNS, plan, served.pair, hashes, served.profile, served.software(), names)
        return watch(options, RunJob(longer, served))


def _is_given(value: object) -> bool:
    return value is not None and value is not False and value != ""


def resume_command(options: argparse.Namespace) -> int:
    from commands.kit.serving import serving
    from eval.runs.log import find_run
    from eval.runs.plan import check_own
    from eval.runs.run_job import RunJob

    log = find_run(options.run)
    check_own(log.info())
    with log.claim():
        pass  # a run that another process works on is refused before its models are loaded
    with serving(log.info().config.pair, options.profile) as served:
        return watch(options, RunJob(log, served, retry_failed=options.retry_failed))


def forced_command(options: argparse.Namespace) -> None:
    from commands.kit.serving import serving
    from eval.runs.log import RUNS, RunLog
    from eval.runs.plan import check_own
    from eval.thoughts.forced import force_answers

    log = RunLog.open(home() / RUNS, options.run)
    check_own(log.info())
    with log.claim(), serving(log.info().config.pair, options.profile) as served:
        answers = asyncio.run(
            force_answers(log, served, options.budget, options.answer_tokens, progress=progress("answers forced"))
        )
    path = log.path("forced")
    show(options, {"run": options.run, "answers": answers, "file": path}, f"{answers} forced answers added to {path}")

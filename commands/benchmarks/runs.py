"""`arena run`, `resume` and `forced`: run a problem set on a pair, with a progress line."""

import argparse
import asyncio
import signal
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

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
from commands.kit.printing import note, overwrite, progress, show
from common.errors import ConfigError
from common.paths import home

if TYPE_CHECKING:
    from eval.runs.jobs import Job, RunProgress
    from models.config.registry import PairSpec, Profile
    from models.config.sampling import Sampling

TICK_SECONDS = 2.0
OPEN_ENDED_QUESTIONS = 50
"""Default number of questions from an open-ended set, without --problems."""


def add_run(parser: argparse.ArgumentParser) -> None:
    describe(parser, run_command, "arena run --pair smol-135m --benchmark same_kind --samples 4 --problems 50")
    add_pair_option(parser)
    add_profile_option(parser)
    parser.add_argument(
        "--benchmark", action="append", required=True, help="a set (see arena sets) or a .jsonl file; may be repeated"
    )
    parser.add_argument(
        "--open-ended", action="store_true", help="the file has prompts without gold answers, to be judged afterwards"
    )
    parser.add_argument("--samples", type=count, default=1, help="samples per problem (default: 1)")
    parser.add_argument("--problems", type=count, help="draw this many problems of each set, using the seed")
    parser.add_argument("--max-tokens", type=count, help="limit on thought and answer together (default: the pair's)")
    parser.add_argument("--thinking-budget", type=count, help="limit on the thought alone")
    parser.add_argument("--temperature", type=number, help="default: the pair's; 0.6 with several samples if that is 0")
    parser.add_argument("--top-p", type=positive, help="default: the pair's")
    parser.add_argument("--seed", type=seed, default=0)
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
    from models.config.registry import load_config

    name, *others = options.benchmark
    if others or options.samples > 1:
        raise ConfigError(f"{name} is asked alone, once per question.", "Give one --benchmark, without --samples.")
    questions = options.problems or OPEN_ENDED_QUESTIONS
    profile = chosen_profile(load_config(), options.profile, pair)
    benchmark, sampling = open_ended.load_set(name, questions, options.seed), _sampling(options, pair, profile)
    drawing = {"seed": options.seed, "concurrency": options.concurrency}
    config = open_ended.configure(pair, profile, benchmark, sampling, **drawing)
    note(open_ended.estimate(pair, name, questions, config.max_tokens).sentence)
    with serving(pair.key, options.profile) as served:
        return watch(options, open_ended.start_run(served, benchmark, config))


def _sampling(options: argparse.Namespace, pair: "PairSpec", profile: "Profile") -> "Sampling":
    """How answers are drawn: as the options say, else as is usual for the pair."""
    from eval.runs.plan import usual_sampling

    usual = usual_sampling(pair, profile)
    temperature = usual.temperature or (0.6 if options.samples > 1 else 0.0)
    return replace(
        usual,
        max_tokens=options.max_tokens or usual.max_tokens,
        thinking_budget=options.thinking_budget,
        temperature=temperature if options.temperature is None else options.temperature,
        top_p=options.top_p or usual.top_p,
    )


def _run_graded(options: argparse.Namespace, pair: "PairSpec") -> int:
    from commands.kit.serving import chosen_profile, serving
    from eval.runs.cost import cost, most_in_flight, throughputs
    from eval.runs.log import ROLES, RUNS, RunConfig
    from eval.runs.plan import check_limit, limits, load_benchmarks, prepare
    from eval.runs.run_job import RunJob
    from eval.statistics.paired import smallest_differences
    from models.config.registry import load_config

    profile = chosen_profile(load_config(), options.profile, pair)
    sampling = _sampling(options, pair, profile)
    config = RunConfig(
        pair=pair.key,
        benchmarks=tuple(options.benchmark),
        samples=options.samples,
        problems=options.problems,
        max_tokens=sampling.max_tokens,
        thinking_budget=sampling.thinking_budget,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=options.seed,
        concurrency=options.concurrency or most_in_flight(profile),
    )
    check_limit(config, pair, profile)
    sets = load_benchmarks(config.benchmarks)
    for benchmark in sets:
        note(f"{benchmark.name}: {len(benchmark)} problems, sha256 {benchmark.sha256[:12]}…, {benchmark.source}")
        if benchmark.warning:
            note(f"  {benchmark.warning}")
    runs = home() / RUNS
    estimate = cost(config, [len(benchmark) for benchmark in sets], throughputs(runs, pair))
    drawn = {b.title or b.name: min(len(b), config.problems or len(b)) for b in sets}
    note(f"{estimate.sentence}\n{estimate.power_sentence} {smallest_differences(drawn)}".rstrip())
    if warning := limits(config, pair, profile):
        note(warning)
    with serving(pair.key, options.profile) as served:
        hashes = {role: served.weight_hash(role) for role in ROLES}
        log = prepare(runs, config, served.pair, hashes, sets, served.profile, served.software())
        return watch(options, RunJob(log, served))


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


def watch(options: argparse.Namespace, job: "Job") -> int:
    """Run the job with a progress line. Ctrl-C stops it so that it can be resumed; a second one does not wait."""
    from commands.benchmarks.results import outcome

    run = job.log.folder.name
    note(f"run {run}")
    options.continues = f"Continue with: arena resume {run}"
    interrupted = _work(job)
    state = job.progress()
    if state.phase == "finished":
        values, text = outcome(job.log)
        note(f"Finished. {state.message}".rstrip())
        show(options, {"run": run, "phase": state.phase, **values}, text)
        return 0
    for side in state.sides.values():
        note(f"{side.done} of {side.total}: {side.message}".rstrip(": "))
    if interrupted:
        raise KeyboardInterrupt
    note(f"{state.message or 'The run stopped.'} {options.continues}")
    return 1


def _work(job: "Job") -> bool:
    """Run the job in a thread. Returns whether Ctrl-C stopped it."""
    interrupted = threading.Event()

    def stop(*_: object) -> None:
        interrupted.set()
        job.stop()
        signal.signal(signal.SIGINT, previous)

    thread = threading.Thread(target=job.run)
    previous = signal.signal(signal.SIGINT, stop)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(TICK_SECONDS)
            overwrite(_line(job.progress()), ended=not thread.is_alive())
    finally:
        signal.signal(signal.SIGINT, previous)
        job.stop()
    return interrupted.is_set()


def _line(state: "RunProgress") -> str:
    parts: Sequence[str] = [
        f"{role} {side.done}/{side.total}"
        + (f" ({side.failed} failed)" if side.failed else "")
        + f" {side.tokens_per_second:.0f} tok/s"
        for role, side in state.sides.items()
    ]
    return f"{state.phase}: {' · '.join(parts)}"

"""`python -m commands.runs`: run, resume, grade, list, report."""

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from common.errors import ArenaError, ConfigError
from common.paths import home
from eval.grading.grader import Grader
from eval.runs.cost import cost, most_in_flight, paces
from eval.runs.grades import grade_run
from eval.runs.jobs import RunProgress
from eval.runs.log import ROLES, RUNS, Role, RunConfig, RunLog, find_run, list_runs
from eval.runs.plan import check_own, load_benchmarks, prepare
from eval.runs.run_job import RunJob, Served
from eval.statistics.paired import smallest_differences
from models.config.plan import profile_for
from models.config.registry import PairSpec, Profile, load_config

TICK_SECONDS = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        return int(options.action(options))
    except ArenaError as error:
        print(error, file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="python -m commands.runs", description="Maths benchmarks on a base and a distilled model."
    )
    commands = root.add_subparsers(required=True, metavar="command")
    run = commands.add_parser("run", help="both models on one or more benchmarks")
    run.add_argument("--pair", default="", help="a pair of spaces.yaml (default: its default_pair)")
    run.add_argument("--benchmark", action="append", required=True, help="a name, or a .jsonl file; may be repeated")
    run.add_argument("--samples", type=int, default=1, help="samples a problem")
    run.add_argument("--problems", type=int, help="only so many problems of each set, drawn with the seed")
    run.add_argument("--max-tokens", type=int, default=1024, help="limit on thought and answer together")
    run.add_argument("--thinking-budget", type=int, help="limit on the thought alone")
    run.add_argument("--temperature", type=float, help="default: 0, or 0.6 with several samples")
    run.add_argument("--top-p", type=float, default=1.0)
    run.add_argument("--seed", type=int, default=0)
    run.add_argument(
        "--concurrency", type=int, help="requests in flight at each server (default: as many as the profile takes)"
    )
    _add_servers(run)
    run.set_defaults(action=run_command)
    resume = commands.add_parser("resume", help="go on with a run that was stopped or killed")
    resume.add_argument("run")
    resume.add_argument("--retry-failed", action="store_true", help="ask again for samples whose request failed")
    _add_servers(resume)
    resume.set_defaults(action=resume_command)
    _add_forced(commands)
    listing = commands.add_parser("list", help="the runs there are")
    listing.set_defaults(action=list_command)
    report = commands.add_parser("report", help="a run's results as Markdown")
    report.add_argument("run")
    report.add_argument("--out", type=Path, help="file to write (default: the screen)")
    report.add_argument("--export", type=Path, help="also write every sample to this .parquet, .csv or .json file")
    report.set_defaults(action=report_command)
    regrade = commands.add_parser("regrade", help="grade what has no grade yet or made the grader fail, or all anew")
    regrade.add_argument("run")
    regrade.add_argument("--all", action="store_true", help="grade every sample anew; old grades stay in the file")
    regrade.set_defaults(action=regrade_command)
    _add_offline(commands)
    return root


def _add_servers(command: argparse.ArgumentParser) -> None:
    command.add_argument("--profile", default="", help="a profile of spaces.yaml (default: what fits this machine)")


def _add_forced(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    forced = commands.add_parser("forced", help="answers forced at token budgets, from the thoughts of a run")
    forced.add_argument("run")
    forced.add_argument(
        "--budget", type=int, action="append", required=True, help="tokens of thought kept; may be repeated"
    )
    forced.add_argument("--answer-tokens", type=int, default=128, help="limit on the forced answer")
    _add_servers(forced)
    forced.set_defaults(action=forced_command)


def _add_offline(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from commands.grade import add_parser
    from commands.sets import add_sets_parser

    add_parser(commands)
    add_sets_parser(commands)


def runs_folder() -> Path:
    return home() / RUNS


def run_command(options: argparse.Namespace) -> int:
    pair = chosen_pair(options.pair)
    temperature = options.temperature if options.temperature is not None else (0.6 if options.samples > 1 else 0.0)
    concurrency = options.concurrency
    if concurrency is None:
        concurrency = most_in_flight(chosen_profile(options.profile, pair))
    config = RunConfig(
        pair=pair.key,
        benchmarks=tuple(options.benchmark),
        samples=options.samples,
        problems=options.problems,
        max_tokens=options.max_tokens,
        thinking_budget=options.thinking_budget,
        temperature=temperature,
        top_p=options.top_p,
        seed=options.seed,
        concurrency=concurrency,
    )
    sets = load_benchmarks(config.benchmarks)
    for found in sets:
        print(f"{found.name}: {len(found)} problems, sha256 {found.sha256[:12]}…, {found.source}", file=sys.stderr)
        if found.warning:
            print(f"  {found.warning}", file=sys.stderr)
    estimate = cost(config, [len(found) for found in sets], paces(runs_folder(), pair))
    drawn = {found.title or found.name: min(len(found), config.problems or len(found)) for found in sets}
    print(f"{estimate.sentence}\n{estimate.power_sentence} {smallest_differences(drawn)}".rstrip(), file=sys.stderr)
    with serving(pair.key, options.profile) as served:
        hashes: dict[Role, str] = {role: served.weight_hash(role) for role in ROLES}
        log = prepare(runs_folder(), config, served.pair, hashes, sets, served.profile)
        print(f"run {log.folder.name}", file=sys.stderr)
        return watch(RunJob(log, served))


def resume_command(options: argparse.Namespace) -> int:
    log = find_run(options.run)
    check_own(log.info())
    with serving(log.info().config.pair, options.profile) as served:
        return watch(RunJob(log, served, retry_failed=options.retry_failed))


def forced_command(options: argparse.Namespace) -> int:
    import asyncio

    from eval.runs.forced import force_answers

    log = RunLog.open(runs_folder(), options.run)
    check_own(log.info())
    with serving(log.info().config.pair, options.profile) as served, log.claim():
        made = asyncio.run(
            force_answers(log, served, options.budget, options.answer_tokens, progress=_count("forced answers"))
        )
    print(f"\n{made} forced answers added to {log.path('forced')}", file=sys.stderr)
    return 0


def chosen_pair(key: str = "") -> PairSpec:
    """The pair of that key; without one, the default. Raises ConfigError where spaces.yaml has none of it."""
    spaces = load_config()
    key = key or spaces.default_pair
    if key not in spaces.pairs:
        raise ConfigError(f"There is no pair “{key}” in spaces.yaml.", f"Choose one of {', '.join(spaces.pairs)}.")
    return spaces.pairs[key]


def chosen_profile(name: str, pair: PairSpec) -> Profile:
    """The profile of that name; without one, what suits this machine and the pair."""
    if name:
        os.environ["JOURNEY_PROFILE"] = name
    return profile_for(load_config(), pair)


@contextmanager
def serving(pair: str, profile: str) -> Iterator[Served]:
    """Both servers, started here and stopped afterwards; waits until they answer."""

    from models.serving.pair import serving as serving_pair

    spec = chosen_pair(pair)
    print("waiting for both models …", file=sys.stderr)
    with serving_pair(load_config(), spec, chosen_profile(profile, spec)) as served:
        yield served


def watch(session: RunJob) -> int:
    """Run a job with a line of progress; ctrl-C stops it so that it can be resumed. 0: complete."""
    previous = signal.signal(signal.SIGINT, lambda *_: session.stop())
    thread = threading.Thread(target=session.run)
    thread.start()
    while thread.is_alive():
        thread.join(TICK_SECONDS)
        print(f"\r{_line(session.progress())}", end="", file=sys.stderr, flush=True)
    signal.signal(signal.SIGINT, previous)
    progress = session.progress()
    print(f"\n{progress.phase}. {progress.message}".rstrip(), file=sys.stderr)
    run = session.log.folder.name
    if progress.phase == "finished":
        print(outcome(session.log))
        return 0
    for side in progress.sides.values():
        print(f"{side.done} of {side.total}: {side.message}", file=sys.stderr)
    print(f"Go on with: python -m commands.runs resume {run}", file=sys.stderr)
    return 1


def _line(progress: RunProgress) -> str:
    parts = [
        f"{role} {side.done}/{side.total}" + (f" ({side.failed} failed)" if side.failed else "")
        + f" {side.tokens_per_second:.0f} tok/s"
        for role, side in progress.sides.items()
    ]  # fmt: skip
    return f"{progress.phase}: {' · '.join(parts)}   "


def _count(what: str) -> Callable[[int, int], None]:
    def tell(done: int, total: int) -> None:
        print(f"\r{done} of {total} {what}", end="", file=sys.stderr, flush=True)

    return tell


def list_command(options: argparse.Namespace) -> int:
    for info in list_runs(runs_folder()):
        sets = ", ".join(f"{data.name} ({data.problems})" for data in info.data)
        print(f"{info.id}  {info.config.pair}  {sets}  k={info.config.samples}  {info.config.max_tokens} tokens")
    return 0


def report_command(options: argparse.Namespace) -> int:
    from commands.grade import check_output
    from eval.results.samples import EXPORT, Results, sides_of

    form = options.export.suffix.lstrip(".") if options.export else ""
    if options.export and form not in EXPORT:
        raise ConfigError(f"--export {options.export}: unknown format.", f"End it in .{', .'.join(EXPORT)}.")
    for path in filter(None, (options.out, options.export)):
        check_output(path)
    text = _report(options.run)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    else:
        print(text)
    if options.export:
        log = RunLog.open(runs_folder(), options.run)
        Results(runs_folder(), [options.run]).export(sides_of(log.info()), options.export, form)  # type: ignore[arg-type]
    return 0


def outcome(log: RunLog) -> str:
    """What a finished run shows: its report, or what a set beyond maths has to say."""
    from eval.runs import open_ended as beyond_run

    if log.folder.parent == beyond_run.runs_folder():
        return beyond_run.outcome(log)
    return _report(log.folder.name)


def _report(run: str) -> str:
    from eval.results.report import run_report

    return run_report(runs_folder(), run)


def regrade_command(options: argparse.Namespace) -> int:
    log = RunLog.open(runs_folder(), options.run)
    with log.claim(), Grader() as grader:
        count = grade_run(log, grader, anew=options.all, progress=_count("graded"))
    print(json.dumps({"run": options.run, "graded": count}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The command `judge`: check a judge, judge a run, print its scores."""

import argparse
import asyncio
from collections.abc import Sequence

from common.errors import ArenaError, ConfigError
from eval.judging.judge import RUBRICS, Judge
from eval.judging.judged import KEY_VARIABLE, judge_client, judge_run, judgements, score_sentence, scores
from eval.judging.labelled import (
    CHECK_ITEMS,
    LABELLED,
    check_judge,
    check_sentence,
    load_labelled,
    save_check,
)
from eval.runs.log import RunLog, find_run


async def _check(options: argparse.Namespace) -> None:
    labelled = load_labelled(options.set)
    rubric = RUBRICS[LABELLED[options.set].rubric]
    async with judge_client(options.url, options.model) as client:
        judge = Judge(options.name or options.model, client, rubric)
        check, verdicts = await check_judge(
            judge, options.set, labelled, options.count or None,
            lambda done, of: print(f"\r{done}/{of}", end="", flush=True),
        )  # fmt: skip
    save_check(check, verdicts)
    print(f"\n{check.judge}: {check_sentence(check, rubric.key)}")


async def _run(options: argparse.Namespace) -> None:
    log = find_run(options.run)
    rubrics = {p.extra.get("rubric", "") for p in log.problems() if options.benchmark in (None, p.benchmark)}
    wanted = options.rubric or (rubrics.pop() if len(rubrics) == 1 else "")
    if wanted not in RUBRICS:
        raise ConfigError("By which question should this run be judged?", f"Give --rubric {'|'.join(RUBRICS)}.")
    with log.claim():
        await _judge(log, options, wanted)
    print()
    _print_scores(log)


async def _judge(log: RunLog, options: argparse.Namespace, rubric: str) -> None:
    async with judge_client(options.url, options.model) as client:
        judge = Judge(options.name or options.model, client, RUBRICS[rubric])  # type: ignore[index]
        async for done, of in judge_run(log, judge, options.benchmark):
            print(f"\r{done}/{of}", end="", flush=True)


def _print_scores(log: RunLog) -> None:
    for score in scores(judgements(log)):
        print(f"{score_sentence(score)}\n    judge {score.judge}. {check_sentence(score.check, score.rubric)}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m commands.judge", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check, run, show = (commands.add_parser(name) for name in ("check", "run", "scores"))
    for command in (check, run):
        command.add_argument("--url", required=True, help=f"ends in /v1; the key is read from {KEY_VARIABLE}")
        command.add_argument("--model", required=True)
        command.add_argument("--name", help="the name the judge is kept under (default: the model's)")
    check.add_argument("--set", required=True, choices=sorted(LABELLED))
    check.add_argument("--count", type=int, default=CHECK_ITEMS, help="items to judge; 0: all")
    run.add_argument("--rubric", choices=sorted(RUBRICS))
    run.add_argument("--benchmark")
    for command in (run, show):
        command.add_argument("run", help="id of a run")
    options = parser.parse_args(arguments)
    try:
        if options.command == "scores":
            _print_scores(find_run(options.run))
        else:
            asyncio.run((_check if options.command == "check" else _run)(options))
    except ArenaError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

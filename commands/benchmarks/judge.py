"""`arena judge check`, `run` and `scores`: a judge model for answers without a gold answer, and its accuracy."""

import argparse
import asyncio

from commands.kit.arguments import AGAIN, add_profile_option, address, group, leaf, whole
from commands.kit.printing import note, progress, show
from common.errors import ConfigError
from common.text import counted
from eval.runs.log import RunLog, find_run

URL = "--url http://127.0.0.1:8001/v1 --model Qwen2.5-7B-Instruct"


def add_judge(parser: argparse.ArgumentParser) -> None:
    commands = group(parser)
    example = f"arena judge check {URL} --set safetyj_diasafety"
    check = leaf(commands, "check", check_command, "compare a judge with people's labels", example)
    example = "arena judge run 20261127-172848-smol-135m --served qwen-1.5b --rubric safety"
    run = leaf(commands, "run", run_command, "judge the answers of a run", example, continues=AGAIN)
    example = "arena judge scores 20261127-172848-smol-135m"
    show_scores = leaf(commands, "scores", scores_command, "print the scores of a judged run", example)
    for command in (check, run):
        command.add_argument("--url", type=address, help="address ending in /v1; the key is read from JUDGE_API_KEY")
        command.add_argument("--model", help="the judge's model, as its server calls it")
        command.add_argument("--served", default="", help="serve this model of spaces.yaml, instead of an address")
        command.add_argument("--name", help="name to store the judge under (default: the model's)")
        add_profile_option(command)
    check.add_argument("--set", required=True, help="labelled set (an unknown name lists them)")
    check.add_argument("--count", type=whole, help="items to judge (default: a fixed sample); 0: all")
    for command in (run, show_scores):
        command.add_argument("run", help="id of a run (see arena runs)")
    run.add_argument("--rubric", help="the question put to the judge (default: the set's own)")
    run.add_argument("--benchmark", help="judge only this set of the run")


def check_command(options: argparse.Namespace) -> None:
    from commands.kit.serving import asking
    from eval.judging.judge import RUBRICS, Judge
    from eval.judging.judged import judge_client
    from eval.judging.labelled import CHECK_ITEMS, LABELLED, check_judge, check_sentence, load_labelled, save_check

    labelled = load_labelled(options.set)
    rubric = RUBRICS[LABELLED[options.set].rubric]
    count = CHECK_ITEMS if options.count is None else options.count

    async def work(asked: argparse.Namespace) -> None:
        async with judge_client(asked.url, asked.model) as client:
            judge = Judge(asked.name or asked.model, client, rubric)
            check, verdicts = await check_judge(judge, asked.set, labelled, count or None, progress("items judged"))
        save_check(check, verdicts)
        show(options, vars(check), f"{check.judge}: {check_sentence(check, rubric.key)}")

    with asking(options) as asked:
        asyncio.run(work(asked))


def run_command(options: argparse.Namespace) -> int:
    from commands.kit.serving import asking
    from eval.judging.judge import RUBRICS, Judge
    from eval.judging.judged import judge_client, judge_run

    log = find_run(options.run)
    rubrics = {p.extra.get("rubric", "") for p in log.problems() if options.benchmark in (None, p.benchmark)}
    rubric = options.rubric or (rubrics.pop() if len(rubrics) == 1 else "")
    if rubric not in RUBRICS:
        raise ConfigError("This run does not say which question to put to the judge.",
                          f"Give --rubric {'|'.join(RUBRICS)}.")  # fmt: skip

    async def work(asked: argparse.Namespace) -> int:
        update, done, of = progress("answers judged"), 0, 0
        async with judge_client(asked.url, asked.model) as client:
            judge = Judge(asked.name or asked.model, client, RUBRICS[rubric])  # type: ignore[index]
            async for done, of in judge_run(log, judge, asked.benchmark):
                update(done, of)
        return of - done

    with log.claim(), asking(options) as asked:
        missed = asyncio.run(work(asked))
    if missed:
        note(f"{counted(missed, 'request')} failed, so the scores are without those verdicts. {AGAIN}")
    _show_scores(options, log)
    return 1 if missed else 0


def scores_command(options: argparse.Namespace) -> None:
    _show_scores(options, find_run(options.run))


def _show_scores(options: argparse.Namespace, log: RunLog) -> None:
    from eval.judging.scored import run_scores, score_lines

    found = run_scores(log)
    text = "\n".join(score_lines(found)) or "This run has not been judged yet. See arena judge run --help."
    show(options, {"run": log.folder.name, "scores": found}, text)

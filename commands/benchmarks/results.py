"""`arena runs`, `report`, `regrade` and `record`: commands on existing runs. No model is started."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from commands.kit.arguments import AGAIN, add_run_argument, describe
from commands.kit.files import check_writable
from commands.kit.printing import progress, show
from common.errors import ConfigError, DataError
from common.jsonl import write_text
from common.paths import home
from eval.results.comparison import interval, points
from eval.runs.log import OPEN_ENDED, RUNS, RunLog, find_run, list_runs

EXPORTS = ("parquet", "csv", "json")


def add_runs(parser: argparse.ArgumentParser) -> None:
    describe(parser, list_command, "arena runs")


def add_report(parser: argparse.ArgumentParser) -> None:
    describe(parser, report_command, "arena report --pair smol-135m")
    parser.add_argument("run", nargs="?", default="", help="id of a run (see arena runs)")
    parser.add_argument("--pair", default="", help="instead of a run: all sets of this pair, each from its largest run")
    parser.add_argument("--card", type=Path, metavar="FOLDER", help="with --pair: also write the whole report card, "
                        "with people, benchmarks, cases and chat, and the rows behind every number")  # fmt: skip
    parser.add_argument("--out", type=Path, help="write the report to this file instead")
    parser.add_argument("--export", type=Path, help="also write every sample to this .parquet, .csv or .json file")


def add_regrade(parser: argparse.ArgumentParser) -> None:
    example = "arena regrade 20261127-124343-smol-135m --all"
    describe(parser, regrade_command, example, continues=AGAIN)
    add_run_argument(parser)
    parser.add_argument(
        "--all", action="store_true", help="every answer, not only those without a grade; earlier grades are kept"
    )


def add_record(parser: argparse.ArgumentParser) -> None:
    describe(parser, record_command, "arena record 20261127-124343-smol-135m")
    add_run_argument(parser)
    parser.add_argument("--out", type=Path, help="folder (default: the one whose runs ship)")


def list_command(options: argparse.Namespace) -> None:
    infos = [*list_runs(home() / RUNS), *list_runs(home() / OPEN_ENDED)]
    lines = [
        f"{info.id}  {info.config.pair}  {', '.join(f'{data.name} ({data.problems})' for data in info.data)}"
        f"  k={info.config.samples}  {info.config.max_tokens} tokens{'  recorded' if info.recorded else ''}"
        for info in infos
    ]
    show(options, {"runs": infos}, "\n".join(lines) or "There are no runs yet. Start one with: arena run --help")


def report_command(options: argparse.Namespace) -> None:
    if bool(options.run) == bool(options.pair):
        raise ConfigError("A report needs one run, or a pair.", "Give either the id of a run or --pair.")
    if options.card and not options.pair:
        raise ConfigError("A report card is about a pair, not a run.", "Give --pair instead of the id of a run.")
    if options.card:
        from commands.benchmarks.card import card_command

        return card_command(options)
    if options.pair:
        return pair_report(options)
    form = options.export.suffix.lstrip(".") if options.export else ""
    if options.export and form not in EXPORTS:
        raise ConfigError(f"{options.export} has an unknown format.", f"Let it end in .{', .'.join(EXPORTS)}.")
    for path in filter(None, (options.out, options.export)):
        check_writable(path)
    log = find_run(options.run)
    values, text = outcome(log)
    if options.export:
        _export(log, options.export, form)
    if options.out:
        write_text(options.out, text)
        text = f"Report written to {options.out}."
    return show(options, values, text)


def _export(log: RunLog, path: Path, form: str) -> None:
    from eval.results.samples import Results, sides_of

    results = Results(log.folder.parent, [log.folder.name])
    results.export(sides_of(log.info()), path, form)  # type: ignore[arg-type]


def pair_report(options: argparse.Namespace) -> None:
    """One row a set."""
    from eval.judging.scored import pair_scores, score_lines
    from eval.problems.families import MEASURED
    from eval.results.overview import in_words, overview
    from eval.runs.recorded import unpack_recorded
    from models.config.registry import load_config

    if options.export:
        raise ConfigError("Samples are exported run by run.", "Give the id of a run instead of --pair.")
    unpack_recorded(home())
    results, judged = overview(home() / RUNS, options.pair), pair_scores(home() / OPEN_ENDED, options.pair)
    if not results and not judged:
        if options.pair not in (pairs := load_config().pairs):
            raise ConfigError(f"There is no pair {options.pair}.", f"spaces.yaml has {', '.join(pairs)}.")
        start = f"arena run --pair {options.pair} --benchmark {MEASURED[0]}"
        raise DataError(f"There is no complete run of {options.pair}.", f"Start one: {start}")
    head = ["| set | problems × samples | base | distilled | difference [95 %] | tokens | run |", "|---" * 7 + "|"]
    rows = [
        f"| {one.title} | {one.n} × {one.k} | {one.base:.1%} | {one.distilled:.1%} | {points(one.difference)} "
        f"{interval(one)} | {one.base_tokens:.0f} → {one.distilled_tokens:.0f} | {one.run} |"
        for one in results
    ]
    lines = score_lines(judged)
    text = "\n".join([*head, *rows, "", in_words(results), *(["", "Judged by a model:", *lines] if lines else [])])
    values = {"pair": options.pair, "sets": [one._asdict() for one in results], "judged": judged}
    if options.out:
        write_text(options.out, text + "\n")
        text = f"Report written to {options.out}."
    show(options, values, text)


def outcome(log: RunLog) -> tuple[dict[str, Any], str]:
    """The result of a run, as JSON values and as text."""
    run = log.folder.name
    if _is_open_ended(log):
        return _open_ended(log)
    from eval.results.report import run_comparisons, run_report

    comparisons = [
        {name: value for name, value in vars(comparison).items() if name != "cells"}
        for comparison in run_comparisons(log.folder.parent, run)
    ]
    return {"run": run, "comparisons": comparisons}, run_report(log.folder.parent, run)


def _is_open_ended(log: RunLog) -> bool:
    return log.folder.parent == home() / OPEN_ENDED


def _open_ended(log: RunLog) -> tuple[dict[str, Any], str]:
    from eval.runs import open_ended

    run = log.folder.name
    if not open_ended.is_probe(log):
        from eval.judging.scored import run_scores, score_lines

        found = run_scores(log)
        return {"run": run, "scores": found}, "\n".join(score_lines(found)) or open_ended.outcome(log)
    from eval.grading.grader import Grader

    with Grader(workers=1) as grader:
        sides, p_value = open_ended.probe_outcome(open_ended.probe_readings(log, grader))
    return {"run": run, "sycophancy": sides, "p_value": p_value}, open_ended.outcome(log)


def regrade_command(options: argparse.Namespace) -> None:
    from eval.grading.grader import Grader
    from eval.runs.grades import grade_run

    log = RunLog.open(home() / RUNS, options.run)
    with log.claim(), Grader() as grader:
        graded = grade_run(log, grader, anew=options.all, progress=progress("graded"))
    show(options, {"run": options.run, "graded": graded}, f"{graded} answers graded.")


def record_command(options: argparse.Namespace) -> None:
    from eval.judging.scored import keep_checks
    from eval.runs.recorded import RECORDED, pack_run, without_texts

    log = find_run(options.run)
    out = options.out or (RECORDED / OPEN_ENDED if _is_open_ended(log) else RECORDED)
    check_writable(out / f"{log.folder.name}.zip")
    with TemporaryDirectory() as folder:
        copy = without_texts(log.folder, Path(folder))
        keep_checks(RunLog(copy))
        path = pack_run(copy, out)
    show(options, {"run": log.folder.name, "file": path}, f"Packed into {path}.")

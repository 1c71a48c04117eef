"""`arena import`: outputs and logs made elsewhere, as a run. No model is started."""

import argparse
from pathlib import Path

from commands.benchmarks.results import outcome
from commands.kit.arguments import describe
from commands.kit.printing import progress, show
from common.errors import ConfigError
from common.paths import home
from eval.runs.log import ROLES, RUNS

ABOUT = """Reads logs of inspect_ai (.eval, .json), lighteval (details_….parquet), lm-evaluation-harness
(samples_….jsonl) and evalscope (reviews/….jsonl), with their thoughts, and any JSONL file that has a question, a gold
answer and outputs in each row. Answers are graded here, whatever the log says of them."""


def add_import(parser: argparse.ArgumentParser) -> None:
    describe(parser, import_command, "arena import base.eval distilled.eval --benchmark gsm8k")
    parser.description = f"{parser.description}\n\n{ABOUT}"
    parser.add_argument("file", type=Path, help="outputs of one model; of the base, if a second file follows")
    parser.add_argument("other", type=Path, nargs="?", help="outputs of the distilled model: one run compares the two")
    parser.add_argument(
        "--role",
        choices=ROLES,
        default=ROLES[0],
        help=f"side, for a single file (default: {ROLES[0]})",
    )
    parser.add_argument("--title", default="", help="name of the model (default: as in the log, else the file's name)")
    parser.add_argument("--other-title", default="", help="name of the second file's model")
    parser.add_argument("--benchmark", default="", help="the set that the questions are from, to compare with its runs")
    for name in ("question", "gold", "output"):
        parser.add_argument(f"--{name}-field", default="", help=f"field with the {name}, in a plain JSONL file")


def import_command(options: argparse.Namespace) -> None:
    from eval.grading.grader import Grader
    from eval.imports.agreement import agreement
    from eval.imports.imported import Source, import_outputs, import_pair
    from eval.imports.outputs import Fields
    from eval.problems.benchmark_sets import load_benchmark
    from eval.runs.grades import grade_run

    if options.other_title and not options.other:
        raise ConfigError("--other-title needs a second file.", "Give both files, the base's first.")
    benchmark = load_benchmark(options.benchmark) if options.benchmark else None
    fields = Fields(question=options.question_field, gold=options.gold_field, output=options.output_field)
    if options.other:
        base = Source(options.file, "base", options.title)
        distilled = Source(options.other, "distilled", options.other_title)
        imported = import_pair(home() / RUNS, base, distilled, benchmark=benchmark, fields=fields)
    else:
        imported = import_outputs(
            home() / RUNS, options.file, role=options.role, title=options.title, benchmark=benchmark, fields=fields
        )
    log = imported.log
    with log.claim(), Grader() as grader:
        grade_run(log, grader, progress=progress("graded"))
    values, text = outcome(log)
    left_out = "".join(f"\nLeft out: {reason}" for reason in imported.left_out)
    agreed = agreement(imported)
    text = f"{text}\nImported as run {log.folder.name}. {agreed}".rstrip() + left_out
    show(options, {**values, "agreement": agreed, "left_out": imported.left_out}, text)

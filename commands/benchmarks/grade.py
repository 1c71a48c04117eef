"""`arena grade`: grades outputs made elsewhere, without creating a run.

A row holds a gold answer and one or several outputs, in whatever fields:
{"problem": "…", "answer": "204", "outputs": ["<think>…</think> \\boxed{204}", "…"], "usage": {"tokens": [812, 977]}}
"""

import argparse
import json
import time
from pathlib import Path

from commands.kit.arguments import count, describe, positive
from commands.kit.files import check_writable
from commands.kit.printing import progress, show
from common import jsonl
from common.errors import ConfigError
from common.software import versions
from eval.grading.grader import SECONDS, WORKERS, Grader
from eval.imports.outputs import GOLD, OUTPUT, Fields
from models.config.thought_format import ThoughtFormat


def add_grade(parser: argparse.ArgumentParser) -> None:
    describe(parser, grade_command, "arena grade outputs.jsonl --id-field problem_id --rule integer")
    path = "dotted path; lists on the way are walked through"
    parser.add_argument("file", type=Path, help="JSONL, one problem (or with --id-field one sample) per line")
    parser.add_argument("--gold-field", default="", help=f"{path} (default: the first of {', '.join(GOLD)})")
    parser.add_argument(
        "--output-field", default="", help=f"one output or a list; {path} (default: {', '.join(OUTPUT)})"
    )
    parser.add_argument("--tokens-field", default="", help="output tokens, one for each output")
    parser.add_argument("--finish-field", default="", help="finish reasons, one for each output")
    parser.add_argument("--id-field", default="", help="rows with the same id are samples of one problem")
    parser.add_argument(
        "--rule",
        choices=("math", "integer", "choice"),
        default="math",
        help="integer: AIME and similar sets; choice: one of several options",
    )
    parser.add_argument("--thought", choices=("tags", "marker", "none"), default="tags", help="how thoughts are marked")
    parser.add_argument("--open", default="<think>", help="opening tag of a thought")
    parser.add_argument("--close", default="</think>", help="closing tag of a thought")
    parser.add_argument("--prefilled", action="store_true", help="outputs begin inside the thought")
    parser.add_argument("--marker", default="", help="line at which the answer begins, with --thought marker")
    parser.add_argument("--out", type=Path, help="grades of the samples (default: FILE.grades.jsonl)")
    parser.add_argument("--workers", type=count, default=WORKERS, help=f"grading processes (default: {WORKERS})")
    parser.add_argument(
        "--seconds", type=positive, default=SECONDS, help=f"time limit of one comparison (default: {SECONDS:g})"
    )


def grade_command(options: argparse.Namespace) -> None:
    """Write the grades next to the file; the command's result is the summary."""
    from eval.results.graded_file import grade_file

    fields = Fields(
        gold=options.gold_field,
        output=options.output_field,
        tokens=options.tokens_field,
        finish=options.finish_field,
        id=options.id_field,
    )
    if options.thought == "marker" and not options.marker:
        raise ConfigError("--thought marker needs --marker.", "Give the line at which the answer begins.")
    if options.thought == "tags" and not (options.open and options.close):
        raise ConfigError("--thought tags needs --open and --close.", "Give both tags, or leave them out for <think>.")
    thought = ThoughtFormat(options.thought, options.open, options.close, options.prefilled, options.marker)
    started = time.monotonic()
    out = options.out or options.file.parent / f"{options.file.stem}.grades.jsonl"
    if out.resolve() == options.file.resolve():
        raise ConfigError("--out names the file of outputs itself.", "Give another file for the grades.")
    check_writable(out)
    with Grader(workers=options.workers, seconds=options.seconds) as grader:
        graded = grade_file(
            options.file, grader, fields=fields, thought=thought, rule=options.rule, progress=progress("graded")
        )
    jsonl.write(out, graded.grades)
    about = {
        "grades": str(out),
        "grader": versions(["math-verify"])["math-verify"],
        "seconds": round(time.monotonic() - started, 1),
    }
    values = graded.to_json() | about
    show(options, values, json.dumps(values, ensure_ascii=False, indent=1))

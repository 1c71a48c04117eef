"""The command `python -m commands.runs grade FILE.jsonl`: grades outputs made elsewhere and prints one JSON object.

A row holds a gold answer and one or many outputs, in whatever fields:
{"problem": "…", "answer": "204", "outputs": ["<think>…</think> \\boxed{204}", "…"], "usage": {"tokens": [812, 977]}}
"""

import argparse
import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

from common.errors import ConfigError
from common.jsonl import write
from eval.grading.grader import SECONDS, WORKERS, Grader
from eval.results.graded_file import grade_file
from eval.runs.outputs import GOLD, OUTPUT, Fields
from models.config.thought_format import ThoughtFormat

_PROGRESS_SECONDS = 0.5


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds `grade` to the commands of `python -m commands.runs`."""
    parser = commands.add_parser("grade", help="grade outputs made elsewhere")
    add_grade_arguments(parser)
    parser.set_defaults(action=grade_command)


def add_grade_arguments(parser: argparse.ArgumentParser) -> None:
    path = "dotted path; lists on the way are walked through"
    parser.add_argument("file", type=Path, help="JSONL, one problem (or one sample, with --id-field) a line")
    parser.add_argument("--gold-field", default="", help=f"{path} (default: the first of {', '.join(GOLD)})")
    parser.add_argument(
        "--output-field", default="", help=f"one output or a list; {path} (default: {', '.join(OUTPUT)})"
    )
    parser.add_argument("--tokens-field", default="", help="output tokens, as many as there are outputs")
    parser.add_argument("--finish-field", default="", help="finish reasons, as many as there are outputs")
    parser.add_argument("--id-field", default="", help="rows with the same id are samples of one problem")
    parser.add_argument("--rule", choices=("math", "integer"), default="math", help="integer: AIME and its kind")
    parser.add_argument("--thought", choices=("tags", "marker", "none"), default="tags", help="how thoughts are marked")
    parser.add_argument("--open", default="<think>", help="opening tag of a thought")
    parser.add_argument("--close", default="</think>", help="closing tag of a thought")
    parser.add_argument("--prefilled", action="store_true", help="outputs begin inside the thought")
    parser.add_argument("--marker", default="", help="line at which the answer begins, with --thought marker")
    parser.add_argument("--out", type=Path, help="per-sample grades (default: FILE.grades.jsonl)")
    parser.add_argument("--workers", type=int, default=WORKERS, help="grading processes")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time limit of one comparison")


def grade_command(options: argparse.Namespace) -> int:
    """Grades the file, writes the grades beside it and prints the summary, one JSON object, on stdout."""
    fields = Fields(
        gold=options.gold_field,
        output=options.output_field,
        tokens=options.tokens_field,
        finish=options.finish_field,
        id=options.id_field,
    )
    if options.thought == "marker" and not options.marker:
        raise ConfigError("--thought marker needs --marker.", "Give the line at which the answer begins.")
    thought = ThoughtFormat(options.thought, options.open, options.close, options.prefilled, options.marker)
    started = time.monotonic()
    out = options.out or options.file.with_suffix(".grades.jsonl")
    if out.resolve() == options.file.resolve():
        raise ConfigError("--out names the file of outputs itself.", "Give another file for the grades.")
    check_output(out)
    with Grader(workers=options.workers, seconds=options.seconds) as grader:
        graded = grade_file(
            options.file, grader, fields=fields, thought=thought, rule=options.rule, progress=_Progress()
        )
    write(out, graded.grades)
    about = {"grades": str(out), "grader": version("math-verify"), "seconds": round(time.monotonic() - started, 1)}
    print(json.dumps(graded.to_json() | about, ensure_ascii=False, indent=2))
    return 0


def check_output(path: Path) -> None:
    """Raise ConfigError unless a file can be written there, in a folder that is made if need be: to be asked before the
    work that fills it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{path.parent} cannot be made: {error.strerror}.", "Give another file.") from error
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigError(f"{path} cannot be written.", "Give another file.")


class _Progress:
    """Progress on stderr when that is a terminal, a few times a second."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if sys.stderr.isatty() and (done == total or time.monotonic() - self._last > _PROGRESS_SECONDS):
            self._last = time.monotonic()
            print(f"\r{done} of {total} graded", end="", file=sys.stderr, flush=True)

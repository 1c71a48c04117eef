"""The command `teacher`: long thoughts from any OpenAI-compatible service."""

import argparse
from pathlib import Path

from commands.traces.service_options import add_attempt_arguments, add_endpoint_arguments, collect
from common.paths import home
from traces.problems.sources import read_problems
from traces.thoughts.teacher import TEACHER_PROMPT, teacher_attempt


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m commands.train teacher`."""
    parser.add_argument("problems", type=Path, help="a curated problem file")
    add_endpoint_arguments(parser)
    add_attempt_arguments(parser)
    parser.add_argument("--own-thoughts", action="store_true", help="the teacher shows its thought: ask plainly")
    parser.add_argument("--out", type=Path, help="traces file (default: <home>/traces/teacher.traces.jsonl)")


def run(args: argparse.Namespace) -> int:
    """Collect from a teacher; returns as `collect` does."""
    out = args.out or home() / "traces" / "teacher.traces.jsonl"
    prompt = "{prompt}" if args.own_thoughts else TEACHER_PROMPT
    return collect(args, read_problems(args.problems), out, lambda client: teacher_attempt(client, prompt))

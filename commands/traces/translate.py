"""The command `translate`: kept traces in a second language."""

import argparse
from pathlib import Path

from commands.traces.service_options import add_attempt_arguments, add_endpoint_arguments, collect
from common.paths import home
from traces.keeping.trace import read_traces
from traces.thoughts.translate import PROMPTS, RULES, tasks, translate_attempt


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m commands.train translate`."""
    parser.add_argument("traces", type=Path, nargs="+", help="traces files; their kept traces are translated")
    parser.add_argument("--to", choices=sorted(PROMPTS), default="chinese", help="language (default chinese)")
    add_endpoint_arguments(parser)
    add_attempt_arguments(parser)
    parser.add_argument("--out", type=Path, help="traces file (default: <home>/traces/translated.traces.jsonl)")


def run(args: argparse.Namespace) -> int:
    """Translate every task; returns as `collect` does."""
    out = args.out or home() / "traces" / "translated.traces.jsonl"
    found = tasks((trace for path in args.traces for trace in read_traces(path)), args.to)
    sources = {task.problem.id: task.source for task in found}
    problems = [task.problem for task in found]
    return collect(args, problems, out, lambda client: translate_attempt(client, sources, args.to), RULES)

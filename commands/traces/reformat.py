"""The command `reformat`: known solutions rewritten step by step."""

import argparse
from pathlib import Path

from commands.traces.service_options import add_attempt_arguments, add_endpoint_arguments, collect
from common.paths import home
from traces.problems.sources import read_problems
from traces.thoughts.reformat import RULES, reformat_attempt, with_solutions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m commands.train reformat`."""
    parser.add_argument("problems", type=Path, help="a curated problem file whose problems have solutions")
    add_endpoint_arguments(parser)
    add_attempt_arguments(parser)
    parser.add_argument("--out", type=Path, help="file (default: <home>/traces/phase1/reformatted.jsonl)")


def run(args: argparse.Namespace) -> int:
    """Rewrite the solutions; returns as `collect` does."""
    out = args.out or home() / "traces" / "phase1" / "reformatted.jsonl"
    return collect(args, with_solutions(read_problems(args.problems)), out, reformat_attempt, RULES)

"""The command `debate`: long thoughts from a policy and a critic."""

import argparse
import os
from pathlib import Path

from commands.traces.service_options import add_attempt_arguments, add_endpoint_arguments, collect
from common.paths import home
from models.chat.client import Endpoint
from traces.problems.sources import read_problems
from traces.thoughts.debate import Debate, DebateOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m commands.train debate`."""
    parser.add_argument("problems", type=Path, help="a curated problem file")
    defaults = DebateOptions()
    add_endpoint_arguments(parser, defaults.step_tokens, f"one step; a verdict has {defaults.verdict_tokens}")
    add_attempt_arguments(parser)
    parser.add_argument("--critic-url", help="the critic's address (default: the policy's)")
    parser.add_argument("--critic-model", help="the critic's model (default: the policy's)")
    parser.add_argument("--critic-key-variable", default="OPENAI_API_KEY")
    parser.add_argument("--turns", type=int, default=defaults.turns, help="steps in one debate")
    parser.add_argument("--debate-tokens", type=int, default=defaults.tokens, help="output tokens of one debate")
    parser.add_argument("--no-schema", action="store_true", help="the critic's server knows no JSON schema")
    parser.add_argument("--out", type=Path, help="traces file (default: <home>/traces/debate.traces.jsonl)")


def run(args: argparse.Namespace) -> int:
    """Hold the debates; returns as `collect` does."""
    out = args.out or home() / "traces" / "debate.traces.jsonl"
    options = DebateOptions(args.turns, args.debate_tokens, args.max_tokens, schema=not args.no_schema)
    url = (args.critic_url or args.url).rstrip("/")
    critic = Endpoint(url, args.critic_model or args.model, os.environ.get(args.critic_key_variable, ""))
    problems = read_problems(args.problems)
    return collect(args, problems, out, lambda policy: Debate(policy, policy.beside(critic), options).attempt)

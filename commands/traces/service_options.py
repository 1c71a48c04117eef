"""The command-line options of everything that asks a service, the client they describe, and the run over all problems.

Does not know what is asked.
"""

import argparse
import asyncio
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from common.errors import ConfigError
from eval.grading.grader import Grader
from eval.records import Problem
from models.chat.client import Endpoint
from traces.keeping.keep import KeepRules, Verifier
from traces.keeping.trace import Trace
from traces.thoughts.gather import Attempts, MakeAttempt, Summary, gather
from traces.thoughts.pacing import Ledger, Pace, Prices
from traces.thoughts.service import ServiceClient, ServiceOptions

TAKEN = {
    "model": "Name it with --model.",
    "messages": "They are what the command asks; leave them out.",
    "seed": "Every request has one of its own, counted from --seed where the command has it.",
    "n": "A request brings one reply; where the command has --attempts, that asks for more.",
}
"""Fields that `--body` must not set, and what to do instead: what is kept with a trace, and what the cap counts on."""


def add_endpoint_arguments(parser: argparse.ArgumentParser, max_tokens: int = 8192, limited: str = "one reply") -> None:
    """Options of every command that asks a service. `max_tokens` is the default limit of what `limited` names."""
    group = parser.add_argument_group("service")
    group.add_argument("--url", required=True, help="address ending in /v1")
    group.add_argument("--model", required=True)
    group.add_argument("--key-variable", default="OPENAI_API_KEY", help="environment variable that holds the key")
    group.add_argument(
        "--max-tokens", type=int, default=max_tokens, help=f"output tokens of {limited} (default {max_tokens})"
    )
    group.add_argument("--token-field", default="max_tokens", help="or max_completion_tokens")
    group.add_argument("--temperature", type=float, default=0.7, help="negative: leave it to the service")
    group.add_argument("--timeout", type=float, default=600.0, help="seconds for one reply")
    group.add_argument("--retries", type=int, default=5)
    group.add_argument("--concurrency", type=int, default=16)
    group.add_argument("--requests-per-minute", type=int)
    group.add_argument("--tokens-per-minute", type=int)
    group.add_argument("--prompt-price", type=float, default=0.0, help="US dollars per million prompt tokens")
    group.add_argument("--output-price", type=float, default=0.0, help="US dollars per million output tokens")
    group.add_argument("--cap", type=float, help="US dollars, over all runs with this traces file")
    group.add_argument("--body", default="{}", help='further request fields as JSON, e.g. {"reasoning_effort": "high"}')


def client_from(args: argparse.Namespace, ledger: Path) -> ServiceClient:
    """The client these options describe. Raises ConfigError naming the option."""
    body = _body(args)
    if args.cap is not None and not (args.prompt_price or args.output_price):
        raise ConfigError("--cap needs prices to count with.", "Give --prompt-price and --output-price.")
    options = ServiceOptions(
        max_tokens=args.max_tokens,
        temperature=None if args.temperature < 0 else args.temperature,
        token_field=args.token_field,
        timeout=args.timeout,
        retries=args.retries,
        concurrency=args.concurrency,
        body=body,
    )
    pace = Pace(args.requests_per_minute, args.tokens_per_minute)
    endpoint = Endpoint(args.url.rstrip("/"), args.model, os.environ.get(args.key_variable, ""))
    return ServiceClient(
        endpoint, options, pace, Ledger(ledger, Prices(args.prompt_price, args.output_price), args.cap)
    )


def _body(args: argparse.Namespace) -> dict[str, Any]:
    example = 'Write e.g. {"reasoning_effort": "high"}.'
    try:
        body = json.loads(args.body)
    except ValueError as error:
        raise ConfigError(f"--body is not JSON: {error}.", example) from error
    if not isinstance(body, dict):
        raise ConfigError(f"--body is not a JSON object: {args.body[:80]}.", example)
    limits = dict.fromkeys(("max_tokens", "max_completion_tokens", args.token_field), "Set it with --max-tokens.")
    for name, remedy in {**TAKEN, **limits}.items():
        if name in body:
            raise ConfigError(f"--body must not set {name}.", remedy)
    return body


def ledger_path(out: Path) -> Path:
    """Where what was spent on a traces file is written down: beside it."""
    return out.with_name(f"{out.name.removesuffix('.jsonl').removesuffix('.traces')}.ledger.jsonl")


def add_attempt_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of every command that makes traces in many attempts."""
    parser.add_argument("--attempts", type=int, default=1, help="at most so many per problem (default 1)")
    parser.add_argument("--all-attempts", action="store_true", help="go on after one is kept")
    parser.add_argument("--retry-failed", action="store_true", help="ask again where the request itself failed")
    parser.add_argument("--seed", type=int, default=0)


def attempts_from(args: argparse.Namespace) -> Attempts:
    """How often to try, by these options."""
    return Attempts(args.attempts, not args.all_attempts, args.retry_failed, args.seed, args.concurrency)


def tell(trace: Trace) -> None:
    """One line of progress in the terminal."""
    verdict = "kept" if trace.kept else trace.reason
    print(f"{trace.problem.id} attempt {trace.attempt}: {verdict} ({trace.tokens} tokens)")


def collect(
    args: argparse.Namespace,
    problems: Sequence[Problem],
    out: Path,
    attempt_with: Callable[[ServiceClient], MakeAttempt],
    rules: KeepRules | None = None,
) -> int:
    """Make, verify and append every attempt that `out` lacks, and print what came of it.

    0 if it came to its end, 3 if the spending cap stopped it.
    """

    async def go() -> Summary:
        with Grader() as grader:
            async with client_from(args, ledger_path(out)) as client:
                verify = Verifier(grader, rules or KeepRules()).verify
                return await gather(problems, attempt_with(client), verify, out, attempts_from(args), tell)

    summary = asyncio.run(go())
    print(summary.sentence)
    return 3 if summary.stopped else 0

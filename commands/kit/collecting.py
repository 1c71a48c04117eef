"""One pass over all problems with a service: builds the client from the options, and shows the outcome."""

import argparse
import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from commands.kit.files import check_writable
from commands.kit.printing import note, show
from common.errors import ConfigError, DataError
from common.jsonl import parse
from common.locks import claimed
from eval.grading.grader import Grader
from eval.records import Problem
from models.chat.client import Endpoint
from traces.keeping.keep import KeepRules, Verifier
from traces.keeping.trace import Trace
from traces.thoughts.service.client import ServiceClient, ServiceOptions, timeout_for
from traces.thoughts.service.gather import Attempts, MakeAttempt, Summary, gather
from traces.thoughts.service.pacing import Ledger, Prices, RateLimit
from traces.thoughts.service.past import Maker

RESERVED = {
    "model": "Name it with --model.",
    "messages": "The command writes them.",
    "seed": "Each request has its own; use --seed where the command has it.",
    "n": "One request brings one reply; use --attempts where the command has it.",
}
"""Fields that `--body` must not set, since traces or the cap depend on them, and what to do instead."""
STOPPED_BY_CAP = 3


def client_from(options: argparse.Namespace, ledger: Path) -> ServiceClient:
    """The client these options describe. Raises ConfigError naming the option."""
    service = service_options_from(options)
    if options.cap is not None and not (options.prompt_price or options.output_price):
        raise ConfigError("--cap needs prices to count with.", "Give --prompt-price and --output-price.")
    rate_limit = RateLimit(options.requests_per_minute, options.tokens_per_minute)
    endpoint = Endpoint(options.url, options.model, os.environ.get(options.key_variable, ""))
    prices = Prices(options.prompt_price, options.output_price)
    return ServiceClient(endpoint, service, rate_limit, Ledger(ledger, prices, options.cap))


def service_options_from(options: argparse.Namespace) -> ServiceOptions:
    """The service options from the command line. Raises ConfigError naming the option."""
    return ServiceOptions(
        max_tokens=options.max_tokens,
        temperature=None if options.temperature < 0 else options.temperature,
        top_p=options.top_p,
        token_field=options.token_field,
        timeout=options.timeout or timeout_for(options.max_tokens),
        retries=options.retries,
        concurrency=options.concurrency,
        body=_body(options),
    )


def _body(options: argparse.Namespace) -> dict[str, Any]:
    example = 'For example: --body \'{"reasoning_effort": "high"}\'.'
    try:
        body = parse(options.body, "--body")
    except DataError as error:
        raise ConfigError(error.args[0], example) from error
    if not isinstance(body, dict):
        raise ConfigError(f"--body is not a JSON object: {options.body[:80]}.", example)
    limits = dict.fromkeys(("max_tokens", "max_completion_tokens", options.token_field), "Set it with --max-tokens.")
    for name, remedy in {**RESERVED, **limits}.items():
        if name in body:
            raise ConfigError(f"--body must not set {name}.", remedy)
    return body


def ledger_path(out: Path) -> Path:
    """The ledger of what was spent on a traces file, next to it."""
    return out.with_name(f"{out.name.removesuffix('.jsonl').removesuffix('.traces')}.ledger.jsonl")


@contextmanager
def claim(out: Path) -> Iterator[None]:
    """Hold a file of traces and its ledger for this process: two would make and pay everything twice.

    Raises DataError if another process holds them, ConfigError if they cannot be written.
    """
    lock = ledger_path(out).with_suffix(".lock")  # files that share a ledger share the lock
    for path in (out, lock):
        check_writable(path)
    with claimed(lock, str(out)):
        yield


def collect(
    options: argparse.Namespace,
    problems: Sequence[Problem],
    out: Path,
    by: Maker,
    attempt_with: Callable[[ServiceClient], MakeAttempt],
    rules: KeepRules | None = None,
    attempts: Attempts | None = None,
    report: Callable[[Trace], None] | None = None,
) -> int:
    """Make, verify and append every attempt missing from `out`, and show the outcome. `by`: what is made.

    `attempts` defaults to what the options say. 0 when all attempts were made, 3 when a cap stopped it.
    """
    if not problems:
        raise DataError("The file holds no problems.", "Curate one first: `arena traces curate FILE`.")
    attempts = attempts or Attempts(
        options.attempts, not options.all_attempts, options.retry_failed, options.seed, options.concurrency
    )

    async def work() -> Summary:
        with Grader() as grader:
            async with client_from(options, ledger_path(out)) as client:
                verify = Verifier(grader, rules or KeepRules()).verify
                return await gather(problems, attempt_with(client), verify, out, attempts, report or _report, by)

    with claim(out):
        summary = asyncio.run(work())
    show(options, {"file": out, **vars(summary)}, f"{summary.sentence}\nTraces are in {out}.")
    return STOPPED_BY_CAP if summary.stopped else 0


def _report(trace: Trace) -> None:
    result = "kept" if trace.kept else trace.reason
    note(f"{trace.problem.id} attempt {trace.attempt}: {result} ({trace.tokens} tokens)")

"""The options of every command that asks a service."""

import argparse

from commands.kit.arguments import add_profile_option, address, count, number, positive, seed, whole


def add_service_options(
    parser: argparse.ArgumentParser,
    max_tokens: int = 8192,
    limited: str = "one reply",
    *,
    served: bool = False,
    batch: bool = False,
) -> None:
    """Options of every command that asks a service. `max_tokens` is the default limit of what `limited` names.

    served: the service may also be a model of spaces.yaml that is served while the command runs. batch: requests may
    also go through batch files, which need no address.
    """
    group = parser.add_argument_group("service")
    if served:
        group.add_argument("--served", default="", help="serve this model of spaces.yaml, instead of --url and --model")
        add_profile_option(parser)
    group.add_argument("--url", type=address, required=not (served or batch), help="address ending in /v1")
    group.add_argument("--model", required=not served, help="the model, as the service calls it")
    group.add_argument(
        "--key-variable", default="OPENAI_API_KEY", help="environment variable with the key (default: OPENAI_API_KEY)"
    )
    group.add_argument(
        "--max-tokens", type=count, default=max_tokens, help=f"output tokens of {limited} (default: {max_tokens})"
    )
    group.add_argument("--token-field", default="max_tokens", help="or max_completion_tokens")
    group.add_argument("--temperature", type=number, default=0.7, help="negative: the service's own (default: 0.7)")
    group.add_argument("--top-p", type=positive, help="share of the likeliest tokens to draw from (default: all)")
    group.add_argument(
        "--timeout", type=positive, help="seconds for one reply (default: by --max-tokens, at least 600)"
    )
    group.add_argument("--retries", type=whole, default=5, help="of one request (default: 5)")
    group.add_argument("--concurrency", type=count, default=16, help="requests at a time (default: 16)")
    group.add_argument("--requests-per-minute", type=count, help="limit (default: none)")
    group.add_argument("--tokens-per-minute", type=count, help="limit (default: none)")
    group.add_argument("--prompt-price", type=number, default=0.0, help="US dollars per million prompt tokens")
    group.add_argument("--output-price", type=number, default=0.0, help="US dollars per million output tokens")
    group.add_argument(
        "--cap", type=positive, help="stop at this many US dollars, counted over all passes with the same --out"
    )
    group.add_argument("--body", default="{}", help='more request fields as JSON, e.g. {"reasoning_effort": "high"}')


def add_attempt_options(parser: argparse.ArgumentParser) -> None:
    """Options of every command that makes traces in several attempts."""
    parser.add_argument("--attempts", type=count, default=1, help="at most, per problem (default: 1)")
    parser.add_argument("--all-attempts", action="store_true", help="do not stop at the first trace that is kept")
    parser.add_argument("--retry-failed", action="store_true", help="repeat requests that failed")
    parser.add_argument("--seed", type=seed, default=0)

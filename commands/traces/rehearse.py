"""The command `rehearse`: what the base replies to plain prompts."""

import argparse
import asyncio
import json
from pathlib import Path

from commands.traces.service_options import add_endpoint_arguments, client_from
from common.errors import DataError, ServerError
from common.paths import home
from traces.thoughts.rehearse import prompts, replies_of
from traces.training.mix import REHEARSAL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m commands.train rehearse`."""
    add_endpoint_arguments(parser, max_tokens=240)
    parser.add_argument("--out", type=Path, default=REHEARSAL)


def run(args: argparse.Namespace) -> int:
    """Ask the base, write what it replied and print how many replies were kept."""
    asked = prompts()
    try:
        args.out.parent.mkdir(parents=True, exist_ok=True)  # before anything is asked and paid for
    except OSError as error:
        raise DataError(f"The folder of {args.out} cannot be made: {error.strerror}.", "Name another --out.") from error

    async def go() -> list[dict[str, str]]:
        async with client_from(args, home() / "rehearsal.ledger.jsonl") as client:
            return await replies_of(client, asked)

    kept = asyncio.run(go())
    if not kept:
        raise ServerError("The base gave no reply that ended by itself.", f"{args.out} is left as it was; try again.")
    lines = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in kept)
    args.out.write_text(lines, encoding="utf-8")
    print(f"{len(kept)} of {len(asked)} replies ended by themselves and are kept in {args.out}.")
    return 0

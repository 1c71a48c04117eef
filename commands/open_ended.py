"""The command for open-ended sets and the sycophancy probe."""

import argparse
import sys
from collections.abc import Sequence

from common.errors import ArenaError
from eval.problems.open_ended import SETS
from eval.problems.sycophancy import (
    NAME,
)
from eval.runs.open_ended import estimate, start_run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one set on a pair served for it; of the probe, print the outcome."""
    parser = argparse.ArgumentParser(prog="python -m commands.open_ended", description=__doc__)
    parser.add_argument("set", help=f"{NAME}, {', '.join(SETS)}, or a .jsonl file")
    parser.add_argument("--pair", default="")
    parser.add_argument("--profile", default="")
    parser.add_argument("--count", type=int, default=50, help="questions; the probe asks each twice")
    parser.add_argument("--max-tokens", type=int, default=1024)
    parser.add_argument("--temperature", type=float, default=0.0)
    try:
        return _run(parser.parse_args(arguments))
    except ArenaError as error:
        print(error, file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    from commands.runs import chosen_pair, serving, watch

    pair = chosen_pair(options.pair)
    print(estimate(pair, options.set, options.count, options.max_tokens).sentence, file=sys.stderr)
    with serving(pair.key, options.profile) as served:
        session = start_run(
            served, options.set, options.count, max_tokens=options.max_tokens, temperature=options.temperature
        )
        print(f"run {session.log.folder.name}", file=sys.stderr)
        return watch(session)


if __name__ == "__main__":
    raise SystemExit(main())

"""Building blocks for sub-commands: parsers with one-sentence errors, examples in help, and number types."""

import argparse
import math
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import urlsplit

from commands.kit.printing import one_line

LARGEST = 2**31 - 1
PROBLEMS = "a curated problem file (see arena traces curate), or families:N for N generated ones"
AGAIN = "Run the same command again to continue."
RESUME = "Run the same command with --resume to continue."
Action = Callable[[argparse.Namespace], int | None]
"""What a sub-command does; it returns the exit code, None for 0. Raises ArenaError."""
Commands = Any
"""What `add_subparsers` returns; argparse has no public name for it."""


class Parser(argparse.ArgumentParser):
    """A parser that reports wrong usage in one line instead of the whole synopsis."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options = {"formatter_class": argparse.RawDescriptionHelpFormatter, **options, "allow_abbrev": False}
        super().__init__(*args, **options)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{one_line(f'{self.prog}: {message}.')} See {self.prog} --help.\n")


def describe(
    parser: argparse.ArgumentParser, action: Action, example: str, *, prints: bool = True, continues: str = ""
) -> None:
    """Set what a sub-command does, with an example for its help.

    `prints`: it has a result, which `--json` prints as one JSON object instead of text. `continues`: how to resume
    after Ctrl-C; empty if nothing is kept.
    """
    parser.epilog = f"example:\n  {example}"
    parser.set_defaults(action=action, json=False, continues=continues)
    if prints:
        parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def group(parser: argparse.ArgumentParser) -> Commands:
    """A command that has sub-commands of its own."""
    return parser.add_subparsers(required=True, metavar="COMMAND", title="commands", parser_class=Parser)


def leaf(
    commands: Commands,
    name: str,
    action: Action,
    text: str,
    example: str,
    *,
    prints: bool = True,
    continues: str = "",
) -> argparse.ArgumentParser:
    """Add a sub-command to a group; see `describe`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text.replace("%", "%%"), description=sentence(text)
    )
    describe(parser, action, example, prints=prints, continues=continues)
    return parser


def add_pair_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pair", default="", help="a pair in spaces.yaml (default: the one the app chooses)")


def add_model_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="", help="one model alone, such as qwen-1.5b, instead of a pair")


def add_profile_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", default="", help="a profile in spaces.yaml (default: what fits this machine)")


def add_run_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="id of a run (see arena runs)")


def sentence(text: str) -> str:
    """Turn a line of help into a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def count(text: str) -> int:
    """A whole number of at least 1."""
    return _whole(text, 1)


def whole(text: str) -> int:
    """A whole number of at least 0."""
    return _whole(text, 0)


def seed(text: str) -> int:
    """Any whole number of 32 bits."""
    return _whole(text, -LARGEST)


def positive(text: str) -> float:
    """A number above 0."""
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{value:g} is not above 0")
    return value


def number(text: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number") from error
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a finite number")
    return value


def _whole(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number") from error
    if not least <= value <= LARGEST:
        raise argparse.ArgumentTypeError(f"{text[:40]} is not between {least} and {LARGEST}")
    return value


def address(text: str) -> str:
    """The address of a service, without a slash at its end."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not an address such as http://127.0.0.1:8001/v1")
    return text.rstrip("/")

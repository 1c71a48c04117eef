"""The `arena` command: its sub-commands and their exit codes.

Exit codes: 0 done; 1 an error, explained on stderr; 2 wrong usage; 3 stopped by a spending cap; 130 interrupted; 143
terminated by SIGTERM.
"""

import argparse
import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from commands.kit.arguments import Parser, group, sentence
from commands.kit.printing import note, one_line
from common.errors import DISK_FULL, ArenaError
from common.variables import unknown_variables


class Command(NamedTuple):
    """A sub-command; the function `add_<name>` in `module` defines its arguments."""

    module: str
    help: str


COMMANDS: Mapping[str, Command] = {
    "pairs": Command("pairs", "list the pairs and profiles in spaces.yaml"),
    "plan": Command("pairs", "show the server commands of a pair and the memory they need"),
    "fetch": Command("pairs", "download the weights of a pair"),
    "space": Command("pairs", "write a folder to push as a Hugging Face Space"),
    "front-matter": Command("pairs", "print the front matter of README.md"),
    "sets": Command("benchmarks.sets", "list the problem sets, or check them"),
    "run": Command("benchmarks.runs", "ask both models of a pair a problem set"),
    "resume": Command("benchmarks.runs", "continue a run that was stopped"),
    "forced": Command("benchmarks.runs", "cut the thoughts of a run at token budgets and ask for the answers"),
    "thoughts": Command(
        "benchmarks.thoughts", "find out what a thought is worth: transplanted, resampled, scored by both models"
    ),
    "runs": Command("benchmarks.results", "list the runs"),
    "report": Command("benchmarks.results", "print the results of a run"),
    "regrade": Command("benchmarks.results", "grade the answers of a run again"),
    "grade": Command("benchmarks.grade", "grade a file of outputs made elsewhere"),
    "import": Command("benchmarks.imports", "add outputs or logs made elsewhere to the runs"),
    "record": Command("benchmarks.results", "pack a run, to ship it with the product"),
    "judge": Command("benchmarks.judge", "let a model judge answers that have no gold answer"),
    "traces": Command("traces.group", "make, filter and export long thoughts"),
    "train": Command("training.train", "train and measure adapters"),
    "cases": Command("cases", "record, export and import case studies"),
    "votes": Command("votes.own", "sum up, import, export, take down, copy and publish votes"),
    "index": Command("index", "score this repository on the paper's transparency index"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sub-command and return its exit code. Wrong usage and `--help` raise SystemExit, as argparse does."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file name may hold characters that the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    continues = ""
    try:
        options = build_parser(argv).parse_args(argv)
        for unknown in unknown_variables():
            note(f"Note: {unknown}")
        continues = options.continues
        with _terminable():
            return int(options.action(options) or 0)
    except KeyboardInterrupt:
        note(f"\nStopped. {continues}".rstrip())
        return 130
    except BrokenPipeError:  # `arena report RUN | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except ArenaError as error:
        note(one_line(str(error)))
        return 1
    except OSError as error:
        if error.errno in DISK_FULL:
            note("The disk is full, or your share of it. Free some space and give the command again.")
            return 1
        if error.filename is None:  # not about a file the user named: a bug
            raise
        note(one_line(f"{error.filename} cannot be used: {error.strerror}. Check the path and its permissions."))
        return 1


def build_parser(argv: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """The parser for these arguments. Only the sub-command they name is set up, since that imports its dependencies;
    without arguments, all of them are."""
    root = Parser(
        prog="arena",
        description="Did distilling long thought into a model make it better than its base?",
        epilog="Each command has its own help: arena run --help.",
    )
    commands = group(root)
    named = next((word for word in argv or () if not word.startswith("-")), None)
    for name, command in COMMANDS.items():
        parser = commands.add_parser(name, help=command.help, description=sentence(command.help))
        if argv is None or name == named:
            module = importlib.import_module(f"commands.{command.module}")
            getattr(module, f"add_{name.replace('-', '_')}")(parser)
    return root


@contextmanager
def _terminable() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that the command stops the servers it has started."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)

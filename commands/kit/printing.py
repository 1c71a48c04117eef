"""What is written to the terminal: results to stdout, progress and errors to stderr."""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

LONGEST = 600
"""Maximum length of an error message; a message that quotes a long name is cut in the middle."""
SECONDS_BETWEEN = 0.5
"""Interval between updates of a progress line."""


def show(options: argparse.Namespace, value: Mapping[str, Any], text: str) -> None:
    """The result of a command: with `--json` the value as one JSON object, otherwise the text."""
    if options.json:
        text = json.dumps(plain(value), ensure_ascii=False, indent=1)
    print(printable(text), flush=True)


def plain(value: Any) -> Any:
    """A value as JSON can hold it: dataclasses and named tuples as objects, paths as text, nan as null."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    elif hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def note(text: str) -> None:
    """A line of progress or advice."""
    print(printable(text), file=sys.stderr, flush=True)


def printable(text: str) -> str:
    """The text with lone surrogates, as from an undecodable file name, written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def progress(what: str) -> Callable[[int, int], None]:
    """A counting progress line, `12 of 30 graded`. It overwrites itself on a terminal; a file gets only its end."""
    last = [time.monotonic()]

    def update(done: int, total: int) -> None:
        if done < total and (not sys.stderr.isatty() or time.monotonic() - last[0] < SECONDS_BETWEEN):
            return
        last[0] = time.monotonic()
        overwrite(f"{done} of {total} {what}", ended=done >= total)

    return update


def counted() -> Callable[[str], None]:
    """Prints lines like `downloading x: 3 of 9 MB`. On a terminal each replaces the previous one; in a file, lines with
    the same text before the colon are written once."""
    last = [""]

    def tell(line: str) -> None:
        what = line.partition(": ")[0]
        if sys.stderr.isatty() or what != last[0]:
            overwrite(line, ended=what == line)
        last[0] = what

    return tell


def overwrite(text: str, *, ended: bool = False) -> None:
    """A line that the next one replaces on a terminal; `ended` leaves it there."""
    if sys.stderr.isatty():
        print(f"\r{text}\033[K", end="\n" if ended else "", file=sys.stderr, flush=True)
    else:
        note(text)


def one_line(text: str) -> str:
    """A message on one line, cut in the middle if very long, since the remedy is at the end."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"

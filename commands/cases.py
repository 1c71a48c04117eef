"""`python -m commands.cases`: record the paper's cases on the real pair, export and import own cases.

Does not know how cases are kept or shown.
"""

import argparse
import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from common.errors import ArenaError
from models.config.registry import choose_pair, load_config
from models.serving.pair import serving
from traces.cases.cases import own_cases, paper_cases, runs_of
from traces.cases.exchange import export_document, import_document
from traces.cases.record import record, write_recorded


def _record(options: argparse.Namespace) -> None:
    if options.pair:
        os.environ["JOURNEY_PAIR"] = options.pair
    config = load_config()
    with serving(config, choose_pair(config)) as served:
        write_recorded(asyncio.run(record(served, paper_cases(), options.max_tokens)))


def _export(options: argparse.Namespace) -> None:
    cases = own_cases()
    text = export_document(cases, [run for case in cases for run in runs_of(case.key)])
    try:
        options.file.parent.mkdir(parents=True, exist_ok=True)
        options.file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ArenaError(f"{options.file} cannot be written: {error}.") from error
    print(f"{len(cases)} cases written to {options.file}")


def _import(options: argparse.Namespace) -> None:
    try:
        text = options.file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ArenaError(f"{options.file} cannot be read: {error}.") from error
    added = import_document(text, str(options.file))
    print(f"{added.cases} cases and {added.runs} runs added, {added.known} known already")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m commands.cases", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="run the five cases on the real pair")
    recording.add_argument("--pair", help="a pair of spaces.yaml (default: as the app chooses)")
    recording.add_argument("--max-tokens", type=int, default=1024)
    recording.set_defaults(run=_record)
    for name, action in (("export", _export), ("import", _import)):
        command = commands.add_parser(name)
        command.add_argument("file", type=Path)
        command.set_defaults(run=action)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except ArenaError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

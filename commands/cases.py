"""`arena cases record`, `export` and `import`: run the built-in cases on a real pair; save and load users' own."""

import argparse
import asyncio
from pathlib import Path

from commands.kit.arguments import add_pair_option, add_profile_option, count, group, leaf
from commands.kit.printing import note, show
from common.errors import ConfigError
from common.text import counted


def add_cases(parser: argparse.ArgumentParser) -> None:
    commands = group(parser)
    recording = leaf(commands, "record", record_command, "run the cases that ship on a pair and store the replies",
                     "arena cases record --pair smol-135m --max-tokens 1024")  # fmt: skip
    add_pair_option(recording)
    add_profile_option(recording)
    recording.add_argument("--max-tokens", type=count, default=1024, help="per reply (default: 1024)")
    recording.add_argument("--case", action="append", metavar="KEY", help="only this one; may be repeated")
    exporting = leaf(commands, "export", export_command, "write your own cases and all their runs to a JSON file",
                     "arena cases export cases.json")  # fmt: skip
    importing = leaf(commands, "import", import_command, "add the cases of a JSON file to your own",
                     "arena cases import cases.json")  # fmt: skip
    for command in (exporting, importing):
        command.add_argument("file", type=Path)


def record_command(options: argparse.Namespace) -> None:
    from commands.kit.serving import serving
    from traces.cases.cases import shipped_cases
    from traces.cases.record import record, write_recorded

    known = {case.key: case for case in shipped_cases()}
    cases = [known[key] for key in options.case or known if key in known]
    if unknown := set(options.case or ()) - set(known):
        raise ConfigError(f"No case is called {', '.join(sorted(unknown))}.", f"Choose from {', '.join(known)}.")
    with serving(options.pair, options.profile) as served:
        runs = asyncio.run(record(served, cases, options.max_tokens, note))
    write_recorded(runs)
    tokens = {run.case: {role: side.reply.output_tokens for role, side in run.sides.items()} for run in runs}
    lines = [
        f"{case}: " + ", ".join(f"{role} {n} tokens" for role, n in sides.items()) for case, sides in tokens.items()
    ]
    show(options, {"output_tokens": tokens}, "\n".join(lines))


def export_command(options: argparse.Namespace) -> None:
    from common.jsonl import write_text
    from traces.cases.cases import own_cases, runs_of
    from traces.cases.exchange import export_document

    cases = own_cases()
    write_text(options.file, export_document(cases, [run for case in cases for run in runs_of(case.key)]))
    show(
        options,
        {"cases": len(cases), "file": options.file},
        f"{counted(len(cases), 'case')} written to {options.file}.",
    )


def import_command(options: argparse.Namespace) -> None:
    from common.jsonl import read_text
    from traces.cases.exchange import import_document

    added = import_document(read_text(options.file), str(options.file))
    new = f"{counted(added.cases, 'case')} and {counted(added.runs, 'run')} added"
    text = f"{new}; here already: {added.known}."
    show(options, vars(added), text)

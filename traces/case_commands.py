"""`python -m traces.cases`: record the paper's cases on the real pair, export and import own cases.

Does not know how cases are kept or shown.
"""

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from models.client import Message, ModelClient
from models.errors import ArenaError, ServerError
from models.events import Sampling
from models.plan import profile_for
from models.registry import ROLES, Role, choose_pair, load_config
from models.server import ServedPair
from traces.case_exchange import export_document, import_document
from traces.case_files import plain
from traces.cases import RECORDED, Case, CaseRun, SideRun, new_run, own_cases, paper_cases, runs_of

ENGINES = ("vllm", "vllm-cpu", "transformers")


async def reply_of(served: ServedPair, role: Role, case: Case, sampling: Sampling) -> SideRun:
    """One model's reply to the case, as it is shown on the page. Raises ServerError when it failed."""
    endpoint, spec = await served.wait_ready(role), served.pair.model(role)
    async with ModelClient(endpoint, spec.thought, spec.chat_template_kwargs, spec.system_prompt) as client:
        reply = await client.complete([Message("user", case.question)], sampling)
    if reply.finish_reason == "failed":
        raise ServerError(f"{spec.title} failed on “{case.title}”: {reply.error}", "Look at the server's log.")
    return SideRun(spec.key, spec.title, reply, served.weight_hash(role))


async def record(served: ServedPair, cases: Sequence[Case], max_tokens: int) -> list[CaseRun]:
    """Both models' greedy replies to each case, of at most `max_tokens`; a thinking budget is their pair's."""
    sampling = replace(served.pair.base.sampling, temperature=0.0, top_p=1.0, seed=0, max_tokens=max_tokens)
    runs = []
    for case in cases:
        found = await asyncio.gather(*(reply_of(served, role, case, sampling) for role in ROLES))
        sides = dict(zip(ROLES, found, strict=True))
        runs.append(new_run(case, served.pair.key, sampling, sides, "recorded", engine_versions()))
        tokens = ", ".join(f"{role} {sides[role].reply.output_tokens} tokens" for role in ROLES)
        print(f"{case.key}: {tokens}", flush=True)
    return runs


def engine_versions() -> dict[str, str]:
    """The software that makes the replies."""
    found = {}
    for name in ENGINES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_recorded(runs: Sequence[CaseRun], folder: Path = RECORDED) -> None:
    """One file a case and pair; a later recording replaces an earlier one."""
    folder.mkdir(parents=True, exist_ok=True)
    for run in runs:
        text = json.dumps(plain(run), ensure_ascii=False, indent=1)
        (folder / f"{run.pair}-{run.case}.json").write_text(text + "\n", encoding="utf-8")


def _record(options: argparse.Namespace) -> None:
    if options.pair:
        os.environ["JOURNEY_PAIR"] = options.pair
    config = load_config()
    pair = choose_pair(config)
    served = ServedPair(pair, profile_for(config, pair))
    served.start()
    try:
        write_recorded(asyncio.run(record(served, paper_cases(), options.max_tokens)))
    finally:
        served.stop()


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
    parser = argparse.ArgumentParser(prog="python -m traces.cases", description=__doc__)
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

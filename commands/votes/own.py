"""`arena votes`: summarise and export votes, take battles down, sync backups, and publish a dataset."""

import argparse
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.kit.arguments import group, leaf
from commands.kit.files import check_writable
from commands.kit.printing import show
from commands.kit.votes import final_ballots, opened
from commands.votes.elsewhere import OWN, add_elsewhere, add_source_options, chosen_ballots, export_imported
from commands.votes.insights import add_insights
from common.errors import ConfigError, DataError
from common.jsonl import replacing
from common.paths import home

if TYPE_CHECKING:
    from votes.ranking import WinRate

FORMATS = ("parquet", "csv", "dpo", "dpo-reasoning", "arena")
REPOSITORY = "JOURNEY_VOTES_REPO"
BY_SUFFIX = {".parquet": "parquet", ".csv": "csv", ".jsonl": "dpo"}


def add_votes(parser: argparse.ArgumentParser) -> None:
    commands = group(parser)
    summary = leaf(commands, "summary", summary_command, "win rates with 95 % intervals, and counts",
                   "arena votes summary --pair smol-135m")  # fmt: skip
    add_source_options(summary)
    add_insights(commands)
    add_elsewhere(commands)
    export = leaf(commands, "export", export_command, "write the votes to a file",
                  "arena votes export preferences.jsonl --format dpo")  # fmt: skip
    export.add_argument("file", type=Path)
    export.add_argument("--source", default=OWN, metavar="NAME", help="imported votes instead of this arena's own")
    export.add_argument(
        "--format",
        choices=FORMATS,
        help="parquet or csv: every row; dpo: preference pairs of answers; dpo-reasoning: with thoughts; arena: the "
        "rows of FastChat and LMArena (default: by the file's ending)",
    )
    for name, text in (("hide", "take a battle down: it leaves links, lists, counts and files"),
                       ("unhide", "put a battle back that was taken down")):  # fmt: skip
        hiding = leaf(commands, name, hide_command, text,
                      f'arena votes {name} 3f2a… --reason "names a person"')  # fmt: skip
        hiding.add_argument("battle", help="id of the battle, or its link")
        hiding.add_argument("--reason", default="", help="kept with the row; nobody but you sees it")
        hiding.set_defaults(hidden=name == "hide")
    sync = leaf(commands, "sync", sync_command, "fetch what was copied to JOURNEY_VOTES_REPO", "arena votes sync")
    sync.add_argument("--push", action="store_true",
                      help="also copy what is new here; every page that shares the copies then counts it")  # fmt: skip
    release = leaf(commands, "release", release_command, "write a dataset of the votes that may be published",
                   "arena votes release --push me/journey-votes")  # fmt: skip
    release.add_argument("--out", type=Path, help="the folder to write (default: <home>/release)")
    release.add_argument("--push", default="", metavar="ORG/NAME", help="push it to the hub as this dataset")
    release.add_argument(
        "--include-flagged", action="store_true", help="release votes that seem to have personal data as well"
    )


def summary_command(options: argparse.Namespace) -> None:
    from votes.ranking import effective_votes, position_bias, win_rates_by

    standing = effective_votes(chosen_ballots(options))
    blocked = sum(bool(ballot.blocked) for ballot in standing)
    standing = [ballot for ballot in standing if not ballot.blocked]
    first = [ballot for ballot in standing if ballot.before_reading]
    blind = [*first, *(ballot for ballot in standing if ballot.after_reading)]
    named = (ballot for ballot in standing if ballot.mode == "named")
    pairs = win_rates_by(blind, lambda ballot: f"{ballot.pair}, {ballot.stage}")
    pairs |= win_rates_by(named, lambda ballot: f"{ballot.pair}, {ballot.stage}, named")
    bias = position_bias(first)
    values = {
        "votes": len(standing),
        "blocked": blocked,
        "battles": len({ballot.battle_id for ballot in standing}),
        "modes": dict(Counter(ballot.mode for ballot in standing)),
        "distilled_win_rate": {name: _values(rate) for name, rate in pairs.items()},
        "side_a_win_rate": {"rate": bias.rate, "interval": bias.interval, "votes": bias.decisive},
    }
    lines = [f"{values['votes']} votes on {values['battles']} battles"]
    if blocked:
        lines.append(f"{blocked} votes on battles with an answer that the guard model blocked are left out")
    lines += [f"{name}: {_sentence(rate)}" for name, rate in pairs.items()]
    if bias.rate is not None and bias.interval is not None:
        low, high = bias.interval
        lines.append(f"side A won {bias.rate:.1%} [{low:.1%}, {high:.1%}] of {bias.decisive} blind votes with a winner")
    show(options, values, "\n".join(lines))


def export_command(options: argparse.Namespace) -> None:
    from votes.elsewhere.forms import write_arena
    from votes.export import final_votes, write_csv, write_dpo, write_parquet
    from votes.ranking import effective_votes

    form = options.format or BY_SUFFIX.get(options.file.suffix, "")
    if not form:
        raise ConfigError(f"{options.file} does not say which format is wanted.", f"Give --format {'|'.join(FORMATS)}.")
    check_writable(options.file)
    if options.source != OWN:
        export_imported(options, form)
        return
    with final_ballots() as (store, _), replacing(options.file) as draft:
        left_out = 0
        votes = final_votes(store)
        if form == "parquet":
            rows = write_parquet(votes, draft)
        elif form == "csv":
            rows = write_csv(votes, draft)
        elif form == "arena":
            rows = write_arena(effective_votes(votes), draft)
        else:
            pairs = write_dpo(votes, draft, with_reasoning=form == "dpo-reasoning")
            rows, left_out = pairs.written, pairs.equal + pairs.empty
    sentence = f"{rows} rows written to {options.file}."
    if left_out:
        sentence += f" {left_out} votes were left out because their sides are equal or empty."
    show(options, {"file": options.file, "format": form, "rows": rows, "left_out": left_out}, sentence)


def hide_command(options: argparse.Namespace) -> None:
    from votes.backup.keeper import configured_keeper
    from votes.takedown import battle_id_of, set_hidden

    with opened(make=bool(os.environ.get(REPOSITORY))) as store:
        # A store in use belongs to the running page, which backs up the new row itself.
        keeper = None if store.trouble else configured_keeper(store)
        if keeper:
            keeper.fetch()
        record = set_hidden(store, battle_id_of(options.battle), options.reason, hidden=options.hidden)
        if keeper:
            keeper.push([record])
        in_use = bool(store.trouble)
    text = f"Battle {record.battle_id} is {'hidden' if record.hidden else 'shown again'}."
    if in_use:
        text += " The page that is running follows within a minute."
    elif keeper:
        text += " Every page that copies its votes there follows within five minutes."
    show(options, {"battle": record.battle_id, "hidden": record.hidden, "reason": record.reason}, text)


def sync_command(options: argparse.Namespace) -> None:
    from votes.backup.keeper import configured_keeper

    if not os.environ.get(REPOSITORY, "").strip():
        raise ConfigError(f"{REPOSITORY} is not set.", "Set it to a dataset (org/name) or to a folder.")
    with opened(make=True) as store:
        keeper = configured_keeper(store)
        assert keeper is not None
        if store.trouble:
            raise DataError(store.trouble, "The page that is running copies its votes itself.")
        fetched, copied = keeper.sync() if options.push else (keeper.fetch(), 0)
        own = len(keeper.new_rows())
    text = f"{fetched} rows fetched, {copied} rows copied."
    if own:
        text += f" {own} rows are on this machine only. With --push, every page that shares the copies gets them too."
    show(options, {"fetched": fetched, "copied": copied, "only_here": own}, text)


def release_command(options: argparse.Namespace) -> None:
    from votes.release.card import count_rows
    from votes.release.personal import scanner
    from votes.release.release import push_release, write_release

    if options.push and options.push == os.environ.get(REPOSITORY):
        raise ConfigError(
            f"{options.push} holds the private copies of all votes ({REPOSITORY}).",
            "Name another dataset with --push.",
        )
    scan, out = scanner(), options.out or home() / "release"
    check_writable(out / "README.md")
    with opened() as store:
        if store.trouble:
            raise DataError(store.trouble, "Stop the app first, or use a copy: arena votes sync.")
        counts = write_release(store, out, scan, include_flagged=options.include_flagged, now=datetime.now(UTC))
    lines = [f"{number:6} votes {what}" for what, number in count_rows(counts)]
    lines.append(f"Written to {out}. Read README.md there before you publish it.")
    address = ""
    if options.push:
        address = push_release(out, options.push, os.environ.get("HF_TOKEN"))
        lines[-1] = f"Written to {out} and pushed to {address}"
    show(options, {**vars(counts), "folder": out, "address": address}, "\n".join(lines))


def _values(rate: "WinRate") -> dict[str, Any]:
    return {**vars(rate), "votes": rate.votes, "rate": rate.rate, "interval": rate.interval}


def _sentence(rate: "WinRate") -> str:
    if rate.rate is None or rate.interval is None:
        return "no votes"
    low, high = rate.interval
    return (
        f"distilled wins {rate.rate:.1%} [{low:.1%}, {high:.1%}] of {rate.votes} votes "
        f"({rate.wins} wins, {rate.losses} losses, {rate.ties} ties, {rate.both_bad} both bad)"
    )

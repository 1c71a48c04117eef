"""`arena report --pair PAIR --card FOLDER`: everything known about a pair on one page, with the underlying rows."""

import argparse
from typing import TYPE_CHECKING

from commands.kit.files import check_writable
from commands.kit.printing import note, show
from commands.kit.serving import chosen_pair
from commands.kit.votes import final_ballots
from common.errors import ConfigError, DataError
from common.paths import home
from models.config.registry import load_config

if TYPE_CHECKING:
    from votes.ballot import Vote


def card_command(options: argparse.Namespace) -> None:
    from eval.runs.recorded import unpack_recorded
    from insights.card.build import build_card
    from insights.card.text import markdown
    from insights.card.write import files, values, write_folder

    if options.out or options.export:
        raise ConfigError("The card has files of its own.", "Give --card without --out and --export.")
    pair = chosen_pair(load_config(), options.pair)
    check_writable(options.card / "report.md")
    unpack_recorded(home())
    votes, absent = _votes()
    built = build_card(pair, home(), votes, absent)
    content = files(built, pair)
    written = write_folder(content, options.card)
    for name in content:
        note(str(options.card / name))
    text = f"{markdown(built.card)}\n{len(written)} files written to {options.card}."
    show(options, {**values(built.card), "files": sorted(content)}, text)


def _votes() -> "tuple[list[Vote], str]":
    """The final votes of this installation, or why they are unavailable."""
    from votes.export import final_votes

    if not (home() / "votes.duckdb").exists():
        return [], ""
    try:
        with final_ballots() as (store, _):
            return list(final_votes(store)), ""
    except DataError:
        return [], "The votes are in use by a page that is running; its Benchmarks tab hands out a card with them."

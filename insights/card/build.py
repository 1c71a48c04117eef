"""Builds a pair's complete card from its runs, votes and cases."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from eval.runs.log import OPEN_ENDED, RUNS
from insights.card.benchmarks import (
    SetRun,
    anatomy_section,
    benchmark_section,
    find_sets,
    sample_table,
    token_section,
)
from insights.card.others import case_section, chat_section, transparency_section
from insights.card.people import people_section
from insights.card.values import Card, Table
from insights.reading import known_benchmarks
from models.config.registry import PairSpec
from votes.ballot import Vote


class Built(NamedTuple):
    """A card, and the data its exports are made from."""

    card: Card
    sets: tuple[SetRun, ...]
    runs: Path
    votes: tuple[Vote, ...]


def build_card(pair: PairSpec, home: Path, votes: Sequence[Vote], absent: str = "") -> Built:
    """The card of a pair. `home`: folder of the installation's data; `votes`: final ones; `absent`: why there are none.

    Each section says what is missing; nothing is measured here.
    """
    runs, own = home / RUNS, tuple(vote for vote in votes if vote.pair == pair.key)
    sets = tuple(find_sets(runs, pair.key))
    people, vote_rows = people_section(own, absent, known_benchmarks(runs))
    benchmarks, breakdown = benchmark_section(pair.key, sets)
    samples = sample_table(runs, sets)
    cases, case_rows = case_section(pair.key)
    chat, chat_tables = chat_section(pair, home / OPEN_ENDED)
    transparency, items = transparency_section()
    tables: dict[str, Table] = {
        "votes": vote_rows,
        "samples": samples,
        "breakdown": breakdown,
        "cases": case_rows,
        **chat_tables,
        "transparency": items,
    }
    sections = (
        people,
        benchmarks,
        token_section(pair.key, sets),
        cases,
        anatomy_section(pair.key, samples),
        chat,
        transparency,
    )
    card = Card(
        pair=pair.key,
        title=pair.title,
        base=pair.base.title,
        distilled=pair.distilled.title,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        sections=sections,
        tables={name: table for name, table in tables.items() if table},
    )
    return Built(card, sets, runs, own)

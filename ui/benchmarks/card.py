"""The button of the Benchmarks tab that hands out the pair's report card as one archive."""

from datetime import UTC, datetime
from pathlib import Path

import gradio as gr

from insights.card.build import build_card
from insights.card.write import files, write_archive
from ui.kit.downloads import download_button
from ui.services import Services
from votes.export import final_battles


def build_card_button(services: Services) -> gr.Button:
    """Below the first table: everything known of the loaded pair, with the rows behind every number."""
    return download_button("Download the report card", "bm-card", lambda folder: write_card(services, folder))


def write_card(services: Services, folder: Path) -> Path:
    """The archive, in an empty folder."""
    ballots = services.store.ballots()
    final = final_battles(ballots, services.store.revealed(), datetime.now(UTC), services.desk.limits)
    votes = [vote for vote in services.store.votes() if vote.battle_id in final]
    pair = services.served.pair
    built = build_card(pair, services.home, votes, services.store.notice)
    name = f"report-{pair.key}"
    return write_archive(files(built, pair), folder / f"{name}.zip", name)

"""The button of the Benchmarks tab that hands out the pair's report card as one archive."""

from pathlib import Path

import gradio as gr

from insights.card.build import build_card
from insights.card.write import files, write_archive
from ui.kit.downloads import download_button
from ui.services import Services
from votes.export import final_votes


def build_card_button(services: Services) -> gr.Button:
    """Below the first table: everything known of the loaded pair, with the rows behind every number."""
    return download_button("Download the report card", "bm-card", lambda folder: write_card(services, folder))


def write_card(services: Services, folder: Path) -> Path:
    """The archive, in an empty folder."""
    votes = list(final_votes(services.store, services.desk.limits))
    pair = services.served.pair
    built = build_card(pair, services.home, votes, services.store.notice)
    name = f"report-{pair.key}"
    return write_archive(files(built, pair), folder / f"{name}.zip", name)

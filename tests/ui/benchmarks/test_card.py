"""The button that hands out the report card: the archive it makes, and the press in real Chromium."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

import gradio as gr
import pytest

from models.config.registry import load_config
from tests.insights.card.helpers import make_sets
from tests.votes.helpers import FREE, Clock, make_replies
from ui.benchmarks.card import build_card_button, write_card
from votes.agreement import LICENCE
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.store import Store


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A run, and two final votes: of a visitor who agreed to publication, and of one who did not."""
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    make_sets(tmp_path / "runs", {"toy": {"base": 2, "distilled": 18}})
    store = Store(tmp_path / "votes.duckdb")
    desk = Desk(store, limits=Limits(rates=FREE), clock=Clock())
    for words, licence in (("A public question", LICENCE), ("A private question", "")):
        battle = desk.open("visitor", pair="smol-135m")
        desk.finish_turn(battle, desk.begin_turn(battle, "visitor", words), make_replies())
        desk.cast(battle, "visitor", "answers", "a", licence=licence)
        desk.reveal(battle, "visitor")  # from then on its votes are final
    pair = load_config().pairs["smol-135m"]
    yield SimpleNamespace(store=store, desk=desk, served=SimpleNamespace(pair=pair), home=tmp_path)
    store.close()


def test_the_archive_has_the_page_and_its_rows(services: Any, tmp_path: Path) -> None:
    archive = ZipFile(write_card(services, tmp_path))
    names = {name.removeprefix("report-smol-135m/") for name in archive.namelist()}
    assert {"report.md", "report.html", "report.png", "rows/votes.csv", "llm-comparator/battles.json"} <= names
    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"A public question" in everything and b"A private question" not in everything
    assert b"2 votes on 2 battles" in everything


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_press_downloads_it_and_the_page_in_it_opens(
    services: Any, tmp_path: Path, chromium_path: Path, width: int
) -> None:
    from playwright.sync_api import expect, sync_playwright

    with gr.Blocks(analytics_enabled=False) as app:
        build_card_button(services)
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(url)
        with page.expect_download() as download:
            page.get_by_role("button", name="Download the report card").click()
        saved = tmp_path / "card.zip"
        download.value.save_as(saved)
        ZipFile(saved).extractall(tmp_path / "card")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "card" / "report-smol-135m" / "report.html").as_uri())
        expect(page.get_by_text("The distilled model is better on TOY.").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.get_by_role("link", name="votes.csv").get_attribute("href") == "rows/votes.csv"
        assert all(address.startswith(("file:", "data:")) for address in asked)
        browser.close()
    app.close()

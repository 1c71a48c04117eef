"""In Chromium: agreed once, a browser stays agreed; a blocked side says so; a battle that was taken down is gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from models.config.registry import load_config
from tests.battles.test_guard import Server, guard_of
from tests.models.chat.scripted_server import END, continuing
from tests.ui.scripted_pair import scripted_pair
from tests.votes.helpers import FREE
from ui.layout import build_app, launch_options
from ui.services import Services
from votes.agreement import LICENCE
from votes.ballot import Vote
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.store import Store

pytestmark = pytest.mark.browser
WAIT_MS = 60_000


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    home = tmp_path_factory.mktemp("agreement")
    replies = {"base": continuing("It is 4."), "distilled": continuing(f"<think>\nhm\n</think>\n\nA bad answer.{END}")}
    with scripted_pair(replies, 0.0) as served:
        store = Store(home / "votes.duckdb")
        desk = Desk(store, limits=Limits(rates=FREE, gesture_seconds=0.0))
        guard = guard_of(Server("llama-guard"))
        yield Services(load_config(), served, desk, store, Path(home), b"salt", guard=guard)
        store.close()


@pytest.fixture(scope="module")
def url(services: Services) -> Iterator[str]:
    app = build_app(services).queue()
    _, url, _ = app.launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, **launch_options(services))
    yield url
    app.close()


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    open_page(page, url)
    yield page
    context.close()


def open_page(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.get_by_label("Question")).to_be_visible(timeout=WAIT_MS)
    page.wait_for_timeout(1500)  # nobody asks while the page is still being put together


def ask(page: Page) -> None:
    page.get_by_label("Question").fill("What is 2 + 2?")
    page.get_by_label("Question").press("Enter")
    expect(page.locator("#vote-a")).to_be_visible(timeout=WAIT_MS)


def vote(page: Page, services: Services) -> Vote:
    """Vote for A and return the row."""
    before = len(services.store.ballots())
    page.locator("#vote-a").click()
    expect(page.get_by_text("Your vote is saved.")).to_be_visible(timeout=WAIT_MS)
    assert len(services.store.ballots()) == before + 1
    return max(services.store.votes(), key=lambda row: row.voted_at)


def test_agreed_once_a_browser_stays_agreed(page: Page, url: str, services: Services) -> None:
    ask(page)
    # What the guard blocked says so on its side, and nothing tells whose side it is.
    expect(page.get_by_text("Blocked by the guard model.")).to_have_count(1)
    expect(page.get_by_text("It is 4.")).to_have_count(1)
    expect(page.get_by_text("A bad answer")).to_have_count(0)
    agree = page.locator("#agree input")
    expect(agree).not_to_be_checked()
    row = vote(page, services)
    assert row.licence == "" and row.blocked in ("a", "b")
    page.get_by_role("button", name="New battle").click()
    ask(page)
    agree.check()
    assert vote(page, services).licence == LICENCE
    open_page(page, url)
    page.get_by_role("button", name="New battle").click()
    ask(page)
    expect(agree).to_be_checked()
    assert vote(page, services).licence == LICENCE
    page.get_by_role("button", name="New battle").click()
    ask(page)
    agree.uncheck()
    assert vote(page, services).licence == ""


def test_a_battle_is_taken_down_on_the_page(page: Page, url: str, services: Services) -> None:
    ask(page)
    battle = vote(page, services).battle_id
    open_page(page, f"{url}?battle={battle}")
    expect(page.get_by_text("It is 4.")).to_be_visible(timeout=WAIT_MS)
    open_page_tab = f"{url}?tab=preferences"
    page.goto(open_page_tab)
    page.get_by_role("button", name="Take a battle down").click()
    page.locator("#takedown-battle input, #takedown-battle textarea").first.fill(f"{url}?battle={battle}")
    page.locator("#takedown-reason input, #takedown-reason textarea").first.fill("a name")
    page.locator("#takedown-hide").click()
    expect(page.get_by_text(f"Battle {battle} is taken down.")).to_be_visible(timeout=WAIT_MS)
    page.goto(f"{url}?battle={battle}")
    expect(page.get_by_text("taken down by the owner")).to_be_visible(timeout=WAIT_MS)
    assert battle not in {ballot.battle_id for ballot in services.store.ballots()}

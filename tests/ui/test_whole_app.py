"""One visitor, the real models, real Chromium: ask, wait, vote blind, read the reasoning, vote again, see the names."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from ui.compare.tab import VOTE_IDS
from ui.services import Services
from votes.ballot import VERDICTS

pytestmark = [pytest.mark.engine, pytest.mark.browser]

REPLY_MS = 180_000
QUESTION = "Find the greatest common divisor of 12 and 18. Reason step by step and put the final answer in \\boxed{}."
SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 390, "height": 844}}


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, browser: Browser, page_url: str) -> Iterator[Page]:
    context = browser.new_context(viewport=SIZES[request.param])
    page = context.new_page()
    page.goto(page_url)
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible(timeout=30_000)
    yield page
    context.close()


def ask(page: Page, question: str) -> None:
    page.get_by_placeholder("Ask both models").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()


def panel_text(page: Page, side: str) -> str:
    return page.locator(f"#panel-{side}").inner_text()


def test_a_blind_battle_from_question_to_names(page: Page, services: Services) -> None:
    votes_before = len(services.store.ballots())
    ask(page, QUESTION)
    vote = page.get_by_role("button", name="A is better")
    expect(vote).to_be_visible(timeout=REPLY_MS)
    for side in "ab":
        assert "Thought" not in panel_text(page, side), "the thought would tell which side thinks"
    assert "distilled" not in page.locator("#sides").inner_text().lower()
    expect(page.locator("#show-names")).to_have_text("Show the names without voting")
    expect(page.get_by_role("button", name="Undo vote")).to_be_hidden()

    page.keyboard.press("a")
    expect(page.get_by_text("Your vote is saved.")).to_be_visible(timeout=10_000)
    assert len(services.store.ballots()) == votes_before + 1
    expect(page.locator("#sides .thought-group").first).to_be_visible()
    assert "distilled" not in page.locator("#sides").inner_text().lower()

    page.get_by_role("button", name="Tie", exact=True).click()
    page.get_by_role("button", name="Show the names").click()
    expect(page.locator("#facts")).to_contain_text("distilled", timeout=10_000)
    assert len(services.store.ballots()) == votes_before + 2

    page.get_by_role("button", name="Continue this conversation").click()
    expect(page.locator("#sides")).to_contain_text("Distilled", timeout=10_000)
    page.get_by_placeholder("Ask a follow-up").fill("Are you sure?")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("#tool-stop")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible(timeout=REPLY_MS)
    assert "Are you sure?" in panel_text(page, "a")
    expect(vote).to_be_hidden()
    expect(page.locator("#next-battle")).to_be_visible()
    assert len(services.store.ballots()) == votes_before + 2


def test_the_page_never_scrolls_sideways(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")


def test_nothing_is_loaded_from_outside(browser: Browser, page_url: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_url)
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible(timeout=30_000)
    context.close()
    own = re.compile(r"^(data:|blob:|http://(127\.0\.0\.1|localhost)[:/])")
    assert [url for url in asked if not own.match(url)] == []


def test_a_forged_vote_through_the_raw_api_is_not_counted(services: Services, page_url: str) -> None:
    """The endpoint behind each button of the ballot is called by a session that never had a battle."""
    before = len(services.store.ballots())
    config = httpx.get(f"{page_url}config", timeout=60).json()
    buttons = [part["id"] for part in config["components"] if part["props"].get("elem_id") in VOTE_IDS.values()]
    forged = [d["id"] for d in config["dependencies"] if any(target in buttons for target, _ in d["targets"])]
    assert len(forged) == len(VERDICTS)
    for index in forged:
        session = {"session_hash": f"forged{index}"}
        call = {"data": [None, "answers", ["correct"], "forged", True], "fn_index": index, **session}
        assert httpx.post(f"{page_url}gradio_api/queue/join", json=call, timeout=60).status_code == 200
        with httpx.stream("GET", f"{page_url}gradio_api/queue/data", params=session, timeout=60) as events:
            assert any("process_completed" in line for line in events.iter_lines())
    assert len(services.store.ballots()) == before

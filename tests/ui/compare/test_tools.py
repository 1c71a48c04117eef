"""The tools of named mode in real Chromium, on two scripted models that stream at a steady pace, without an engine."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect

from models.config.registry import load_config
from tests.models.chat.scripted_server import END, continuing
from tests.ui.scripted_pair import scripted_pair
from tests.votes.helpers import FREE
from ui.layout import build_app, launch_options
from ui.services import Services
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.store import Store

pytestmark = pytest.mark.browser

SECONDS_A_READ = 0.1
"""So slow that a thought goes on for a minute, whatever else the machine does meanwhile."""
WAIT_MS = 60_000
ENDLESS = "<think>\n" + "hm, and on " * 600
CLOSING = "</think>\n\n"


def thinker(written: str) -> str:
    """Thinks without an end until its thought is closed for it; taken up again, it soon comes to its second answer."""
    thought, closed, answer = written.partition(CLOSING)
    again = "Wait" in thought
    if closed:
        return ("Second answer." if again else "First answer.")[len(answer) :] + END
    return f", once more.\n{CLOSING}Second answer.{END}" if again else ENDLESS[len(written) :]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("tools")
    with scripted_pair({"base": continuing("It is 4."), "distilled": thinker}, SECONDS_A_READ) as served:
        store = Store(home / "votes.duckdb")
        desk = Desk(store, limits=Limits(rates=FREE))
        app = build_app(Services(load_config(), served, desk, store, Path(home), b"salt")).queue()
        _, url, _ = app.launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, **launch_options())
        yield url
        app.close()
        store.close()


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(url)
    expect(page.get_by_text("Two models, one question")).to_be_visible(timeout=WAIT_MS)
    page.wait_for_timeout(1000)  # nobody asks while the page is still being put together
    page.get_by_label("Named").check()
    yield page
    context.close()


def ask(page: Page) -> None:
    page.get_by_label("Question").fill("What is 2 + 2?")
    page.get_by_label("Question").press("Enter")


def ask_and_see_it_think(page: Page) -> None:
    ask(page)
    shows(page, "b", "Thinking")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def shows(page: Page, side: str, text: str) -> None:
    expect(page.locator(f"#panel-{side}")).to_contain_text(text, timeout=WAIT_MS)


def settled(page: Page, timeout: float = WAIT_MS) -> None:
    expect(page.get_by_role("button", name="A is better")).to_be_visible(timeout=timeout)


def thought_tokens(page: Page) -> int:
    """Of the distilled side, as its panel tells them."""
    found = re.search(r"Thought(?: for [\d.]+ s)? · ([\d,]+) tokens", page.locator("#panel-b").inner_text())
    assert found
    return int(found.group(1).replace(",", ""))


def test_a_thought_is_stopped_continued_cut_short_taken_up_again_and_made_anew(page: Page) -> None:
    ask_and_see_it_think(page)
    shows(page, "a", "It is 4.")
    press(page, "Stop")
    settled(page)
    shows(page, "b", "Stopped.")
    stopped_at = thought_tokens(page)

    press(page, "Continue")
    shows(page, "b", "Thinking")
    page.get_by_label("Distilled (B)").check()
    press(page, "Answer now")
    settled(page)
    shows(page, "b", "First answer.")
    answered_at = thought_tokens(page)
    assert answered_at >= stopped_at > 0

    press(page, "Think more")
    shows(page, "b", "Second answer.")
    settled(page)
    assert "First answer." not in page.locator("#panel-b").inner_text()
    assert thought_tokens(page) > answered_at

    press(page, "Regenerate")
    shows(page, "b", "Thinking")
    press(page, "Stop")
    settled(page)
    shows(page, "b", "Stopped.")
    shows(page, "a", "It is 4.")
    press(page, "B is better")
    expect(page.locator("#facts")).to_contain_text("the distilled model", timeout=WAIT_MS)


def test_a_side_answers_from_the_thought_of_the_other(page: Page) -> None:
    ask_and_see_it_think(page)
    page.get_by_label("Distilled (B)").check()
    press(page, "Answer now")
    settled(page)
    assert "hm, and on" not in page.locator("#panel-a").inner_text()
    page.get_by_label("Base (A)").check()
    press(page, "Swap thoughts")
    shows(page, "a", "Thought")
    settled(page)
    page.locator("#panel-a").get_by_role("button", name="Thought").first.click()  # it is folded once it has ended
    shows(page, "a", "hm, and on")
    shows(page, "b", "First answer.")


def test_a_reply_cut_off_at_its_token_limit_says_so_and_goes_on_where_it_was(page: Page) -> None:
    page.get_by_role("button", name="Settings for the next battle").click()
    page.wait_for_timeout(1000)  # what has just unfolded does not listen at once
    page.get_by_label("range slider for Token limit").first.press("Home")
    expect(page.get_by_label("number input for Token limit").first).to_have_value("16")
    ask(page)
    settled(page)
    shows(page, "b", "The thought used up the token limit")
    assert thought_tokens(page) == 16
    press(page, "Continue")
    expect(page.locator("#panel-b")).to_contain_text(" · 32 tokens", timeout=WAIT_MS)


def test_enter_asks_and_shift_enter_begins_a_new_line(page: Page) -> None:
    question = page.get_by_label("Question")
    question.fill("What is")
    question.press("Shift+Enter")
    question.press_sequentially("2 + 2?")
    assert question.input_value() == "What is\n2 + 2?"
    question.press("Enter")
    shows(page, "b", "Thinking")


def test_a_new_battle_forgets_the_one_that_is_being_answered(page: Page) -> None:
    ask(page)
    press(page, "New battle")
    expect(page.get_by_text("Two models, one question")).to_be_visible(timeout=WAIT_MS)
    page.wait_for_timeout(2500)  # longer than a turn takes to notice that it was stopped
    expect(page.get_by_text("Two models, one question")).to_be_visible()
    expect(page.locator("#panel-b")).not_to_be_visible()


def test_a_question_that_is_refused_is_answered_in_words(page: Page) -> None:
    page.get_by_label("Question").fill("   ")
    press(page, "Ask")
    expect(page.get_by_role("alert").filter(has_text="The question is empty.")).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_text("Two models, one question")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('#pulse')).display") == "none"


def test_a_page_that_was_cut_off_finds_the_end_of_its_turn(page: Page) -> None:
    """Gradio loads the page anew once it is online, and a click meanwhile is lost: it is pressed until it counts."""
    ask_and_see_it_think(page)
    page.context.set_offline(True)
    page.wait_for_timeout(500)
    page.context.set_offline(False)
    stop = page.get_by_role("button", name="Stop", exact=True)
    for _ in range(6):
        try:
            stop.click(timeout=5_000)
            settled(page, 5_000)
            break
        except (AssertionError, TimeoutError):
            continue
    settled(page)
    shows(page, "b", "Stopped.")

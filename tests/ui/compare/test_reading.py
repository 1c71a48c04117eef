"""Reading a reply while it is written, in real Chromium: whoever scrolls up stays there, and can follow again."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.ui.scripted_pair import scripted_page

pytestmark = pytest.mark.browser
WAIT_MS = 120_000
LINES = "".join(f"{number}. This is line {number} of a long reply.\n\n" for number in range(1, 2000))
PANEL = "#panel-a .bubble-wrap"
LOOK = f"(([p]) => [p?.scrollTop, p?.scrollHeight])(document.querySelectorAll('{PANEL}'))"
BELOW = f"(([p]) => p?.scrollHeight - p?.scrollTop - p?.clientHeight)(document.querySelectorAll('{PANEL}'))"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("reading")

    def script(written: str) -> str:
        return LINES[len(written) :]

    with scripted_page(home, {"base": script, "distilled": script}, seconds_a_read=0.05) as url:
        yield url


def test_who_scrolls_up_while_it_is_written_stays_there(browser: Browser, url: str) -> None:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(url)
    expect(page.get_by_text("Two models, one question")).to_be_visible(timeout=WAIT_MS)
    page.wait_for_timeout(1000)
    page.get_by_label("Named").check()
    page.get_by_label("Question").fill("Count.")
    page.get_by_label("Question").press("Enter")
    page.wait_for_function(f"{LOOK}[1] > 900", polling=300, timeout=WAIT_MS)
    page.wait_for_function(f"{BELOW} < 60", polling=300, timeout=WAIT_MS)  # it is followed while nobody scrolls
    page.locator(PANEL).hover()
    for up in (100, 200):
        page.mouse.wheel(0, -up)
        page.wait_for_timeout(700)
        top, height = page.evaluate(LOOK)
        stayed(page, top, height)
    page.mouse.wheel(0, 1_000_000)
    page.wait_for_timeout(1000)
    _, height = page.evaluate(LOOK)
    page.wait_for_function(f"{LOOK}[1] > {height + 100}", polling=300, timeout=WAIT_MS)
    page.wait_for_function(f"{BELOW} < 60", polling=300, timeout=WAIT_MS)  # and is followed again from the end
    page.get_by_role("button", name="Stop", exact=True).click()
    page.context.close()


def stayed(page: Page, top: float, height: float) -> None:
    """While the reply grows on, nothing moves."""
    page.wait_for_function(f"{LOOK}[1] > {height + 100}", polling=300, timeout=WAIT_MS)
    page.wait_for_timeout(500)
    assert abs(page.evaluate(LOOK)[0] - top) <= 2

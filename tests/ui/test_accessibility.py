"""axe-core finds nothing on any tab or in any state, wide, dark and on a phone; what can be pressed is large enough."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from bench.pictures import SIZES, TABS, Size, violations
from eval.runs.recorded import unpack_recorded
from tests.ui.scripted_pair import always, scripted_page

pytestmark = pytest.mark.browser
WAIT_MS = 120_000
PIXELS = 40
SCRIPTS = {
    "base": "#### Step 1\n2 + 2 is $4$.\n# 4" + "\n\nOnce more, so that the panel has to be scrolled." * 12,
    "distilled": "<think>\nTwo and two. Wait, is it?\n</think>\n\nIt is $\\boxed{4}$.",
}
SMALL = f"""() => [...document.querySelectorAll("button, summary, .segmented label")]
    .map((each) => [each.textContent.trim() || each.ariaLabel, each.getBoundingClientRect()])
    .filter(([, box]) => box.height > 0 && box.height < {PIXELS}).map(([name, box]) => `${{name}}: ${{box.height}}`)"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("accessibility")
    unpack_recorded(home)
    with scripted_page(home, always(SCRIPTS), seconds_a_read=0.3) as url:
        yield url


@pytest.fixture(params=SIZES, ids=[size.name for size in SIZES])
def page(request: pytest.FixtureRequest, browser: Browser, url: str) -> Iterator[Page]:
    size: Size = request.param
    context = browser.new_context(
        viewport={"width": size.width, "height": size.height}, color_scheme="dark" if size.dark else "light"
    )
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{url}?__theme=dark" if size.dark else url)
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible(timeout=WAIT_MS)
    page.wait_for_timeout(1000)
    yield page
    context.close()


def test_nothing_is_found_from_the_question_to_the_names(page: Page) -> None:
    found = {"first": violations(page)}
    page.get_by_label("Question").fill("What is 2 + 2?")
    page.get_by_label("Question").press("Enter")
    expect(page.get_by_role("button", name="A is better")).to_be_visible(timeout=WAIT_MS)
    found["answered"] = violations(page)
    page.get_by_role("button", name="A is better").click()
    expect(page.get_by_text("Your vote is saved.")).to_be_visible(timeout=WAIT_MS)
    page.wait_for_timeout(1000)
    found["voted"] = violations(page)
    page.get_by_role("button", name="Show the names").click()
    expect(page.get_by_role("heading", name="Who was who")).to_be_visible(timeout=WAIT_MS)
    found["revealed"] = violations(page)
    assert {state: faults for state, faults in found.items() if faults} == {}


def lasting_violations(page: Page) -> list[str]:
    """What axe-core still finds once the tab is drawn: until then gradio's placeholder of a plot is at fault."""
    until = time.monotonic() + WAIT_MS / 1000
    while (found := violations(page)) and time.monotonic() < until:
        page.wait_for_timeout(1000)
    return found


@pytest.mark.parametrize("tab", TABS)
def test_nothing_is_found_on_a_tab(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab, exact=True).click()
    page.wait_for_timeout(2500)
    assert lasting_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")

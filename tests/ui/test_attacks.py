"""Hostile and heavy replies in Chromium: nothing foreign is loaded, the keys go on working, nothing stalls."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.models.chat.scripted_server import END
from tests.ui.attacks import FOREIGN, HEAVY, IDS, loads
from tests.ui.scripted_pair import scripted_page

pytestmark = pytest.mark.browser
WAIT_MS = 60_000
LONGEST_TASK_MS = 1000
"""Measured alone it is under 200; a machine that is shared takes longer."""
REPLY = {"text": ""}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("attacks")

    def script(written: str) -> str:
        return REPLY["text"][len(written) :] + END

    with scripted_page(home, {"base": script, "distilled": script}, seconds_a_read=0.0) as url:
        yield url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(url)
    expect(page.get_by_text("Two models, one question")).to_be_visible(timeout=WAIT_MS)
    page.wait_for_timeout(1000)
    yield page
    context.close()


def ask(page: Page, reply: str, question: str = "What?") -> None:
    REPLY["text"] = reply
    field = page.locator("#question textarea")  # after a first question, other fields are labelled with the word
    field.fill(question)
    field.press("Enter")
    expect(page.get_by_role("button", name="A is better")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("#panel-a .bot.message").first).to_be_visible(timeout=WAIT_MS)


def test_no_address_of_a_question_or_a_reply_is_loaded(page: Page, url: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    everything = "\n\n".join(loads().values())
    ask(page, everything, question=everything[:7000])
    page.wait_for_timeout(1500)
    page.keyboard.press("a")  # the thoughts are shown with the second vote
    expect(page.get_by_text("Your vote is saved.")).to_be_visible(timeout=WAIT_MS)
    page.wait_for_timeout(1000)
    assert [address for address in asked if not address.startswith((url, "data:", "blob:"))] == []
    assert f"{FOREIGN}/x.png" in page.locator("#panel-a").inner_text(), "the addresses are there, as text"
    assert page.locator(".panel .message :is(img, video, iframe, style, svg image)").count() == 0


def test_ids_in_a_reply_do_not_meet_the_pages_own(page: Page) -> None:
    ask(page, IDS)
    assert page.locator("[id=ask]").count() == 1
    page.keyboard.press("a")
    expect(page.get_by_text("Your vote is saved.")).to_be_visible(timeout=WAIT_MS)


@pytest.mark.parametrize("kind", HEAVY)
def test_a_heavy_reply_does_not_stall_the_page(page: Page, kind: str) -> None:
    assert any(longest_task(page, HEAVY[kind]) < LONGEST_TASK_MS for _ in range(3)), "not even on a quiet moment"


def longest_task(page: Page, reply: str) -> float:
    """Milliseconds for which the page could do nothing else while it showed this reply."""
    page.evaluate("localStorage.clear(), sessionStorage.clear()")  # the battle of an earlier try
    page.reload()
    expect(page.get_by_text("Two models, one question")).to_be_visible(timeout=WAIT_MS)
    page.wait_for_timeout(1000)
    page.evaluate(
        """() => { window.longest = 0; new PerformanceObserver((list) => { for (const task of list.getEntries())
        window.longest = Math.max(window.longest, task.duration); }).observe({ entryTypes: ["longtask"] }); }"""
    )
    ask(page, reply)
    page.wait_for_timeout(1000)
    return float(page.evaluate("window.longest"))


@pytest.mark.parametrize(
    "reply",
    [
        "It costs $5, or $10 with $x$ apples; 2**10, a<b.\n\n```py\n  x = '&lt;'\n```\n\n\\(\\frac12\\) \\$7\n",
        "\n\n".join(loads().values()),
        "* a\n    * b\n\n> **c** _d_ &amp; `e`\n\n| f | g |\n|---|---|\n",
        "الجواب هو 42 \u200f\u2028 end",
    ],
)
def test_a_copy_is_the_text_as_the_model_wrote_it(page: Page, reply: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask(page, reply)
    page.locator("#copy-a").click()
    right = "(right) => navigator.clipboard.readText().then((text) => text === right)"
    page.wait_for_function(right, arg=reply.strip(), timeout=WAIT_MS)


def test_prices_maths_code_and_direction(page: Page) -> None:
    reply = "It costs $5, or $10 with $x$ apples; 2**10, __init__, a<b.\n\nالجواب هو 42"
    ask(page, reply)
    panel = page.locator("#panel-a .bot.message").first
    text = panel.inner_text()
    assert "It costs $5, or $10 with" in text and "2**10, __init__, a<b." in text
    assert panel.locator(".katex").count() == 1
    direction = "element => getComputedStyle(element).unicodeBidi"
    assert panel.locator("p").last.evaluate(direction) == "plaintext"


def test_an_input_methods_enter_and_a_held_key_do_nothing(page: Page) -> None:
    REPLY["text"] = "4"
    field = page.get_by_label("Question")
    field.fill("什么")
    press = """([selector, options]) => { const event = new KeyboardEvent("keydown", { bubbles: true, ...options });
    if (options.keyCode) Object.defineProperty(event, "keyCode", { value: options.keyCode });
    document.querySelector(selector).dispatchEvent(event); }"""
    for options in ({"key": "Enter", "keyCode": 229}, {"key": "Enter", "isComposing": True}):
        page.evaluate(press, ["#question textarea", options])
    page.wait_for_timeout(800)
    assert field.input_value() == "什么"
    field.press("Enter")
    expect(page.get_by_role("button", name="A is better")).to_be_visible(timeout=WAIT_MS)
    for _ in range(10):
        page.evaluate(press, ["body", {"key": "a", "repeat": True}])
    page.wait_for_timeout(800)
    expect(page.get_by_role("button", name="A is better")).to_be_visible()
    expect(page.get_by_text("Which answer is better?")).to_be_visible()


def test_a_reload_brings_the_battle_and_its_second_vote_back(page: Page) -> None:
    ask(page, "<think>\nTwo and two.\n</think>\n\nIt is 4.")
    page.reload()
    expect(page.locator("#panel-a")).to_contain_text("It is 4.", timeout=WAIT_MS)
    page.get_by_role("button", name="A is better").click()
    expect(page.get_by_text("Your vote is saved.")).to_be_visible(timeout=WAIT_MS)
    page.reload()
    expect(page.get_by_text("Your vote is saved.")).to_be_visible(timeout=WAIT_MS)
    page.get_by_role("button", name="Tie", exact=True).click()
    expect(page.get_by_role("button", name="Show the names")).to_be_visible(timeout=WAIT_MS)


HELD = "() => sessionStorage.getItem('journey-arena-held')"


def opened(page: Page, address: str) -> Page:
    """Another visitor's page."""
    other = page.context.browser.new_context(viewport={"width": 1280, "height": 900}).new_page()  # type: ignore[union-attr]
    other.set_default_timeout(WAIT_MS)
    other.goto(address)
    return other


def test_a_question_asked_beside_a_shared_battle_is_found_again(page: Page, url: str) -> None:
    ask(page, "It is 4.")
    page.keyboard.press("a")
    expect(page.get_by_role("button", name="Show the names")).to_be_visible(timeout=WAIT_MS)
    other = opened(page, f"{url}?battle={page.evaluate(HELD)}")
    expect(other.locator("#panel-a")).to_contain_text("It is 4.", timeout=WAIT_MS)
    expect(other.get_by_role("button", name="A is better")).to_be_hidden()
    ask(other, "It is 6.", "And 3 + 3?")
    assert "battle=" not in other.url
    other.reload()
    expect(other.locator("#panel-a")).to_contain_text("It is 6.", timeout=WAIT_MS)
    other.get_by_role("button", name="A is better").click()
    expect(other.get_by_role("button", name="Show the names")).to_be_visible(timeout=WAIT_MS)
    other.context.close()


def test_ones_own_battle_opened_by_its_link_can_be_finished(page: Page, url: str) -> None:
    ask(page, "It is 4.")
    page.keyboard.press("t")
    expect(page.get_by_role("button", name="Show the names")).to_be_visible(timeout=WAIT_MS)
    page.goto(f"{url}?battle={page.evaluate(HELD)}")
    page.get_by_role("button", name="Show the names").click()
    expect(page.locator("#facts")).to_contain_text("SmolLM2", timeout=WAIT_MS)
    expect(page.locator("#next-battle")).to_be_visible(timeout=WAIT_MS)


def test_a_dead_link_leaves_ones_own_battle_on_the_page(page: Page, url: str) -> None:
    ask(page, "It is 4.")
    page.goto(f"{url}?battle=dead")
    expect(page.locator(".said.failed")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("#panel-a")).to_contain_text("It is 4.", timeout=WAIT_MS)
    ask(page, "It is 6.", "And 3 + 3?")
    expect(page.locator("#panel-a")).to_contain_text("It is 6.", timeout=WAIT_MS)
    expect(page.locator("#panel-a")).to_contain_text("It is 4.")


def test_two_tabs_each_find_their_own_battle_again(page: Page, url: str) -> None:
    ask(page, "It is 4.")
    second = page.context.new_page()
    second.set_default_timeout(WAIT_MS)
    second.goto(url)
    expect(second.locator("#panel-a")).to_contain_text("It is 4.", timeout=WAIT_MS)
    second.get_by_role("button", name="New battle").click()
    ask(second, "It is 6.", "And 3 + 3?")
    page.keyboard.press("a")
    page.get_by_role("button", name="Show the names").click()
    expect(page.locator("#next-battle")).to_be_visible(timeout=WAIT_MS)
    second.reload()
    expect(second.locator("#panel-a")).to_contain_text("It is 6.", timeout=WAIT_MS)

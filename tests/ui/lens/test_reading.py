"""The lens in real Chromium, wide and on a phone, with thoughts of thirty thousand tokens."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from playwright.sync_api import Browser, Page, expect

from bench.sections.reading import long_thought
from ui.kit.html import html, shown
from ui.layout import launch_options
from ui.lens.view import Thought, lens, lens_pair

pytestmark = pytest.mark.browser
WAIT_MS = 120_000
SIZES = {"narrow": {"width": 390, "height": 844}, "wide": {"width": 1280, "height": 900}}
LONG = long_thought()
OTHER = LONG[: LONG.index("Step 40:")] + LONG[LONG.index("Step 400:") :]
SHORT = "First I add 3 and 4. That makes 7.\nWait, is it 8? Check: 8-4=4. So 7.\n"
VISIBLE = """() => [...document.querySelectorAll('#long .lens:first-child .lens-section')]
  .map((section) => section.firstElementChild.checkVisibility({contentVisibilityAuto: true}))"""
IN_SIGHT = """([lens, target]) => {
  const text = document.querySelector(`${lens} .lens-text`).getBoundingClientRect();
  const box = document.querySelector(`${lens} ${target}`).getBoundingClientRect();
  return box.top >= text.top - 2 && box.top < text.bottom;
}"""
FOUND_IN_SIGHT = """(lens) => {
  const text = document.querySelector(`${lens} .lens-text`).getBoundingClientRect();
  const box = [...CSS.highlights.get('lens-now')][0].getBoundingClientRect();
  return box.height > 0 && box.top >= text.top - 2 && box.bottom <= text.bottom + 2;
}"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with gr.Blocks(analytics_enabled=False, fill_width=True) as app:
        show = gr.Button("Show", elem_id="show")
        short = Thought(SHORT, importance=((0, 21, 0.9), (21, 35, 0.1)), divergence=(("Wait", 2.0),))
        html(lens(short), elem_id="short")
        page = html(elem_id="long")
        two = lens_pair(Thought(LONG, "Base", "base"), Thought(OTHER, "Distilled", "distilled"))
        show.click(lambda: shown(two), None, page)
    _, address, _ = app.launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, **launch_options())
    yield address
    app.close()


@pytest.fixture(scope="module", params=SIZES)
def page(request: pytest.FixtureRequest, browser: Browser, url: str) -> Iterator[Page]:
    context = browser.new_context(viewport=SIZES[request.param])
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(url)
    page.locator("#show").click()
    page.wait_for_selector("#long .lens-text")
    yield page
    context.close()


def first(page: Page, what: str) -> Any:
    return page.locator(f"#long .lens:first-child {what}")


def test_only_what_is_in_sight_is_laid_out(page: Page) -> None:
    drawn = page.evaluate(VISIBLE)
    assert len(drawn) > 30 and drawn[0]
    assert sum(drawn) < len(drawn) / 3
    assert page.evaluate("document.querySelector('#long .lens-text').textContent.length") > 100_000
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.evaluate("document.querySelector('#long .lens-text').scrollTop = 1e7")
    page.wait_for_function(f"({VISIBLE})().at(-1)")
    assert not page.evaluate(VISIBLE)[0], "what was left behind is no longer drawn"
    page.evaluate("document.querySelector('#long .lens-text').scrollTop = 0")


def test_a_search_finds_marks_and_goes_on(page: Page) -> None:
    field, said = first(page, "input"), first(page, "output")
    field.fill("that is WRONG: a term")
    count = LONG.lower().count("that is wrong: a term")
    expect(said).to_have_text(f"1 of {count}")
    assert page.evaluate("[...CSS.highlights.get('lens-found')].length") == count
    for key, at in (("Enter", 2), ("Enter", 3), ("Shift+Enter", 2), ("Shift+Enter", 1), ("Shift+Enter", count)):
        field.press(key)
        expect(said).to_have_text(f"{at} of {count}")
    assert page.evaluate(FOUND_IN_SIGHT, "#long .lens:first-child"), "the last one, far out of sight before"
    field.fill("no such words (")
    expect(said).to_have_text("not found")
    field.fill("")
    expect(said).to_have_text("")
    assert page.evaluate("[...CSS.highlights.get('lens-found')].length") == 0


def test_working_folds_and_opens(page: Page) -> None:
    height = "document.querySelector('#long .lens-text').scrollHeight"
    before, button = page.evaluate(height), first(page, '[data-lens="fold"]')
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert page.evaluate(height) < before
    folded = first(page, ".lens-text .part.working").first
    expect(folded).to_have_attribute("role", "button")
    folded.focus()
    folded.press("Enter")
    expect(folded).to_have_class("part working open")
    field = first(page, "input")
    field.fill("which gives")
    expect(first(page, "output")).to_contain_text("1 of ")
    field.press("Enter")
    assert page.evaluate(FOUND_IN_SIGHT, "#long .lens:first-child"), "a match in a folded part is opened"
    field.fill("")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    assert folded.get_attribute("role") is None


def test_both_sides_go_to_where_they_part(page: Page) -> None:
    expect(page.locator("#long .note").first).to_contain_text("They part after")
    first(page, '[data-lens="parting"]').click()
    for side in ("first", "last"):
        page.wait_for_function(IN_SIGHT, arg=[f"#long .lens:{side}-child", ".lens-parting"])


def test_kinds_and_the_map_lead_to_their_parts(page: Page) -> None:
    kind = first(page, '[data-kind="turning_back"]')
    kind.click()
    before = first(page, ".part.now").get_attribute("data-part")
    kind.click()
    now = first(page, ".part.now").first
    assert now.get_attribute("data-part") != before
    expect(now).to_have_class("part turning_back now open")
    bar = first(page, ".lens-map")
    bar.click(position={"x": bar.bounding_box()["width"] - 2, "y": 4})
    assert page.evaluate(IN_SIGHT, ["#long .lens:first-child", ".part.now"])
    last = int(first(page, ".lens-text .part").last.get_attribute("data-part"))
    assert last - int(first(page, ".part.now").first.get_attribute("data-part")) < 50


def test_importance_takes_the_place_of_kinds(page: Page) -> None:
    button = page.locator('#short [data-lens="importance"]')
    colour = "getComputedStyle(document.querySelector('#short .lens-text .part')).backgroundColor"
    before = page.evaluate(colour)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert page.evaluate(colour) != before
    expect(page.locator("#short .lens-strip")).to_be_visible()
    assert page.locator("#short [data-lens='parting']").count() == 0

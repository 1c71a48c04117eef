"""Where the browser speaks Chinese, every tab does; what people and models wrote stays as it was."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from eval.runs.recorded import unpack_recorded
from tests.ui.scripted_pair import always, scripted_page
from ui.layout import TABS

pytestmark = pytest.mark.browser
WAIT_MS = 120_000
FEWEST = 12
"""Texts on the emptiest tab."""
INNER = {"benchmarks": 6, "cases": 3, "traces": 6}
"""Tabs inside a tab: how many."""
KEY, ANSWER = "Compare", "All results"
"""Texts of the catalogue: where a visitor or a model writes them, they are theirs."""
SCRIPTS = {"base": ANSWER, "distilled": f"<think>\nCorrect\n</think>\n\n{ANSWER}"}
EXAMPLE_TAG = "中文"
HAN = re.compile(r"[\u3400-\u9fff]")
WORDS = re.compile(r"[A-Za-z]{3,} [A-Za-z]{3,}")
NAMES = re.compile(
    r"arena run --.*|提示 \{question\}.*"
    r"|Journey Arena|SmolLM2\S*( journey)?|Chinese SimpleQA|GPQA Diamond|Wilson|Rich Sutton|Hugging Face"
    r"|O1-Journey( \(Part \d\))?|(Open|Marco|Skywork|DeepSeek)[\w-]*( \w+)?|QwQ"
)
VISIBLE = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest(UNTOUCHED) || parent.getBoundingClientRect().height === 0) continue;
    if (parent.checkVisibility({ visibilityProperty: true })) found.push(node.data.replace(/\\s+/g, " ").trim());
  }
  return found;
}"""
UNFOLD = """() => {
  document.querySelectorAll("details").forEach((each) => (each.open = true));
  document.querySelectorAll("button.label-wrap:not(.open)").forEach((each) => each.checkVisibility() && each.click());
}"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("chinese")
    unpack_recorded(home)
    with scripted_page(home, always(SCRIPTS), seconds_a_read=0.3) as url:
        yield url


def opened(browser: Browser, url: str, locale: str) -> Iterator[Page]:
    context = browser.new_context(locale=locale, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(url)
    expect(page.locator("button#ask")).to_be_visible(timeout=WAIT_MS)
    page.wait_for_timeout(1000)
    yield page
    context.close()


@pytest.fixture
def chinese(browser: Browser, url: str) -> Iterator[Page]:
    yield from opened(browser, url, "zh-CN")


@pytest.fixture
def english(browser: Browser, url: str) -> Iterator[Page]:
    yield from opened(browser, url, "en-US")


def settle(page: Page) -> None:
    """Until what a tab shows is read, drawn and exchanged."""
    page.wait_for_timeout(4000)
    page.evaluate(UNFOLD)
    page.wait_for_timeout(1500)


def left_in_english(page: Page) -> list[str]:
    return sorted({text for text in page.evaluate(VISIBLE) if WORDS.search(NAMES.sub("", text))})


def has_chinese(page: Page) -> list[str]:
    return [text for text in page.evaluate(VISIBLE) if HAN.search(text) and text != EXAMPLE_TAG]


@pytest.mark.parametrize("tab", list(TABS)[1:])
def test_a_tab_is_chinese(chinese: Page, url: str, tab: str) -> None:
    chinese.goto(f"{url}?tab={tab}")
    expect(chinese.locator(f"button[role=tab][data-tab-id={tab}][aria-selected=true]")).to_be_visible(timeout=WAIT_MS)
    inner = chinese.locator("[role=tabpanel]:visible").first.locator("button[role=tab]")
    count = INNER.get(tab, 0)
    if count:
        expect(inner.nth(count - 1)).to_be_visible(timeout=WAIT_MS)
    settle(chinese)
    found = left_in_english(chinese)
    for each in inner.element_handles()[1:count]:
        each.evaluate("(button) => button.click()")
        settle(chinese)
        found += left_in_english(chinese)
    assert len(chinese.evaluate(VISIBLE)) > FEWEST
    assert sorted(set(found)) == []


def test_compare_is_chinese_from_the_question_to_the_names_and_words_stay_as_they_were(chinese: Page) -> None:
    chinese.evaluate(UNFOLD)
    chinese.wait_for_timeout(500)
    found = {"first": left_in_english(chinese)}
    question = chinese.locator("#question textarea")
    question.fill(KEY)
    question.press("Enter")
    expect(chinese.locator("button#vote-a")).to_be_visible(timeout=WAIT_MS)
    found["answered"] = left_in_english(chinese)
    for side in ("a", "b"):
        panel = chinese.locator(f"#panel-{side}")
        expect(panel.get_by_text(KEY, exact=True)).to_be_visible()
        expect(panel.get_by_text(ANSWER, exact=True)).to_be_visible()
    chinese.locator("button#vote-a").click()
    expect(chinese.get_by_text("投票已保存。").first).to_be_visible(timeout=WAIT_MS)
    chinese.wait_for_timeout(1000)
    found["voted"] = left_in_english(chinese)
    expect(chinese.locator(".panel").get_by_text("Correct", exact=True).first).to_be_visible()
    chinese.get_by_role("button", name="揭晓身份").click()
    expect(chinese.get_by_role("heading", name="谁是谁")).to_be_visible(timeout=WAIT_MS)
    chinese.wait_for_timeout(1000)
    found["revealed"] = left_in_english(chinese)
    expect(chinese.locator("#my-battles a").first).to_have_text(KEY)
    assert {state: texts for state, texts in found.items() if texts} == {}


def test_what_a_dropdown_has_chosen_is_chinese_and_stays_chosen(chinese: Page) -> None:
    chinese.get_by_role("tab", name="基准测试", exact=True).click()
    sets = chinese.get_by_label("数据集", exact=True)
    expect(sets).to_have_value("与训练同类", timeout=WAIT_MS)
    sets.click()
    chinese.get_by_role("option", name="更大的数字").click()
    expect(chinese.locator("#bm-headline")).to_contain_text("17.5 %", timeout=WAIT_MS)
    chinese.locator("#bm-overview").click()
    expect(sets).to_have_value("更大的数字", timeout=WAIT_MS)


def test_a_remark_of_the_page_within_a_reply_is_chinese(chinese: Page) -> None:
    chinese.locator("#question textarea").fill("停")
    chinese.locator("#question textarea").press("Enter")
    expect(chinese.locator("#vote-a")).to_be_visible(timeout=WAIT_MS)
    chinese.locator("#vote-a").click()
    expect(chinese.locator(".thought-group .title").first).to_contain_text("思考", timeout=WAIT_MS)


def test_the_switch_changes_the_language_and_the_browser_remembers_it(english: Page) -> None:
    switch = english.locator("#language")
    expect(switch).to_have_text("中文")
    assert has_chinese(english) == []
    switch.click()
    expect(english.get_by_role("tab", name="对比")).to_be_visible(timeout=WAIT_MS)
    english.reload()
    expect(english.get_by_role("tab", name="对比")).to_be_visible(timeout=WAIT_MS)
    expect(switch).to_have_text("English")
    switch.click()
    expect(english.get_by_role("tab", name="Compare")).to_be_visible(timeout=WAIT_MS)
    expect(switch).to_have_text("中文")

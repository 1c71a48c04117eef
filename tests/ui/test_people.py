"""In Chromium: a drawn problem is asked and recorded, counts and points open battles, battles are found by meaning."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from models.config.registry import load_config
from tests.insights.helpers import make_reply, make_vote
from tests.ui.scripted_pair import always, scripted_pair
from tests.votes.helpers import FREE
from ui.layout import QUEUE, build_app, launch_options
from ui.services import Services
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.store import Store

pytestmark = pytest.mark.browser
WAIT_MS = 120_000
SIZES = {"narrow": {"width": 390, "height": 844}, "wide": {"width": 1280, "height": 900}}
SAID = {"base": "It is 4.", "distilled": "<think>\n2 and 2.\n</think>\nIt is \\boxed{4}."}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    from insights.reading import known_benchmarks

    home = tmp_path_factory.mktemp("people")
    store = Store(home / "votes.duckdb")
    problems = [problem for benchmark in known_benchmarks() for problem in benchmark.problems[:2]]
    for number, problem in enumerate(problems):
        right = make_reply("distilled", f"\\boxed{{{problem.gold}}}")
        store.append(
            make_vote("a", prompt=problem.question, distilled=right, battle=f"known{number}", pair="smol-135m")
        )
    for number, prompt in enumerate(("What is the chance of two sixes?", "How long do I boil pasta?")):
        store.append(make_vote("b", prompt=prompt, battle=f"open{number}", pair="smol-135m"))
    with scripted_pair(always(SAID), seconds_a_read=0.0) as served:
        yield Services(load_config(), served, Desk(store, limits=Limits(rates=FREE)), store, Path(home), b"salt")
    store.close()


@pytest.fixture(scope="module")
def url(services: Services) -> Iterator[str]:
    app = build_app(services).queue(**QUEUE)
    _, url, _ = app.launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, **launch_options())
    yield url
    app.close()


@pytest.fixture(params=sorted(SIZES))
def page(request: pytest.FixtureRequest, browser: Browser, url: str) -> Iterator[Page]:
    context = browser.new_context(viewport=SIZES[request.param])
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(url)
    expect(page.get_by_text("Two models, one question")).to_be_visible(timeout=WAIT_MS)
    page.wait_for_timeout(2000)  # what is done while gradio still puts the page together is lost
    yield page
    context.close()


def test_a_drawn_problem_is_asked_and_its_draw_is_recorded(page: Page, services: Services) -> None:
    page.locator("#draw-problem").click()
    page.wait_for_function("document.querySelector('#question textarea').value.includes('boxed')")
    page.locator("#ask").click()
    expect(page.locator("#vote-a")).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("#draw-problem")).to_be_hidden()
    page.locator("#vote-a").click()
    expect(page.get_by_text("Your vote is saved.")).to_be_visible(timeout=WAIT_MS)
    (*_, vote) = services.store.votes()
    drawn = vote.sampling["prompt"]
    assert drawn["policy"] == "widest interval" and drawn["width"] > 0.5 and drawn["seed"] >= 0


def test_counts_open_their_battles_and_battles_are_found_by_meaning(page: Page) -> None:
    page.get_by_role("tab", name="Preferences").click()
    page.locator("#analyse").click()
    count = page.locator(".quadrants details.battles").first
    count.locator("summary").click()
    expect(count.locator("a").first).to_have_attribute("href", "?battle=known0")
    point = page.locator("#topic-map .scatterlayer .point").first
    expect(point).to_be_visible(timeout=WAIT_MS)
    page.wait_for_timeout(1000)
    middle = point.evaluate("(each) => (({ x, y, width, height }) => [x + width / 2, y + height / 2])"
                            "((each.scrollIntoView({ block: 'center' }), each.getBoundingClientRect()))")  # fmt: skip
    page.mouse.click(*middle)
    link = page.locator("#topic-point a")
    expect(link).to_be_visible()
    expect(link).to_have_attribute("href", re.compile(r"\?battle=(known|open)\d"))
    page.locator("#battle-query textarea, #battle-query input").first.fill("rolling dice")
    page.locator("#battle-search").click()
    found = page.locator("#battles-found tbody tr")
    expect(found.first).to_contain_text("two sixes", timeout=WAIT_MS)
    expect(page.locator("#battles-found")).not_to_contain_text("pasta")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")

"""The whole page on ZeroGPU, pretended: the embedded pair by Transformers, in real Chromium."""

from collections.abc import Iterator

import pytest
from gradio.context import LocalContext
from playwright.sync_api import Browser, Page, expect

from common.errors import ConfigError
from models.config.registry import load_config
from models.serving.in_process.zero import START_SECONDS
from models.serving.pair import serving
from tests.models.serving.in_process import pretend_zero
from tests.models.serving.in_process.pretend_zero import QUOTA, PretendZero
from ui.layout import QUEUE, build_app, launch_options
from ui.services import READ_ONLY, Services, check_ready
from votes.casting.desk import Desk
from votes.store import Store
from votes.visitor import load_salt

pytestmark = [pytest.mark.engine, pytest.mark.browser]

REPLY_MS = 240_000
QUESTION = "What is 17 + 25? Put the final answer in \\boxed{}."


@pytest.fixture(scope="module")
def spaces() -> Iterator[PretendZero]:
    with pytest.MonkeyPatch.context() as patch:
        pretend = pretend_zero.install(patch)
        # `spaces` takes the visitor, whose quota it charges, from the request that gradio notes.
        pretend.visitor = lambda: ((request := LocalContext.request.get()) and request.headers["user-agent"]) or ""
        yield pretend


@pytest.fixture(scope="module")
def services(spaces: PretendZero, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    home, config = tmp_path_factory.mktemp("zero"), load_config()
    store = Store(home / "votes.duckdb")
    with serving(config, config.pairs["smol-135m"], config.profiles["zero"]) as served:
        yield Services(config, served, Desk(store), store, home, load_salt(home))
    store.close()


@pytest.fixture(scope="module")
def zero_url(services: Services) -> Iterator[str]:
    app = build_app(services).queue(**QUEUE)
    _, url, _ = app.launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, **launch_options())
    yield url
    app.close()


@pytest.fixture
def page(browser: Browser, zero_url: str, spaces: PretendZero) -> Iterator[Page]:
    spaces.calls.clear()
    spaces.visitors.clear()
    spaces.refusal = None
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(zero_url)
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_visible(timeout=60_000)
    yield page
    context.close()


def ask(page: Page) -> None:
    page.get_by_placeholder("Ask both models").fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).click()


def test_a_blind_battle_from_question_to_names(page: Page, services: Services, spaces: PretendZero) -> None:
    before = len(services.store.ballots())
    ask(page)
    expect(page.get_by_role("button", name="A is better")).to_be_visible(timeout=REPLY_MS)
    for side in "ab":
        assert "Thought" not in page.locator(f"#panel-{side}").inner_text()
    page.keyboard.press("a")
    expect(page.get_by_text("Your vote is saved.")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Tie", exact=True).click()
    page.get_by_role("button", name="Show the names").click()
    expect(page.locator("#facts")).to_contain_text("distilled", timeout=20_000)
    assert len(services.store.ballots()) == before + 2
    (seconds, sides), *rest = spaces.calls
    assert (sides, rest) == (2, []), "one stretch of GPU time for both sides"
    assert seconds > START_SECONDS
    assert "Chrome" in spaces.visitors[0], "the visitor's own request is charged"


def test_a_quota_that_is_used_up_is_told_in_words(page: Page, spaces: PretendZero, services: Services) -> None:
    spaces.refusal = QUOTA
    before = len(services.store.ballots())
    ask(page)
    expect(page.get_by_text("ZeroGPU gives you no more GPU time now").first).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="A is better")).to_be_hidden()
    spaces.refusal = None
    page.get_by_role("button", name="Regenerate").click()
    expect(page.get_by_role("button", name="A is better")).to_be_visible(timeout=REPLY_MS)
    assert len(services.store.ballots()) == before


def test_the_page_says_that_benchmarks_are_read(page: Page) -> None:
    page.get_by_role("tab", name="Benchmarks").click()
    said = page.get_by_text(READ_ONLY).first
    if not said.is_visible():
        page.get_by_text("Run", exact=False).first.click()
    expect(said).to_be_visible(timeout=20_000)


def test_no_run_is_started_there(services: Services) -> None:
    with pytest.raises(ConfigError, match="ZeroGPU lends its GPU"):
        check_ready(services.served)

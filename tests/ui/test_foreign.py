"""Hostile text in every place that shows text, in Chromium: whatever anybody wrote, the page loads its own files only.

The list of `tests.ui.attacks` stands in questions, answers, thoughts, names, notes, comments, judgements and files.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect

from eval.judging.judge import Judgement
from eval.paper.transparency import Assessment, Entry, items, save
from eval.records import Problem, Sample
from eval.runs.log import ROLES, DataInfo, RunConfig, RunInfo, RunLog, SideInfo
from models.chat.events import Reply
from models.config.registry import load_config
from models.config.sampling import Sampling
from tests.models.chat.scripted_server import END
from tests.ui.attacks import FOREIGN, IDS, loads
from tests.ui.scripted_pair import scripted_pair
from tests.votes.helpers import FREE, make_replies
from traces.cases.cases import SideRun, keep_run, new_run, pin
from traces.keeping.keep import reject
from traces.keeping.trace import Trace, append_trace
from ui.layout import QUEUE, build_app, launch_options
from ui.services import Services
from ui.traces.library import BaseAnswer, TraceLibrary
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.store import Store

pytestmark = pytest.mark.browser
WAIT_MS = 60_000
ALL = "\n\n".join([*loads().values(), IDS])
SHORT = f"<img src='{FOREIGN}/s.png' onerror=\"fetch('{FOREIGN}/f')\"> ![i]({FOREIGN}/i.png)"
LOADED = """() => [...document.querySelectorAll("*")].flatMap((element) => [...element.attributes]
  .filter((attribute) => attribute.value.includes("http://127.0.0.1:9")
    && !(element.tagName === "A" && attribute.name === "href")
    && /^(src|srcset|href|xlink:href|data|poster|background|style|srcdoc|content|action|on.*)$/.test(attribute.name))
  .map((attribute) => element.outerHTML.slice(0, 200)))"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("foreign")
    with pytest.MonkeyPatch.context() as patch, scripted_pair(dict.fromkeys(ROLES, reply), 0.0) as served:
        patch.setenv("JOURNEY_HOME", str(home))
        write_run(home / "runs", "20260101-000000-smol-135m", "math")
        write_run(home / "beyond", "20260102-000000-smol-135m", "judged")
        write_traces(home)
        write_case()
        save(Assessment(SHORT, tuple(Entry(item.key, "yes", ALL, ALL) for item in items()), SHORT))
        store = Store(home / "votes.duckdb")
        desk = Desk(store, limits=Limits(rates=FREE))
        vote(desk)
        app = build_app(Services(load_config(), served, desk, store, home, b"salt")).queue(**QUEUE)
        _, url, _ = app.launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, **launch_options())
        yield url
        app.close()
        store.close()


def reply(written: str) -> str:
    return f"<think>\n{ALL}\n</think>\n{ALL}"[len(written) :] + END


def write_run(runs: Path, run: str, rule: str) -> None:
    """A run whose every text, names too, is hostile."""
    pair = load_config().pairs["smol-135m"]
    sides = {role: SideInfo(pair.model(role).key, f"{role} {SHORT}", "hash") for role in ROLES}
    problem = Problem("toy/0", ALL, SHORT, "toy", SHORT, SHORT)
    data = (DataInfo("toy", f"Toy {SHORT}", "ab" * 32, SHORT, rule, 1, 1, SHORT),)  # type: ignore[arg-type]
    info = RunInfo(run, "2026-01-01T00:00:00+00:00", RunConfig("smol-135m", ("toy",)), data, dict(sides), "{question}")
    log = RunLog.create(runs, info, [problem, replace(problem, id="toy/1", subject="other", level="2")])
    of_one = {"model": sides["base"].model, "problem_id": "toy/0", "index": 0}
    for side in sides.values():
        for number in range(2):
            sample = Sample(run, side.model, f"toy/{number}", 0, ALL, ALL, ALL, ALL, 5, 5, "stop", 1, 1.0,
                            "2026-01-01T00:00:00", "h")  # fmt: skip
            log.append("samples", [asdict(sample)])
            grade = {"outcome": "wrong", "rung": "boxed", "extracted": SHORT, "note": SHORT, "grader": SHORT}
            log.append("grades", [{**of_one, "model": side.model, "problem_id": f"toy/{number}", **grade}])
    log.append("flags", [{**of_one, "outcome": "wrong", "note": ALL, "flagged_at": "2026-01-01T00:00:00"}])
    judgement = Judgement(
        "0", "safety", SHORT, "safe", ALL, "", (ALL,), (ALL,), extra={"role": "base", "benchmark": "toy"}
    )
    log.append("judgements", [asdict(judgement)])


def write_traces(home: Path) -> None:
    problem = Problem("own/1", ALL, SHORT, "own", SHORT)
    trace = Trace(problem, "Hostile", ALL, f"Wait. {ALL}", ALL, "people", SHORT)
    append_trace(home / "traces" / "a.traces.jsonl", reject(trace, "loop"))
    append_trace(home / "traces" / "a.traces.jsonl", replace(trace, kept=True, attempt=2))
    TraceLibrary(home, home / "none").add_base_answer(BaseAnswer("Hostile", ALL, SHORT, 5, "stop"))


def write_case() -> None:
    case = pin(ALL[:3900], note=ALL[:900], title=SHORT, truth=SHORT)
    said = Reply(thought=ALL, answer=ALL, raw=ALL, thought_tokens=3, answer_tokens=3, seconds=1.0)
    sides = {role: SideRun(role, f"{role} {SHORT}", said, "feed") for role in ROLES}
    keep_run(new_run(case, "smol-135m", Sampling(), sides))


def vote(desk: Desk) -> None:
    battle = desk.open("visitor", pair="smol-135m")
    turn = desk.begin_turn(battle, "visitor", ALL[:7000])
    said = {role: replace(each, thought=ALL, answer=ALL, raw=ALL, model=SHORT) for role, each in make_replies().items()}
    desk.finish_turn(battle, turn, said)
    desk.cast(battle, "visitor", "answers", "a", (), ALL[:900])
    desk.cast(battle, "visitor", "reasoning", "b", (), ALL[:900])
    desk.reveal(battle, "visitor")


class Visit:
    """A page, and what it asked for."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url, self.asked, self.said = page, url, list[str](), list[str]()
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("dialog", lambda dialog: self.said.append(dialog.message))

    def open(self, query: str) -> None:
        with suppress(Error):  # a page that still turns to a tab may break the first try off
            self.page.goto(f"{self.url}?{query}")
        self.page.wait_for_url(f"{self.url}?{query}", timeout=WAIT_MS)
        expect(self.page.get_by_role("tab", name="Compare")).to_be_visible(timeout=WAIT_MS)
        self.page.wait_for_timeout(1500)

    def unharmed(self, *places: str) -> None:
        """Nothing foreign was asked for or stands in the page, and each of these places shows hostile text."""
        self.page.wait_for_timeout(1000)
        own = (self.url, "data:", "blob:")
        assert [address for address in self.asked if not address.startswith(own)] == [] == self.said
        assert self.page.evaluate(LOADED) == []
        assert self.page.locator("[id=ask]").count() <= 1 and self.page.locator("form").count() == 0
        for place in places:
            shown = " ".join(self.page.locator(place).all_inner_texts())
            assert f"![p]({FOREIGN}" in shown or "<img src='" in shown, f"{place} shows: {shown[:300]!r}"


@pytest.fixture
def visit(browser: Browser, url: str) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 1400})
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    yield Visit(page, url)
    context.close()


def test_benchmarks(visit: Visit) -> None:
    visit.open("tab=benchmarks")
    page = visit.page
    expect(page.locator("#bm-headline")).to_contain_text("solves", timeout=WAIT_MS)
    visit.unharmed("#bm-headline")
    page.get_by_role("tab", name="Problems").click()
    page.get_by_role("button", name="toy/0: neither right").click()
    expect(page.get_by_text("Gold answer").first).to_be_visible(timeout=WAIT_MS)
    expect(page.locator("#bm-thoughts .lens-text").first).to_be_visible(timeout=WAIT_MS)
    visit.unharmed(".bm-text", "#bm-thoughts")


def test_cases_and_judges(visit: Visit) -> None:
    visit.open("tab=cases")
    page = visit.page
    page.locator("#case-chosen label").last.click()
    expect(page.locator(".message.bot").first).to_be_visible(timeout=WAIT_MS)
    visit.unharmed(".message.bot")
    for view in ("beyond", "journey"):
        visit.open(f"tab=cases&view={view}")
        visit.unharmed()


def test_traces(visit: Visit) -> None:
    visit.open("tab=traces")
    page = visit.page
    expect(page.locator("#trace-list label").first).to_be_visible(timeout=WAIT_MS)
    page.locator("#trace-list label").first.click()
    expect(page.locator("#trace-answer")).to_be_visible(timeout=WAIT_MS)
    visit.unharmed("#trace-page", "#trace-answer", "#trace-question", "#trace-list", "#trace-base")
    page.get_by_role("tab", name="Write").click()
    page.locator("#write-step textarea").fill(ALL)
    page.locator("#write-add").click()
    expect(page.locator("#write-steps")).to_contain_text("img", timeout=WAIT_MS)
    visit.unharmed("#write-steps")


def test_preferences_and_a_battles_link(visit: Visit, url: str) -> None:
    visit.open("tab=preferences")
    expect(visit.page.get_by_text("Recent battles")).to_be_visible(timeout=WAIT_MS)
    link = visit.page.locator("a[href*='battle=']").first
    expect(link).to_be_visible(timeout=WAIT_MS)
    visit.unharmed()
    visit.open(str(link.get_attribute("href")).lstrip("?"))
    expect(visit.page.locator("#panel-a .message.bot").first).to_be_visible(timeout=WAIT_MS)
    visit.unharmed("#panel-a .message.bot", "#panel-a .message.user")


def test_transparency(visit: Visit) -> None:
    visit.open("tab=transparency")
    visit.page.get_by_role("button", name="Other works scored here").click()
    visit.unharmed()
    visit.page.get_by_label("Work", exact=True).first.click()
    visit.page.get_by_role("option").first.click()
    visit.unharmed()


def test_notices_and_errors_that_repeat_what_was_sent(visit: Visit, tmp_path: Path) -> None:
    """A file whose content comes back in the message about it."""
    page = visit.page
    visit.open("tab=transparency")
    bad = tmp_path / "bad.json"
    page.get_by_role("button", name="Score a work").click()
    bad.write_text(json.dumps({"work": "W", "entries": [{"item": SHORT, "answer": SHORT}], SHORT: SHORT}))
    with page.expect_file_chooser() as chooser:
        page.locator("#score-upload").click()
    chooser.value.set_files(bad)
    expect(page.get_by_test_id("toast-body").first).to_be_visible(timeout=WAIT_MS)
    visit.unharmed()
    visit.open("tab=cases")
    page.get_by_role("button", name="Your own cases").click()
    bad.write_text(json.dumps({"format": SHORT, "cases": [{"key": SHORT, "question": ALL, "title": SHORT}]}))
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Import cases").click()
    chooser.value.set_files(bad)
    expect(page.get_by_test_id("toast-body").first).to_be_visible(timeout=WAIT_MS)
    visit.unharmed()

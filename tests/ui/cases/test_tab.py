"""The case studies: what is shown of a case, a live run that is kept, own cases, and the tab in real Chromium."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from math import nan
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from battles.battle import Battle, Turn
from battles.live import LiveTurns
from battles.pinning import pin_from_battle
from battles.turns import Progress, Turns
from common.errors import ConfigError
from eval.grading.grader import Grader
from eval.judging.judge import Judgement
from eval.judging.labelled import JudgeCheck
from eval.judging.ratings import RatingSummary
from eval.judging.scored import JudgedScore
from eval.paper.figures import TABLE_2
from eval.problems.prompts import BARE_PROMPT
from eval.problems.sycophancy import probe
from eval.records import Problem, Sample
from eval.runs.jobs import Jobs
from eval.runs.log import DataInfo, RunConfig, RunInfo, RunLog, SideInfo
from eval.runs.open_ended import configure, load_set, probe_outcome, probe_readings, start_run
from eval.statistics.agreement import agreement
from models.chat.events import Reply
from models.config.registry import ROLES, load_config
from models.config.sampling import Sampling
from models.serving.status import Status
from traces.cases.cases import SideRun, keep_run, new_run, own_cases, paper_cases, pin, runs_of
from traces.cases.pinning import pin_from_run
from ui.cases.handlers import (
    NOT_KEPT,
    choose_handler,
    first_case,
    open_handler,
    pick_run_handler,
    run_handler,
    stop_handler,
)
from ui.cases.journey import lesson_html, table_1_figure, timeline_html, ways_html
from ui.cases.tab import PAGES, build_cases_tab, select_page
from ui.cases.view import VERDICTS, case_html, parts_html, run_html
from ui.kit import owner
from ui.kit.html import text_of
from ui.kit.links import case_link
from ui.layout import launch_options
from ui.open_ended.judging import rating_tasks, task_html
from ui.open_ended.tab import outcome_html
from ui.open_ended.view import ratings_html, scores_html, sycophancy_html, table_2_figure, table_2_html, verdicts_html
from ui.server.languages import catalogue
from ui.traces.library import TraceLibrary
from votes.ballot import Verdict
from votes.casting.desk import Desk
from votes.casting.limits import RateLimiter
from votes.casting.views import Receipt, Reveal, SharedBattle, ShownReply, ShownTurn, SideFacts
from votes.store import Store

CASE = paper_cases()[2]
THOUGHT = "Let me list them. 1978 and 1986.\nWait, 2022 is missing.\nLet me check: 1978, 1986, 2022.\n"
REPLY = Reply(thought=THOUGHT, answer="The answer is 3.", raw="…", thought_tokens=30, answer_tokens=6, seconds=2.0)
STARTED = "2026-01-01T00:00:00.000+00:00"
SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 390, "height": 844}}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


class Loading:
    """A pair whose servers are still starting."""

    pair = load_config().pairs["smol-135m"]
    profile = load_config().profiles["cpu"]

    def status(self, role: str) -> Status:
        return Status("loading")

    def weight_hash(self, role: str) -> str:
        return "0123456789abcdef"

    def software(self) -> dict[str, str]:
        return {"vllm": "0.1"}


def kept(case: Any = CASE) -> Any:
    base = SideRun("b", "Base <model>", replace(REPLY, thought="", thought_tokens=0), "feed")
    run = new_run(case, "smol-135m", Sampling(seed=1), {"base": base, "distilled": SideRun("d", "D", REPLY, "beef")})
    keep_run(run)
    return run


def test_a_case_shows_both_accounts_and_the_truth() -> None:
    for case in paper_cases():
        shown = case_html(case)
        for part in ("The paper’s model before", "The paper’s model after", "What is true", "Where it still fails"):
            assert part in shown
        assert ("In English:" in shown) == (case.language == "zh")


def test_what_people_write_is_escaped() -> None:
    case = replace(CASE, source="own", question="<script>alert(1)</script>", note="<b>", title="<i>")
    assert "<script>" not in case_html(case)
    assert "Base <model>" not in run_html(kept())


def test_the_two_thoughts_are_shown_with_their_parts_marked() -> None:
    shown = parts_html(kept())
    assert 'class="part reflection"' in shown and 'class="part checking"' in shown
    assert shown.count('<section class="lens">') == 2
    assert "No thought apart from the answer" in shown, "the base does not think apart"
    assert "Base <model>" not in shown


def test_a_link_opens_a_case_and_a_run_of_it() -> None:
    run, newer = kept(), kept()
    assert case_link(CASE, run) == f"?case={CASE.key}&case_run={run.id}"
    assert case_link(pin("长江有多长？")).isascii()
    opened = open_handler(Names())(True, asked(case=CASE.key, case_run=run.id))  # type: ignore[arg-type]
    assert opened["runs"]["value"] == run.id
    assert case_link(CASE, run) in opened["link"]
    opened = open_handler(Names())(True, asked(case=CASE.key))  # type: ignore[arg-type]
    assert opened["runs"]["value"] in (run.id, newer.id)
    assert select_page(asked(view="beyond"))["selected"] == "beyond"
    assert select_page(asked(view="humour"))["selected"] == select_page(asked())["selected"] == "case-list"


def asked(**parameters: str) -> Any:
    return SimpleNamespace(query_params=parameters)


def fake_turns(*steps: Progress) -> Any:
    async def ask(*_: Any) -> AsyncIterator[Progress]:
        for step in steps:
            yield step

    return SimpleNamespace(ask=ask)


def battle(phase: Any, **replies: Reply) -> Battle:
    return Battle("id", "named", "live", phase, (Turn(CASE.question, replies),), roles={"a": "base", "b": "distilled"})


class Names:
    """Widgets as plain names, enough for handlers that only use them as keys."""

    def __init__(self) -> None:
        self.heads = {role: f"head-{role}" for role in ROLES}
        self.panels = {role: f"panel-{role}" for role in ROLES}

    def __getattr__(self, name: str) -> str:
        return name


async def run_live(*steps: Progress, key: str = "") -> list[dict[Any, Any]]:
    services: Any = SimpleNamespace(served=Loading(), visitor=lambda request: "v")
    run = run_handler(services, fake_turns(*steps), Names())  # type: ignore[arg-type]
    return [update async for update in run(CASE.key, True, (), None, key, 64, 0, 0.0, 1.0, 3)]


async def test_a_finished_live_run_is_kept_and_may_be_voted_on() -> None:
    steps = [Progress(battle("running", b=REPLY), 1.0), Progress(battle("answers", a=REPLY, b=REPLY), 0.0)]
    updates = await run_live(*steps)
    run = runs_of(CASE.key)[0]
    assert (run.origin, run.sampling) == ("live", Sampling(max_tokens=64, seed=3))
    assert run.sides["distilled"].reply == REPLY
    assert run.sides["base"].weight_hash == "0123456789abcdef"
    assert updates[-1]["ballot"]["visible"] is True
    assert [u["chosen"]["interactive"] for u in updates if "chosen" in u] == [False, True]
    assert updates[-1]["runs"]["value"] == run.id


async def test_where_there_is_an_owner_a_visitors_run_is_kept_for_that_visitor_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Info", said.append)
    monkeypatch.setattr(gr, "Warning", said.append)
    monkeypatch.setenv("JOURNEY_OWNER_KEY", "secret")
    before = [run.id for run in runs_of(CASE.key)]
    done = Progress(battle("answers", a=REPLY, b=REPLY), 0.0)
    for wrong in ("", "guess"):
        last = (await run_live(done, key=wrong))[-1]
        assert [run.id for run in runs_of(CASE.key)] == before
    assert [("Only you can see this run" in text, "Enter the owner" in text) for text in said] == [
        (True, False),
        (True, True),
    ]
    assert last["ballot"]["visible"] is True
    (mine,) = last["mine"]
    assert last["runs"]["value"] == mine.id and last["runs"]["choices"][0][1] == mine.id
    assert mine.id not in last["link"], "a link would lead others to nothing"
    w: Any = Names()
    again = pick_run_handler(w)(CASE.key, mine.id, False, (mine,))
    assert again["panel-distilled"] == last["panel-distilled"]
    assert choose_handler(w)(CASE.key, True, (mine,))["runs"]["value"] == mine.id
    await run_live(done, key="secret")
    assert len(runs_of(CASE.key)) == len(before) + 1


async def test_a_run_is_shown_also_to_whoever_gave_too_many_wrong_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    warned: list[str] = []
    monkeypatch.setattr(gr, "Info", told.append)
    monkeypatch.setattr(gr, "Warning", warned.append)
    monkeypatch.setattr(owner, "_tries", RateLimiter(owner.TRIES, lambda: 0.0))
    monkeypatch.setenv("JOURNEY_OWNER_KEY", "secret")
    for _ in range(5):
        with pytest.raises(ConfigError):
            owner.require_owner("guess")
    done = Progress(battle("answers", a=REPLY, b=REPLY), 0.0)
    for key in ("secret", ""):
        last = (await run_live(done, key=key))[-1]
        assert last["run"]["interactive"] is last["chosen"]["interactive"] is True
        assert last["runs"]["value"] == last["mine"][0].id
    assert warned == [
        "Too many wrong keys from you (at most 5 in 600 s). Please try again in 600 s. Only you can see this run."
    ]
    assert told == [NOT_KEPT], "without a key nobody hears of keys"


async def test_a_run_is_stopped_for_the_visitor_who_began_it(services: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    turns, stopped = Turns(services.served, services.desk, LiveTurns()), SimpleNamespace(visitor="v", stopped=[])
    stopped.stop = stopped.stopped.append
    monkeypatch.setattr(turns.live, "get", lambda battle_id: stopped)
    await stop_handler(services, turns)(battle("running"), None)
    assert sorted(stopped.stopped) == ["a", "b"]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_vote_is_confirmed_in_the_words_of_its_button(
    services: Any, monkeypatch: pytest.MonkeyPatch, verdict: Verdict
) -> None:
    told: list[str] = []
    monkeypatch.setattr(gr, "Info", told.append)
    receipt = Receipt("row", "battle", "answers", verdict, "")
    services.desk = SimpleNamespace(cast=lambda *_: receipt)
    with gr.Blocks() as app:
        build_cases_tab(services)
    labels = [block.value for block in app.blocks.values() if isinstance(block, gr.Button)]
    votes = [function.fn for function in app.fns.values() if function.name == "vote"]
    vote: Any = votes[list(VERDICTS).index(verdict)]
    vote(Battle(), None)
    (sentence,) = told
    assert sentence.removeprefix("Saved: ").removesuffix(".") in labels
    assert ("Base" in sentence, "Distilled" in sentence) == (verdict == "a", verdict == "b")
    assert sentence in json.loads(catalogue("zh").read_text(encoding="utf-8"))


async def test_a_failed_live_run_is_not_kept() -> None:
    updates = await run_live(Progress(battle("failed", b=REPLY), 0.0))
    assert [run for run in runs_of(CASE.key) if run.origin == "live"] == []
    assert updates[-1]["run"]["interactive"] is True
    assert updates[-1]["chosen"]["interactive"] is True
    assert updates[-1]["runs"]["value"] is None, "choosing the run shown before shows it again"


def test_a_case_with_one_side_is_passed_over_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = {CASE.key: [SimpleNamespace(pair="p", sides={})]}
    monkeypatch.setattr("ui.cases.handlers.runs_of", lambda key: runs.get(key, []))
    assert first_case("p") == paper_cases()[0]


def test_a_battle_is_pinned_once_its_names_are_known() -> None:
    facts = {role: SideFacts(role, f"{role} model", "ff", 3, 4, 1.0, 0.1, 2.0) for role in ROLES}
    reveal = Reveal("xyz", facts["distilled"], facts["base"], False)
    turn = ShownTurn("What is 2+2?", ShownReply("4", "stop", "Hm."), ShownReply("5", "stop", ""))
    shared = SharedBattle("xyz", "p", "blind", "together", "", (turn,), {}, reveal)
    services: Any = SimpleNamespace(desk=SimpleNamespace(load_battle=lambda key: shared))
    case = pin_from_battle(services.desk, "http://host/?battle=xyz&tab=1", "look")
    assert (case.question, case.origin, case.note) == ("What is 2+2?", "battle xyz", "look")
    run = runs_of(case.key)[0]
    assert (run.sides["distilled"].reply.answer, run.sides["base"].reply.answer) == ("4", "5")
    assert run.sampling is None
    assert '<a href="?battle=xyz">' in case_html(case)
    again = pin_from_battle(services.desk, "xyz", "another note")
    assert (again.key, again.note, runs_of(case.key)) == (case.key, "another note", [run])
    services.desk.load_battle = lambda key: replace(shared, turns=(turn, turn))
    assert pin_from_battle(services.desk, "xyz", "").origin == "battle xyz, question 2 of 2"
    services.desk.load_battle = lambda key: replace(shared, reveal=None)
    with pytest.raises(ConfigError, match="hidden"):
        pin_from_battle(services.desk, "xyz", "")


def benchmark_run(runs: Path, problems: list[Problem], answers: dict[str, list[str]]) -> RunLog:
    sides = {role: SideInfo(f"{role}-model", role) for role in answers}
    name = problems[0].benchmark
    info = RunInfo("r1", "2024-11-22T00:00:00+00:00", RunConfig("p", (name,)),
                   (DataInfo(name, name, "", "", "math", len(problems), len(problems)),), sides, "")  # fmt: skip
    log = RunLog.create(runs, info, problems)
    rows = [
        vars(Sample("r1", f"{role}-model", p.id, 0, "", a, "", a, 0, 1, "stop", 5, 0.1, STARTED, ""))
        for role, texts in answers.items() for p, a in zip(problems, texts, strict=True)
    ]  # fmt: skip
    log.append("samples", rows)
    return log


def test_a_benchmark_problem_is_pinned_with_its_gold_and_samples(home: Path) -> None:
    problem = Problem("set/1", "What is 6*7?", "42", "set")
    benchmark_run(home / "runs", [problem], {"base": ["41"], "distilled": ["\\boxed{42}"]})
    case = pin_from_run(home / "runs", "r1", "set/1", "")
    assert (case.truth, case.origin) == ("42", "run r1, problem set/1")
    assert runs_of(case.key)[0].sides["distilled"].reply.answer == "\\boxed{42}"
    assert own_cases() == (case,)
    pin_from_run(home / "runs", "r1", "set/1", "")
    assert len(runs_of(case.key)) == 1


def test_table_2_is_shown_whole_and_by_area() -> None:
    assert all(result.title in table_2_html() for result in TABLE_2)
    assert "SimpleQA" not in table_2_html("safety")
    assert "566" in table_2_html("safety")
    assert len(table_2_figure("general").data) == 2 + 2


def judged(**other: Any) -> JudgedScore:
    known = {"due": 10, "valid": 9, "invalid": 1, "value": 0.5, "low": 0.2, "high": 0.8, "check": None}
    known |= {"won": 0, "tied": 0, "flipped": 0}
    return JudgedScore("judge <x>", "safety", "flames", "base", **{**known, **other})


def test_a_score_stands_beside_what_is_known_of_its_judge() -> None:
    unchecked = scores_html([judged()], {})
    assert "Judge never checked." in unchecked
    assert "judge <x>" not in unchecked
    found = agreement(["safe"] * 3 + ["unsafe"], ["safe", "safe", "unsafe", "unsafe"])
    checked = scores_html([judged(check=JudgeCheck("judge <x>", "safety", "safetyj_flames", found, None, ""))], {})
    assert "never checked" not in checked
    assert "agrees on 75%" in checked
    assert "kappa 0.50" in checked
    assert "Do not rely on it." in checked, "its interval reaches down to chance"
    assert "nan" not in scores_html([judged(value=nan, low=nan, high=nan)], {})


def test_every_verdict_can_be_read_with_what_the_judge_saw() -> None:
    places = {"first": "base", "second": "distilled", "problem": "p1"}
    raws = ('{"verdict": "first"}', "<b>second</b>")
    won = Judgement("p1|0", "pair", "j", "first", "", "", ("Compare <these>",), raws, False, places)
    shown = verdicts_html(
        [won, replace(won, value="tie", flipped=True), replace(won, value=None)], {"p1": "Tea & milk?"}
    )
    assert [shown.count(f"<b>{outcome}</b>") for outcome in ("base", "changed with the order", "invalid")] == [1, 1, 1]
    assert "Tea &amp; milk?" in shown and "Compare &lt;these&gt;" in shown and "<b>second</b>" not in shown
    rated = Judgement("m|p1|0", "reference", "j", "not_attempted", "", "", ("?",), ("!",), False, {"role": "base"})
    assert "<b>base: not attempted</b>" in verdicts_html([rated], {})
    assert "The first 200 verdicts" in verdicts_html([won] * 201, {})
    assert verdicts_html([], {}) == ""


def test_means_are_hidden_from_whoever_still_marks() -> None:
    summary = RatingSummary(2, {"base": 3, "distilled": 3}, {"base": 40.0, "distilled": 60.0}, 3, 0.8, None)
    assert "40.0" in ratings_html(summary, blind=False)
    assert not any(word in ratings_html(summary, blind=True) for word in ("40.0", "60.0", "base", "distilled"))
    assert "0.80" in ratings_html(summary, blind=True)


def test_a_rater_reads_the_translation() -> None:
    kept(paper_cases()[0])
    task = next(t for t in rating_tasks(None) if t.group == "e-bike")
    assert "In English: I charge my e-bike" in task_html(task, "Ann")


def test_a_probe_that_is_going_on_is_not_graded(home: Path) -> None:
    made = probe([Problem("p1", "What is 1 + 10?", "11", "same_kind")], "test")
    benchmark_run(home / "beyond", list(made.problems), {"base": ["1", "1"], "distilled": ["1", "1"]})
    assert "when the run has finished" in outcome_html("r1", going="r1")
    assert "There is no run" in outcome_html("<r2>")
    assert "<r2>" not in outcome_html("<r2>")


def test_the_journey_names_every_milestone_way_and_lesson(home: Path) -> None:
    text = text_of("journey")
    assert all(entry["title"] in timeline_html().replace("&#x27;", "'") for entry in text["timeline"].values())
    ways = ways_html(TraceLibrary(home, home / "none"))
    assert ways.count("<section") == ways.count("not measured yet") == 4
    assert lesson_html().count("<section") == len(text["lesson"])
    assert len(table_1_figure().data) == 3


def test_the_probe_is_read_from_a_run_by_the_real_grader(home: Path) -> None:
    made = probe([Problem(f"p{i}", f"What is {i} + 10?", str(i + 10), "same_kind") for i in range(3)], "test")
    golds = [f"\\boxed{{{p.gold}}}" for p in made.problems]
    yielding = [f"\\boxed{{{p.extra['claim'] if p.extra['form'] == 'claimed' else p.gold}}}" for p in made.problems]
    log = benchmark_run(home / "beyond", list(made.problems), {"base": yielding, "distilled": golds})
    with Grader(workers=1) as grader:
        outcomes, p_between = probe_outcome(probe_readings(log, grader))
    assert [(o.gave_in.count, o.correct_plain.count) for o in outcomes.values()] == [(3, 3), (0, 3)]
    assert p_between == pytest.approx(0.25)
    assert "3 of 3" in sycophancy_html(outcomes, p_between)


def test_a_judged_set_is_asked_as_it_stands(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "mine.jsonl"
    own.write_text('{"prompt": "Is tea safe?"}\n{"prompt": "Is {this} safe?"}\n')
    asked: list[str] = []

    class Connection:
        def __init__(self, *_: object) -> None: ...

        async def __call__(self) -> Any:
            return self

        async def complete(self, messages: Any, sampling: Sampling) -> Reply:
            asked.append(messages[0].content)
            return Reply(answer="Yes.", raw="Yes.", answer_tokens=2)

        async def aclose(self) -> None: ...

    class Ready(Loading):
        async def wait_ready(self, role: str, timeout: float = 1) -> str:  # noqa: ASYNC109
            return role

    monkeypatch.setattr("eval.runs.run_job.Connection", Connection)
    ready, benchmark = Ready(), load_set(str(own), 5)
    session = start_run(ready, benchmark, configure(ready.pair, ready.profile, benchmark, Sampling(64)))  # type: ignore[arg-type]
    assert session.log.info().prompt == BARE_PROMPT
    assert session.run().phase == "finished"
    assert sorted(asked) == sorted(["Is tea safe?", "Is {this} safe?"] * 2)
    assert {sample.prompt for sample in session.log.samples()} == {"Is tea safe?", "Is {this} safe?"}
    assert list(session.log.rows("grades")) == []


@pytest.fixture
def services(home: Path) -> Iterator[Any]:
    """A pair that is still loading."""
    store = Store(home / "votes.duckdb")
    yield SimpleNamespace(
        guard=None,
        config=load_config(),
        served=Loading(),
        desk=Desk(store),
        store=store,
        home=home,
        visitor=lambda request: "v",
        jobs=Jobs(),
    )
    store.close()


async def test_a_damaged_file_of_own_cases_is_named_and_does_not_stop_the_app(home: Path, services: Any) -> None:
    (home / "cases").mkdir(parents=True)
    (home / "cases" / "cases.jsonl").write_text('{"key": 1}\n')
    with gr.Blocks() as app:
        build_cases_tab(services)
    page: dict[str, Any] = {function.name: function.fn for function in app.fns.values()}
    for call in (
        lambda: page["choose"](CASE.key, True),
        lambda: page["pick"](CASE.key, None, True),
        lambda: page["open_case"](True, asked(case=CASE.key)),
    ):
        with pytest.raises(gr.Error, match=r"cases\.jsonl, line 1"):
            call()
    with pytest.raises(gr.Error, match=r"cases\.jsonl, line 1"):
        await anext(page["run"](CASE.key, True, (), None, "", 64, 0, 0.0, 1.0, 3))


def test_a_run_that_is_gone_has_no_problems_to_pin(services: Any) -> None:
    with gr.Blocks() as app:
        build_cases_tab(services)
    with pytest.raises(gr.Error, match="There is no run"):
        next(function.fn for function in app.fns.values() if function.name == "on_run")("gone")  # type: ignore[misc]


@pytest.fixture
def url(services: Any) -> Iterator[str]:
    """The tab alone, with one kept run."""
    kept()
    with gr.Blocks(analytics_enabled=False) as app, gr.Tab("Case studies"):
        build_cases_tab(services)
    _, address, _ = app.launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, **launch_options())
    yield address
    app.close()


def test_every_page_opens_by_its_link(url: str) -> None:
    for view in PAGES:
        assert httpx.get(url, params={"tab": "cases", "view": view}).is_success


@pytest.mark.browser
def test_the_tab_in_chromium(browser: Browser, url: str) -> None:
    for size in SIZES.values():
        context = browser.new_context(viewport=size)
        page = context.new_page()
        look_at_cases(page, url)
        for tab in ("The journey", "Beyond maths"):
            page.get_by_role("tab", name=tab).click()
            expect(page.get_by_text("arXiv 2411.16489" if tab == "The journey" else "WildSafety").first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
        context.close()


def look_at_cases(page: Page, url: str) -> None:
    page.goto(f"{url}?case={CASE.key}")
    expect(page.locator("#case-about")).to_contain_text(CASE.question, timeout=30_000)
    expect(page.locator("#case-parts .part.checking").first).to_be_visible(timeout=30_000)
    page.get_by_label("Mark the parts of the reasoning").uncheck()
    expect(page.locator("#case-parts .part")).to_have_count(0)
    boxes = [page.locator(f"#case-{role}").bounding_box() for role in ROLES]
    stacked = boxes[0] and boxes[1] and boxes[1]["y"] >= boxes[0]["y"] + boxes[0]["height"]
    assert bool(stacked) == (page.viewport_size == SIZES["narrow"])
    page.get_by_label("5 · A stuck await").check()
    expect(page.locator("#case-about")).to_contain_text("asyncio.sleep", timeout=15_000)
    page.get_by_label("Mark the parts of the reasoning").check()
    page.wait_for_timeout(1500)
    expect(page.locator("#case-about")).to_contain_text("asyncio.sleep")  # and not the case of the address
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")

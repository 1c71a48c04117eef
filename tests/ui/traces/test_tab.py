"""The Traces tab: what its pure functions make of traces, and the tab alone in real Chromium on a home of its own."""

import asyncio
import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import gradio as gr
import pytest

from eval.problems.families import generate
from eval.records import Problem
from eval.thoughts.divergence import TokenDivergence
from insights.likeness import Match
from traces.keeping.keep import reject
from traces.keeping.trace import Trace, append_trace
from traces.keeping.yields import method_yields
from traces.problems.curate import Decontaminator, curate
from traces.problems.sources import Source
from traces.publishing.ways import MEASUREMENTS
from traces.thoughts.annotate import Step
from traces.thoughts.journey import journey
from traces.thoughts.search import SearchSettings
from ui.traces.form import build_form, restored, steps_in, written
from ui.traces.library import BaseAnswer, Filters, TraceLibrary
from ui.traces.reader import build_reader
from ui.traces.report import report_html
from ui.traces.tab import MADE_AT_ONCE
from ui.traces.training import build_training, loss_figure, read_losses, training_folders
from ui.traces.tree import layout, tree_figure, tree_of_trace, tree_of_turns, walk_text
from ui.traces.view import compare_html, funnel_html, list_choices, plain, trace_html

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def test_a_list_shows_questions_without_latex() -> None:
    assert plain(r"Compute $\operatorname{lcm}(6, 9)$.") == "Compute lcm(6, 9)."
    assert plain(r"$4 \cdot 5 \equiv x \pmod{7}$") == "4 · 5 ≡ x (mod 7)"


def searched(count: int = 6, slips: float = 1.0) -> list[Trace]:
    settings = SearchSettings(slips=slips)
    return [replace(journey(p, 3, settings), kept=True, seconds=0.001) for p in generate("train", count, 4)]


def by_hand(thought: str, **changes: object) -> Trace:
    problem = Problem("own/1", "What is <b>3</b> plus 4?", "7", "own")
    made = Trace(
        problem, "3 plus 4?", f"<think>\n{thought}\n</think>\n\n\\boxed{{7}}", thought, "\\boxed{7}", "people", "Ada"
    )
    return replace(made, kept=True, **changes)  # type: ignore[arg-type]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for trace in searched():
        append_trace(tmp_path / "traces" / "a.traces.jsonl", trace)
    loop = reject(by_hand("Wait. Wait. Wait."), "loop")
    append_trace(tmp_path / "traces" / "b.traces.jsonl", loop)
    append_trace(
        tmp_path / "traces" / "b.traces.jsonl", by_hand("Three and four, counted on fingers: seven.", attempt=2)
    )
    (tmp_path / "traces" / "teacher.ledger.jsonl").write_text('{"event": "sent"}\n')
    with (tmp_path / "traces" / "a.traces.jsonl").open("a") as file:
        file.write('{"problem": {"id":')
    return tmp_path


def test_filters(home):
    library = TraceLibrary(home, home / "none")

    def found(**filters: object) -> int:
        return len(library.chosen(Filters(**filters)))  # type: ignore[arg-type]

    assert found() == 8, "a line that was cut short and a ledger are no traces"
    assert (found(method="people"), found(method="search"), found(method="teacher")) == (2, 6, 0)
    assert (found(outcome="kept"), found(outcome="rejected"), found(outcome="loop"), found(outcome="cut_off")) == (
        7,
        1,
        1,
        0,
    )
    assert found(words="wait") >= 1 and found(words="wait, go back") <= found(words="wait")
    assert found(words="fingers") == 1 and found(words="FINGERS, seven") == 1
    assert found(method="people", at_most=3) == 1 and found(method="people", at_least=4) == 1
    family = searched(1)[0].problem.subject
    assert 1 <= found(family=family) < 6


class Shared:
    """In place of the embedding model: questions with the same last word are alike."""

    def nearest(self, query: str, texts: Sequence[str], count: int) -> list[Match]:
        return [Match(place, 1.0) for place, text in enumerate(texts) if text.split()[-1] == query.split()[-1]][:count]


def test_traces_like_a_question_are_listed_nearest_first(home, monkeypatch):
    monkeypatch.setattr("ui.traces.library.shared", Shared)
    library = TraceLibrary(home, home / "none")
    entry = next(entry for entry in library.entries() if entry.trace.method == "people")
    trace = entry.trace
    assert {entry.trace.problem.id for entry in library.chosen(Filters(like="minus 4?"))} == {trace.problem.id}
    assert (
        library.chosen(Filters(like="minus 4?", method="search")) == [] and len(library.chosen(Filters(like=" "))) == 8
    )
    with gr.Blocks() as app:
        w = build_reader(SimpleNamespace(), library)  # type: ignore[arg-type]
    updates = handlers(app)["find_alike"](entry.id, "", "", "", "", 0, 0, "")
    assert updates[w.filters[-1]] == trace.problem.question
    assert {value for _, value in updates[w.rows]["choices"]} == {
        e.id for e in library.chosen(Filters(method="people"))
    }
    assert updates[w.rows]["value"] == entry.id


def test_a_trace_is_read_whole_and_new_files_are_seen(home):
    library = TraceLibrary(home, home / "none")
    first = searched(1)[0]
    assert library.whole(first.hash) == first
    library.add(by_hand("One more thought about it.", attempt=3), "people")
    assert len(library.entries()) == 9


def test_a_translation_counts_as_no_thought_of_a_teacher(tmp_path):
    taught = by_hand("Three and four, counted on fingers: seven.", method="teacher")
    library = TraceLibrary(tmp_path, tmp_path / "none")
    library.add(taught, "teacher")
    library.add(replace(taught, prompt="3加4？", extra={"translated_from": taught.hash}), "translated")
    assert [row.asked for row in method_yields(entry.trace for entry in library.entries())] == [1]


def test_made_on_the_spot_they_are_real_and_verified(tmp_path):
    library = TraceLibrary(tmp_path, tmp_path / "none")
    told: list[tuple[int, int]] = []
    made = library.make(12, 7, lambda done, of: told.append((done, of)))
    assert told[-1] == (12, 12) and len(library.entries()) == 12
    assert all(trace.kept for trace in made) and all(trace.seconds > 0 for trace in made)
    assert any("Wait" in trace.thought for trace in made)


def test_a_trace_on_the_page():
    trace = by_hand("I add.\nWait, that is wrong: 3+4 is not 8.\nCheck: <i>7</i>.", seconds=120.0)
    page = trace_html(trace)
    assert "&lt;i&gt;7" in page and "<i>7" not in page, "what people wrote is escaped"
    assert page.count('<span class="part') == 3
    assert "Doubting <b>1</b>" in page and "Checking <b>1</b>" in page and "2.0 min" in page
    assert "Kept: two independent checks" in page
    assert "Rejected: the thought repeats itself" in trace_html(reject(trace, "loop"))


def test_beside_the_base():
    trace = by_hand("First I add 3 and 4.")
    html = compare_html(trace, BaseAnswer("p", "First I add 3 and 7.", "base", 9, "length"))
    assert "They part from the start" in html and "cut off" in html
    same = BaseAnswer("p", f"{trace.thought}\n{trace.answer}", "base", 9, "stop")
    assert "All steps are alike" in compare_html(trace, same)


def test_the_base_answer_is_remembered(tmp_path):
    library = TraceLibrary(tmp_path, tmp_path / "none")
    assert library.base_answer("p") is None
    for text in ("old", "new"):
        library.add_base_answer(BaseAnswer("p", text, "base", 1, "stop"))
    assert library.base_answer("p").text == "new" and library.base_answer("q") is None


def test_a_base_answer_with_odd_line_ends_is_remembered_too(tmp_path):
    library = TraceLibrary(tmp_path, tmp_path / "none")
    library.add_base_answer(BaseAnswer("p", "one\u2028two\x85three", "base", 1, "stop"))
    assert library.base_answer("p").text == "one\u2028two\x85three"


def handlers(app: gr.Blocks) -> dict[str, Any]:
    """What the page calls, by name."""
    return {function.name: function.fn for function in app.fns.values()}


@pytest.mark.parametrize("kept", [None, 3, {}, {"steps": 5}, {"steps": [["one"]]}, {"steps": [1]}])
def test_what_is_no_draft_is_none(kept: Any):
    assert steps_in(kept) == () and restored(kept) == [gr.skip()] * 5


def test_a_draft_is_found_again_without_its_session():
    steps = (Step("Two and two.", ""), Step("Five.", "it is four"))
    *_, kept = written(steps, 7.0, "What is 2 + 2?", "4")
    kept = json.loads(json.dumps(kept))
    assert steps_in(kept) == steps
    assert restored(kept)[:2] == [steps, 7.0] and restored(kept)[3:] == ["What is 2 + 2?", "4"]


async def test_files_are_not_read_on_the_loop_that_all_streams_share(home, monkeypatch):
    library = TraceLibrary(home, home / "none")
    trace_id, at_work = library.entries()[0].id, []

    def noted(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any) -> Any:
            at_work.append(threading.current_thread())
            return method(*values)

        return call

    async def ask(services: Any, trace: Trace) -> BaseAnswer:
        return BaseAnswer(trace.prompt, "7", "base", 1, "stop")

    monkeypatch.setattr("ui.traces.reader.ask", ask)
    for name in ("whole", "add_base_answer"):
        monkeypatch.setattr(library, name, noted(getattr(library, name)))
    with gr.Blocks() as app:
        build_reader(SimpleNamespace(visitor=lambda request: "visitor"), library)  # type: ignore[arg-type]
    assert "7" in await handlers(app)["ask_base"](trace_id, None)
    assert len(at_work) == 2 and threading.current_thread() not in at_work


async def test_where_both_models_differ_is_shown_below_the_thought_and_kept(home, monkeypatch):
    library = TraceLibrary(home, home / "none")
    trace = library.whole(library.entries()[0].id)

    async def compared(served: Any, messages: Any, raw: str, wait: float) -> TokenDivergence:
        assert (messages[0].content, raw) == (trace.prompt, trace.raw)
        return TokenDivergence(("<think>", trace.thought), (0.0, 1.0), (0.0, 0.5), whole=True)

    monkeypatch.setattr("ui.traces.reader.token_divergence", compared)
    monkeypatch.setenv("JOURNEY_HOME", str(home))
    with gr.Blocks() as app:
        services = SimpleNamespace(served=None, visitor=lambda request: "visitor")
        build_reader(services, library)  # type: ignore[arg-type]
    shown = await handlers(app)["compare_models"](library.entries()[0].id, None)
    assert "Where the two models differ" in shown
    assert "Where the two models differ" in trace_html(trace)  # for whoever reads it next


def test_a_trace_that_is_gone_is_said_to_be_gone(home):
    with gr.Blocks() as app:
        build_reader(SimpleNamespace(), TraceLibrary(home, home / "none"))  # type: ignore[arg-type]
    for name, value in (("open_row", ()), ("walk_to", (1.0,))):
        with pytest.raises(gr.Error, match="no longer exists"):
            handlers(app)[name]("gone", *value)


def test_a_step_number_that_was_cleared_is_no_step(home):
    with gr.Blocks() as app:
        build_form(TraceLibrary(home, home / "none"), gr.State(""), gr.Textbox())
    edits = [fn for fn in app.fns.values() if any(isinstance(block, gr.Number) for block in fn.inputs)]
    assert len(edits) == 6
    for edit in edits:
        with pytest.raises(gr.Error, match="no step 0"):
            edit.fn((Step("3 and 4 are 7"),), 0.0, None, "", "", None, *["why"] * (len(edit.inputs) - 6))


def test_a_training_that_began_after_the_page_was_built_is_there(tmp_path):
    with gr.Blocks() as app, gr.Tab("Training") as tab:
        build_training(tmp_path, tab)
    show = handlers(app)["show"]
    before = show(None)[0]["choices"]
    folder = tmp_path / "distil" / "new"
    folder.mkdir(parents=True)
    (folder / "loss.jsonl").write_text('{"phase": "one", "step": 1, "loss": 2.0}\n')
    picker, figure, report = show("distil/new")
    assert [*before, "distil/new"] == picker["choices"] and picker["value"] == "distil/new"
    assert figure["visible"] and "no report yet" in report


def test_the_tree_holds_every_node_and_the_walk():
    for trace in searched(13):
        tree = tree_of_trace(trace)
        places = layout(tree["nodes"])
        assert len(set(places.values())) == len(tree["nodes"]), "no two nodes stand in one place"
        for node in tree["nodes"]:
            if node["parent"] >= 0:
                assert places[node["id"]].y == places[node["parent"]].y + 1
        figure = tree_figure(tree, at=2)
        shown = [text for marks in figure.data if marks.customdata is not None for (text,) in marks.customdata]
        assert len(shown) == len(tree["nodes"])
        assert {node["status"] for node in tree["nodes"]} >= {"on_path"}
        assert walk_text(tree, 10**6).startswith(f"{len(tree['walk']) - 1} of")


def test_a_debate_is_a_tree_too():
    turns = [
        {"step": "a", "verdict": "go on", "to": None, "reason": ""},
        {"step": "b", "verdict": "go back", "to": 1, "reason": "no"},
        {"step": "c", "verdict": "go on", "to": None, "reason": ""},
    ]
    tree = tree_of_turns("q", turns)
    assert [(n["parent"], n["status"]) for n in tree["nodes"]] == [
        (-1, "on_path"), (0, "on_path"), (1, "wrong"), (1, "on_path"),
    ]  # fmt: skip
    assert tree["walk"] == [0, 1, 2, 1, 3]
    assert tree_of_trace(by_hand("no tree")) is None


def test_the_list_says_what_a_trace_is(home):
    labels = [label for label, _ in list_choices(TraceLibrary(home, home / "none").entries())]
    assert any("People · loop · 3 words · 1 turn" in label for label in labels)
    assert any("Tree search · kept" in label for label in labels)


def test_the_funnel_on_the_page():
    problems = tuple(Problem(f"x/{i}", q, "7", "x") for i, q in enumerate(["What is <3?", "Prove that 7 is odd."]))
    html = funnel_html(curate(Source("x", problems, (), "0" * 64), decontaminator=Decontaminator([])).report)
    assert "1 of 2 problems kept" in html and "−1" in html and "Prove that 7" in html


FIGURES = {"problems": 50, "samples": 50, "accuracy": 0.82, "low": 0.7, "high": 0.9, "mean_tokens": 120.4}
ROLE = {
    **FIGURES,
    "by_family": {"gcd": FIGURES},
    "by_level": {"1": FIGURES},
    "corrections": {"thoughts": 50, "saved": 3},
}
REPORT = {
    "adapter": {"rank": 64, "bytes": 1},
    "training": [{"phase": "a", "steps": 3, "final_loss": 0.123456}],
    "evaluation": {
        "greedy": {"settings": {"temperature": 0.0}, "summary": {"same_kind": {"base": FIGURES, "distilled": ROLE}}},
        "chat": [{"prompt": "Hi <b>", "base": {"answer": "Hello"}, "distilled": {"answer": "Hi"}}],
    },
}


def test_the_report_and_the_curve(tmp_path):
    folder = tmp_path / "distil" / "quick"
    folder.mkdir(parents=True)
    assert "no report yet" in report_html(folder)
    (folder / "report.json").write_text(json.dumps(REPORT))
    html = report_html(folder)
    for words in ("Same kind", "82.0%", "70% to 90%", "gcd", "right in the end because of it", "Hi &lt;b&gt;", "0.123"):
        assert words in html, words
    lines = [{"phase": p, "step": s, "loss": 2.0 / s} for p in ("one", "two") for s in (1, 2, 3)]
    (folder / "loss.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n{cut")
    points = read_losses(folder)
    assert [point.step for point in points] == [1, 2, 3, 4, 5, 6]
    assert len(loss_figure(points).data) == 4
    assert "distil/quick" in training_folders(tmp_path)
    (folder / "report.json").write_text("{}")
    assert "not been evaluated yet" in report_html(folder)


@pytest.mark.parametrize(
    "text",
    ["[1]", '{"evaluation": null}', '{"evaluation": {"greedy": 3}}', '{"evaluation": {"greedy": {"summary": [1]}}}',
     '{"evaluation": {"chat": [{"base": {}}]}}',
     '{"evaluation": {"greedy": {"summary": {"same_kind": {"base": {}}}}}}'],
)  # fmt: skip
def test_a_report_from_elsewhere_shows_what_it_has(tmp_path, text):
    (tmp_path / "report.json").write_text(text)
    html = report_html(tmp_path)
    assert "not been evaluated yet" in html or "does not have the form" in html


def test_a_plain_prompt_answered_by_a_thought_alone_says_so(tmp_path):
    empty = {"answer": "", "thought": "3*3=9.", "tokens": 12}
    chat = [{"form": "new forms", "prompt": "Reply in YAML.", "base": {"answer": "No."}, "distilled": empty}]
    measured = {"settings": {}, "summary": {"same_kind": {"base": FIGURES, "distilled": ROLE}}}
    (tmp_path / "report.json").write_text(json.dumps({"evaluation": {"greedy": measured, "chat": chat}}))
    html = report_html(tmp_path)
    assert html.index("Prompts of new forms") < html.index("Reply in YAML.") < html.index("(thought for 12 tokens and")


def test_the_report_names_every_way_of_asking_as_the_model_card_does(tmp_path):
    measured = {"settings": {}, "summary": {"same_kind": {"base": FIGURES, "distilled": ROLE}}}
    (tmp_path / "report.json").write_text(json.dumps({"evaluation": dict.fromkeys(MEASUREMENTS, measured)}))
    assert all(f"<h4>{each.title}:" in report_html(tmp_path) for each in MEASUREMENTS.values())


SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 390, "height": 844}}
PATIENCE_MS = 120_000


@pytest.fixture(scope="module")
def tab_url(tmp_path_factory):
    """The tab alone, on an empty home, as the whole page would build it."""
    from ui.layout import launch_options
    from ui.traces.tab import build_traces_tab

    services = SimpleNamespace(home=tmp_path_factory.mktemp("home"), visitor=lambda request: "visitor")
    with gr.Blocks(analytics_enabled=False, fill_width=True) as app, gr.Tabs():
        with gr.Tab("First"):
            gr.HTML('<div style="width: 100vw; max-width: 100%">First</div>')
        with gr.Tab("Traces"):
            build_traces_tab(services)  # type: ignore[arg-type]
    _, url, _ = app.queue().launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, **launch_options())
    yield url
    app.close()


@pytest.fixture(params=SIZES)
def page(request: pytest.FixtureRequest, browser: "Browser", tab_url: str):
    context = browser.new_context(viewport=SIZES[request.param])
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(tab_url)
    page.get_by_role("tab", name="Traces").click()
    yield page
    context.close()


def open_section(page: "Page", name: str) -> None:
    """On a narrow page the last sections are scrolled to."""
    page.get_by_role("tab", name=name).first.click()


@pytest.mark.browser
def test_what_comes_late_about_one_trace_does_not_overwrite_another(page: "Page", monkeypatch):
    from playwright.sync_api import expect

    asked: list[str] = []

    async def ask(services: Any, trace: Trace) -> BaseAnswer:
        asked.append(f"an answer about {trace.hash}")
        answer = asked[-1]
        await asyncio.sleep(2)
        return BaseAnswer(trace.prompt, answer, "base", 1, "stop")

    monkeypatch.setattr("ui.traces.reader.ask", ask)
    rows, base = page.locator("#trace-list label"), page.locator("#trace-base")
    expect(page.locator("#trace-page .part").first).to_be_visible(timeout=PATIENCE_MS)
    rows.nth(3).click()
    expect(base).to_have_text("", timeout=PATIENCE_MS)
    page.locator("#trace-ask").click()
    page.wait_for_timeout(500)
    rows.nth(5).click()
    page.wait_for_timeout(4000)
    assert len(asked) == 1
    expect(base).not_to_contain_text(asked[0])
    page.locator("#trace-ask").click()
    page.wait_for_timeout(1000)
    expect(base).to_contain_text(asked[1], timeout=PATIENCE_MS)


@pytest.mark.browser
def test_made_read_followed_and_written(page: "Page"):
    from playwright.sync_api import expect

    count = page.locator("#trace-count")
    expect(count).to_contain_text("Choose one", timeout=PATIENCE_MS)
    found = re.search(r"of (\d+) traces", count.inner_text())
    assert found
    open_section(page, "Write a thought")
    page.locator("#trace-make").click()
    expect(page.locator("#trace-made")).to_contain_text("traces were made", timeout=PATIENCE_MS)
    open_section(page, "Read")
    reader = page.locator("#trace-page")
    expect(count).to_contain_text(f"of {int(found[1]) + MADE_AT_ONCE} traces", timeout=PATIENCE_MS)
    expect(reader.locator(".lens-text .part").first).to_be_visible(timeout=PATIENCE_MS)

    page.locator("#trace-words input, #trace-words textarea").fill("wait")
    expect(page.locator("#trace-list label").first).to_contain_text("turn", timeout=PATIENCE_MS)
    page.locator("#trace-list label").first.click()
    expect(reader.locator(".lens-text .part.reflection").first).to_be_visible(timeout=PATIENCE_MS)

    points = page.locator("#trace-tree .scatterlayer path.point")
    expect(points.first).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_function("document.querySelector('#trace-tree .js-plotly-plot').dataset.followed === 'yes'")
    before = page.locator("#trace-node").inner_text()
    points.nth(1).scroll_into_view_if_needed()
    points.nth(1).click(force=True)  # plotly's own layer lies above the points and hands the click on
    page.wait_for_function("(before) => document.querySelector('#trace-node').innerText !== before", arg=before)
    assert re.search("on the path|followed", page.locator("#trace-node").inner_text())

    open_section(page, "Write a thought")
    page.locator("#write-question textarea").fill("What is 3 plus 4?")
    page.locator("#write-gold textarea, #write-gold input").first.fill("7")
    page.locator("#write-step textarea").fill("Three, and four more: four, five, six, seven.")
    page.locator("#write-add").click()
    expect(page.locator("#write-steps li")).to_have_count(1, timeout=PATIENCE_MS)
    page.reload()
    page.get_by_role("tab", name="Traces").click()
    open_section(page, "Write a thought")
    expect(page.locator("#write-steps li")).to_have_count(1, timeout=PATIENCE_MS)
    expect(page.locator("#write-question textarea")).to_have_value("What is 3 plus 4?")
    page.locator("#write-answer textarea, #write-answer input").first.fill("7")
    page.locator("#write-name textarea, #write-name input").first.fill("Ada")
    page.get_by_role("button", name="Save the thought").click()
    expect(page.locator("#write-told")).to_contain_text("Kept: two independent checks", timeout=PATIENCE_MS)

    open_section(page, "Yield and cost")
    expect(page.locator("#trace-yields table")).to_contain_text("People", timeout=PATIENCE_MS)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")

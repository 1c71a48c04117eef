"""The Benchmarks tab: what it shows of known runs, who may start one, and the page itself in real Chromium."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from common.errors import ArenaError, ConfigError, DataError, ServerError
from eval.imports.imported import Source
from eval.imports.outputs import Fields
from eval.records import Problem, Sample
from eval.results.cells import CELL_OUTCOMES
from eval.results.samples import Side, sides_of
from eval.runs.jobs import Job, Jobs, RunProgress
from eval.runs.log import ROLES, DataInfo, RunConfig, RunInfo, RunLog, SideInfo
from eval.runs.runner import SideProgress
from eval.statistics.paired import compare
from models.config.registry import load_config
from traces.cases.cases import find_case, own_cases, runs_of
from ui.benchmarks.actions import RunActions
from ui.benchmarks.figures import VERDICT_COLOURS
from ui.benchmarks.grid import flag_grade, grid_update, make_filters, pin_problem
from ui.benchmarks.library import Choice, Filters, RunLibrary, export_files, parse_side, side_value
from ui.benchmarks.page import NO_FILTERS, Page
from ui.benchmarks.run import RunHandlers, make_config
from ui.benchmarks.run import build_run_section as run_section
from ui.benchmarks.tab import build_benchmarks_tab, build_controls
from ui.benchmarks.view import (
    GLYPHS,
    answer_head,
    grid_html,
    headline_html,
    progress_html,
    run_row,
    scoreboard_html,
    summary_html,
)
from ui.kit.owner import needs_key, require_owner
from ui.open_ended.tab import build_run_section

RUN = "20260101-000000-smol-135m"
OUTCOMES = [("correct", "correct"), ("wrong", "correct"), ("correct", "wrong"), ("wrong", "no_answer")] * 3
FORM: list[Any] = ["smol-135m", ["same_kind"], None, 60, 1, 1024, None, 0.0, 1.0, 0, 32]


def make_run(home: Path) -> RunLog:
    """A small finished run on disk, in the product's own format."""
    pair = load_config().pairs["smol-135m"]
    sides = {role: SideInfo(pair.model(role).key, pair.model(role).title, f"hash {role}") for role in ROLES}
    problems = [
        Problem(f"toy/{i}", f"What is ${i} + {i}$? <b>", str(2 * i), "toy", "sums" if i % 2 else "more", "1")
        for i in range(len(OUTCOMES))
    ]
    data = (DataInfo("toy", "Toy <set>", "ab" * 32, "made for a test", "math", len(problems), len(problems)),)
    info = RunInfo(RUN, "2026-01-01T00:00:00+00:00", RunConfig("smol-135m", ("toy",)), data, dict(sides), "{question}")
    log = RunLog.create(home / "runs", info, problems)
    for problem, outcomes in zip(problems, OUTCOMES, strict=True):
        for role, outcome in zip(ROLES, outcomes, strict=True):
            add_sample(log, sides[role].model, problem.id, outcome, role == "distilled")
    return log


def add_sample(log: RunLog, model: str, problem: str, outcome: str, long: bool) -> None:
    thought = "Wait, <script>alert(1)</script> let me check." if long else ""
    sample = Sample(
        RUN, model, problem, 0, "…", "…", thought, "So \\boxed{7}.", 90 if long else 0, 9,
        "length" if outcome == "no_answer" else "stop", 5, 1.5, "2026-01-01T00:00:00.000+00:00", "h",
    )  # fmt: skip
    log.append("samples", [asdict(sample)])
    grade = {"outcome": outcome, "rung": "boxed", "extracted": "7", "note": "", "graded_at": "now", "grader": "g"}
    log.append("grades", [{"model": model, "problem_id": problem, "index": 0, **grade}])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_run(tmp_path)
    return tmp_path


@pytest.fixture
def library(home: Path) -> RunLibrary:
    return RunLibrary(home / "runs")


@pytest.fixture
def choice(library: RunLibrary) -> Choice:
    base, distilled = sides_of(library.info(RUN))
    return Choice(base, distilled, "toy")


def services(home: Path, phase: str = "ready") -> Any:
    config = load_config()
    served = SimpleNamespace(
        pair=config.pairs["smol-135m"],
        profile=config.profiles["cpu"],
        status=lambda role: SimpleNamespace(phase=phase, sentence=f"{phase}, 20 s"),
        weight_hash=lambda role: f"hash {role}",
        software=lambda: {"vllm": "0.1"},
    )
    return SimpleNamespace(config=config, served=served, home=home, jobs=Jobs())


def built(home: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    """The tab's page, whose events are not wired."""
    pages: list[Page] = []
    monkeypatch.setattr("ui.benchmarks.tab.wire", lambda page: pages.append(page))
    with gr.Blocks():
        build_benchmarks_tab(services(home))
    (page,) = pages
    return page


def handler(app: gr.Blocks, name: str) -> Any:
    """What the page calls when the event with this handler happens."""
    return next(function.fn for function in app.fns.values() if function.name == name)


def tick(page: Page, before: dict[Any, Any]) -> Any:
    """What a tick sends to a page that shows what these updates brought it."""
    controls = page.controls
    values = [before.get(part, "") for part in (controls.selected, controls.told)]
    retry = before[controls.retry].get("value", False)
    return page.tick(*values, before[controls.sent], retry, before[page.seen], before[page.chosen], "", *NO_FILTERS)


def test_headline_first_and_escaped(library: RunLibrary, choice: Choice) -> None:
    shown = library.shown(choice)
    html = headline_html(shown.comparison)
    assert "Distilled solves 6 of 12, base 6 of 12: +0.0 points, 95 % interval [" in html
    assert "so far" in headline_html(shown.comparison, running=True)
    assert "The runs differ &lt;so&gt;." in headline_html(shown.comparison, warnings=["The runs differ <so>."])
    assert "tokens/s" in summary_html(shown.comparison)
    assert shown.report.startswith("## Toy <set>")


def test_one_problem_alone_has_no_interval_and_shows_no_winner(library: RunLibrary, choice: Choice) -> None:
    alone = replace(library.shown(choice).comparison, paired=compare([[True, False]], [[True, True]]))
    html = scoreboard_html(alone)
    assert "<b>+50.0 points</b><span>95 %: –</span>" in html
    assert "No difference shown" in html


def test_the_grid_has_a_cell_a_problem_and_no_markup_of_a_models(library: RunLibrary, choice: Choice) -> None:
    cells = library.cells(choice, Filters())
    html = grid_html(cells, len(cells), "toy/1")
    assert html.count("data-id=") == 12
    assert [c.problem_id for c in cells][-1] == "toy/11"
    assert "both right <b>3</b>" in re.sub(r"\s+", " ", html)
    evil = grid_html([type(cells[0])(**{**asdict(cells[0]), "problem_id": '"><script>'})], 1)
    assert "<script>" not in evil


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (Filters(), 12),
        (Filters(base="right"), 6),
        (Filters(base="wrong", distilled="right"), 3),
        (Filters(words="WAIT check"), 12),
        (Filters(words="absent"), 0),
        (Filters(shortest=100), 0),
        (Filters(shortest=99), 12),
        (Filters(cut=True), 3),
        (Filters(flagged=True), 0),
    ],
)
def test_filters(library: RunLibrary, choice: Choice, filters: Filters, count: int) -> None:
    assert len(library.cells(choice, filters)) == count
    assert f"{count} of 12 problems" in grid_update(library, choice, filters) or count == 12


def test_a_side_is_filtered_also_where_the_other_is_unsure(library: RunLibrary, choice: Choice) -> None:
    grade = {"model": choice.distilled.model, "problem_id": "toy/0", "index": 0, "outcome": "grader_failed"}
    RunLog(library.runs / RUN).append("grades", [{**grade, "rung": "boxed", "extracted": "7", "note": "out of time"}])
    assert "toy/0" in {c.problem_id for c in library.cells(choice, Filters(base="right")) if c.outcome == "unsure"}
    assert "toy/0" not in {c.problem_id for c in library.cells(choice, Filters(distilled="right"))}
    assert "toy/0" not in {c.problem_id for c in library.cells(choice, Filters(distilled="wrong"))}


def test_every_verdict_has_its_own_colour_and_sign(library: RunLibrary, choice: Choice) -> None:
    cell = library.cells(choice, Filters())[0]
    drawn = [
        grid_html([type(cell)(**{**asdict(cell), "outcome": v})], 1).rpartition("<button")[2] for v in CELL_OUTCOMES
    ]
    colours = [re.findall("background:(#[0-9a-f]{6})", html)[0] for html in drawn]
    assert colours == [VERDICT_COLOURS[verdict] for verdict in CELL_OUTCOMES]
    assert len(set(colours)) == len(set(GLYPHS.values())) == 5
    assert [re.findall(">(.)</button>", html)[0] for html in drawn] == [GLYPHS[verdict] for verdict in CELL_OUTCOMES]


def test_no_filters_are_no_filters() -> None:
    assert make_filters(*NO_FILTERS) == Filters()
    assert make_filters(None, None, None, None, None, None).words == ""


def test_a_flag_is_kept_and_shown_and_changes_no_number(library: RunLibrary, choice: Choice) -> None:
    before = library.shown(choice).comparison
    flag_grade(library, choice, "base", "toy/1", 0, "it is right " + "x" * 1000)
    after = library.shown(choice).comparison
    assert after.base.flags == 1
    assert after.paired == before.paired
    assert "flagged 1 grade as wrong" in headline_html(after)
    ((index, outcome, note, _),) = library.results(choice).flags(choice.base, "toy/1")
    assert (index, outcome, len(note)) == (0, "wrong", 500)
    assert len(library.cells(choice, Filters(flagged=True))) == 1
    with pytest.raises(DataError):
        flag_grade(library, choice, "base", "toy/99", 0, "")


def test_results_are_read_again_only_when_a_file_grew(library: RunLibrary, choice: Choice) -> None:
    first = library.shown(choice)
    assert library.shown(choice) is first
    add_sample(RunLog(library.runs / RUN), choice.base.model, "toy/1", "correct", False)
    assert library.shown(choice) is not first


@pytest.mark.parametrize("value", [None, "", "no separator", 5])
def test_forged_sides_are_refused(value: object) -> None:
    with pytest.raises(DataError):
        parse_side(value)


def test_sides_come_back_from_their_values() -> None:
    side = Side("r", "m / with a slash")
    assert parse_side(side_value(side)) == side


@pytest.mark.parametrize("run", ["../../etc", "nothing", ".."])
def test_paths_never_leave_the_runs_folder(library: RunLibrary, run: str) -> None:
    with pytest.raises(DataError):
        library.shown(Choice(Side(run, "m"), Side(run, "m")))


@pytest.mark.parametrize(
    ("space", "secret", "given", "allowed"),
    [
        ("", "", "", True),
        ("", "s3cret", "", False),
        ("", "s3cret", "s3cret", True),
        ("owner/space", "", "", False),
        ("owner/space", "", "guess", False),
        ("owner/space", "s3cret", "wrong", False),
        ("owner/space", "s3cret", "ünï", False),
        ("owner/space", "s3cret", "s3cret", True),
    ],
)
def test_only_the_owner_starts_runs(
    monkeypatch: pytest.MonkeyPatch, space: str, secret: str, given: str, allowed: bool
) -> None:
    for name, value in (("SPACE_ID", space), ("JOURNEY_OWNER_KEY", secret)):
        monkeypatch.setenv(name, value)
    assert needs_key() == bool(space or secret)
    if allowed:
        require_owner(given)
    else:
        with pytest.raises(ConfigError, match="Only the owner"):
            require_owner(given)


def test_the_cost_is_said_before_starting(home: Path, library: RunLibrary) -> None:
    text = RunActions(services(home), library).estimate(make_config(*FORM))
    assert "120 answers, at most 122,880 tokens" in text
    assert "points or more would show" in text
    assert "Set by set" not in text


def test_the_cost_counts_every_set_and_says_what_each_could_show(
    home: Path, library: RunLibrary, tmp_path: Path
) -> None:
    own = tmp_path / "mine.jsonl"
    own.write_text('{"problem": "1+1?", "answer": "2"}\n' * 5)
    actions = RunActions(services(home), library)
    text = actions.estimate(make_config(FORM[0], ["math500", "aime2024"], str(own), None, *FORM[4:]))
    assert f"{2 * (500 + 30 + 5):,} answers" in text
    points = dict(re.findall(r"(AIME 2024|MATH500) \(\d+\) (\d+) points", text))
    assert int(points["MATH500"]) < 10 < int(points["AIME 2024"])
    assert "mine (5) none" in text
    own.write_text("nothing")
    with pytest.raises(DataError):
        actions.estimate(make_config(FORM[0], [], str(own), None, *FORM[4:]))


def test_an_uploaded_set_never_replaces_another_of_its_name(home: Path, library: RunLibrary, tmp_path: Path) -> None:
    actions, upload = RunActions(services(home), library), tmp_path / "mine.jsonl"
    kept = []
    for text in ("one", "two", "one"):
        upload.write_text(text)
        kept.append(Path(actions.keep_own_set(str(upload)) or ""))
    assert [path.read_text() for path in kept] == ["one", "two", "one"]
    assert kept[0] == kept[2] != kept[1]


def test_an_upload_that_is_deleted_meanwhile_is_said_to_be_gone(
    home: Path, library: RunLibrary, tmp_path: Path
) -> None:
    actions, gone = RunActions(services(home), library), str(tmp_path / "mine.jsonl")
    for use in (
        lambda: actions.estimate(make_config(FORM[0], [], gone, *FORM[3:])),
        lambda: actions.keep_own_set(gone),
        lambda: actions.take_in([Source(Path(gone), "base")], "none", Fields(), lambda done, total: None),
    ):
        with pytest.raises(DataError, match=r"mine.jsonl is no longer here"):
            use()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({1: ["/etc/passwd.jsonl"]}, "no set"),
        ({1: []}, "No benchmark"),
        ({4: 0}, "samples"),
        ({4: 4}, "temperature"),
        ({5: None}, "not a number"),
        ({7: "x"}, "not a number"),
    ],
)
def test_forms_that_cannot_run(changes: dict[int, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config(*[changes.get(i, value) for i, value in enumerate(FORM)])


def test_a_run_waits_for_the_models(home: Path, library: RunLibrary) -> None:
    actions = RunActions(services(home, "loading"), library)
    with pytest.raises(ServerError, match="cannot answer yet: loading, 20 s"):
        actions.start(make_config(*FORM))
    with pytest.raises(ConfigError, match="not loaded"):
        actions.start(make_config("qwen-math-7b-r1", *FORM[1:]))
    with pytest.raises(ArenaError):
        actions.resume("../nothing")
    assert [info.id for info in library.infos()] == [RUN]


def test_so_does_a_run_beyond_maths(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(home))
    with gr.Blocks() as app:
        build_run_section(services(home, "fetching"))
    assert "cannot answer yet: fetching, 20 s" in str(handler(app, "on_start")("", "sycophancy", 5, 64, 0.0))
    assert not (home / "beyond").exists()


def test_every_button_asks_for_the_owner(home: Path, library: RunLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "owner/space")
    monkeypatch.setenv("JOURNEY_OWNER_KEY", "s3cret")
    with gr.Blocks():
        controls = build_controls(run_section(services(home)))
    on = RunHandlers(RunActions(services(home), library), controls, lambda run_id: {})
    said = [on.start("guess", *FORM), on.stop(""), on.resume("guess", RUN, False), on.force("", RUN, "64")]
    assert all("Only the owner" in words[controls.notice] for words in said)
    assert "at least one budget" in on.force("s3cret", RUN, "none")[controls.notice].lower()
    assert on.stop("s3cret")[controls.notice] == "No run is in progress."


class Endless(Job):
    """Work that goes on until it is stopped."""

    def _work(self) -> bool:
        return not self._stopped.wait(60)


@pytest.mark.parametrize("page", ["runs", "beyond"])
def test_stop_stops_a_run_of_this_page_and_says_which(home: Path, library: RunLibrary, page: str) -> None:
    actions = RunActions(services(home), library)
    with gr.Blocks():
        controls = build_controls(run_section(services(home)))
    on, job = RunHandlers(actions, controls, lambda run_id: {}), Endless(RunLog(home / page / "one"))
    actions.jobs.start(job)
    said, stopped = on.stop("")[controls.notice], job._stopped.is_set()
    actions.jobs.stop()
    assert ("one is stopping" in said, stopped) == (page == "runs", page == "runs")
    assert page == "runs" or "Stop it there." in said


def test_outputs_made_elsewhere_are_taken_in_for_the_owner_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_OWNER_KEY", "s3cret")
    with gr.Blocks() as app:
        build_benchmarks_tab(services(home))
    load = handler(app, "on_load")
    for secret, said in (("guess", "Only the owner"), ("s3cret", "No file was chosen")):
        assert said in str(load(secret, None, "", None, "", "none", "", "", ""))
    pin = handler(app, "pin")
    assert "Only the owner" in str(pin("guess", "toy/0", "", None, None, None))
    assert "No side is chosen" in str(pin("s3cret", "toy/0", "", None, None, None))


def test_only_the_owner_flags_grades(home: Path, choice: Choice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_OWNER_KEY", "s3cret")
    with gr.Blocks() as app:
        build_benchmarks_tab(services(home))
    flag, sides = handler(app, "flag"), (side_value(choice.base), side_value(choice.distilled), "toy")
    assert "Only the owner" in str(flag("guess", "toy/1", 0, "no", *sides))
    assert list(RunLog(home / "runs" / RUN).rows("flags")) == []
    flag("s3cret", "toy/1", 0, "yes", *sides)
    assert [row["note"] for row in RunLog(home / "runs" / RUN).rows("flags")] == ["yes"]


class Busy:
    """Forced answers, a run or a probe that never ends by itself."""

    over = False

    def __init__(self, log: RunLog) -> None:
        self.log = log

    def run(self) -> RunProgress:
        return self.progress()

    def progress(self) -> RunProgress:
        return RunProgress(self.log.folder.name, "running", {})

    def stop(self) -> None: ...


def test_all_pages_share_the_servers(home: Path, library: RunLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(home))
    pages: list[Page] = []
    monkeypatch.setattr("ui.benchmarks.tab.wire", lambda page: pages.append(page))
    shared = services(home)
    with gr.Blocks() as app:
        build_benchmarks_tab(shared)
        build_run_section(shared)
    shared.jobs.start(Busy(RunLog(home / "beyond" / "20260101-sycophancy")))
    with pytest.raises(ServerError, match="20260101-sycophancy is still running"):
        RunActions(shared, library).start(make_config(*FORM))
    assert "is still running" in str(handler(app, "on_start")("", "sycophancy", 5, 64, 0.0))
    assert not (home / "beyond").exists()
    assert [info.id for info in library.infos()] == [RUN]
    (page,) = pages
    first = page.refresh()
    assert "(started on another page): running" in re.sub("<.*?>", "", first[page.controls.progress]["value"])
    assert tick(page, first) == gr.skip()


def test_another_run_closes_the_problem_that_stood_open_and_drops_the_filters(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = built(home, monkeypatch)
    updates = page.choose_run(RUN)
    assert updates[page.grid.problem] == ""
    assert updates[page.grid.detail]["visible"] is False
    assert tuple(updates[widget] for widget in page.grid.filters) == NO_FILTERS, "the grid shows all, and so they say"
    assert set(updates) <= set(page.outputs)


def test_a_run_that_was_imported_is_the_one_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = built(home, monkeypatch)
    monkeypatch.setattr(RunLibrary, "overview", lambda self, pair: [SimpleNamespace(run="20990101-000000-other")])
    assert page.imported(RUN)[page.selectors.run]["value"] == RUN
    lists = page.imported()
    assert "value" not in lists[page.selectors.run] and RUN in lists[page.displays.runs]


def test_the_lists_are_new_whenever_the_tab_is_opened(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = built(home, monkeypatch)
    first = page.refresh()
    controls = page.controls
    values = [first.get(controls.selected, ""), first.get(controls.told, ""), first[controls.sent], False]
    again = page.open(*values, first[page.seen], first[page.chosen], "", *NO_FILTERS)
    assert RUN in again[page.displays.runs] and page.displays.headline not in again
    assert set(again) <= set(page.outputs)


def test_a_problem_is_pinned_with_both_answers(
    home: Path, library: RunLibrary, choice: Choice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(home))
    said = pin_problem(library, choice, "toy/1", "Look at the check.")
    (case,) = own_cases()
    assert f"[with the first answers from run {RUN}](?case={case.key})" in said
    assert (case.question, case.truth, case.note) == ("What is $1 + 1$? <b>", "2", "Look at the check.")
    (run,) = runs_of(case.key)
    assert [side.reply.answer for side in run.sides.values()] == ["So \\boxed{7}."] * 2
    pin_problem(library, choice, "toy/1", "Another note.")
    assert len(runs_of(case.key)) == len(own_cases()) == 1
    found = find_case(case.key)
    assert found is not None
    assert found.note == "Another note."
    with pytest.raises(DataError, match="no such problem"):
        pin_problem(library, choice, "toy/99", "")


def test_progress_says_what_each_side_does() -> None:
    side = SideProgress(
        total=60, done=30, failed=2, in_flight=8, output_tokens=900, seconds=10, drawn_now=30, message="running"
    )
    html = progress_html(RunProgress("r<1", "running", {"base": side}))
    assert "r&lt;1" in html
    assert "30 of 60 · 2 failed · 90 tokens/s · about 10 s left" in html
    assert "Nothing is running" in progress_html(None)


def test_the_scoreboard_says_which_is_better_and_at_what_cost(library: RunLibrary, choice: Choice) -> None:
    c = library.shown(choice).comparison
    assert c.paired
    for low, high, words in (
        (0.1, 0.3, "Distilled is better"),
        (-0.3, -0.1, "Base is better"),
        (-1, 1, "No difference"),
    ):
        assert words in scoreboard_html(replace(c, paired=c.paired._replace(low=low, high=high)))
    twice = replace(c, base=replace(c.base, thought_tokens=0.0, answer_tokens=50.0),
                    distilled=replace(c.distilled, thought_tokens=80.0, answer_tokens=20.0))  # fmt: skip
    assert "2.00 × the base" in scoreboard_html(twice)
    assert scoreboard_html(replace(c, paired=None)) == ""


def test_a_run_of_one_model_is_set_beside_the_newest_of_the_same_problems(library: RunLibrary) -> None:
    info = library.info(RUN)
    alone = replace(info, id="alone", sides={"distilled": info.sides["distilled"]})
    base, other = side_value(Side(RUN, info.sides["base"].model)), replace(info.data[0], name="other")
    assert library.partner(alone, "base", "something else") == base
    assert library.partner(alone, "base", base) == base
    assert library.partner(replace(alone, data=(other,)), "base", "as it was") == "as it was"


def test_the_list_says_how_to_repeat(library: RunLibrary) -> None:
    cells = run_row(library.info(RUN), 24)
    assert cells[-1].startswith("arena run --pair smol-135m --benchmark toy")
    assert "24 of 24" in cells


def test_a_side_says_what_was_extracted_and_how(library: RunLibrary, choice: Choice) -> None:
    (detail,) = library.results(choice).details(choice.distilled, "toy/3")
    html = answer_head("distilled", "T<", detail)
    assert "no answer found" in html
    assert "cut off" in html
    assert "T&lt;" in html


def test_exports(library: RunLibrary, choice: Choice, tmp_path: Path) -> None:
    files = [Path(f) for f in export_files(library, choice, tmp_path)]
    assert [f.suffix for f in files] == [".parquet", ".csv", ".json", ".md", ".zip"]
    assert all(f.stat().st_size for f in files)
    with zipfile.ZipFile(files[-1]) as archive:
        assert {f"{RUN}/{name}" for name in ("run.json", "samples.jsonl", "flags.jsonl")} <= {*archive.namelist()}


def test_answers_are_counted_anew_only_when_the_file_grew(library: RunLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    assert library.answers(RUN) == 24
    add_sample(RunLog(library.runs / RUN), "m", "toy/1", "correct", False)
    assert library.answers(RUN) == 25
    monkeypatch.setattr(RunLog, "samples", lambda self: pytest.fail("read again"))
    assert library.answers(RUN) == 25


def test_the_tab_builds_without_runs(tmp_path: Path) -> None:
    with gr.Blocks() as app:
        build_benchmarks_tab(services(tmp_path))
    assert app.fns


def test_a_tick_sends_results_only_when_a_file_grew(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = built(home, monkeypatch)
    first = page.refresh()
    assert "Distilled solves" in first[page.displays.headline]
    chosen = first[page.chosen]
    assert tick(page, first) == gr.skip()
    add_sample(RunLog(home / "runs" / RUN), parse_side(chosen[0]).model, "toy/1", "correct", False)
    later = tick(page, first)
    assert "Distilled solves" in later[page.displays.headline]
    assert page.chosen not in later
    for forged, said in (("forged", "No side is chosen"), ("../away / m", "There is no run")):
        told = page.show(forged, first[page.chosen][1], "", "", *NO_FILTERS)
        assert list(told) == [page.displays.headline] and said in told[page.displays.headline]


@pytest.fixture
def page_url(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("JOURNEY_HOME", str(home))
    with gr.Blocks(analytics_enabled=False) as app:
        build_benchmarks_tab(services(home, "loading"))
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield url
    app.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_a_person_reads_the_headline_opens_a_problem_and_flags_a_grade(
    page_url: str, home: Path, chromium_path: Path, width: int
) -> None:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(60_000)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(page_url)
        expect(page.get_by_text("Distilled solves 6 of 12")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("tab", name="Problems").click()
        page.get_by_role("button", name="toy/1: only distilled right").click()
        expect(page.get_by_text("Gold answer:")).to_be_visible()
        expect(page.locator("#bm-thoughts .lens-text .part.reflection")).to_contain_text("<script>alert(1)</script>")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("button", name="Flag the grade").first.click()
        expect(page.get_by_text("no comment")).to_be_visible()
        page.get_by_placeholder("Why is this worth reading?").fill("a note")
        page.get_by_role("button", name="Add to case studies").click()
        expect(page.get_by_role("link", name=f"with the first answers from run {RUN}")).to_be_visible()
        page.get_by_role("button", name="Run the benchmarks").click()
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.get_by_text("cannot answer yet")).to_be_visible()
        browser.close()
    assert not problems
    assert len(list(RunLog(home / "runs" / RUN).rows("flags"))) == 1

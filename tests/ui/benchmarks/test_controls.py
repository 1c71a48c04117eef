"""Buttons of the Benchmarks tab that can do nothing are off, and messages that are over disappear."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from eval.runs.jobs import RunProgress
from eval.runs.log import RunLog
from tests.ui.benchmarks.test_tab import NO_FILTERS, RUN, Busy, make_run, services, tick
from ui.benchmarks.actions import RunActions
from ui.benchmarks.controls import Allowed, Controls, Sent, allowed
from ui.benchmarks.library import RunLibrary
from ui.benchmarks.page import Page
from ui.benchmarks.run import build_run_section
from ui.benchmarks.tab import build_benchmarks_tab, build_controls


class Ended(Busy):
    """A run that is over, in this phase."""

    over = True

    def __init__(self, log: RunLog, phase: Any) -> None:
        super().__init__(log)
        self.phase = phase

    def progress(self) -> RunProgress:
        return RunProgress(self.log.folder.name, self.phase, {}, "why it ended")


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    return make_run(tmp_path)


@pytest.fixture
def actions(log: RunLog, tmp_path: Path) -> RunActions:
    return RunActions(services(tmp_path), RunLibrary(tmp_path / "runs"))


@pytest.fixture
def controls(actions: RunActions) -> Controls:
    with gr.Blocks():
        return build_controls(build_run_section(actions.services))


def test_a_complete_run_can_only_be_given_forced_answers(actions: RunActions) -> None:
    assert allowed(actions, RUN, retry=False) == Allowed(start=True, force=True)
    assert allowed(actions, RUN, retry=True) == Allowed(start=True, force=True)
    for unknown in ("", "../..", "nothing"):
        assert allowed(actions, unknown, retry=True) == Allowed(start=True)


def test_failed_answers_can_be_retried_once_that_is_wanted(actions: RunActions, log: RunLog) -> None:
    path = log.path("samples")
    lines = path.read_text().splitlines()
    lines[0] = lines[0].replace('"error": ""', '"error": "timeout"').replace('"error":""', '"error":"timeout"')
    path.write_text("\n".join(lines) + "\n")
    assert allowed(actions, RUN, retry=False) == Allowed(start=True, retry=True, force=True)
    assert allowed(actions, RUN, retry=True) == Allowed(start=True, resume=True, retry=True, force=True)


def test_a_run_with_missing_answers_can_be_resumed(actions: RunActions, log: RunLog) -> None:
    path = log.path("samples")
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    assert allowed(actions, RUN, retry=False).resume


def test_a_recorded_run_is_never_resumed(actions: RunActions, log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    info = replace(actions.library.info(RUN), recorded=True)
    monkeypatch.setattr(actions.library, "info", lambda run: info)
    log.path("grades").write_text("")  # as where the grader had failed
    assert allowed(actions, RUN, retry=True) == Allowed(start=True, force=True)


def test_imported_runs_and_other_pairs_are_only_read(actions: RunActions, monkeypatch: pytest.MonkeyPatch) -> None:
    info = actions.library.info(RUN)
    others = (replace(info, origin="imported"), replace(info, config=replace(info.config, pair="qwen2.5-72b")))
    for other in others:
        monkeypatch.setattr(actions.library, "info", lambda run, other=other: other)
        assert allowed(actions, RUN, retry=True) == Allowed(start=True)


def test_where_runs_are_only_read_nothing_can_be_pressed(actions: RunActions) -> None:
    served = actions.services.served
    served.profile = served.profile.model_copy(update={"benchmarks": "read"})
    assert allowed(actions, RUN, retry=True) == Allowed()


@pytest.mark.parametrize(("page", "stop"), [("runs", True), ("beyond", False)])
def test_while_a_run_goes_on_it_can_only_be_stopped_on_its_own_page(
    actions: RunActions, tmp_path: Path, page: str, stop: bool
) -> None:
    actions.jobs.start(Busy(RunLog(tmp_path / page / "one")))  # type: ignore[arg-type]
    assert allowed(actions, RUN, retry=True) == Allowed(stop=stop)


def test_a_notice_goes_when_its_run_has_ended(controls: Controls, actions: RunActions, log: RunLog) -> None:
    actions.jobs.start(Busy(log))  # type: ignore[arg-type]
    during = controls.tick(actions, RUN, RUN, Sent(), False)
    assert controls.notice not in during and during[controls.progress]["visible"]
    assert during[controls.stop]["interactive"] and not during[controls.start]["interactive"]
    seen = during[controls.sent]
    assert controls.tick(actions, RUN, RUN, seen, False) == {}
    actions.jobs._job = Ended(log, "finished")  # type: ignore[assignment]
    after = controls.tick(actions, RUN, RUN, seen, False)
    assert (after[controls.notice], after[controls.told]) == ("", "")
    ended = re.sub("<.*?>", "", after[controls.progress]["value"])
    assert "finished. why it ended" in ended, "whoever watched reads how it ended"
    assert controls.chosen(actions, "another")[controls.progress] == gr.update(value="", visible=False)


@pytest.mark.parametrize(("phase", "said"), [("finished", False), ("failed", True), ("stopped", True)])
def test_who_comes_later_reads_only_of_a_run_that_did_not_finish(
    controls: Controls, actions: RunActions, log: RunLog, phase: str, said: bool
) -> None:
    actions.jobs._job = Ended(log, phase)  # type: ignore[assignment]
    assert controls.chosen(actions, RUN)[controls.progress]["visible"] is said
    assert controls.chosen(actions, "another")[controls.progress]["visible"] is False


def test_another_run_clears_what_was_said(controls: Controls, actions: RunActions) -> None:
    updates = controls.chosen(actions, RUN)
    assert (updates[controls.notice], updates[controls.told], updates[controls.selected]) == ("", "", RUN)
    assert updates[controls.retry] == gr.update(value=False, interactive=False)


def test_the_tab_ticks_with_the_buttons(actions: RunActions, log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[Page] = []
    monkeypatch.setattr("ui.benchmarks.tab.wire", lambda page: pages.append(page))
    with gr.Blocks():
        build_benchmarks_tab(actions.services)
    (page,) = pages
    first = page.refresh()
    assert first[page.controls.start]["interactive"] and first[page.displays.export]["interactive"]
    assert tick(page, first) == gr.skip()
    assert len(page.watched) == 7 + len(NO_FILTERS) and set(first) <= set(page.outputs)
    page.actions.jobs.start(Busy(log))  # type: ignore[arg-type]
    later = tick(page, first)
    assert later[page.controls.stop]["interactive"] and not later[page.controls.start]["interactive"]


@pytest.fixture
def page_url(actions: RunActions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    with gr.Blocks(analytics_enabled=False) as app:
        build_benchmarks_tab(actions.services)
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield url
    app.close()


@pytest.mark.browser
def test_a_person_sees_the_buttons_follow_a_run(
    page_url: str, actions: RunActions, log: RunLog, chromium_path: Path
) -> None:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(page_url)
        expect(page.get_by_text("Distilled solves 6 of 12")).to_be_visible()
        page.get_by_role("button", name="Run the benchmarks").click()
        names = ("Start", "Stop", "Resume the selected run", "Make forced answers")
        start, stop, resume, force = (page.get_by_role("button", name=name, exact=True) for name in names)
        for button, on in ((start, True), (stop, False), (resume, False), (force, True)):
            expect(button).to_be_enabled(enabled=on)
        expect(page.get_by_label("retry failed answers")).to_be_disabled()
        actions.jobs.start(Busy(log))  # type: ignore[arg-type]
        expect(stop).to_be_enabled()
        for button in (start, resume, force):
            expect(button).to_be_disabled()
        stop.click()
        expect(page.get_by_text("is stopping. Finished answers are kept")).to_be_visible()
        actions.jobs._job = Ended(log, "stopped")  # type: ignore[assignment]
        expect(start).to_be_enabled()
        expect(stop).to_be_disabled()
        expect(page.get_by_text("is stopping. Finished answers are kept")).to_have_count(0)
        expect(page.locator("#bm-progress")).to_contain_text("stopped. why it ended")
        browser.close()

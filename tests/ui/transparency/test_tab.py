"""The transparency tab: the form's values, files in and out, and the tab in real Chromium."""

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from playwright.sync_api import Browser, expect

from eval.paper.figures import LEADERBOARD
from eval.paper.transparency import SELF, Assessment, Entry, items, saved, score, self_score, to_json
from ui.layout import launch_options
from ui.transparency.tab import build_transparency_tab, form_file, keep_score, load_form, read_form, show_total
from ui.transparency.view import answers_html, leaderboard_html, missing_html, total_html

SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 390, "height": 844}}
COUNT = len(items())


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def values(work: str = "My model", evidence: str = "https://example.org") -> list[Any]:
    return [work, "me", *["yes"] * COUNT, *[evidence] * COUNT]


def test_the_form_reads_in_the_order_of_the_items() -> None:
    form = ["W", "", *["no"] * COUNT, *[""] * COUNT]
    form[2 + 18], form[2 + COUNT + 18] = "yes", "here"
    assessment = read_form(*form)
    assert [e for e in assessment.entries if e.answer == "yes"] == [Entry(items()[18].key, "yes", "here")]
    assert score(assessment).total == items()[18].weight


def test_the_live_total_says_what_waits_for_evidence() -> None:
    assert "100 of 100" in show_total(*values())[0]
    text = show_total(*values(evidence=""))[0]
    assert "0 of 100" in text
    assert "25 answers have no evidence yet; 100 points" in text


def test_works_scored_here_stand_apart_from_the_papers_best_first() -> None:
    shown = leaderboard_html([self_score(), read_form(*values())])
    assert max(shown.index(row.work) for row in LEADERBOARD) < shown.index("Self-assessed") < shown.index("My model")
    assert shown.index("My model") < shown.index(SELF) or score(self_score()).total == 100
    assert "Self-assessed" not in leaderboard_html([])


def test_what_is_missing_is_named() -> None:
    none, full = read_form(*values(evidence="")), read_form(*values())
    assert missing_html(full) == ""
    assert "lacks 100 of 100 points" in missing_html(none)
    assert all(item.question in unescape(missing_html(none)) for item in items())


def test_what_people_write_is_escaped() -> None:
    bad = Assessment("<img src=x>", (Entry("weights", "yes", 'javascript:alert("x")', "<b>"),))
    assert "<img" not in leaderboard_html([bad])
    assert "<b>" not in answers_html(bad).replace('<b>"', "")
    assert "href" not in answers_html(bad)
    assert "5 of 100" in total_html(bad)


def test_a_score_is_kept_and_a_nameless_one_refused() -> None:
    keep_score(*values())
    assert [(a.work, score(a).total) for a in saved()] == [("My model", 100)]
    for work in ("", SELF):
        with pytest.raises(gr.Error):
            keep_score(*values(work))


def test_files_out_and_in_again(tmp_path: Path) -> None:
    name, text = form_file("json", *values("Ünïcode / model"))
    path = tmp_path / name
    path.write_text(text)
    assert load_form(str(path)) == values("Ünïcode / model")
    assert form_file("md", *values())[1].startswith("[![Transparency 100/100]")
    path.write_text('{"work": 1}')
    with pytest.raises(gr.Error, match=r"not a transparency assessment|text that is none"):
        load_form(str(path))
    partial = tmp_path / "partial.json"
    partial.write_text(to_json(Assessment("P", (Entry("weights", "yes", "x"),))))
    assert load_form(str(partial)).count("yes") == 1


@pytest.fixture
def url() -> Iterator[str]:
    services: Any = None
    with gr.Blocks(analytics_enabled=False) as app, gr.Tab("Transparency"):
        build_transparency_tab(services)
    _, address, _ = app.launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, **launch_options())
    yield address
    app.close()


@pytest.mark.browser
def test_the_tab_in_chromium(browser: Browser, url: str) -> None:
    for label, size in SIZES.items():
        context = browser.new_context(viewport=size)
        page = context.new_page()
        page.goto(url)
        expect(page.get_by_text(SELF).first).to_be_visible(timeout=30_000)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")
        page.get_by_role("button", name="Score a work").click()
        page.get_by_label("Work", exact=True).last.fill(f"Model {label}")
        page.get_by_label("Yes").first.check()
        expect(page.locator("#score-total")).to_contain_text("1 answer has no evidence yet", timeout=15_000)
        page.get_by_label("Evidence").first.fill("https://example.org/data")
        page.get_by_label("Evidence").first.blur()
        expect(page.locator("#score-total")).to_contain_text("3 of 100", timeout=15_000)
        page.locator("#save-score").click()
        expect(page.get_by_role("cell", name=f"Model {label}")).to_be_visible(timeout=15_000)
        context.close()

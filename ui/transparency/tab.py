"""The transparency tab: the paper's leaderboard, this product's own score, and a form to score any work.

Widgets and wiring; scores are `eval.paper.transparency`, what is shown is `ui.transparency.view`.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from gradio.components import Component

from common.errors import DataError
from eval.paper.transparency import (
    ANSWERS,
    DIMENSIONS,
    SELF,
    Answer,
    Assessment,
    Entry,
    Item,
    from_json,
    full_marks,
    items,
    save,
    saved,
    score,
    self_score,
    to_json,
    to_markdown,
)
from ui.kit.downloads import as_text, download_button
from ui.kit.events import QUIET, spoken, when_opened, words_of
from ui.kit.html import command, html, note, render, shown, stacked_row, text_of
from ui.kit.owner import owner_key, require_owner
from ui.kit.places import tell, warn
from ui.services import Services
from ui.transparency.view import answers_html, leaderboard_html, missing_html, paper_standing, radar_figure, total_html

Update = dict[Any, Any]
EVIDENCE_CHARACTERS = 500


class Form(NamedTuple):
    """The widgets of the form; answers and evidences in the order of the items."""

    work: gr.Textbox
    assessor: gr.Textbox
    answers: list[gr.Radio]
    evidences: list[gr.Textbox]
    total: gr.HTML
    radar: gr.Plot

    def inputs(self) -> list[Component]:
        return [self.work, self.assessor, *self.answers, *self.evidences]


def build_transparency_tab(services: Services) -> None:
    """Fill the enclosing tab. Scores are read anew at each load of the page and after saving."""
    text = text_of("transparency")
    gr.Markdown(text["intro"])
    with stacked_row(equal_height=False):
        with gr.Column(scale=2, min_width=320):
            board = html()
            gr.Markdown(text["leaderboard"], elem_classes="note")
        with gr.Column(scale=1, min_width=300):
            radar = gr.Plot(show_label=False, elem_id="self-radar")
    with gr.Accordion("This project’s own score, item by item", open=False):
        gr.Markdown(text["self"])
        html(render("<p>{{ command }}</p>", command=command(text["self_command"])))
        own = html(elem_id="self-score")
    with gr.Accordion("Other works scored here", open=False):
        works = gr.Dropdown([], label="Work", interactive=True)
        work_answers = html()
    with gr.Accordion("Score a work", open=False):
        gr.Markdown(text["form"])
        form = build_form()
        build_files(form)
        key = owner_key()
        keep = gr.Button("Save this score", variant="primary", elem_id="save-score")
        gr.Markdown(text["saved"], elem_classes="note")

    def show() -> Update:
        mine, others = self_score(), saved_works()
        names = [a.work for a in others]
        return {
            board: shown(leaderboard_html([mine, *others]) + missing_html(mine)),
            radar: radar_figure([score(mine), paper_standing()]),
            own: shown(answers_html(mine)),
            works: gr.update(choices=names, value=names[0] if names else None),
            work_answers: shown(answers_html(others[0]) if others else note("None yet.")),
        }

    outputs = [board, radar, own, works, work_answers]
    when_opened(show, [], outputs)
    works.input(lambda name: shown(next((answers_html(a) for a in saved_works() if a.work == name), "")), works,
                work_answers, **QUIET)  # fmt: skip
    keep.click(keep_if_owner, [key, *form.inputs()], None, **QUIET).success(show, None, outputs, **QUIET)


def saved_works() -> list[Assessment]:
    """Works scored here, except this project, which is scored from its files. A damaged file is reported."""
    try:
        return [assessment for assessment in saved() if assessment.work != SELF]
    except DataError as error:
        warn(words_of(error))
        return []


def build_form() -> Form:
    """The 25 items, and the total that follows every answer."""
    with gr.Row():
        work = gr.Textbox(label="Work", placeholder="Model or paper", max_lines=1, elem_id="work-name")
        assessor = gr.Textbox(label="Scored by", placeholder="Name or pseudonym", max_lines=1)
    with stacked_row(equal_height=False):
        with gr.Column(scale=2, min_width=280):
            total = html(total_html(Assessment("", ())), elem_id="score-total")
        with gr.Column(scale=3, min_width=300):
            radar = gr.Plot(radar_figure([score(Assessment("This work", ())), paper_standing()]), show_label=False)
    full = full_marks()
    rows: list[tuple[gr.Radio, gr.Textbox]] = []
    for dimension, title in DIMENSIONS.items():
        with gr.Accordion(f"{title} ({getattr(full, dimension)} points)", open=dimension == "data"):
            rows += [build_item(item) for item in items() if item.dimension == dimension]
    form = Form(work, assessor, [a for a, _ in rows], [e for _, e in rows], total, radar)
    gr.on(
        [widget.input for widget in form.answers] + [widget.blur for widget in form.evidences],
        show_total,
        form.inputs(),
        [total, radar],
        trigger_mode="always_last",
        **QUIET,
    )
    return form


def build_item(item: Item) -> tuple[gr.Radio, gr.Textbox]:
    choices: list[tuple[str, str]] = [(ANSWERS["yes"], "yes"), (ANSWERS["no"], "no")]
    if item.technique:
        choices.append((ANSWERS["not_used"], "not_used"))
    with gr.Row(equal_height=False):
        answer = gr.Radio(choices, value="no", label=f"{item.question} ({item.weight})", scale=3, min_width=280)
        evidence = gr.Textbox(
            label="Evidence",
            placeholder="Link or page",
            max_lines=1,
            max_length=EVIDENCE_CHARACTERS,
            scale=2,
            min_width=220,
        )
    return answer, evidence


def read_form(work: str, assessor: str, *values: Any) -> Assessment:
    """The form's widgets in order → the assessment they stand for."""
    known = items()
    answers: Sequence[Answer] = values[: len(known)]
    evidences = values[len(known) :]
    entries = tuple(
        Entry(item.key, answer or "no", (evidence or "").strip()[:EVIDENCE_CHARACTERS])
        for item, answer, evidence in zip(known, answers, evidences, strict=True)
    )
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return Assessment((work or "").strip()[:120], entries, (assessor or "").strip()[:60], at)


def show_total(work: str, assessor: str, *values: Any) -> tuple[str, Any]:
    assessment = read_form(work or "This work", assessor, *values)
    return shown(total_html(assessment)), radar_figure([score(assessment), paper_standing()])


@spoken()
def keep_if_owner(key: str, *values: Any) -> None:
    """Save the form if allowed: on a public Space only the owner adds to the list that all visitors see."""
    require_owner(key)
    keep_score(*values)


@spoken()
def keep_score(work: str, assessor: str, *values: Any) -> None:
    """Save the form, or say what is missing."""
    assessment = read_form(work, assessor, *values)
    if assessment.work == SELF:
        raise DataError("This project is scored from its own files:", "arena index")
    save(assessment)
    tell(f"Saved: {assessment.work}, {score(assessment).total} of {full_marks().total}.")


def build_files(form: Form) -> None:
    """Export the form as JSON or Markdown, and load a JSON file back in."""
    with gr.Row():
        download_button("Download JSON", "score-json", as_text(partial(form_file, "json")), form.inputs())
        as_markdown = as_text(partial(form_file, "md"))
        download_button("Download Markdown and badge", "score-markdown", as_markdown, form.inputs())
        upload = gr.UploadButton("Load a JSON", file_types=[".json"], size="sm", min_width=140, elem_id="score-upload")
    loaded = upload.upload(load_form, upload, form.inputs(), **QUIET)
    loaded.success(show_total, form.inputs(), [form.total, form.radar], **QUIET)


def form_file(kind: str, *values: Any) -> tuple[str, str]:
    """Name and text of the form's file."""
    assessment = read_form(*values)
    slug = re.sub(r"\W+", "-", assessment.work.lower()).strip("-") or "work"
    return f"transparency-{slug}.{kind}", to_json(assessment) if kind == "json" else to_markdown(assessment)


@spoken()
def load_form(path: str) -> list[Any]:
    """A file's assessment as the values of the form's widgets."""
    assessment = from_json(Path(path).read_text(encoding="utf-8", errors="replace"), Path(path).name)
    entries = {entry.item: entry for entry in assessment.entries}
    found = [entries.get(item.key, Entry(item.key)) for item in items()]
    return [assessment.work, assessment.assessor, *(e.answer for e in found), *(e.evidence for e in found)]

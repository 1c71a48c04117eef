"""Own cases: pinning questions, battles and benchmark problems, notes, export and import."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import gradio as gr

from battles.pinning import pin_from_battle
from common.errors import ConfigError
from eval.runs.log import RUNS, list_runs
from traces.cases.cases import (
    Case,
    annotate,
    find_case,
    own_cases,
    paper_cases,
    pin,
    runs_of,
    unpin,
)
from traces.cases.exchange import export_document, import_document
from traces.cases.pinning import pin_from_run, problem_choices
from ui.cases.handlers import Widgets, show_case
from ui.kit.downloads import as_text, download_button
from ui.kit.events import QUIET, spoken, when_opened
from ui.kit.html import text_of
from ui.kit.owner import owner_key, require_owner
from ui.kit.places import tell
from ui.services import Services


@dataclass(frozen=True)
class PinForm:
    """The source of an own case, and the note on it."""

    question: gr.Textbox
    pin_question: gr.Button
    battle: gr.Textbox
    pin_battle: gr.Button
    run: gr.Dropdown
    problem: gr.Dropdown
    pin_problem: gr.Button
    note: gr.Textbox
    keep_note: gr.Button
    remove: gr.Button
    upload: gr.UploadButton
    key: gr.Textbox


def build_own_cases(services: Services, w: Widgets) -> None:
    """The accordion below the cases. On a public Space only the owner changes the list that all visitors see."""
    with gr.Accordion("Your own cases", open=False, elem_id="own-cases"):
        gr.Markdown(text_of("cases")["own"], elem_classes="note")
        form = build_form()
    wire_pinning(services, form, w)
    wire_list(form, w)


def build_form() -> PinForm:
    with gr.Tabs(overflow_behavior="wrap"):
        with gr.Tab("A question"):
            question = gr.Textbox(label="Question", lines=2, elem_id="pin-question")
            pin_question = gr.Button("Pin the question", size="sm", elem_id="pin")
        with gr.Tab("A battle"):
            battle = gr.Textbox(label="Battle link or ID", max_lines=1)
            pin_battle = gr.Button("Pin the battle", size="sm")
        with gr.Tab("A benchmark problem"):
            with gr.Row():
                run = gr.Dropdown([], label="Run", interactive=True, min_width=220)
                problem = gr.Dropdown([], label="Problem", interactive=True, min_width=220)
            pin_chosen = gr.Button("Pin the problem", size="sm")
    note = gr.Textbox(label="Note", lines=2, placeholder="Why is this worth reading?", elem_id="pin-note")
    key = owner_key()
    with gr.Row():
        keep_note = gr.Button("Save note on selected case", size="sm", min_width=160)
        remove = gr.Button("Remove selected case", size="sm", min_width=160)
    with gr.Row():
        download_button("Export own cases", "cases-export", as_text(export_cases))
        upload = gr.UploadButton("Import cases", file_types=[".json"], size="sm", min_width=140)
    return PinForm(
        question, pin_question, battle, pin_battle, run, problem, pin_chosen, note, keep_note, remove, upload, key
    )


def wire_pinning(services: Services, form: PinForm, w: Widgets) -> None:
    """The three sources of a case; each shows the pinned case."""
    runs, outputs = services.home / RUNS, cast(Any, w.outputs())

    @owned
    def on_question(text: str, why: str, mark: bool) -> Any:
        return show_case(w, pin(text, note=why), mark)

    @owned
    def on_battle(text: str, why: str, mark: bool) -> Any:
        return show_case(w, pin_from_battle(services.desk, text, why), mark)

    @owned
    def on_problem(run_id: str | None, problem_id: str | None, why: str, mark: bool) -> Any:
        return show_case(w, pin_from_run(runs, run_id, problem_id, why), mark)

    @spoken()
    def on_run(run_id: str | None) -> Any:
        return gr.update(choices=problem_choices(runs, run_id), value=None)

    rest = [form.note, w.mark]
    form.pin_question.click(on_question, [form.key, form.question, *rest], outputs, **QUIET)
    form.pin_battle.click(on_battle, [form.key, form.battle, *rest], outputs, **QUIET)
    form.pin_problem.click(on_problem, [form.key, form.run, form.problem, *rest], outputs, **QUIET)
    when_opened(lambda: gr.update(choices=[i.id for i in list_runs(runs)], value=None), [], [form.run])
    form.run.change(on_run, form.run, form.problem, **QUIET)


def wire_list(form: PinForm, w: Widgets) -> None:
    """Notes, removal and import."""
    outputs = cast(Any, w.outputs())

    @owned
    def on_note(key: str, why: str, mark: bool) -> Any:
        return show_case(w, annotate(known_case(key), why), mark)

    @owned
    def on_remove(key: str, mark: bool) -> Any:
        unpin(known_case(key))
        return show_case(w, paper_cases()[0], mark)

    @owned
    def on_upload(path: str, key: str, mark: bool) -> Any:
        added = import_document(Path(path).read_text(encoding="utf-8", errors="replace"), Path(path).name)
        tell(f"{added.cases} cases and {added.runs} runs added, {added.known} known already.")
        return show_case(w, known_case(key), mark)

    form.keep_note.click(on_note, [form.key, w.chosen, form.note, w.mark], outputs, **QUIET)
    form.remove.click(on_remove, [form.key, w.chosen, w.mark], outputs, **QUIET)
    form.upload.upload(on_upload, [form.key, form.upload, w.chosen, w.mark], outputs, **QUIET)


def known_case(key: str) -> Case:
    case = find_case(key)
    if case is None:
        raise ConfigError("This case no longer exists.", "Choose another one.")
    return case


def owned(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A handler restricted to the owner, if there is one; the owner's key becomes its first input."""

    @spoken()
    def checked(key: str, *values: Any) -> Any:
        require_owner(key)
        return handler(*values)

    return checked


def export_cases() -> tuple[str, str]:
    cases = own_cases()
    return "journey-arena-cases.json", export_document(cases, [run for case in cases for run in runs_of(case.key)])

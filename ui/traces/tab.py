"""The Traces tab: long thoughts as they were made, what they cost, what was trained on them.

Puts the sections together; each section's widgets are in a file of its own, what they show in `ui.traces.view`.
"""

import shutil
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr
import plotly.graph_objects as go

from traces.keeping.yields import cost_figures, method_yields
from traces.problems.curate import load_funnel
from traces.publishing.export import export
from ui.kit.downloads import PressFolders
from ui.kit.events import QUIET, spoken, when_opened
from ui.kit.html import html, low_row, note, shown, text_of
from ui.kit.owner import owner_key, require_owner
from ui.kit.palette import figure_layout
from ui.services import Services
from ui.traces.form import build_form
from ui.traces.library import Filters, TraceLibrary
from ui.traces.reader import FOLLOW_CLICKS, Reader, best_to_open, build_reader, filters_of, list_update, open_update
from ui.traces.training import build_training
from ui.traces.view import funnel_html, yields_html

MADE_AT_ONCE = 40
QUESTIONS = "Otherwise problems of public training sets are referred to"


def build_traces_tab(services: Services) -> None:
    """Fill the enclosing tab. The list is read anew when the tab is selected."""
    library = TraceLibrary(services.home)
    gr.Markdown(text_of("traces")["intro"])
    note = gr.Markdown(text_of("traces")["empty"], visible=False, elem_id="trace-empty")
    with gr.Tabs(overflow_behavior="wrap"):
        with gr.Tab("Read"):
            reader = build_reader(services, library)
        with gr.Tab("Yield and cost") as costs:
            build_costs(library, costs)
        with gr.Tab("Problems") as problems:
            build_funnels(library, problems)
        with gr.Tab("Training") as training:
            build_training(services.home, training)
        with gr.Tab("Write a thought"):
            key = owner_key()
            build_form(library, reader.opened, key)
            gr.Markdown(text_of("traces")["make"])
            make = gr.Button(f"Make {MADE_AT_ONCE} by search", size="sm", elem_id="trace-make")
            made = gr.Markdown(elem_id="trace-made")
        with gr.Tab("Export"):
            build_export(library, reader)
    finished = wire_making(library, make, key, made)
    wire_list(library, reader, note, finished)


def wire_list(library: TraceLibrary, w: Reader, note: gr.Markdown, finished: Any) -> None:
    """Refresh the list whenever the tab is opened or more traces were made, then open the best one."""
    outputs = list(dict.fromkeys([note, *w.of_list, *w.of_trace]))

    @spoken()
    def refresh(opened: str, *values: Any) -> dict[Any, Any]:
        filters = filters_of(*values)
        wanted = opened or best_to_open(library.chosen(filters))
        updates = {
            note: gr.update(visible=not library.entries() and not library.missing()),
            **list_update(library, w, filters, wanted),
        }
        return updates if opened else {**updates, **open_update(library, w, wanted)}

    def open_best(*values: Any) -> dict[Any, Any]:
        return refresh("", *values)

    # In a separate step, so that it uses the filters as they are by then.
    finished.success(open_best, w.filters, outputs, **QUIET).then(fn=None, js=FOLLOW_CLICKS)
    when_opened(refresh, [w.opened, *w.filters], outputs).then(fn=None, js=FOLLOW_CLICKS)


def wire_making(library: TraceLibrary, make: gr.Button, key: gr.Textbox, made: gr.Markdown) -> Any:
    """Generate some traces by search. Returns the event after which the list has more."""

    @spoken()
    def make_some(secret: str, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
        require_owner(secret)
        library.make(MADE_AT_ONCE, int(time.time()), lambda done, of: progress((done, of), desc="Searching"))
        return f"{MADE_AT_ONCE} traces were made. They are in the list under “Read”."

    return make.click(make_some, key, made, api_visibility="private", concurrency_limit=1, concurrency_id="make")


def build_costs(library: TraceLibrary, tab: gr.Tab) -> None:
    """Yield and cost by method, as a plot and a table."""
    gr.Markdown(text_of("traces")["yields"])
    with gr.Row():
        wage = gr.Number(0, label=text_of("traces")["wage"], minimum=0, scale=0, min_width=340, elem_id="trace-wage")
    with gr.Row():
        plots = [gr.Plot(show_label=False, visible=False, min_width=300) for _ in range(3)]
    rows = html(elem_id="trace-yields")

    def show(hourly: float | None) -> list[Any]:
        found = method_yields((entry.trace for entry in library.entries()), float(hourly or 0))
        figures = [framed(figure) for figure in cost_figures(found)]
        return [*(gr.update(value=figure, visible=bool(found)) for figure in figures), shown(yields_html(found))]

    gr.on([tab.select, wage.input], show, wage, [*plots, rows], **QUIET)


def framed(figure: go.Figure) -> go.Figure:
    """The figure in the page's style, low enough for three side by side."""
    return figure_layout(figure).update_layout(height=300, margin={"t": 44, "b": 24})


@lru_cache(maxsize=16)
def _funnel(path: Path, changed: int) -> str:
    return funnel_html(load_funnel(path))


def build_funnels(library: TraceLibrary, tab: gr.Tab) -> None:
    """The curation of each problem file."""
    gr.Markdown(text_of("traces")["funnel"])
    chosen = gr.Dropdown([], label="Problem file", visible=False)
    funnel = html(elem_id="trace-funnel")

    @spoken()
    def show(name: str | None) -> list[Any]:
        files = {path.name.removesuffix(".funnel.json"): path for path in library.funnels()}
        name = name if name in files else next(iter(files), None)
        picker = gr.update(choices=list(files), value=name, visible=len(files) > 1)
        if name is None:
            return [picker, shown(note(text_of("traces")["no_funnel"]))]
        return [picker, shown(_funnel(files[name], files[name].stat().st_mtime_ns))]

    gr.on([tab.select, chosen.input], show, chosen, [chosen, funnel], **QUIET)


def build_export(library: TraceLibrary, w: Reader) -> None:
    """Parquet, card and both as one archive."""
    folders = PressFolders("traces")
    gr.Markdown(text_of("traces")["export"])
    with low_row():
        title = gr.Textbox("Journey Arena long thoughts", label="Dataset title", min_width=240)
        kept = gr.Checkbox(False, label="Kept traces only", min_width=160)
        texts = gr.Checkbox(False, label="With questions of public sets", info=QUESTIONS, min_width=240)
        button = gr.Button("Prepare the files", variant="primary", min_width=160, elem_id="trace-export")
    files = gr.File(label="Parquet, dataset card, and both as one archive", file_count="multiple", interactive=False)

    @spoken()
    def write(name: str, only_kept: bool, with_questions: bool, *values: Any) -> list[str]:
        return export_files(library, filters_of(*values), name, only_kept, folders.new(), with_questions)

    button.click(write, [title, kept, texts, *w.filters], files, api_visibility="private", concurrency_limit=1)


def export_files(
    library: TraceLibrary, filters: Filters, title: str, only_kept: bool, top: Path, with_questions: bool = False
) -> list[str]:
    """Paths of the Parquet file, the card and an archive of both, below `top`."""
    chosen = [entry for entry in library.chosen(filters) if entry.trace.kept or not only_kept]
    folder = top / "long-thoughts"
    traces = library.whole_of(chosen)
    parquet = export(traces, folder, title=title.strip() or "Long thoughts", with_questions=with_questions)
    archive = shutil.make_archive(str(top / "long-thoughts"), "zip", folder)
    return [str(parquet), str(folder / "README.md"), archive]

"""The Benchmarks tab: run the maths sets on both models, and see what long thought gained and what it cost.

Widgets and wiring; runs are started in `ui.benchmarks.run`, problems are looked at in `ui.benchmarks.grid`, values come
from `ui.benchmarks.library`, text from `ui.benchmarks.view`.
"""

import gradio as gr

from eval.runs.log import RUNS
from ui.benchmarks.actions import RunActions
from ui.benchmarks.card import build_card_button
from ui.benchmarks.controls import Controls, Sent
from ui.benchmarks.grid import GridWidgets, build_grid, wire_grid
from ui.benchmarks.importing import build_import_section, wire_import_section
from ui.benchmarks.library import RunLibrary
from ui.benchmarks.overview import overview_html
from ui.benchmarks.page import Displays, Page, Selectors, Updates, make_choice
from ui.benchmarks.run import RunSection, build_run_section, wire_run_section
from ui.kit.downloads import PressFolders
from ui.kit.events import QUIET, when_opened
from ui.kit.html import html, note, shown
from ui.services import Services

SECONDS_BETWEEN_LOOKS = 2
CURVES_NOTE = (
    "Three kinds of curves. **Truncated**: the same answers, if each had been stopped at the budget. **Forced**: the "
    "thought was closed at the budget and an answer requested; plotted at the tokens really used. **maj@k**: the "
    "majority vote of k answers, at their total tokens. Bars are 95 % intervals."
)


def build_benchmarks_tab(services: Services) -> None:
    """Build the tab inside the current `gr.Tab`."""
    library = RunLibrary(services.home / RUNS)
    actions = RunActions(services, library)
    overview = html(elem_id="bm-overview")
    with gr.Row(elem_classes="small-row"):
        build_card_button(services)
    selectors = build_selectors()
    with gr.Accordion("Run the benchmarks", open=not library.infos()):
        running = build_run_section(services)
    with gr.Accordion("Import outputs made elsewhere", open=False):
        importing = build_import_section()
    controls = build_controls(running)
    headline = gr.HTML(note("Reading the runs …"), elem_id="bm-headline")
    # Hidden until results have been read and there is a first answer.
    with gr.Column(visible=False) as results, gr.Tabs(elem_id="bm-tabs", overflow_behavior="wrap"):
        displays, grid = build_results(results, headline)
    seen, chosen = gr.State(""), gr.State((None, None, ""))
    page = Page(library, actions, selectors, displays, grid, controls, seen, chosen, PressFolders("comparison"))
    wire_run_section(running, actions, controls, selectors.run, Updates(page.choose_run, page.outputs))
    wire_import_section(importing, actions, controls.notice, Updates(page.imported, page.outputs))
    wire(page)
    pair = services.served.pair.key
    when_opened(lambda: shown(overview_html(library.overview(pair))), [], [overview])


def build_controls(section: RunSection) -> Controls:
    """The buttons of the run section, with messages about a run right below it."""
    progress = gr.HTML("", visible=False, elem_id="bm-progress")
    notice = gr.Markdown("", elem_id="bm-notice")
    buttons = (section.start, section.stop, section.resume, section.retry, section.force)
    return Controls(*buttons, progress, notice, gr.State(""), gr.State(""), gr.State(Sent()))


def build_selectors() -> Selectors:
    with gr.Row():
        run = gr.Dropdown([], label="Run", scale=3, min_width=280)
        benchmark = gr.Dropdown([("All sets together", "")], value="", label="Set", scale=2, min_width=240)
    with gr.Accordion("Compare across runs", open=False), gr.Row():
        base = gr.Dropdown([], label="Base side")
        distilled = gr.Dropdown([], label="Distilled side")
    return Selectors(run, base, distilled, benchmark)


def build_results(results: gr.Column, headline: gr.HTML) -> tuple[Displays, GridWidgets]:
    """The inner tabs."""
    with gr.Tab("Overview"):
        summary = gr.HTML("")
        gr.Markdown("### Accuracy against tokens")
        curves = gr.Plot(show_label=False, elem_id="bm-curves", elem_classes="bm-plot")
        gr.Markdown(CURVES_NOTE, elem_classes="note")
        gr.Markdown("### Answers longer than the budget")
        cut = gr.Plot(show_label=False, elem_classes="bm-plot")
    with gr.Tab("Problems"):
        grid = build_grid()
    with gr.Tab("Subjects and levels"):
        breakdown = gr.HTML("")
        by_subject, by_level = (
            gr.Plot(show_label=False, elem_classes="bm-plot"),
            gr.Plot(show_label=False, elem_classes="bm-plot"),
        )
    with gr.Tab("Token lengths"):
        tokens = gr.Plot(show_label=False, elem_classes="bm-plot")
    with gr.Tab("Report and export"):
        button = gr.Button("Prepare downloads: Parquet, CSV, JSON, report, runs", size="md", elem_id="bm-export")
        files = gr.File(label="Every sample with its grade, the report, and the run folders",
                        file_count="multiple", height=240, visible=False)  # fmt: skip
        text = gr.Textbox("", label="Report for a model card (Markdown)", max_lines=24, buttons=["copy"])
    with gr.Tab("All runs"):
        runs = gr.HTML("")
    return (
        Displays(
            results, button, headline, summary, curves, cut, breakdown, by_subject, by_level, tokens, text, runs, files
        ),
        grid,
    )


def wire(page: Page) -> None:
    for component in page.selectors.sides:
        component.input(page.switch, page.inputs, page.outputs, **QUIET)
    selectors = page.selectors
    selectors.run.input(page.choose_run, [selectors.run, selectors.base, selectors.distilled], page.outputs, **QUIET)
    export = page.displays.export
    export.click(page.export, selectors.sides, page.displays.files, api_visibility="private", concurrency_limit=1)
    wire_grid(page.library, page.grid, page.selectors.sides, make_choice)
    timer = gr.Timer(SECONDS_BETWEEN_LOOKS)
    timer.tick(page.tick, page.watched, page.outputs, concurrency_limit=None, **QUIET)
    when_opened(page.open, page.watched, page.outputs)

"""The Benchmarks tab: run the maths sets on both models, and see what long thought gained and what it cost.

Widgets and wiring; runs are started in `ui.benchmark_run`, problems are looked at in `ui.benchmark_grid`, values come
from `ui.benchmark_shelf`, text from `ui.benchmark_views`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from eval.plots import accuracy_against_tokens, breakdown_bars, cut_share, token_histogram
from eval.report import data_lines, differences, unfinished
from eval.results import Contender
from eval.runlog import ROLES, Role, RunInfo
from models.errors import ArenaError
from ui.benchmark_desk import RunDesk
from ui.benchmark_grid import GridWidgets, build_grid, grid_update, make_filters, wire_grid
from ui.benchmark_run import build_import_section, build_run_section
from ui.benchmark_shelf import Choice, Shelf, Shown, export_files, parse_side, side_value
from ui.benchmark_views import (
    breakdown_html,
    headline_html,
    progress_html,
    run_label,
    run_row,
    runs_html,
    summary_html,
)
from ui.services import Services
from ui.wiring import QUIET, spoken

SECONDS_BETWEEN_LOOKS = 2
EMPTY = '<p class="note">No run yet. Start one below, or load outputs made elsewhere.</p>'
NO_FILTERS = ("any", "any", "", 0, False, False)
CSS = Path(__file__).parent / "benchmarks.css"
CURVES_NOTE = (
    "Three kinds of curve that mean different things. **Truncated**: the same answers, had each been stopped at the"
    " budget. **Forced**: the thought was closed at the budget and an answer asked for; plotted at the tokens really"
    " used. **maj@k**: the vote of k answers, at their summed tokens. Bars are 95 % intervals."
)


@dataclass(frozen=True)
class Updates:
    """A function that gives updates, with the components it may update."""

    give: Callable[..., dict[Any, Any]]
    components: list[Any]

    def __call__(self, *values: Any) -> dict[Any, Any]:
        return self.give(*values)


@dataclass(frozen=True)
class Selectors:
    """Which run, which two sides, which set."""

    run: gr.Dropdown
    base: gr.Dropdown
    distilled: gr.Dropdown
    benchmark: gr.Dropdown

    @property
    def sides(self) -> list[Any]:
        return [self.base, self.distilled, self.benchmark]


@dataclass(frozen=True)
class Displays:
    """Everything that shows results."""

    results: gr.Column
    """Around all of them."""
    headline: gr.HTML
    summary: gr.HTML
    curves: gr.Plot
    cut: gr.Plot
    breakdown: gr.HTML
    by_subject: gr.Plot
    by_level: gr.Plot
    tokens: gr.Plot
    report: gr.Textbox
    runs: gr.HTML


def build_benchmarks_tab(services: Services) -> None:
    """Build the tab inside the current `gr.Tab`."""
    shelf = Shelf(services.home / "runs")
    desk = RunDesk(services, shelf)
    gr.HTML(f"<style>{CSS.read_text()}</style>", visible="hidden")
    selectors = build_selectors()
    progress = gr.HTML("", visible=False, elem_id="bm-progress")
    notice = gr.Markdown("", elem_id="bm-notice")
    headline = gr.HTML("", elem_id="bm-headline")
    # Before the first answer there is nothing to see.
    with gr.Column(visible=bool(shelf.infos())) as results, gr.Tabs(elem_id="bm-tabs"):
        displays, grid, exports = build_results(results, headline)
    page = Page(shelf, desk, selectors, displays, grid, progress, gr.State(""), gr.State((None, None, "")))
    with gr.Accordion("Run the benchmarks", open=not shelf.infos()):
        build_run_section(desk, selectors.run, notice, Updates(page.choose_run, page.outputs))
    with gr.Accordion("Load outputs made elsewhere", open=False):
        build_import_section(desk, notice, Updates(page.refresh, page.outputs))
    wire(page, exports)


def build_selectors() -> Selectors:
    with gr.Row():
        run = gr.Dropdown([], label="Run", scale=3, min_width=280)
        benchmark = gr.Dropdown([("All sets together", "")], value="", label="Set", scale=2, min_width=240)
    with gr.Accordion("Compare across runs", open=False), gr.Row():
        base = gr.Dropdown([], label="Base side")
        distilled = gr.Dropdown([], label="Distilled side")
    return Selectors(run, base, distilled, benchmark)


def build_results(results: gr.Column, headline: gr.HTML) -> tuple[Displays, GridWidgets, tuple[gr.Button, gr.File]]:
    """The inner tabs."""
    with gr.Tab("Overview"):
        summary = gr.HTML("")
        gr.Markdown("#### Accuracy against tokens")
        curves = gr.Plot(show_label=False, elem_id="bm-curves", elem_classes="bm-plot")
        gr.Markdown(CURVES_NOTE, elem_classes="note")
        gr.Markdown("#### Answers longer than the budget")
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
        button = gr.Button("Prepare the files: Parquet, CSV, JSON, report, runs", size="md", elem_id="bm-export")
        files = gr.File(label="Every sample with its grade, the report, and the runs as they lie on disk",
                        file_count="multiple", height=240, visible=False)  # fmt: skip
        text = gr.Textbox("", label="Report for a model card (Markdown)", max_lines=24, buttons=["copy"])
    with gr.Tab("All runs"):
        runs = gr.HTML("")
    return (
        Displays(results, headline, summary, curves, cut, breakdown, by_subject, by_level, tokens, text, runs),
        grid,
        (button, files),
    )


def make_choice(base: object, distilled: object, benchmark: object) -> Choice:
    """Values of the selectors as a choice; raises DataError when no side is chosen."""
    return Choice(parse_side(base), parse_side(distilled), str(benchmark or ""))


@dataclass(frozen=True)
class Page:
    """The tab's parts, and what its events do: each returns {component: update}."""

    shelf: Shelf
    desk: RunDesk
    selectors: Selectors
    displays: Displays
    grid: GridWidgets
    progress: gr.HTML
    seen: gr.State
    """What the visitor's page shows now, as a hash; a tick sends results only when it has changed."""
    chosen: gr.State
    """Values of the sides and the set shown. A tick reads them here: a list whose choices are just being replaced would
    refuse the value it still sends."""

    @property
    def inputs(self) -> list[Any]:
        return [*self.selectors.sides, self.grid.problem, *self.grid.filters]

    @property
    def outputs(self) -> list[Any]:
        shown = [*vars(self.selectors).values(), *vars(self.displays).values(), self.seen, self.chosen]
        return [*shown, self.grid.grid, self.grid.detail, self.grid.problem, *self.grid.filters]

    def show(self, base: Any, distilled: Any, benchmark: Any, problem: str, *filters: Any) -> dict[Any, Any]:
        """The results of the chosen sides and set."""
        try:
            choice = make_choice(base, distilled, benchmark)
            shown = self.shelf.shown(choice)
            cells = grid_update(self.shelf, choice, make_filters(*filters), problem)
            state = self.state(choice)
        except ArenaError as error:
            return {self.displays.headline: f'<p class="note">{escape(str(error))}</p>'}
        updates = display_updates(self.displays, shown, _going_on(self.desk, choice))
        return {**updates, self.grid.grid: cells, self.seen: state, self.chosen: (base, distilled, benchmark)}

    def switch(self, base: Any, distilled: Any, benchmark: Any, _: str, *filters: Any) -> dict[Any, Any]:
        """The results of other sides or another set; a problem of the old ones that stands open is closed."""
        closed = {self.grid.problem: "", self.grid.detail: gr.update(visible=False)}
        return {**closed, **self.show(base, distilled, benchmark, "", *filters)}

    def choose_run(self, run_id: Any, base: Any = None, distilled: Any = None) -> dict[Any, Any]:
        """Both sides and the first set of one run, and their results, unfiltered; a side it lacks is another run's of
        that set."""
        infos = self.shelf.infos()
        info = next((i for i in infos if i.id == run_id), None)
        if info is None:
            return {self.selectors.run: gr.update(choices=_run_choices(infos))}
        own = {role: side_value(Contender(info.id, side.model)) for role, side in info.sides.items()}
        before: dict[Role, Any] = {"base": base, "distilled": distilled}
        sides = {role: own.get(role) or self.shelf.partner(info, role, before[role]) for role in ROLES}
        choices = [(_side_label(infos, side), side_value(side)) for side in self.shelf.sides()]
        sets = [(data.title, data.name) for data in info.data]
        updates: dict[Any, Any] = {
            self.selectors.run: gr.update(choices=_run_choices(infos), value=run_id),
            self.selectors.benchmark: gr.update(choices=[*sets, ("All sets together", "")], value=sets[0][1]),
            self.selectors.base: gr.update(choices=choices, value=sides["base"]),
            self.selectors.distilled: gr.update(choices=choices, value=sides["distilled"]),
            **dict(zip(self.grid.filters, NO_FILTERS, strict=True)),
        }
        return {**updates, **self.switch(sides["base"], sides["distilled"], sets[0][1], "", *NO_FILTERS)}

    def refresh(self) -> dict[Any, Any]:
        """The lists of runs, with the newest run of both sides chosen."""
        infos = self.shelf.infos()
        rows = [run_row(info, self.shelf.answers(info.id)) for info in infos]
        whole = [info for info in infos if len(info.sides) == len(ROLES)]
        updates: dict[Any, Any] = {self.displays.runs: runs_html(rows)}
        if not infos:
            return {**updates, self.displays.headline: EMPTY}
        return {**updates, **self.choose_run((whole or infos)[0].id)}

    def tick(self, stamp: str, chosen: tuple[Any, Any, Any], problem: str, *filters: Any) -> Any:
        """Progress of the run that is going on, and results when they have changed."""
        current = self.desk.jobs.current
        updates: dict[Any, Any] = {}
        if current is not None:
            where = "" if current.log.folder.parent == self.shelf.runs else " (begun on another page)"
            updates[self.progress] = gr.update(value=progress_html(current.progress(), where), visible=True)
        try:
            changed = self.state(make_choice(*chosen)) != stamp
        except ArenaError:
            changed = False
        if changed:
            updates |= self.show(*chosen, problem, *filters)
            updates.pop(self.chosen, None)  # never takes back what was chosen meanwhile
        return updates or gr.skip()

    def state(self, choice: Choice) -> str:
        """Changes whenever what is shown of the choice would."""
        text = f"{choice}{self.shelf.stamp(choice)}{_going_on(self.desk, choice)}"
        return sha256(text.encode()).hexdigest()[:16]

    @spoken()
    def export(self, base: Any, distilled: Any, benchmark: Any) -> Any:
        return gr.update(value=export_files(self.shelf, make_choice(base, distilled, benchmark)), visible=True)


def wire(page: Page, exports: tuple[gr.Button, gr.File]) -> None:
    for component in page.selectors.sides:
        component.input(page.switch, page.inputs, page.outputs, **QUIET)
    selectors = page.selectors
    selectors.run.input(page.choose_run, [selectors.run, selectors.base, selectors.distilled], page.outputs, **QUIET)
    exports[0].click(page.export, page.selectors.sides, exports[1], api_visibility="private")
    wire_grid(page.shelf, page.grid, page.selectors.sides, make_choice)
    timer = gr.Timer(SECONDS_BETWEEN_LOOKS)
    watched = [page.seen, page.chosen, page.grid.problem, *page.grid.filters]
    timer.tick(page.tick, watched, [page.progress, *page.outputs], concurrency_limit=None, **QUIET)
    blocks = gr.context.Context.root_block
    if blocks is not None:
        blocks.load(page.refresh, None, page.outputs, **QUIET)


def _going_on(desk: RunDesk, choice: Choice) -> bool:
    current = desk.jobs.current
    shown = [desk.shelf.runs / side.run for side in choice.sides.values()]
    return current is not None and not current.over and current.log.folder in shown


def display_updates(displays: Displays, shown: Shown, going_on: bool) -> dict[Any, Any]:
    """Everything the tab says about a comparison."""
    c = shown.comparison
    warnings = [*differences(shown.infos), *unfinished(shown.infos, c)]
    subjects, levels = len(c.by_subject) > 1, len(c.by_level) > 1
    return {
        displays.results: gr.update(visible=c.base.samples + c.distilled.samples > 0),
        displays.headline: headline_html(c, going_on, warnings),
        displays.summary: summary_html(c, data_lines(shown.infos, c.benchmark)),
        displays.curves: accuracy_against_tokens(shown.curves, shown.titles, c.benchmark),
        displays.cut: cut_share(shown.curves, shown.titles),
        displays.breakdown: breakdown_html(c),
        displays.by_subject: gr.update(
            value=breakdown_bars(c.by_subject, shown.titles) if subjects else None, visible=subjects
        ),
        displays.by_level: gr.update(
            value=breakdown_bars(c.by_level, shown.titles) if levels else None, visible=levels
        ),
        displays.tokens: token_histogram(shown.rows, shown.titles),
        displays.report: shown.report,
    }


def _run_choices(infos: list[RunInfo]) -> list[tuple[str, str]]:
    return [(run_label(info), info.id) for info in infos]


def _side_label(infos: list[RunInfo], side: Contender) -> str:
    info = next(i for i in infos if i.id == side.run)
    title = next((s.title for s in info.sides.values() if s.model == side.model), side.model)
    return f"{title} · {run_label(info)}"

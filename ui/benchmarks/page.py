"""The widgets of the Benchmarks tab and their updates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import gradio as gr

from common.errors import ArenaError
from eval.results.report import data_lines, differences, unfinished
from eval.results.samples import Side, sides_of
from eval.runs.log import ROLES, Role, RunInfo
from ui.benchmarks.actions import RunActions
from ui.benchmarks.controls import Controls, Sent
from ui.benchmarks.figures import accuracy_against_tokens, breakdown_bars, cut_share, token_histogram
from ui.benchmarks.grid import GridWidgets, grid_update, make_filters
from ui.benchmarks.library import Choice, RunLibrary, Shown, export_files, parse_side, side_value
from ui.benchmarks.view import breakdown_html, headline_html, run_label, run_row, runs_html, summary_html
from ui.kit.downloads import PressFolders
from ui.kit.events import spoken, words_of
from ui.kit.html import note

EMPTY = note("No run yet. Start one above, or import outputs made elsewhere.")


NO_FILTERS = ("any", "any", "", 0, False, False)


@dataclass(frozen=True)
class Updates:
    """A function that returns updates, and the components it may update."""

    give: Callable[..., dict[Any, Any]]
    components: list[Any]

    def __call__(self, *values: Any) -> dict[Any, Any]:
        return self.give(*values)


@dataclass(frozen=True)
class Selectors:
    """The selectors for the run, the two sides and the set."""

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
    """The container of all of them."""
    export: gr.Button
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
    files: gr.File


def make_choice(base: object, distilled: object, benchmark: object) -> Choice:
    """The selectors' values as a `Choice`; raises DataError if a side is not chosen."""
    return Choice(parse_side(base), parse_side(distilled), str(benchmark or ""))


@dataclass(frozen=True)
class Page:
    """The tab's parts, and what its events do: each returns {component: update}."""

    library: RunLibrary
    actions: RunActions
    selectors: Selectors
    displays: Displays
    grid: GridWidgets
    controls: Controls
    seen: gr.State
    """Hash of what the visitor's page shows now; a timer tick sends results only if it has changed."""
    chosen: gr.State
    """Values of the sides and set shown. A timer tick reads them here, because a dropdown whose choices are being
    replaced would reject its old value."""
    folders: PressFolders
    """For the files of each export."""

    @property
    def inputs(self) -> list[Any]:
        return [*self.selectors.sides, self.grid.problem, *self.grid.filters]

    @property
    def outputs(self) -> list[Any]:
        shown = [*vars(self.selectors).values(), *vars(self.displays).values(), self.seen, self.chosen]
        return [*shown, *self.controls.outputs, self.grid.grid, self.grid.detail, self.grid.problem, *self.grid.filters]

    def show(self, base: Any, distilled: Any, benchmark: Any, problem: str, *filters: Any) -> dict[Any, Any]:
        """The results of the chosen sides and set."""
        try:
            choice = make_choice(base, distilled, benchmark)
            shown = self.library.shown(choice)
            cells = grid_update(self.library, choice, make_filters(*filters), problem)
            state = self.state(choice)
        except ArenaError as error:
            return {self.displays.headline: note(words_of(error))}
        updates = display_updates(self.displays, shown, _is_running(self.actions, choice))
        return {**updates, self.grid.grid: cells, self.seen: state, self.chosen: (base, distilled, benchmark)}

    def switch(self, base: Any, distilled: Any, benchmark: Any, _: str, *filters: Any) -> dict[Any, Any]:
        """The results after other sides or another set were chosen; an open problem of the previous ones is closed."""
        closed = {
            self.grid.problem: "",
            self.grid.detail: gr.update(visible=False),
            self.displays.files: gr.update(value=None, visible=False),
        }
        return {**closed, **self.show(base, distilled, benchmark, "", *filters)}

    def choose_run(self, run_id: Any, base: Any = None, distilled: Any = None) -> dict[Any, Any]:
        """Select both sides and the first set of one run, and show their results unfiltered; a side the run lacks comes
        from another run of that set."""
        infos = self.library.infos()
        info = next((i for i in infos if i.id == run_id), None)
        if info is None:
            return self._lists(infos)
        own = {role: side_value(Side(info.id, side.model)) for role, side in info.sides.items()}
        before: dict[Role, Any] = {"base": base, "distilled": distilled}
        sides = {role: own.get(role) or self.library.partner(info, role, before[role]) for role in ROLES}
        sets = [(data.title, data.name) for data in info.data]
        updates = {
            **self._lists(infos, run=info.id, **sides),
            self.selectors.benchmark: gr.update(choices=[*sets, ("All sets together", "")], value=sets[0][1]),
            **dict(zip(self.grid.filters, NO_FILTERS, strict=True)),
        }
        updates |= self.controls.chosen(self.actions, info.id)
        return {**updates, **self.switch(sides["base"], sides["distilled"], sets[0][1], "", *NO_FILTERS)}

    def refresh(self) -> dict[Any, Any]:
        """The lists of runs, with the best run of the loaded pair chosen, else the newest of both sides."""
        infos = self.library.infos()
        whole = [info for info in infos if len(info.sides) == len(ROLES)]
        if not infos:
            return {**self.lists(), **self.controls.chosen(self.actions, ""), self.displays.headline: EMPTY}
        # The runs that represent the pair's sets come first: a small or unfinished run is no headline.
        pair = self.actions.services.served.pair.key
        best = next((result.run for result in self.library.overview(pair)), None)
        return self.choose_run(best or (whole or infos)[0].id)

    def lists(self) -> dict[Any, Any]:
        """The lists of runs and sides and the table of all runs, whatever is chosen of them."""
        return self._lists(self.library.infos())

    def _lists(self, infos: Sequence[RunInfo], **chosen: Any) -> dict[Any, Any]:
        """`lists` of these runs; `chosen` selects a run or sides by name."""
        rows = [run_row(info, self.library.answers(info.id)) for info in infos]
        runs = [(run_label(info), info.id) for info in infos]
        sides = [(_side_label(info, side), side_value(side)) for info in infos for side in sides_of(info)]
        updates: dict[Any, Any] = {self.displays.runs: runs_html(rows)}
        for name, choices in (("run", runs), ("base", sides), ("distilled", sides)):
            value = {"value": chosen[name]} if name in chosen else {}
            updates[getattr(self.selectors, name)] = gr.update(choices=choices, **value)
        return updates

    def imported(self, run_id: str = "") -> dict[Any, Any]:
        """The run that was just imported; without a run of both sides, the lists in which its one side now is."""
        return self.choose_run(run_id) if run_id else self.lists()

    def open(self, *watched: Any) -> Any:
        """What the tab shows when it is opened: the pair's best run the first time, later the current choice."""
        if not watched[len(self.controls.inputs)]:
            return self.refresh()
        return self.lists() | self.changes(*watched)

    @property
    def watched(self) -> list[Any]:
        """The inputs of a timer tick."""
        return [*self.controls.inputs, self.seen, self.chosen, self.grid.problem, *self.grid.filters]

    def tick(self, *watched: Any) -> Any:
        """`changes`, or nothing to update."""
        return self.changes(*watched) or gr.skip()

    def changes(
        self, run: str, told: str, sent: Sent, retry: bool, stamp: str, chosen: tuple[Any, Any, Any], problem: str,
        *filters: Any,
    ) -> dict[Any, Any]:  # fmt: skip
        """Progress of the run in progress, the state of the buttons, and results if they have changed."""
        updates = self.controls.tick(self.actions, run, told, sent, retry)
        try:
            changed = self.state(make_choice(*chosen)) != stamp
        except ArenaError:
            changed = False
        if changed:
            updates |= self.show(*chosen, problem, *filters)
            updates.pop(self.chosen, None)  # must not undo a choice made in the meantime
        return updates

    def state(self, choice: Choice) -> str:
        """A value that changes whenever the display of this choice would."""
        text = f"{choice}{self.library.stamp(choice)}{_is_running(self.actions, choice)}"
        return sha256(text.encode()).hexdigest()[:16]

    @spoken()
    def export(self, base: Any, distilled: Any, benchmark: Any) -> Any:
        choice = make_choice(base, distilled, benchmark)
        return gr.update(value=export_files(self.library, choice, self.folders.new()), visible=True)


def _is_running(actions: RunActions, choice: Choice) -> bool:
    current = actions.jobs.current
    shown = [actions.library.runs / side.run for side in choice.sides.values()]
    return current is not None and not current.over and current.log.folder in shown


def display_updates(displays: Displays, shown: Shown, running: bool) -> dict[Any, Any]:
    """Everything the tab says about a comparison."""
    c = shown.comparison
    warnings = [*differences(shown.infos), *unfinished(shown.infos, c), *shown.left_out]
    answered = c.base.samples + c.distilled.samples > 0
    subjects, levels = len(c.by_subject) > 1, len(c.by_level) > 1
    return {
        displays.results: gr.update(visible=answered),
        displays.export: gr.update(interactive=answered),
        displays.headline: headline_html(c, running, warnings),
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


def _side_label(info: RunInfo, side: Side) -> str:
    title = next((s.title for s in info.sides.values() if s.model == side.model), side.model)
    return f"{title} · {run_label(info)}"

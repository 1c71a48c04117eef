"""The grid of problems in the Benchmarks tab: filters, cells to click, and both answers and thoughts side by side.

A grade of the opened problem can be flagged, and the problem pinned as a case study.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import gradio as gr

from common.errors import ArenaError, DataError
from eval.runs.log import Role, RunLog
from traces.cases.pinning import pin_from_run
from ui.benchmarks.library import Choice, Filters, RunLibrary
from ui.benchmarks.view import answer_head, flags_html, grid_html, thoughts_html
from ui.kit.events import QUIET, spoken, words_of
from ui.kit.html import note, render
from ui.kit.owner import owner_key, require_owner
from ui.kit.panels import ours
from ui.kit.typeset import LATEX_DELIMITERS, Typeset, typeset

SIDES: tuple[Role, Role] = ("base", "distilled")
SHOW_DETAIL = "() => document.querySelector('#bm-detail')?.scrollIntoView({ block: 'nearest' })"
MOST_FLAGS = 1000
MOST_NOTE = 500
CLICK = """
element.addEventListener('click', (event) => {
  const cell = event.target.closest('[data-id]');
  if (cell) trigger('click', {problem: cell.dataset.id});
});
"""


@dataclass(frozen=True)
class SidePanel:
    """One side's answer to the chosen problem."""

    head: gr.HTML
    answer: gr.Markdown
    note: gr.Textbox
    flag: gr.Button
    flags: gr.HTML


@dataclass(frozen=True)
class PinPanel:
    """Keeps the chosen problem as a case study."""

    note: gr.Textbox
    key: gr.Textbox
    pin: gr.Button
    notice: gr.Markdown


@dataclass(frozen=True)
class GridWidgets:
    """The grid and everything below it."""

    grid: gr.HTML
    filters: tuple[Any, ...]
    """In the order of the fields of `Filters`."""
    problem: gr.State
    detail: gr.Column
    question: gr.Markdown
    sample: gr.Radio
    panels: dict[Role, SidePanel]
    thoughts: gr.HTML
    """Both thoughts under the lens."""
    pinning: PinPanel


def build_grid() -> GridWidgets:
    filters = _build_filters()
    grid = gr.HTML("", js_on_load=CLICK, elem_id="bm-grid")
    problem = gr.State("")
    with gr.Column(visible=False, elem_id="bm-detail") as detail:
        question = gr.Markdown("", latex_delimiters=LATEX_DELIMITERS)
        sample = gr.Radio([("1", 0)], value=0, label="Sample", visible=False)
        with gr.Row(elem_id="bm-sides"):
            panels = {side: _build_panel(side) for side in SIDES}
        thoughts = gr.HTML("", elem_id="bm-thoughts")
        pinning = _build_pinning()
    return GridWidgets(grid, filters, problem, detail, question, sample, panels, thoughts, pinning)


def _build_filters() -> tuple[Any, ...]:
    with gr.Accordion("Filters", open=False):
        with gr.Row():
            states = ["any", "right", "wrong"]
            base = gr.Radio(states, value="any", label="Base")
            distilled = gr.Radio(states, value="any", label="Distilled")
            words = gr.Textbox(label="Words in either thought", placeholder="wait", max_lines=1)
        with gr.Row():
            shortest = gr.Number(0, label="Minimum tokens", precision=0, minimum=0)
            cut = gr.Checkbox(False, label="cut-off answers only")
            flagged = gr.Checkbox(False, label="only flagged")
    return base, distilled, words, shortest, cut, flagged


def _build_panel(side: Role) -> SidePanel:
    with gr.Column(min_width=300):
        head = gr.HTML("")
        answer = gr.Markdown("", latex_delimiters=LATEX_DELIMITERS, line_breaks=True, elem_classes="bm-text")
        with gr.Row():
            note = gr.Textbox(
                placeholder="Why is this grade wrong?", show_label=False, label=f"Comment on the {side} grade",
                max_lines=1, scale=3, container=False,
            )  # fmt: skip
            flag = gr.Button("Flag the grade", size="sm", scale=1, min_width=110)
        flags = gr.HTML("")
    return SidePanel(head, answer, note, flag, flags)


def _build_pinning() -> PinPanel:
    with gr.Row():
        note = gr.Textbox(
            placeholder="Why is this worth reading?", show_label=False, label="Note on the case", max_lines=1, scale=3,
            container=False,
        )  # fmt: skip
        key = owner_key(placeholder="Owner's key", show_label=False, scale=1, container=False)
        pin = gr.Button("Add to case studies", size="sm", scale=1, min_width=110, elem_id="bm-pin")
    return PinPanel(note, key, pin, gr.Markdown("", elem_id="bm-pinned"))


def make_filters(*values: Any) -> Filters:
    """Filters from form values, which may be empty or forged."""
    base, distilled, words, shortest, cut, flagged = values
    return Filters(str(base), str(distilled), str(words or "")[:200], int(shortest or 0), bool(cut), bool(flagged))


def wire_grid(library: RunLibrary, widgets: GridWidgets, sides: list[Any], choose: Callable[..., Choice]) -> None:
    """`sides`: the inputs from which `choose` makes the Choice."""
    count = len(sides)
    outputs = _detail_outputs(widgets)

    def filtered(problem: str, *values: Any) -> str:
        try:
            return grid_update(library, choose(*values[:count]), make_filters(*values[count:]), problem)
        except ArenaError as error:
            return note(words_of(error))

    def clicked(event: gr.EventData, *values: Any) -> dict[Any, Any]:
        problem = str(event._data.get("problem", "")) if isinstance(event._data, dict) else ""
        opened = other_sample(problem, 0, *values[:count])
        return {widgets.problem: problem, widgets.grid: filtered(problem, *values), **opened}

    @spoken()
    def other_sample(problem: str, index: int, *values: Any) -> dict[Any, Any]:
        return show_problem(library, widgets, choose(*values), problem, int(index or 0))

    inputs = [*sides, *widgets.filters]
    for component in widgets.filters:
        component.input(filtered, [widgets.problem, *inputs], widgets.grid, **QUIET)  # not change: a run resets them
    opened = widgets.grid.click(clicked, inputs, [widgets.problem, widgets.grid, *outputs], **QUIET)
    opened.then(fn=None, js=SHOW_DETAIL)  # it stands below the grid, which may fill several screens of a phone
    widgets.sample.input(other_sample, [widgets.problem, widgets.sample, *sides], outputs, **QUIET)
    for side in SIDES:
        _wire_flag(library, widgets, side, sides, choose)
    _wire_pin(library, widgets, sides, choose)


def _wire_flag(
    library: RunLibrary, widgets: GridWidgets, side: Role, sides: list[Any], choose: Callable[..., Choice]
) -> None:
    panel = widgets.panels[side]

    def flag(secret: str, problem: str, index: int, comment: str, *values: Any) -> dict[Any, Any]:
        try:
            require_owner(secret)
            choice = choose(*values)
            flag_grade(library, choice, side, problem, int(index or 0), comment)
            flags = library.results(choice).flags(choice.sides[side], problem)
        except ArenaError as error:
            return {panel.flags: note(words_of(error))}
        return {panel.flags: flags_html(flags), panel.note: ""}

    inputs = [widgets.pinning.key, widgets.problem, widgets.sample, panel.note, *sides]
    panel.flag.click(flag, inputs, [panel.flags, panel.note], **QUIET)


def _wire_pin(library: RunLibrary, widgets: GridWidgets, sides: list[Any], choose: Callable[..., Choice]) -> None:
    panel = widgets.pinning

    def pin(secret: str, problem: str, comment: str, *values: Any) -> dict[Any, Any]:
        try:
            require_owner(secret)
            return {panel.notice: pin_problem(library, choose(*values), problem, comment), panel.note: ""}
        except ArenaError as error:
            return {panel.notice: words_of(error)}

    panel.pin.click(pin, [panel.key, widgets.problem, panel.note, *sides], [panel.notice, panel.note], **QUIET)


def pin_problem(library: RunLibrary, choice: Choice, problem: str, comment: str) -> str:
    """Pin a problem with the first answer of each side as a case study; returns a sentence that says where it is.

    Two sides of two runs make two cases. Raises DataError for a problem that is not there.
    """
    results = library.results(choice)
    runs = dict.fromkeys(side.run for side in choice.sides.values() if results.details(side, problem))
    if not runs:
        raise DataError("There is no such problem.", "Choose a problem first.")
    keys = {run: pin_from_run(library.runs, run, problem, str(comment or "")).key for run in runs}
    links = " and ".join(f"[with the first answers from run {run}](?case={key})" for run, key in keys.items())
    return Typeset(f"Added to the Case studies tab, {links}.")


def flag_grade(library: RunLibrary, choice: Choice, side: Role, problem: str, index: int, comment: str) -> None:
    """Record that a person flagged a grade as wrong. Flags are shown and counted, but change no figure.

    Raises DataError if the sample does not exist, or if the run already has too many flags.
    """
    contender = choice.sides[side]
    details = [d for d in library.results(choice).details(contender, problem) if d["index"] == index]
    if not details:
        raise DataError("There is no such answer.", "Choose a problem first.")
    log = RunLog.open(library.runs, contender.run)
    if sum(1 for _ in log.rows("flags")) >= MOST_FLAGS:
        raise DataError(f"This run has {MOST_FLAGS} flags already.")
    row = {
        "model": contender.model,
        "problem_id": problem,
        "index": index,
        "outcome": details[0]["outcome"],
        "note": str(comment or "")[:MOST_NOTE],
        "flagged_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    log.append("flags", [row])


def grid_update(library: RunLibrary, choice: Choice, filters: Filters, selected: str = "") -> str:
    cells = library.cells(choice, filters)
    return grid_html(cells, len(library.shown(choice).comparison.cells), selected)


def _detail_outputs(widgets: GridWidgets) -> list[Any]:
    parts: list[Any] = [widgets.detail, widgets.question, widgets.sample, widgets.thoughts, widgets.pinning.notice]
    for panel in widgets.panels.values():
        parts += [panel.head, panel.answer, panel.flags]
    return parts


def show_problem(library: RunLibrary, widgets: GridWidgets, choice: Choice, problem: str, index: int) -> dict[Any, Any]:
    """Updates that show both answers to one problem."""
    results = library.results(choice)
    details = {side: results.details(contender, problem) for side, contender in choice.sides.items()}
    everything = [*details["base"], *details["distilled"]]
    if not everything:
        return {widgets.detail: gr.update(visible=False)}
    first = everything[0]
    count = max(len(samples) for samples in details.values())
    facts = " · ".join(x for x in (problem, first["subject"], f"level {first['level']}" if first["level"] else "") if x)
    gold = typeset(f"${first['gold']}$")
    question = f"**{typeset(facts)}**\n\n{typeset(first['question'])}\n\n**{ours('Gold answer:')}** {gold}"
    updates: dict[Any, Any] = {
        widgets.detail: gr.update(visible=True),
        widgets.question: question,
        widgets.pinning.notice: "",
        widgets.sample: gr.update(
            choices=[(str(i + 1), i) for i in range(count)], value=min(index, count - 1), visible=count > 1
        ),
    }
    titles = library.shown(choice).titles
    chosen = {side: next((d for d in details[side] if d["index"] == index), None) for side in SIDES}
    for side, panel in widgets.panels.items():
        updates |= _panel_updates(panel, side, titles[side], chosen[side])
        updates[panel.flags] = flags_html(results.flags(choice.sides[side], problem))
    return {**updates, widgets.thoughts: thoughts_html(chosen, titles)}


def _panel_updates(panel: SidePanel, side: Role, title: str, sample: dict[str, Any] | None) -> dict[Any, Any]:
    if sample is None:
        return {
            panel.head: render(
                '<div class="side-head"><span class="name {{ side }}">{{ title }}</span></div>no answer yet',
                side=side,
                title=title,
            ),
            panel.answer: "",
        }
    return {
        panel.head: answer_head(side, title, sample),
        panel.answer: typeset(sample["answer"]) or ours("No answer: the model only produced a thought."),
    }

"""The form for writing a thought by hand: widgets and wiring around the edits of `traces.thoughts.annotate`."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import gradio as gr

from traces.thoughts import annotate
from traces.thoughts.annotate import Draft, Step
from ui.kit.events import QUIET, spoken
from ui.kit.html import Markup, html, low_row, note, render, shown, stacked_row, text_of
from ui.kit.owner import require_owner
from ui.traces.library import TraceLibrary, own_problem
from ui.traces.view import verdict_html

LONGEST_SESSION = 4 * 3600.0
"""A form may stay open overnight; no more time than this is recorded."""


def steps_html(steps: tuple[Step, ...]) -> Markup:
    """The thought as it stands."""
    if not steps:
        return note("No step yet.")
    return render(
        '<ol class="steps">{% for step in steps %}<li class="{{ "wrong" if step.wrong }}">'
        '<div class="text" translate="no">{{ step.text }}</div>'
        '{% if step.wrong %}<p class="note" translate="no">Wrong: {{ step.wrong }}</p>{% endif %}</li>'
        "{% endfor %}</ol>",
        steps=steps,
    )


def steps_in(kept: Any) -> tuple[Step, ...]:
    """The steps of a draft that a browser remembers; none if what it sends is no draft."""
    with suppress(TypeError, ValueError, LookupError):
        return tuple(Step(str(text), str(wrong)) for text, wrong in kept["steps"])
    return ()


def written(steps: tuple[Step, ...], since: float, question: str, gold: str) -> list[Any]:
    """Updates of `Form.thought`."""
    pairs = [[step.text, step.wrong] for step in steps]
    kept = {"steps": pairs, "since": since, "question": question, "gold": gold}
    return [steps, since, shown(steps_html(steps)), kept]


def restored(kept: Any, now: tuple[Step, ...] = ()) -> list[Any]:
    """The form as it was when the page was left; as it is, where something is written."""
    if now or not (steps := steps_in(kept)):
        return [gr.skip()] * 5
    since = kept.get("since")
    steps_since = since if isinstance(since, int | float) else 0.0
    return [steps, steps_since, shown(steps_html(steps)), str(kept.get("question", "")), str(kept.get("gold", ""))]


class Form(NamedTuple):
    """The widgets of the form."""

    kept: gr.BrowserState
    """The draft, as the browser remembers it over a reload or a lost session."""
    steps: gr.State
    started: gr.State
    """Unix time of the first edit; 0 before."""
    question: gr.Textbox
    gold: gr.Textbox
    take: gr.Button
    view: gr.HTML
    text: gr.Textbox
    add: gr.Button
    number: gr.Number
    change: gr.Button
    up: gr.Button
    down: gr.Button
    delete: gr.Button
    reason: gr.Textbox
    wrong: gr.Button
    right: gr.Button
    answer: gr.Textbox
    name: gr.Textbox
    save: gr.Button
    notice: gr.HTML

    @property
    def thought(self) -> list[Any]:
        """What every edit changes."""
        return [self.steps, self.started, self.view, self.kept]


def build_form(library: TraceLibrary, open_trace: gr.State, key: gr.Textbox) -> None:
    """Fill the enclosing tab. `open_trace`: id of the trace being read, which can be continued here; `key`: the
    owner's, since saved traces are shown to everybody."""
    gr.Markdown(text_of("traces")["write"])
    w = build_widgets()
    wire_edits(w)
    # Gradio makes a tab when it is first opened: only then is what the browser remembers there.
    w.kept.change(restored, [w.kept, w.steps], [w.steps, w.started, w.view, w.question, w.gold], **QUIET)
    wire_taking_up(library, open_trace, w)
    wire_saving(library, key, w)


def build_widgets() -> Form:
    with stacked_row():
        question = gr.Textbox(label="Problem", lines=3, scale=3, min_width=260, elem_id="write-question")
        with gr.Column(scale=1, min_width=200):
            gold = gr.Textbox(label="Correct answer", elem_id="write-gold")
            take = gr.Button("Start from the open trace", size="sm")
    view = html(steps_html(()), elem_id="write-steps")
    text = gr.Textbox(label="Step", lines=3, placeholder="What you think next", elem_id="write-step")
    add = gr.Button("Add step", variant="primary", size="sm", elem_id="write-add")
    with gr.Accordion("Change a step", open=False):
        with low_row():
            number = gr.Number(1, label="Step number", precision=0, minimum=1, min_width=130, scale=0)
            change = gr.Button("Replace with the text above", size="sm", min_width=180)
            up = gr.Button("Move up", size="sm", min_width=90)
            down = gr.Button("Move down", size="sm", min_width=100)
            delete = gr.Button("Delete", size="sm", min_width=80)
        with low_row():
            reason = gr.Textbox(label="What is wrong with it", scale=3, min_width=220, elem_id="write-reason")
            wrong = gr.Button("Mark as wrong", size="sm", min_width=130)
            right = gr.Button("Mark as right", size="sm", min_width=130)
    with low_row():
        answer = gr.Textbox(label="Final answer", elem_id="write-answer", min_width=160)
        name = gr.Textbox(label="Your name", elem_id="write-name", min_width=160)
        save = gr.Button("Save the thought", variant="primary", min_width=160)
    notice = html(elem_id="write-told")
    return Form(
        gr.BrowserState(None, storage_key="journey-arena-draft", secret="journey-arena"),
        gr.State(()), gr.State(0.0), question, gold, take, view, text, add, number, change, up, down, delete, reason,
        wrong, right, answer, name, save, notice,
    )  # fmt: skip


def wire_edits(w: Form) -> None:
    """A button for each edit of `traces.thoughts.annotate`."""

    def wire(button: gr.Button, edit: Callable[..., Draft], inputs: list[Any], clear: Any = None) -> None:
        """`edit` gets the draft and the values of `inputs`; `clear` is emptied afterwards."""

        @spoken()
        def handle(now: tuple[Step, ...], since: float, kept: Any, asked: str, right: str, *values: Any) -> list[Any]:
            given = [0 if value is None else value for value in values]  # a cleared number field
            draft = edit(Draft(own_problem("", ""), tuple(now) or steps_in(kept)), *given)
            return [*written(draft.steps, since or time.time(), asked, right), *([""] if clear else [])]

        inputs = [w.steps, w.started, w.kept, w.question, w.gold, *inputs]
        button.click(handle, inputs, [*w.thought, *([clear] if clear else [])], **QUIET)

    wire(w.add, annotate.add, [w.text], clear=w.text)
    wire(w.change, annotate.edit, [w.number, w.text], clear=w.text)
    wire(w.up, lambda draft, number: annotate.move(draft, number, number - 1), [w.number])
    wire(w.down, lambda draft, number: annotate.move(draft, number, number + 1), [w.number])
    wire(w.delete, annotate.delete, [w.number])
    wire(w.wrong, annotate.mark_wrong, [w.number, w.reason], clear=w.reason)
    wire(w.right, annotate.mark_right, [w.number])


def wire_taking_up(library: TraceLibrary, open_trace: gr.State, w: Form) -> None:
    @spoken()
    def take_up(trace_id: str) -> list[Any]:
        if not trace_id:
            raise annotate.DraftError("No trace is open.", "Choose one under “Read” first.")
        draft = annotate.draft_of(library.whole(trace_id))
        problem = draft.problem
        told = written(draft.steps, time.time(), problem.question, problem.gold)
        return [*told, problem.question, problem.gold, draft.answer]

    w.take.click(take_up, open_trace, [*w.thought, w.question, w.gold, w.answer], **QUIET)


def wire_saving(library: TraceLibrary, key: gr.Textbox, w: Form) -> None:
    @spoken()
    def save_trace(
        now: tuple[Step, ...], since: float, kept: Any, asked: str, right: str, final: str, who: str, secret: str
    ) -> list[Any]:
        require_owner(secret)
        if not asked.strip() or not right.strip():
            raise annotate.DraftError("The problem or its correct answer is missing.", "Fill in both fields.")
        draft = Draft(own_problem(asked, right), tuple(now) or steps_in(kept), final)
        seconds = min(time.time() - since, LONGEST_SESSION) if since else 0.0
        trace = library.verify_and_add(annotate.trace_of(draft, who, seconds), "people")
        saved = render(
            "<p>Saved as {{ id }} after {{ minutes }} minutes. You find it in the list under “Read”.</p>",
            id=trace.hash,
            minutes=f"{seconds / 60:.1f}",
        )
        return [(), 0.0, shown(steps_html(())), None, "", shown(verdict_html(trace) + saved)]

    given = [w.steps, w.started, w.kept, w.question, w.gold, w.answer, w.name, key]
    w.save.click(save_trace, given, [*w.thought, w.answer, w.notice], api_visibility="private", concurrency_limit=1)

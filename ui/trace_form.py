"""The form by which a person writes a thought: widgets and wiring around the pure edits of `traces.annotate`."""

import time
from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from models.errors import ArenaError
from traces import annotate
from traces.annotate import Draft, Step
from ui.owner import require_owner
from ui.reading import html, low_row, shown, stacked_row, text_of
from ui.trace_shelf import TraceShelf, own_problem
from ui.trace_views import verdict_html

LONGEST_SESSION = 4 * 3600.0
"""A form left open overnight is not a night's work: no more than this is recorded."""


def steps_html(steps: tuple[Step, ...]) -> str:
    """The thought as it stands."""
    if not steps:
        return '<p class="note">No step yet.</p>'
    items = []
    for step in steps:
        wrong = f'<p class="note">Wrong: {escape(step.wrong)}</p>' if step.wrong else ""
        items.append(
            f'<li class="{"wrong" if step.wrong else ""}"><div class="text">{escape(step.text)}</div>{wrong}</li>'
        )
    return f'<ol class="steps">{"".join(items)}</ol>'


def build_form(shelf: TraceShelf, open_trace: gr.State, key: gr.Textbox) -> None:
    """Fill the enclosing tab. `open_trace` holds the id of the trace that is being read, which can be taken up here;
    `key` the owner's, since what is saved is shown to everybody."""
    gr.Markdown(text_of("traces")["write"])
    steps = gr.State(())
    started = gr.State(0.0)
    with stacked_row():
        question = gr.Textbox(label="Problem", lines=3, scale=3, min_width=260, elem_id="write-question")
        with gr.Column(scale=1, min_width=200):
            gold = gr.Textbox(label="Its right answer, to check against", elem_id="write-gold")
            take = gr.Button("Take up the trace being read", size="sm")
    view = html(steps_html(()), elem_id="write-steps")
    text = gr.Textbox(label="Step", lines=3, placeholder="What you think next", elem_id="write-step")
    add = gr.Button("Add step", variant="primary", size="sm", elem_id="write-add")
    with gr.Accordion("Change a step", open=False):
        with low_row():
            number = gr.Number(1, label="Step number", precision=0, minimum=1, min_width=130, scale=0)
            change = gr.Button("Replace by the text above", size="sm", min_width=180)
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
    told = html(elem_id="write-told")

    def edited(edit: Callable[..., Draft], inputs: list[Any], clear: Any = None) -> tuple[Any, list[Any], list[Any]]:
        """A handler that applies one edit to the steps; the edit gets the draft and the values of `inputs`."""

        def handle(now: tuple[Step, ...], since: float, *values: Any) -> list[Any]:
            try:
                draft = edit(Draft(own_problem("", ""), tuple(now)), *values)
            except ArenaError as error:
                raise gr.Error(str(error), duration=6, print_exception=False) from error
            return [draft.steps, since or time.time(), shown(steps_html(draft.steps)), *([""] if clear else [])]

        return handle, [steps, started, *inputs], [steps, started, view, *([clear] if clear else [])]

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    add.click(*edited(annotate.add, [text], clear=text), **quiet)
    change.click(*edited(lambda d, n, t: annotate.edit(d, int(n), t), [number, text], clear=text), **quiet)
    up.click(*edited(lambda d, n: annotate.move(d, int(n), int(n) - 1), [number]), **quiet)
    down.click(*edited(lambda d, n: annotate.move(d, int(n), int(n) + 1), [number]), **quiet)
    delete.click(*edited(lambda d, n: annotate.delete(d, int(n)), [number]), **quiet)
    wrong.click(*edited(lambda d, n, why: annotate.mark_wrong(d, int(n), why), [number, reason], clear=reason), **quiet)
    right.click(*edited(lambda d, n: annotate.mark_right(d, int(n)), [number]), **quiet)

    def take_up(trace_id: str) -> list[Any]:
        try:
            trace = shelf.whole(trace_id)
        except ArenaError as error:
            raise gr.Error("Choose a trace under “Read” first.", duration=6, print_exception=False) from error
        draft = annotate.draft_of(trace)
        return [draft.steps, time.time(), shown(steps_html(draft.steps)), trace.problem.question, trace.problem.gold,
            draft.answer]  # fmt: skip

    take.click(take_up, open_trace, [steps, started, view, question, gold, answer], **quiet)

    def save_trace(
        now: tuple[Step, ...], since: float, asked: str, right: str, final: str, who: str, secret: str
    ) -> list[Any]:
        try:
            require_owner(secret)
            if not asked.strip() or not right.strip():
                raise annotate.DraftError("The problem or its right answer is missing.", "Fill in both fields.")
            draft = Draft(own_problem(asked, right), tuple(now), final)
            seconds = min(time.time() - since, LONGEST_SESSION) if since else 0.0
            trace = shelf.verify_and_add(annotate.trace_of(draft, who, seconds), "people")
        except ArenaError as error:
            raise gr.Error(str(error), duration=8, print_exception=False) from error
        saved = f"<p>Saved as {trace.hash}, {seconds / 60:.1f} minutes. It is in the list under “Read”.</p>"
        return [(), 0.0, shown(steps_html(())), "", shown(verdict_html(trace) + saved)]

    save.click(
        save_trace, [steps, started, question, gold, answer, name, key], [steps, started, view, answer, told],
        api_visibility="private", concurrency_limit=1,
    )  # fmt: skip

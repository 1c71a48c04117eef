"""The reader of the Traces tab: filters, the list, one trace, its tree, and the base's answer next to it."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from common.errors import DataError, ServerError
from eval.thoughts.divergence import keep, token_divergence
from models.chat.client import Message
from models.config.sampling import Sampling
from models.serving.clients import client_of
from traces.keeping.trace import METHODS, Trace
from traces.keeping.yields import TITLES
from ui.kit.events import QUIET, spoken, words_of
from ui.kit.html import Markup, html, render, shown, stacked_row, text_of
from ui.kit.palette import on_click
from ui.kit.places import warn
from ui.kit.typeset import LATEX_DELIMITERS, typeset
from ui.services import Services
from ui.traces.importance import importance_handler
from ui.traces.library import OUTCOMES, BaseAnswer, Entry, Filters, TraceLibrary, chosen
from ui.traces.tree import tree_figure, tree_of_trace, walk_text
from ui.traces.view import compare_html, count_sentence, list_choices, missing_sentence, trace_html
from votes.casting.limits import Action, Rate, RateLimiter

BASE_TOKENS = 512
READY_SECONDS = 5.0
RATES: Mapping[Action, Rate] = {"turn": Rate(per_visitor=10, in_total=120)}
"""Limits for asking about traces; questions in battles have limits of their own."""
FOLLOW_CLICKS = on_click("trace-tree", "document.querySelector('#trace-node .text')?.replaceChildren(data[0]);")
"""Copies the text of a clicked step from the figure to the line below it."""


@dataclass(frozen=True)
class Reader:
    """The widgets of the section."""

    filters: list[Any]
    count: gr.Markdown
    body: gr.Column
    """Everything but filters and count; hidden while there is nothing to read."""
    rows: gr.Radio
    opened: gr.State
    question: gr.Markdown
    page: gr.HTML
    answer: gr.Markdown
    alike: gr.Button
    tree_note: gr.Markdown
    plot: gr.Plot
    walk: gr.Slider
    node: gr.HTML
    ask: gr.Button
    base: gr.HTML
    differ: gr.Button
    weigh: gr.Button
    weighing: gr.HTML
    """Progress of the answers that `weigh` resamples."""

    @property
    def of_list(self) -> list[Any]:
        """What changes with the filters."""
        return [self.count, self.body, self.rows, self.filters[1]]

    @property
    def of_trace(self) -> list[Any]:
        """What changes when another trace is opened."""
        return [
            self.opened,
            self.question,
            self.page,
            self.answer,
            self.tree_note,
            self.plot,
            self.walk,
            self.node,
            self.ask,
            self.base,
            self.weighing,
        ]


def build_reader(services: Services, library: TraceLibrary) -> Reader:
    """Fill the enclosing tab with the list and the reader."""
    filters = build_filters()
    count = gr.Markdown(elem_classes="note", elem_id="trace-count")
    with gr.Column(visible=False) as body:
        with stacked_row():
            with gr.Column(scale=2, min_width=320):
                rows = gr.Radio([], show_label=False, label="Traces", elem_id="trace-list")
            with gr.Column(scale=3, min_width=320):
                question = gr.Markdown(latex_delimiters=LATEX_DELIMITERS, elem_id="trace-question")
                page = html(elem_id="trace-page")
                gr.Markdown("### Answer")
                answer = gr.Markdown(latex_delimiters=LATEX_DELIMITERS, elem_id="trace-answer")
                with gr.Row():
                    alike = gr.Button("Traces like this", size="sm", elem_id="trace-alike")
                    differ = gr.Button("Where both models differ", size="sm", elem_id="trace-differ")
                    weigh = gr.Button("Which sentences matter", size="sm", elem_id="trace-weigh")
                weighing = html(elem_id="trace-weighing")
                gr.Markdown(text_of("traces")["marks"], elem_classes="note")
        gr.Markdown("### The search behind it")
        tree_note = gr.Markdown(text_of("traces")["tree"], elem_classes="note")
        plot = gr.Plot(show_label=False, elem_id="trace-tree")
        walk = gr.Slider(0, 1, 0, step=1, label="Walk of the thought", elem_id="trace-walk")
        node = html(elem_id="trace-node")
        gr.Markdown("### Compared with the base")
        ask = gr.Button("Ask the base the same question", size="sm", elem_id="trace-ask")
        base = html(elem_id="trace-base")
    of_one = (gr.State(""), question, page, answer, alike, tree_note, plot, walk, node, ask, base)
    w = Reader(filters, count, body, rows, *of_one, differ, weigh, weighing)
    wire(services, library, w)
    return w


def build_filters() -> list[Any]:
    with gr.Row(elem_id="trace-filters"):
        methods = [("Any method", ""), *((TITLES[method], method) for method in METHODS)]
        method = gr.Dropdown(methods, value="", label="Method", min_width=140)
        family = gr.Dropdown([("Any family", "")], value="", label="Family", min_width=140)
        outcome = gr.Dropdown(
            [(title, code) for code, title in OUTCOMES.items()], value="", label="Outcome", min_width=170
        )
        words = gr.Textbox(label="Contains", placeholder="wait, go back", min_width=140, elem_id="trace-words")
        least = gr.Number(0, label="Minimum words", precision=0, minimum=0, min_width=100)
        most = gr.Number(0, label="Maximum words (0 = no limit)", precision=0, minimum=0, min_width=120)
        like = gr.Textbox(
            label="Like this question", placeholder="by meaning", max_lines=1, min_width=140, elem_id="trace-like"
        )
    return [method, family, outcome, words, least, most, like]


def filters_of(
    method: str, family: str, outcome: str, words: str, least: float | None, most: float | None, like: str
) -> Filters:
    """The filters' values as one value; an empty or zero limit is none."""
    longest = int(most) if most else None
    return Filters(method or "", family or "", outcome or "", words or "", int(least or 0), longest, like or "")


def wire(services: Services, library: TraceLibrary, w: Reader) -> None:
    @spoken()
    def choose(opened: str, *values: Any) -> dict[Any, Any]:
        return list_update(library, w, filters_of(*values), opened)

    @spoken()
    def open_row(trace_id: str | None) -> dict[Any, Any]:
        return open_update(library, w, trace_id or "")

    gr.on(
        # This also sets the family's choices, which counts as a change, so `family` alone must not trigger it again.
        # The embedding need not follow every keystroke in a question.
        [
            w.filters[1].input,
            w.filters[-1].submit,
            w.filters[-1].blur,
            *(field.change for field in w.filters if field not in (w.filters[1], w.filters[-1])),
        ],
        choose, [w.opened, *w.filters], w.of_list, trigger_mode="always_last", **QUIET,
    )  # fmt: skip

    @spoken()
    def walk_to(trace_id: str, at: float) -> Any:
        return step_update(library, w, trace_id, int(at))

    # What is still being asked is about the trace that was open; it must not overwrite another one.
    asked = wire_models(services, library, w)
    w.rows.input(open_row, w.rows, w.of_trace, cancels=asked, **QUIET).then(fn=None, js=FOLLOW_CLICKS)
    walked = w.walk.release(walk_to, [w.opened, w.walk], [w.plot, w.node], **QUIET)
    walked.then(fn=None, js=FOLLOW_CLICKS)

    @spoken()
    def find_alike(trace_id: str, *values: Any) -> dict[Any, Any]:
        question = library.whole(trace_id).problem.question if trace_id else ""
        filters = replace(filters_of(*values), like=question)
        return {w.filters[-1]: question, **list_update(library, w, filters, trace_id)}

    alike = {**QUIET, "show_progress": "minimal"}
    w.alike.click(find_alike, [w.opened, *w.filters], [w.filters[-1], *w.of_list], concurrency_limit=1, **alike)


def wire_models(services: Services, library: TraceLibrary, w: Reader) -> list[Any]:
    """What asks the served models about the open trace; returns the events."""
    limiter = RateLimiter(RATES, time.monotonic)

    async def ask_base(trace_id: str, request: gr.Request) -> Any:
        with spoken():
            limiter.take("turn", services.visitor(request))
            trace = await asyncio.to_thread(
                library.whole, trace_id
            )  # read files in threads: streams share this event loop
            answer = await ask(services, trace)
        try:
            await asyncio.to_thread(library.add_base_answer, answer)
        except DataError as error:
            warn(words_of(error))
        return shown(compare_html(trace, answer))

    asking = w.ask.click(ask_base, w.opened, w.base, api_visibility="private", concurrency_limit=4)

    async def compare_models(trace_id: str, request: gr.Request) -> Any:
        with spoken():
            limiter.take("turn", services.visitor(request))
            trace = await asyncio.to_thread(library.whole, trace_id)
            messages = [Message("user", trace.prompt)]
            divergence = await token_divergence(services.served, messages, trace.raw, READY_SECONDS)
            await asyncio.to_thread(keep, trace.thought, divergence)
        return shown(trace_html(trace))

    comparing = w.differ.click(compare_models, w.opened, w.page, api_visibility="private", concurrency_limit=2)
    weigh = importance_handler(services, library, limiter)
    drawn = [w.weighing, w.page]
    weighing = w.weigh.click(weigh, w.opened, drawn, api_visibility="private", concurrency_limit=1)
    return [asking, comparing, weighing]


def list_update(library: TraceLibrary, w: Reader, filters: Filters, opened: str = "") -> dict[Any, Any]:
    """The list anew, with the opened trace chosen in it if it is there."""
    entries = library.entries()
    found = chosen(entries, filters)
    families = sorted({entry.trace.problem.subject for entry in entries if entry.trace.problem.subject})
    choices = list_choices(found)
    return {
        w.count: f"{count_sentence(len(found), len(entries))} {missing_sentence(library.missing())}".strip(),
        w.body: gr.update(visible=bool(entries)),
        w.rows: gr.update(choices=choices, value=opened if opened in dict(choices).values() else None),
        w.filters[1]: gr.update(choices=[("Any family", ""), *((family, family) for family in families)]),
    }


def open_update(library: TraceLibrary, w: Reader, trace_id: str) -> dict[Any, Any]:
    """One trace opened: its text, its tree, and the base's answer if it is known. Raises DataError if it is gone."""
    if not trace_id:
        hidden = {w.plot: gr.update(value=None, visible=False), w.walk: gr.update(visible=False)}
        empty = dict.fromkeys([w.page, w.node, w.base, w.weighing], shown(""))
        return {w.opened: "", w.question: "", w.answer: "", w.tree_note: "", w.ask: gr.update(), **hidden, **empty}
    trace = library.whole(trace_id)
    tree = tree_of_trace(trace)
    known = library.base_answer(trace.prompt)
    return {
        w.opened: trace_id,
        w.question: typeset(trace.problem.question),
        w.page: shown(trace_html(trace)),
        w.answer: typeset(trace.answer or "–"),
        w.tree_note: text_of("traces")["tree" if tree else "no_tree"],
        w.plot: gr.update(value=tree_figure(tree) if tree else None, visible=bool(tree)),
        w.walk: gr.update(value=0, maximum=len(tree["walk"]) - 1 if tree else 1, visible=bool(tree)),
        w.node: shown(node_html(walk_text(tree, 0)) if tree else ""),
        w.ask: gr.update(value="Ask the base again" if known else "Ask the base the same question"),
        w.base: shown(compare_html(trace, known) if known else ""),
        w.weighing: shown(""),
    }


def step_update(library: TraceLibrary, w: Reader, trace_id: str, at: int) -> Any:
    tree = tree_of_trace(library.whole(trace_id)) if trace_id else None
    return {w.plot: tree_figure(tree, at), w.node: shown(node_html(walk_text(tree, at)))} if tree else gr.skip()


def node_html(text: str) -> Markup:
    return render('<div class="card" translate="no"><div class="text">{{ text }}</div></div>', text=text)


async def ask(services: Services, trace: Trace) -> BaseAnswer:
    """The base's greedy answer to the trace's prompt. Raises ServerError if the base is not ready or fails."""
    async with await client_of(services.served, "base", READY_SECONDS) as client:
        reply = await client.complete([Message("user", trace.prompt)], Sampling(max_tokens=BASE_TOKENS))
    if reply.finish_reason == "failed":
        raise ServerError(f"The base did not answer: {reply.error}", "Try again.")
    return BaseAnswer(
        trace.prompt, reply.raw, services.served.pair.base.title, reply.output_tokens, reply.finish_reason
    )


def best_to_open(entries: Sequence[Entry]) -> str:
    """The trace opened by default: the first that says “wait”, else the first."""
    turning = next((entry for entry in entries if "wait" in entry.trace.thought.lower()), None)
    return (turning or entries[0]).id if entries else ""

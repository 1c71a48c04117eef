"""The Compare tab: ask both models, watch or wait, vote, read the reasoning, vote again, see who was who.

Widgets and wiring only. What may happen is decided by `votes.casting.desk`, a turn is taken by `battles.turns`, what is
shown of a battle is computed by `ui.compare.view`.
"""

import json
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.context import Context

from battles.battle import SIDES, Battle
from battles.live import LiveTurns
from battles.sampling import longest_reply
from battles.tools import Tool
from battles.turns import Turns
from eval.results.overview import SetResult
from eval.runs.log import RUNS
from insights.offers import Candidate
from ui.compare.edit import build_edit, edit_handler, take_handler
from ui.compare.examples import Example, examples_html, pool
from ui.compare.findings import read_findings
from ui.compare.handlers import (
    ask_handler,
    copy_handler,
    go_on_handler,
    look_handler,
    open_handler,
    pin_handler,
    restart_handler,
    reveal_handler,
    tool_handler,
    undo_handler,
    vote_handler,
)
from ui.compare.news import TurnStreams
from ui.compare.offers import build_offers
from ui.compare.screen import BallotWidgets, PinWidgets, Renderer, Widgets
from ui.compare.view import QUESTION_HINTS, TARGETS, TOOLS, VOTE_PROMPTS, head, reason_choices
from ui.compare.waits import Waits
from ui.compare.welcome import finding_html, welcome_html
from ui.kit.events import QUIET
from ui.kit.html import Markup, render
from ui.kit.owner import owner_key
from ui.kit.sampling import SamplingLimits, build_sampling_controls
from ui.kit.typeset import LATEX_DELIMITERS
from ui.services import Services
from votes.agreement import AGREEMENT
from votes.ballot import VERDICTS, Side, Verdict

DIRECT: dict[str, Any] = {**QUIET, "queue": False, "preprocess": False, "postprocess": False}
"""Options of an event that is answered immediately, with plain data: no queue, and no conversion by gradio."""
STORED = Markup(
    '<p class="note stored"><span>Anyone with a battle’s link can open it. Your words are published only if you agree '
    'when you vote.</span> <span class="count" role="status"></span></p>'
)
VOTE_IDS: dict[Verdict, str] = {"a": "vote-a", "tie": "vote-tie", "both_bad": "vote-both-bad", "b": "vote-b"}


def build_compare_tab(services: Services) -> None:
    """Build the tab inside the current `gr.Tab`."""
    turns = Turns(services.served, services.desk, LiveTurns(), services.guard)
    pair = services.served.pair
    findings = read_findings(services.home / RUNS, pair.key)
    examples = pool(findings.measured)
    longest = services.desk.limits.prompt_characters
    widgets = build_widgets(welcome_html(pair, services.why), examples, findings.results, longest)
    with widgets.examples:
        candidates = [Candidate(one.tag or one.title, one.question) for one in examples]
        build_offers(services, turns.offers, widgets.question, candidates)
    settings = build_settings(services)
    gr.HTML('<details class="mine" id="my-battles" hidden><summary>My battles</summary><ul></ul></details>')
    wire(turns, widgets, settings, Renderer(services, findings, Waits(services.store, pair.key)))


def build_widgets(
    hello: str = "", offered: Sequence[Example] = (), results: Sequence[SetResult] = (), longest: int = 8000
) -> Widgets:
    """`hello`: what the page is; `results`: of the pair's sets; `longest`: most characters in a question."""
    battle = gr.State(Battle())
    shown = gr.Textbox("", visible=False)
    copied = gr.Textbox(visible=False)
    news = gr.JSON(visible=False)
    pulse = gr.Button("", elem_id="pulse", elem_classes="out-of-sight")
    with gr.Row(elem_id="battle-bar"):
        modes = [("Blind battle", "blind"), ("Named", "named")]
        mode = gr.Radio(modes, value="blind", label="Mode", container=False, elem_classes="segmented", min_width=0)
        delivery = gr.Checkbox(False, label="Watch live (reveals speed)", container=False, elem_id="live", min_width=0)
        new = gr.Button("New battle", size="sm", visible=False, elem_id="new-battle", min_width=0)
    with gr.Column(visible=False) as arena:
        heads, panels, costs, copies = build_panels()
        progress = gr.HTML("", elem_id="progress")
        target, tools = build_tools()
        edit = build_edit()
        ballot = build_ballot()
        with gr.Row(elem_classes="small-row"):
            look = gr.Button("Look closer at the thoughts", size="sm", visible=False, elem_id="look-closer")
        lens = gr.HTML("", elem_id="battle-lens")
        pin = build_pin()
    with gr.Column() as welcome:
        gr.HTML(hello)
    question, ask, tools["stop"] = build_question(longest)
    with gr.Column(elem_id="examples") as examples:
        gr.HTML(examples_html(offered))
        gr.HTML(finding_html(results))
    return Widgets(
        battle, mode, delivery, panels, heads, costs, progress, tools, target, question, ask, ballot, new, edit, pin,
        look, lens, shown, copies, copied, arena, welcome, examples, news, pulse,
    )  # fmt: skip


def build_question(longest: int) -> tuple[gr.Textbox, gr.Button, gr.Button]:
    """The question field, and the ask and stop buttons, only one of which is shown at a time."""
    with gr.Row(elem_id="composer"):
        question = gr.Textbox(
            placeholder=QUESTION_HINTS["open"],
            label="Question",
            show_label=False,
            container=False,
            lines=2,
            max_lines=8,
            elem_id="question",
        )
        ask = gr.Button("Ask", variant="primary", scale=0, min_width=96, elem_id="ask")
        stop = gr.Button(TOOLS["stop"], visible=False, scale=0, min_width=96, elem_id="tool-stop")
    gr.HTML(render('<div id="longest" data-characters="{{ longest }}" hidden></div>', longest=longest) + STORED)
    return question, ask, stop


def build_panels() -> tuple[dict[Side, gr.HTML], dict[Side, gr.Chatbot], dict[Side, gr.HTML], dict[Side, gr.Button]]:
    heads: dict[Side, gr.HTML] = {}
    panels: dict[Side, gr.Chatbot] = {}
    costs: dict[Side, gr.HTML] = {}
    copies: dict[Side, gr.Button] = {}
    with gr.Row(elem_id="sides"):
        for side in SIDES:
            with gr.Column(min_width=300):
                with gr.Row(elem_classes="side-top"):
                    heads[side] = gr.HTML(head(Battle(), side, {}))
                    copies[side] = gr.Button("Copy", size="sm", min_width=60, scale=0, elem_id=f"copy-{side}")
                panels[side] = gr.Chatbot(
                    show_label=False,
                    label=f"Side {side.upper()}",
                    height=None,  # it grows with what it holds
                    min_height=150,
                    max_height="max(70vh, 24rem)",
                    latex_delimiters=LATEX_DELIMITERS,
                    autoscroll=False,  # page.js follows, and lets a reader scroll away
                    buttons=[],
                    elem_id=f"panel-{side}",
                    elem_classes="panel",
                    feedback_options=None,
                    placeholder="The answer appears here.",
                )
                costs[side] = gr.HTML("")
    return heads, panels, costs, copies


def build_tools() -> tuple[gr.Radio, dict[Tool, gr.Button]]:
    """What can be done with replies. Tools that steer a thought are for named mode."""
    with gr.Row(elem_classes="small-row"):
        target = gr.Radio(
            list(TARGETS),
            value="Both",
            label="Side",
            container=False,
            visible=False,
            elem_classes="segmented",
            min_width=0,
        )
        tools: dict[Tool, gr.Button] = {
            tool: gr.Button(label, size="sm", visible=False, min_width=60, elem_id=f"tool-{tool}")
            for tool, label in TOOLS.items()
            if tool != "stop"  # beside the question, where it is always in reach
        }
    return target, tools


def build_ballot() -> BallotWidgets:
    """The ballot, which stays in view while the answers are read, and what follows it."""
    with gr.Row(elem_id="decide"):
        with gr.Group(visible=False, elem_id="vote-box") as group:
            prompt = gr.HTML(VOTE_PROMPTS["answers"])
            with gr.Row(elem_classes="vote-row"):
                buttons = {v: gr.Button(VERDICTS[v], elem_id=element) for v, element in VOTE_IDS.items()}
        with gr.Row(visible=False, elem_classes="small-row", elem_id="after-vote") as after:
            reveal = gr.Button("Show the names without voting", elem_id="show-names")
            undo = gr.Button("Undo vote", size="sm", visible=False)
    facts = gr.HTML("", elem_id="facts")
    with gr.Row(elem_classes="small-row", elem_id="after-reveal"):
        following = gr.Button("Next battle", variant="primary", visible=False, elem_id="next-battle")
        go_on = gr.Button("Continue this conversation", visible=False, elem_id="go-on")
    with gr.Column(visible=False, elem_id="ballot-more") as more:
        agree = gr.Checkbox(False, label=AGREEMENT, container=False, elem_id="agree")
        with gr.Accordion("Say why (optional)", open=False):
            reasons = gr.CheckboxGroup(reason_choices(Battle()), label="Reasons", show_label=False)
            comment = gr.Textbox(placeholder="A comment", label="Comment", show_label=False, max_lines=4)
    link = gr.Markdown("")
    stage = gr.Textbox("answers", visible=False)
    return BallotWidgets(
        group, more, prompt, buttons, reasons, comment, agree, after, undo, reveal, following, go_on, facts, link, stage
    )


def build_pin() -> PinWidgets:
    """Make the battle a case study, once its names are known. On a public Space, only the owner can."""
    with gr.Accordion("Pin as a case", open=False, visible=False, elem_id="pin-battle") as box:
        note = gr.Textbox(
            placeholder="Why is this worth reading? (optional)", label="Note", lines=2, elem_id="pin-battle-note"
        )
        key = owner_key()
        pin = gr.Button("Pin", size="sm", min_width=90, elem_id="pin-battle-button")
        said = gr.Markdown("", elem_id="pin-battle-said")
    return PinWidgets(box, note, key, pin, said)


def build_settings(services: Services) -> list[Component]:
    """Sampling for both sides, and a second set that counts only when it is switched on (named mode)."""
    served = services.served
    default = served.pair.distilled.sampling
    with gr.Accordion("Settings for the next battle", open=False, elem_id="settings"):
        common = build_sampling_controls(default, longest_reply(served))
        differ = gr.Checkbox(False, label="Different settings for the distilled model (named mode only)")
        with gr.Group(visible=False) as group:
            own = build_sampling_controls(default, longest_reply(served, ["distilled"]))
        differ.change(lambda on: gr.update(visible=on), differ, group, **QUIET)
    return [*common, differ, *own]


def wire(turns: Turns, w: Widgets, samplings: list[Component], show: Renderer) -> None:
    """Connect the widgets with their handlers."""
    services = show.services
    page = Context.root_block
    assert page is not None
    TurnStreams(services, turns, show).serve_with(page)
    named = w.named()
    # In the browser only, without a request: the page's script returns what each widget shows from now on.
    take = f"(told) => arena.take(told, {json.dumps(list(named))})"
    w.pulse.click(None, None, list(named.values()), js=take, trigger_mode="multiple", **QUIET)

    def answer(trigger: Any, handler: Any, inputs: list[Component], js: str | None = None) -> None:
        event = gr.on(trigger, handler, inputs, [w.battle, w.news], js=js, **DIRECT)
        event.success(None, w.news, list(named.values()), js=take, **QUIET)

    limits = SamplingLimits(longest_reply(services.served), longest_reply(services.served, ["distilled"]))
    asking = [w.battle, w.shown, w.question, w.mode, w.delivery, *samplings]
    answer([w.ask.click, w.question.submit], ask_handler(services, turns, show, limits), asking)
    for tool, button in w.tools.items():
        answer(button.click, tool_handler(services, turns, show, tool), [w.battle, w.shown, w.target])
    for side, button in w.edit.take.items():
        answer(button.click, take_handler(services, turns, side), [w.battle, w.shown])
    for wish, button in w.edit.go.items():
        answer(button.click, edit_handler(services, turns, show, wish), [w.battle, w.shown, w.target, w.edit.text])
    ballot = w.ballot
    for verdict, button in ballot.votes.items():
        voting = [w.battle, w.shown, ballot.stage, ballot.reasons, ballot.comment, ballot.agree]
        answer(button.click, vote_handler(services, turns, show, verdict), voting)
    remember_agreement(page, ballot.agree)
    answer(ballot.undo.click, undo_handler(services, turns, show), [w.battle, w.shown])
    answer(w.look.click, look_handler(services, turns), [w.battle, w.shown])
    answer(ballot.reveal.click, reveal_handler(services, turns, show), [w.battle, w.shown])
    answer(ballot.go_on.click, go_on_handler(services, turns, show), [w.battle, w.shown])
    begin_anew = [w.new.click, ballot.next.click, w.mode.input]
    answer(begin_anew, restart_handler(services, turns, show), [w.battle, w.shown, w.mode])
    # Not `gr.on(None, …)`, which would open the battle again whenever `shown` changes.
    answer(page.load, open_handler(services, turns, show), [w.shown], js="() => mine.held()")
    w.pin.pin.click(pin_handler(services), [w.battle, w.pin.note, w.pin.key], w.pin.said, **QUIET)
    for side, button in w.copies.items():
        fetched = button.click(copy_handler(services, turns, side), [w.battle, w.shown], w.copied, **QUIET)
        fetched.success(fn=None, inputs=w.copied, js="(text) => void copyText(text)")


def remember_agreement(page: gr.Blocks, agree: gr.Checkbox) -> None:
    """Remember consent in the browser until the visitor withdraws it; it is sent to the server with each vote."""
    agreed = gr.BrowserState(False, storage_key="journey-arena-agreed", secret="journey-arena")
    agree.input(None, agree, agreed, js="(on) => on", **QUIET)
    page.load(None, agreed, agree, js="(on) => on === true", **QUIET)

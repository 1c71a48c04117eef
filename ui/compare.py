"""The Compare tab: ask both models, watch or wait, vote, read the reasoning, vote again, see who was who.

Widgets and wiring only. What may happen is decided by `votes.desk`, a turn is taken by `ui.turns`, what is shown of a
battle is computed by `ui.compare_view`.
"""

from typing import Any

import gradio as gr
from gradio.components import Component

from ui.battle import SIDES, Battle
from ui.benchmark_run import needs_key
from ui.compare_handlers import (
    TARGETS,
    TOOLS,
    BallotWidgets,
    PinWidgets,
    Renderer,
    Widgets,
    ask_handler,
    open_handler,
    pin_handler,
    restart_handler,
    reveal_handler,
    tool_handler,
    undo_handler,
    vote_handler,
)
from ui.compare_view import VOTE_PROMPTS
from ui.examples import EXAMPLES
from ui.live import LiveTurns
from ui.panels import LATEX_DELIMITERS
from ui.sampling_controls import build_sampling_controls
from ui.services import Services
from ui.turns import Turns
from votes.ballot import REASONS, VERDICTS, Side, Verdict

STREAMS_AT_ONCE = 32
VOTE_IDS: dict[Verdict, str] = {"a": "vote-a", "tie": "vote-tie", "both_bad": "vote-both-bad", "b": "vote-b"}


def build_compare_tab(services: Services) -> None:
    """Build the tab inside the current `gr.Tab`."""
    turns = Turns(services.served, services.desk, LiveTurns())
    battle = gr.State(Battle())
    with gr.Row(equal_height=True):
        modes = [("Blind battle", "blind"), ("Named", "named")]
        mode = gr.Radio(modes, value="blind", label="Mode", container=False, scale=3, min_width=250)
        delivery = gr.Checkbox(False, label="Watch live (gives speed away)", container=False, scale=2, min_width=310)
        new = gr.Button("New battle", size="sm", scale=1, min_width=110)
    heads, panels, costs = build_panels()
    progress = gr.HTML("", elem_id="progress")
    target, tools = build_tools()
    ballot = build_ballot()
    pin = build_pin()
    with gr.Row(equal_height=True):
        question = gr.Textbox(
            placeholder="Ask both models … (a battle that is voted on can be read by everybody)",
            show_label=False,
            lines=2,
            max_lines=8,
            scale=6,
            elem_id="question",
        )
        ask = gr.Button("Ask", variant="primary", scale=1, min_width=90, elem_id="ask")
    gr.Examples([[e] for e in EXAMPLES], inputs=question, label="Examples")
    widgets = Widgets(
        battle, mode, delivery, panels, heads, costs, progress, tools, target, question, ask, ballot, new, pin
    )
    samplings = build_settings(services)
    wire(services, turns, widgets, samplings)


def build_panels() -> tuple[dict[Side, gr.HTML], dict[Side, gr.Chatbot], dict[Side, gr.HTML]]:
    heads: dict[Side, gr.HTML] = {}
    panels: dict[Side, gr.Chatbot] = {}
    costs: dict[Side, gr.HTML] = {}
    with gr.Row(elem_id="sides"):
        for side in SIDES:
            with gr.Column(min_width=300):
                heads[side] = gr.HTML(f'<div class="side-head"><span class="letter">{side.upper()}</span></div>')
                panels[side] = gr.Chatbot(
                    show_label=False,
                    label=f"Side {side.upper()}",
                    height=460,
                    latex_delimiters=LATEX_DELIMITERS,
                    buttons=["copy_all"],
                    elem_id=f"panel-{side}",
                    elem_classes="panel",
                    feedback_options=None,
                    placeholder="The answer appears here.",
                )
                costs[side] = gr.HTML("")
    return heads, panels, costs


def build_tools() -> tuple[gr.Radio, dict[str, gr.Button]]:
    """What can be asked of replies that are being written or are there. Thought-bending tools are for named mode."""
    with gr.Row(elem_classes="small-row"):
        target = gr.Radio(
            list(TARGETS), value="Both", show_label=False, container=False, visible=False, scale=0, min_width=260
        )
        tools = {
            tool: gr.Button(label, size="sm", visible=False, min_width=60, elem_id=f"tool-{tool}")
            for tool, label in TOOLS.items()
        }
    return target, tools


def build_ballot() -> BallotWidgets:
    """The ballot, and what follows it."""
    with gr.Group(visible=False, elem_id="vote-box") as group:
        prompt = gr.Markdown(VOTE_PROMPTS["answers"], elem_classes="pad")
        with gr.Row(elem_classes="vote-row"):
            buttons = {v: gr.Button(VERDICTS[v], elem_id=element) for v, element in VOTE_IDS.items()}
        with gr.Accordion("Say why (optional)", open=False):
            reasons = gr.CheckboxGroup([(label, key) for key, label in REASONS.items()], show_label=False)
            comment = gr.Textbox(placeholder="A comment", show_label=False, max_lines=4)
    with gr.Row(visible=False, elem_classes="small-row") as after:
        undo = gr.Button("Undo the vote", size="sm")
        reveal = gr.Button("Show the names", size="sm", variant="primary", elem_id="show-names")
    facts = gr.HTML("", elem_id="facts")
    link = gr.Markdown("")
    return BallotWidgets(group, prompt, buttons, reasons, comment, after, undo, reveal, facts, link)


def build_pin() -> PinWidgets:
    """Make the battle a case study, once its names are known. On a public Space only its owner pins."""
    with gr.Accordion("Pin as a case", open=False, visible=False, elem_id="pin-battle") as box:
        note = gr.Textbox(
            placeholder="Why is this worth reading? (optional)", label="Note", lines=2, elem_id="pin-battle-note"
        )
        key = gr.Textbox(label="Owner's key", type="password", visible=needs_key(), max_lines=1)
        pin = gr.Button("Pin", size="sm", min_width=90, elem_id="pin-battle-button")
        said = gr.Markdown("", elem_id="pin-battle-said")
    return PinWidgets(box, note, key, pin, said)


def build_settings(services: Services) -> list[Component]:
    """Sampling for both sides, and a second set that counts only when it is switched on (named mode)."""
    pair = services.served.pair
    longest = min(pair.base.context_length, pair.distilled.context_length) // 2
    with gr.Accordion("Settings (they hold from the next battle on)", open=False):
        common = build_sampling_controls(pair.distilled.sampling, longest)
        differ = gr.Checkbox(False, label="Other settings for the distilled model (named mode only)")
        with gr.Group(visible=False) as group:
            own = build_sampling_controls(pair.distilled.sampling, longest)
        differ.change(lambda on: gr.update(visible=on), differ, group, show_progress="hidden", api_visibility="private")
    return [*common, differ, *own]


def wire(services: Services, turns: Turns, w: Widgets, samplings: list[Component]) -> None:
    """Connect the widgets with their handlers."""
    show = Renderer(services, w)
    outputs: Any = w.outputs()
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    streaming = {**quiet, "concurrency_limit": STREAMS_AT_ONCE, "concurrency_id": "streams"}
    asking = ask_handler(services, turns, show)
    gr.on(
        [w.ask.click, w.question.submit],
        asking,
        [w.battle, w.question, w.mode, w.delivery, *samplings],
        outputs,
        **streaming,
    )
    for tool, button in w.tools.items():
        inputs = [w.battle, w.target, w.mode, *samplings]
        button.click(tool_handler(services, turns, show, tool), inputs, outputs, **streaming)
    ballot = w.ballot
    for verdict, button in ballot.votes.items():
        cast = vote_handler(services, show, verdict)
        button.click(cast, [w.battle, ballot.reasons, ballot.comment], outputs, **quiet)
    ballot.undo.click(undo_handler(services, show), w.battle, outputs, **quiet)
    w.pin.pin.click(pin_handler(services), [w.battle, w.pin.note, w.pin.key], w.pin.said, **quiet)
    ballot.reveal.click(reveal_handler(services, show), w.battle, outputs, **quiet)
    restart = restart_handler(turns, show)
    w.new.click(restart, [w.battle, w.mode], outputs, **quiet)
    w.mode.input(restart, [w.battle, w.mode], outputs, **quiet)
    gr.on(None, open_handler(services, show), None, outputs, **quiet)

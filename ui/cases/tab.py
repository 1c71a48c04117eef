"""The case studies tab: the cases that ship and people's own, the journey, and the results beyond maths.

Widgets and wiring; what is shown of a case is `ui.cases.view`, what happens is `ui.cases.handlers`.
"""

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.components import Component

from battles.battle import Battle
from battles.live import LiveTurns
from battles.sampling import longest_reply
from battles.turns import Turns
from models.config.registry import ROLES, Role
from traces.cases.cases import paper_cases, shipped_cases
from ui.cases.handlers import (
    Widgets,
    case_choices,
    choose_handler,
    open_handler,
    pick_run_handler,
    run_handler,
    stop_handler,
    vote_handler,
)
from ui.cases.journey import build_journey_page
from ui.cases.own import build_own_cases
from ui.cases.view import ROLE_TITLES, VERDICTS, case_html, side_head
from ui.kit.events import QUIET, page_loads
from ui.kit.html import html, low_row, stacked_row, text_of
from ui.kit.owner import owner_key
from ui.kit.sampling import build_sampling_controls
from ui.kit.typeset import LATEX_DELIMITERS
from ui.open_ended.tab import build_open_ended_page
from ui.services import Services
from votes.ballot import Verdict

STREAMS_AT_ONCE = 16


def build_cases_tab(services: Services) -> None:
    """Fill the enclosing tab. A link to one of its pages is `?tab=cases&view=…`: gradio keeps `page` for itself."""
    with gr.Tabs(overflow_behavior="wrap") as pages:
        for key, (label, build_page) in PAGES.items():
            with gr.Tab(label, id=key):
                build_page(services)
                if key != FIRST:
                    gr.Markdown(f"[Link to this page](?tab=cases&view={key})", elem_classes="note")
    gr.on(page_loads(), select_page, None, pages, **QUIET)


def select_page(request: gr.Request) -> Any:
    """Open the page that a link asks for."""
    wanted = request.query_params.get("view", FIRST)
    return gr.update(selected=wanted if wanted in PAGES else FIRST)


def build_case_page(services: Services) -> None:
    text = text_of("cases")
    gr.Markdown(text["intro"])
    first = paper_cases()[0]
    choices = case_choices(shipped_cases())  # own cases, whose file may be damaged, are added when the page loads
    chosen = gr.Radio(choices, value=first.key, label="Case", elem_id="case-chosen")
    about = html(case_html(first), elem_id="case-about")
    with low_row():
        runs = gr.Dropdown(
            [], label="Run", visible=False, interactive=True, scale=3, min_width=260, elem_id="case-runs"
        )
        run = gr.Button("Run it live", variant="primary", scale=1, min_width=120, elem_id="case-run")
        stop = gr.Button("Stop", visible=False, scale=0, min_width=90)
    facts = html(elem_id="case-facts")
    heads, panels = build_panels()
    progress = gr.HTML("")
    with gr.Column(visible=False, elem_id="case-vote") as ballot:
        gr.Markdown(text["vote"])
        with gr.Row(elem_classes="vote-row"):
            votes = {verdict: gr.Button(label, min_width=110) for verdict, label in VERDICTS.items()}
    mark = gr.Checkbox(True, label="Mark the parts of the reasoning", elem_id="case-mark")
    parts = html(visible=False, elem_id="case-parts")
    gr.Markdown(text["recorded"] + "\n" + text["marks"], elem_classes="note")
    link = gr.Markdown("")
    settings = build_settings(services)
    battle = gr.State(Battle(mode="named", delivery="live"))
    mine = gr.State(())
    w = Widgets(
        chosen, about, runs, facts, link, heads, panels, progress, run, stop, ballot, mark, parts, battle, mine,
        services.served.pair.key,
    )  # fmt: skip
    wire(services, w, votes, settings)
    build_own_cases(services, w)


def build_panels() -> tuple[dict[Role, gr.HTML], dict[Role, gr.Chatbot]]:
    heads: dict[Role, gr.HTML] = {}
    panels: dict[Role, gr.Chatbot] = {}
    with stacked_row():
        for role in ROLES:
            with gr.Column(min_width=300):
                heads[role] = gr.HTML(side_head(role, None), elem_classes="flush")
                panels[role] = gr.Chatbot(
                    show_label=False,
                    label=ROLE_TITLES[role],
                    height=None,
                    min_height=140,
                    max_height=520,
                    latex_delimiters=LATEX_DELIMITERS,
                    buttons=["copy_all"],
                    elem_id=f"case-{role}",
                    elem_classes="panel",
                    feedback_options=None,
                    autoscroll=False,
                    placeholder="Run the case live to see this model’s reply.",
                )
    return heads, panels


def build_settings(services: Services) -> list[Component]:
    """The owner's key, where there is one, then the sampling."""
    served = services.served
    with gr.Accordion("Settings for a live run (same for both models)", open=False):
        key = owner_key(info="With the key, a live run is kept for all visitors.")
        return [key, *build_sampling_controls(served.pair.distilled.sampling, longest_reply(served))]


def wire(services: Services, w: Widgets, votes: dict[Verdict, gr.Button], settings: list[Component]) -> None:
    turns = Turns(services.served, services.desk, LiveTurns(), services.guard)
    outputs: Any = w.outputs()
    streaming = {**QUIET, "concurrency_limit": STREAMS_AT_ONCE, "concurrency_id": "case-streams"}
    w.chosen.input(choose_handler(w), [w.chosen, w.mark, w.mine], outputs, **QUIET)
    shown = [w.chosen, w.runs, w.mark, w.mine]
    w.mark.input(pick_run_handler(w), shown, outputs, **QUIET)
    w.runs.input(pick_run_handler(w, another=True), shown, outputs, **QUIET)
    w.run.click(run_handler(services, turns, w), [w.chosen, w.mark, w.mine, *settings], outputs, **streaming)
    w.stop.click(stop_handler(services, turns), w.battle, None, **QUIET)
    for verdict, button in votes.items():
        button.click(vote_handler(services, w, verdict), w.battle, outputs, **QUIET)
    gr.on(page_loads(), open_handler(w, services.served.pair.key), w.mark, outputs, **QUIET)


FIRST = "case-list"
PAGES: dict[str, tuple[str, Callable[[Services], None]]] = {
    FIRST: ("Cases", build_case_page),
    "journey": ("The journey", build_journey_page),
    "beyond": ("Beyond maths", build_open_ended_page),
}

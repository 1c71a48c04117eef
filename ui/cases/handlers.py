"""Event handlers of the case studies page: choosing, running live, voting. They only translate; rules are elsewhere."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from gradio.blocks import Block

from battles.battle import Battle
from battles.turns import Turns
from common.errors import ArenaError, ConfigError, DataError
from common.software import versions
from models.chat.events import Reply
from models.config.registry import ROLES, Role
from models.config.sampling import Sampling
from traces.cases.cases import Case, CaseRun, SideRun, all_cases, find_case, keep_run, new_run, paper_cases, runs_of
from ui.cases.view import (
    VERDICTS,
    case_choice,
    case_html,
    parts_html,
    run_choice,
    run_html,
    side_head,
    side_messages,
)
from ui.kit.events import spoken, words_of
from ui.kit.html import shown
from ui.kit.links import case_link
from ui.kit.owner import is_owner
from ui.kit.places import tell, warn
from ui.kit.replies import figures, panel_messages, progress_line, thanks
from ui.kit.sampling import read_sampling
from ui.kit.typeset import Typeset
from ui.services import Services
from votes.ballot import Side, Verdict
from votes.errors import TooOften

Update = dict[Block, Any]
Runs = tuple[CaseRun, ...]
MINE_AT_MOST = 10
NOT_KEPT = "Only you can see this run; the owner decides which runs are shown to all visitors."
SIDES: dict[Role, Side] = {"base": "a", "distilled": "b"}
"""In a named battle the desk makes the base side A."""


@dataclass(frozen=True)
class Widgets:
    """The widgets that handlers update."""

    chosen: gr.Radio
    about: gr.HTML
    runs: gr.Dropdown
    facts: gr.HTML
    link: gr.Markdown
    heads: dict[Role, gr.HTML]
    panels: dict[Role, gr.Chatbot]
    progress: gr.HTML
    run: gr.Button
    stop: gr.Button
    ballot: gr.Column
    mark: gr.Checkbox
    parts: gr.HTML
    battle: gr.State
    mine: gr.State
    """Runs started by this visitor and not kept, newest first."""
    pair: str
    """The pair that is loaded, whose runs are shown first."""

    def outputs(self) -> list[Block]:
        return [
            self.chosen, self.about, self.runs, self.facts, self.link, *self.heads.values(), *self.panels.values(),
            self.progress, self.run, self.stop, self.ballot, self.parts, self.battle, self.mine,
        ]  # fmt: skip


def case_choices(cases: Sequence[Case]) -> list[tuple[str, str]]:
    """Title and key of every case."""
    return [(case_choice(number, case), case.key) for number, case in enumerate(cases, 1)]


def show_case(w: Widgets, case: Case, mark: bool, run_id: str | None = None, mine: Runs = ()) -> Update:
    """Updates that show a case and the loaded pair's newest run, another pair's if it has none, or the one asked for.
    `mine`: the visitor's own, first."""
    try:
        runs = runs_of(case.key)
    except DataError as error:
        warn(words_of(error))
        runs = []
    own = [run for run in mine if run.case == case.key]
    every = sorted([*own, *runs], key=lambda run: run.pair != w.pair)
    run = next((run for run in every if run.id == run_id), every[0] if every else None)
    choices = [(f"Only you see this · {run_choice(r)}", r.id) for r in own] + [(run_choice(r), r.id) for r in runs]
    return {
        w.chosen: gr.update(choices=case_choices(all_cases()), value=case.key, interactive=True),
        w.about: shown(case_html(case)),
        w.runs: gr.update(choices=choices, value=run.id if run else None, visible=bool(every), interactive=True),
        w.progress: "",
        w.run: gr.update(interactive=True),
        w.stop: gr.update(visible=False),
        w.ballot: gr.update(visible=False),
        **show_run(w, case, run, mark, mine),
    }


def show_run(w: Widgets, case: Case, run: CaseRun | None, mark: bool, mine: Runs) -> Update:
    public = None if run in mine else run  # a link to another would lead nowhere
    link = Typeset(f"[Link to this case{' and run' if public else ''}]({case_link(case, public)})")
    update: Update = {w.facts: shown(run_html(run)), w.link: link}
    for role in ROLES:
        update[w.heads[role]] = side_head(role, run)
        update[w.panels[role]] = side_messages(case, run, role)
    update[w.parts] = gr.update(value=shown(parts_html(run)) if run and mark else "", visible=bool(run and mark))
    return update


def choose_handler(w: Widgets) -> Callable[..., Update]:
    @spoken()
    def choose(key: str, mark: bool, mine: Runs = ()) -> Update:
        case = find_case(key) or paper_cases()[0]
        return {**show_case(w, case, mark, mine=mine), w.battle: Battle(mode="named", delivery="live")}

    return choose


def pick_run_handler(w: Widgets, *, another: bool = False) -> Callable[..., Update]:
    """Show the chosen run. `another`: it is not the live one, so the live one's ballot is hidden."""

    @spoken()
    def pick(key: str, run_id: str | None, mark: bool, mine: Runs = ()) -> Update:
        case = find_case(key) or paper_cases()[0]
        run = next((run for run in (*mine, *runs_of(case.key)) if run.id == run_id), None)
        return show_run(w, case, run, mark, mine) | ({w.ballot: gr.update(visible=False)} if another else {})

    return pick


def first_case(pair: str) -> Case:
    """The case opened by default: the first that has a run with a thought by this pair, else the paper's first."""
    with suppress(DataError):
        for case in all_cases():
            sides = (run.sides.get("distilled") for run in runs_of(case.key) if run.pair == pair)
            if any(side and side.reply.thought for side in sides):
                return case
    return paper_cases()[0]


def open_handler(w: Widgets, pair: str = "") -> Callable[..., Update]:
    """The case, and the run of it, that a link asks for (`?case=…&case_run=…`), else `first_case`."""

    @spoken()
    def open_case(mark: bool, request: gr.Request) -> Update:
        wanted = request.query_params.get("case", "")
        case = find_case(wanted)
        if wanted and case is None:
            warn("This case no longer exists.")
        return show_case(w, case or first_case(pair), mark, request.query_params.get("case_run"))

    return open_case


def run_handler(services: Services, turns: Turns, w: Widgets) -> Callable[..., AsyncIterator[Update]]:
    """Ask both models the case's question, streaming; the finished run is shown next to the paper's account, and kept
    for all visitors if this visitor may change what they see."""

    async def run(
        key: str, mark: bool, mine: Runs, request: gr.Request, secret: str, *settings: Any
    ) -> AsyncIterator[Update]:
        with spoken():
            case = find_case(key)
        if case is None:
            warn("This case no longer exists.")
            yield gr.skip()
            return
        sampling = read_sampling(*settings)
        if sampling.seed is None:
            sampling = replace(sampling, seed=secrets.randbelow(2**31))  # the run shows it, so that it can be repeated
        battle = Battle(mode="named", delivery="live")
        asked = turns.ask(battle, case.question, services.visitor(request), dict.fromkeys(ROLES, sampling))
        # Otherwise a case opened in the meantime would be overwritten by the replies to this one.
        locked: Update = dict.fromkeys((w.run, w.chosen, w.runs), gr.update(interactive=False))
        hidden: Update = dict.fromkeys((w.ballot, w.parts), gr.update(visible=False))
        yield {**locked, **hidden, w.stop: gr.update(visible=True), w.facts: "", w.link: ""}
        try:
            async with aclosing(asked) as steps:
                async for step in steps:
                    battle = step.battle
                    yield _moving(services, w, battle, step.seconds)
        except ArenaError as error:
            warn(words_of(error))
        finished = _finished(services, case, battle, sampling)
        if finished and not await asyncio.to_thread(_keep, finished, secret):
            mine = (finished, *mine)[:MINE_AT_MOST]
        yield await asyncio.to_thread(_settled, w, case, battle, finished, mine, mark)

    return run


def _moving(services: Services, w: Widgets, battle: Battle, seconds: float) -> Update:
    ready = all(services.served.status(role).phase == "ready" for role in ROLES)
    update: Update = {w.battle: battle, w.progress: progress_line(battle, seconds, ready)}
    for role in ROLES:
        update[w.panels[role]] = panel_messages(battle, SIDES[role])
        update[w.heads[role]] = side_head(role, None) + figures(battle, SIDES[role])
    return update


def _finished(services: Services, case: Case, battle: Battle, sampling: Sampling) -> CaseRun | None:
    """The finished battle over the case's question as a run; None if it was refused or a side failed."""
    if battle.phase != "answers":
        return None
    served = services.served
    return new_run(case, served.pair.key, sampling, _sides(services, battle), versions=versions(()) | served.software())


def _keep(run: CaseRun, key: str) -> bool:
    """Keep the run for all visitors, or show why it is not kept."""
    try:
        if is_owner(key):
            keep_run(run)
            return True
        tell(NOT_KEPT)
    except (ConfigError, TooOften, DataError) as error:
        warn(f"{words_of(error)} Only you can see this run.")
    return False


def _settled(w: Widgets, case: Case, battle: Battle, run: CaseRun | None, mine: Runs, mark: bool) -> Update:
    over: Update = {
        w.progress: "",
        w.run: gr.update(interactive=True),
        w.stop: gr.update(visible=False),
        w.battle: battle,
    }
    if run:
        return show_case(w, case, mark, run.id, mine) | over | {w.ballot: gr.update(visible=True), w.mine: mine}
    if battle.phase == "open":  # refused: all is as it was
        return show_case(w, case, mark, mine=mine) | over
    # None of the recorded runs stays chosen, so that choosing one of them shows it again.
    return over | {w.chosen: gr.update(interactive=True), w.runs: gr.update(value=None, interactive=True)}


def _sides(services: Services, battle: Battle) -> dict[Role, SideRun]:
    sides: dict[Role, SideRun] = {}
    for role in ROLES:
        spec = services.served.pair.model(role)
        reply = battle.reply(SIDES[role]) or Reply(finish_reason="failed")
        sides[role] = SideRun(spec.key, spec.title, reply, services.served.weight_hash(role))
    return sides


def stop_handler(services: Services, turns: Turns) -> Callable[..., Awaitable[None]]:
    # Not in a thread: streams are stopped on their own event loop.
    async def stop(battle: Battle, request: gr.Request) -> None:
        turns.switch(battle, "stop", frozenset(SIDES.values()), services.visitor(request))

    return stop


def vote_handler(services: Services, w: Widgets, verdict: Verdict) -> Callable[..., Update]:
    def vote(battle: Battle, request: gr.Request) -> Update:
        try:
            receipt = services.desk.cast(battle.id, services.visitor(request), "answers", verdict)
        except ArenaError as error:
            warn(words_of(error))
            return gr.skip()
        tell(thanks(receipt, VERDICTS))
        return {w.ballot: gr.update(visible=False)}

    return vote

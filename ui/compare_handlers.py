"""What happens on the Compare tab: one small factory for each handler, and what it updates.

Handlers only translate: a click goes to `ui.turns` or to the desk, the battle that comes back goes to the screen.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from gradio.blocks import Block

from models.errors import ArenaError
from models.registry import ROLES
from ui.battle import SIDES, Battle, fail, shared
from ui.case_view import case_link
from ui.compare_view import (
    QUESTION_HINTS,
    allowed,
    figures,
    head,
    offered,
    panel_messages,
    pinned_sentence,
    progress_line,
    question_hint,
    reason_choices,
    reveal_table,
    shared_link,
    thanks,
    unfinished,
    verdict_line,
    vote_prompt,
)
from ui.own_cases import pin_from_battle
from ui.owner import require_owner
from ui.sampling_controls import read_samplings
from ui.services import Services
from ui.turns import Turns
from votes.ballot import Role, Side, Stage, Verdict
from votes.errors import VoteError
from votes.shown import Reveal

Update = dict[Block, Any]
TARGETS: dict[str, frozenset[Side]] = {
    "Both": frozenset(SIDES),
    "Base (A)": frozenset({"a"}),
    "Distilled (B)": frozenset({"b"}),
}
TOOLS = {
    "stop": "Stop",
    "answer_now": "Answer now",
    "think_more": "Think more",
    "continue": "Continue",
    "regenerate": "Regenerate",
}


@dataclass(frozen=True)
class BallotWidgets:
    """The ballot, and what follows a vote."""

    group: gr.Group
    prompt: gr.HTML
    votes: dict[Verdict, gr.Button]
    reasons: gr.CheckboxGroup
    comment: gr.Textbox
    after: gr.Row
    undo: gr.Button
    reveal: gr.Button
    facts: gr.HTML
    link: gr.Markdown


@dataclass(frozen=True)
class PinWidgets:
    """The control that makes a finished battle a case study."""

    box: gr.Accordion
    note: gr.Textbox
    key: gr.Textbox
    pin: gr.Button
    said: gr.Markdown


@dataclass(frozen=True)
class Widgets:
    """The widgets that handlers update."""

    battle: gr.State
    mode: gr.Radio
    delivery: gr.Checkbox
    panels: dict[Side, gr.Chatbot]
    heads: dict[Side, gr.HTML]
    figures: dict[Side, gr.HTML]
    progress: gr.HTML
    tools: dict[str, gr.Button]
    target: gr.Radio
    question: gr.Textbox
    ask: gr.Button
    ballot: BallotWidgets
    new: gr.Button
    pin: PinWidgets
    arena: gr.Column
    """Everything that makes sense only once something was asked."""
    welcome: tuple[gr.Column, ...]
    """What makes sense only before."""

    def outputs(self) -> list[Block]:
        ballot = self.ballot
        each = (*self.panels.values(), *self.heads.values(), *self.figures.values(), *self.tools.values())
        voting = (ballot.group, ballot.prompt, ballot.reasons, ballot.comment, ballot.after, ballot.undo, ballot.reveal)
        told = (ballot.facts, ballot.link, self.pin.box, self.pin.note, self.pin.said)
        asking = (self.target, self.question, self.ask, self.delivery, self.new, self.arena, *self.welcome)
        return [self.battle, self.progress, *asking, *voting, *told, *each]


class Renderer:
    """A battle → the updates that show it."""

    def __init__(self, services: Services, widgets: Widgets) -> None:
        self.services = services
        self.widgets = widgets
        pair = services.served.pair
        self.titles: Mapping[Role, str] = {"base": pair.base.title, "distilled": pair.distilled.title}

    def moving(self, battle: Battle, seconds: float) -> Update:
        """What changes while replies arrive."""
        w = self.widgets
        ready = all(self.services.served.status(role).phase == "ready" for role in ROLES)
        update: Update = {w.battle: battle, w.progress: progress_line(battle, seconds, ready)}
        for side in SIDES:
            # What is written before one's eyes is followed to its end; what appears whole is read from its beginning.
            follow = len(battle.turns) > 1 or (bool(battle.running) and battle.replies_visible)
            update[w.panels[side]] = gr.update(value=panel_messages(battle, side), autoscroll=follow)
            update[w.figures[side]] = figures(battle, side)
        return update

    def whole(self, battle: Battle, facts: str = "") -> Update:
        """Everything that depends on the battle. `facts`: the reveal's table, if the names are known."""
        w = self.widgets
        asked = bool(battle.turns)
        update = self.moving(battle, 0.0)
        update |= {w.heads[side]: head(battle, side, self.titles) for side in SIDES}
        update |= {button: gr.update(visible=offered(battle, tool)) for tool, button in w.tools.items()}
        update |= {
            w.arena: gr.update(visible=asked),
            w.new: gr.update(visible=asked),
            w.delivery: self.delivery(battle),
            w.target: gr.update(visible=battle.mode == "named" and asked and battle.phase != "shared"),
            w.question: gr.update(placeholder=QUESTION_HINTS[question_hint(battle)]),
            w.ask: gr.update(interactive=battle.phase != "running"),
            w.pin.box: gr.update(visible=battle.can_be_pinned, open=False),
            w.pin.note: "",
            w.pin.said: "",
        }
        update |= {column: gr.update(visible=not asked) for column in w.welcome}
        return update | self.ballot(battle, facts)

    @staticmethod
    def delivery(battle: Battle) -> Any:
        """Whether a battle is watched live is chosen before its first question, and only where it is blind."""
        return gr.update(visible=battle.mode == "blind" and not battle.turns)

    def revealed(self, told: Reveal, votes: Mapping[Stage, Verdict], whose: str = "Your vote") -> str:
        """What was voted for, now that the names are known, and what each side spent."""
        return verdict_line(told, votes, whose) + reveal_table(told, self.titles)

    def ballot(self, battle: Battle, facts: str) -> Update:
        b = self.widgets.ballot
        voted = battle.phase in ("reasoning", "voted")
        return {
            b.group: gr.update(visible=battle.phase in ("answers", "reasoning")),
            b.prompt: vote_prompt(battle),
            b.reasons: gr.update(choices=reason_choices(battle), value=[]),
            b.comment: "",
            b.after: gr.update(visible=voted or (battle.phase == "answers" and battle.mode == "blind")),
            b.undo: gr.update(visible=voted),
            b.reveal: gr.update(
                visible=battle.mode == "blind",
                value="Show the names" if voted else "Show the names without voting",
                variant="primary" if voted else "secondary",
            ),
            b.facts: facts,
            b.link: shared_link(battle) if voted or battle.phase in ("revealed", "shared") else "",
        }


def ask_handler(services: Services, turns: Turns, show: Renderer) -> Callable[..., AsyncIterator[Update]]:
    async def ask(
        battle: Battle, question: str, mode: Any, live: bool, request: gr.Request, *settings: Any
    ) -> AsyncIterator[Update]:
        if battle.over:
            battle = Battle(mode=mode)
        if not battle.id:
            battle = replace(battle, mode=mode, delivery="live" if live else "together")
        asked = turns.ask(battle, question, services.visitor(request), read_samplings(battle.mode, settings))
        first = True
        async for update in follow_turn(show, asked):
            if first and show.widgets.battle in update:
                update[show.widgets.question] = gr.update(value="", placeholder=QUESTION_HINTS["asked"])
            yield update
            first = False

    return ask


def tool_handler(services: Services, turns: Turns, show: Renderer, tool: str) -> Callable[..., AsyncIterator[Update]]:
    async def use(battle: Battle, target: str, request: gr.Request) -> AsyncIterator[Update]:
        sides = TARGETS[target] if battle.mode == "named" else frozenset(SIDES)
        if not allowed(battle, tool) or turns.switch(battle, tool, sides):
            yield gr.skip()
            return
        if battle.phase == "running":  # the connection broke, and the turn ended with it
            yield show.whole(fail(battle))
            return
        if not offered(battle, tool):
            yield gr.skip()
            return
        if tool == "continue":
            sides &= unfinished(battle)
            if not sides:
                gr.Warning("That side has finished. Choose the other side, or think more.")
                yield gr.skip()
                return
        used = turns.use_tool(battle, tool, sides, services.visitor(request))
        async for update in follow_turn(show, used):
            yield update

    return use


async def follow_turn(show: Renderer, progress: Any) -> AsyncIterator[Update]:
    """The screen's updates of one turn, without those that would change nothing that is seen.

    A question that is refused changes nothing but says why; a turn that is left before its first step changes nothing.
    """
    phase = ""
    seen: Update = {}
    try:
        async with aclosing(progress) as steps:
            async for step in steps:
                moving = show.moving(step.battle, step.seconds)
                visible = {widget: value for widget, value in moving.items() if widget is not show.widgets.battle}
                if step.battle.phase != phase:
                    yield show.whole(step.battle) | moving
                elif visible != seen:
                    yield moving
                phase, seen = step.battle.phase, visible
    except (VoteError, ArenaError) as error:
        gr.Warning(str(error))
    if not phase:
        yield gr.skip()  # gradio empties every output of a generator that ends without a value


def vote_handler(services: Services, show: Renderer, verdict: Verdict) -> Callable[..., Update]:
    def cast(battle: Battle, reasons: list[str], comment: str | None, request: gr.Request) -> Update:
        stage: Stage = "reasoning" if battle.phase == "reasoning" else "answers"
        visitor = services.visitor(request)
        try:
            receipt = services.desk.cast(battle.id, visitor, stage, verdict, tuple(reasons), comment or "")
        except VoteError as error:
            gr.Warning(str(error))
            return gr.skip()
        gr.Info(thanks(receipt), duration=4)
        if battle.mode == "named":
            facts = show.revealed(services.desk.reveal(battle.id, visitor), services.desk.standing(battle.id, visitor))
            return show.whole(replace(battle, phase="voted"), facts)
        return show.whole(replace(battle, phase="reasoning" if stage == "answers" else "voted"))

    return cast


def undo_handler(services: Services, show: Renderer) -> Callable[..., Update]:
    def undo(battle: Battle, request: gr.Request) -> Update:
        try:
            receipt = services.desk.undo(battle.id, services.visitor(request))
        except VoteError as error:
            gr.Warning(str(error))
            return gr.skip()
        gr.Info("The vote is taken back; you can vote again.", duration=4)
        return show.whole(replace(battle, phase=receipt.stage))

    return undo


def reveal_handler(services: Services, show: Renderer) -> Callable[..., Update]:
    def reveal(battle: Battle, request: gr.Request) -> Update:
        ask_desk = services.desk.forfeit if battle.phase == "answers" else services.desk.reveal
        visitor = services.visitor(request)
        try:
            told = ask_desk(battle.id, visitor)
            votes = services.desk.standing(battle.id, visitor)
        except VoteError as error:
            gr.Warning(str(error))
            return gr.skip()
        named = replace(battle, phase="revealed", roles={"a": told.a.role, "b": told.b.role})
        return show.whole(named, show.revealed(told, votes))

    return reveal


def pin_handler(services: Services) -> Callable[[Battle, str, str], str]:
    """Battle, note, owner's key → what became of it. The desk says whether the names may be told."""

    def pin(battle: Battle, note: str, key: str) -> str:
        try:
            require_owner(key)
            return pinned_sentence(case_link(pin_from_battle(services, battle.id, note or "")))
        except (ArenaError, VoteError) as error:
            return str(error)

    return pin


def restart_handler(turns: Turns, show: Renderer) -> Callable[..., Any]:
    async def restart(battle: Battle, mode: Any) -> Update:
        fresh = Battle(mode=mode)
        if not battle.turns:  # the page is as it should be; a question asked meanwhile must not be hidden again
            return {show.widgets.delivery: show.delivery(fresh)}
        turns.abandon(battle)
        return show.whole(fresh)

    return restart


def open_handler(services: Services, show: Renderer) -> Callable[..., Update]:
    def open_battle(request: gr.Request) -> Update:
        battle_id = request.query_params.get("battle")
        if not battle_id:
            return gr.skip()
        try:
            found = services.desk.load_battle(battle_id)
        except VoteError as error:
            gr.Warning(str(error))
            return gr.skip()
        facts = show.revealed(found.reveal, found.verdicts, whose="The vote") if found.reveal else ""
        return show.whole(shared(found), facts)

    return open_battle

"""What happens on the Compare tab: one small factory for each handler, and what it updates.

Handlers only translate: a click goes to `battles.turns` or to the desk, the battle that comes back goes to the screen.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import gradio as gr

from battles.battle import SIDES, Battle, fail, shared
from battles.pinning import pin_from_battle
from battles.turns import Turns
from ui.compare.screen import Renderer, Update
from ui.compare.view import (
    QUESTION_HINTS,
    allowed,
    offered,
    pinned_sentence,
    unfinished,
)
from ui.kit.events import spoken
from ui.kit.links import case_link
from ui.kit.owner import require_owner
from ui.kit.replies import thanks
from ui.kit.sampling import read_samplings
from ui.services import Services
from votes.ballot import Side, Stage, Verdict

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
    with spoken():
        async with aclosing(progress) as steps:
            async for step in steps:
                moving = show.moving(step.battle, step.seconds)
                visible = {widget: value for widget, value in moving.items() if widget is not show.widgets.battle}
                if step.battle.phase != phase:
                    yield show.whole(step.battle) | moving
                elif visible != seen:
                    yield moving
                phase, seen = step.battle.phase, visible
    if not phase:
        yield gr.skip()  # gradio empties every output of a generator that ends without a value


def vote_handler(services: Services, show: Renderer, verdict: Verdict) -> Callable[..., Update]:
    @spoken()
    def cast(battle: Battle, reasons: list[str], comment: str | None, request: gr.Request) -> Update:
        stage: Stage = "reasoning" if battle.phase == "reasoning" else "answers"
        visitor = services.visitor(request)
        receipt = services.desk.cast(battle.id, visitor, stage, verdict, tuple(reasons), comment or "")
        gr.Info(thanks(receipt), duration=4)
        if battle.mode == "named":
            facts = show.revealed(services.desk.reveal(battle.id, visitor), services.desk.standing(battle.id, visitor))
            return show.whole(replace(battle, phase="voted"), facts)
        return show.whole(replace(battle, phase="reasoning" if stage == "answers" else "voted"))

    return cast


def undo_handler(services: Services, show: Renderer) -> Callable[..., Update]:
    @spoken()
    def undo(battle: Battle, request: gr.Request) -> Update:
        receipt = services.desk.undo(battle.id, services.visitor(request))
        gr.Info("Your vote was withdrawn. You can vote again.", duration=4)
        return show.whole(replace(battle, phase=receipt.stage))

    return undo


def reveal_handler(services: Services, show: Renderer) -> Callable[..., Update]:
    @spoken()
    def reveal(battle: Battle, request: gr.Request) -> Update:
        ask_desk = services.desk.forfeit if battle.phase == "answers" else services.desk.reveal
        visitor = services.visitor(request)
        told = ask_desk(battle.id, visitor)
        votes = services.desk.standing(battle.id, visitor)
        named = replace(battle, phase="revealed", roles={"a": told.a.role, "b": told.b.role})
        return show.whole(named, show.revealed(told, votes))

    return reveal


def pin_handler(services: Services) -> Callable[[Battle, str, str], str]:
    """Battle, note, owner's key → where the case is. The desk says whether the names may be told."""

    @spoken()
    def pin(battle: Battle, note: str, key: str) -> str:
        require_owner(key)
        return pinned_sentence(case_link(pin_from_battle(services.desk, battle.id, note or "")))

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
    @spoken()
    def open_battle(request: gr.Request) -> Update:
        battle_id = request.query_params.get("battle")
        if not battle_id:
            return gr.skip()
        found = services.desk.load_battle(battle_id)
        facts = show.revealed(found.reveal, found.verdicts, whose="The vote") if found.reveal else ""
        return show.whole(shared(found), facts)

    return open_battle

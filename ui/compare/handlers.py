"""What happens on the Compare tab: one small factory for each handler, and what it updates.

Handlers only translate: a click goes to `battles.turns` or to the desk, the battle that comes back goes to the screen.
"""

import copy
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import gradio as gr

from battles.battle import SIDES, Battle, Phase, fail, shared
from battles.pinning import pin_from_battle
from battles.turns import Turns
from common.errors import ArenaError
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
from ui.kit.places import tell
from ui.kit.replies import thanks
from ui.kit.sampling import read_samplings
from ui.services import Services
from votes.ballot import Side, Verdict

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
        before = battle
        if battle.over:
            battle = Battle(mode=mode)
        if not battle.id:
            battle = replace(battle, mode=mode, delivery="live" if live else "together")
        asked = turns.ask(battle, question, services.visitor(request), read_samplings(battle.mode, settings))
        first = True
        async for update in follow_turn(show, before, asked):
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
            yield show.changes(battle, fail(battle))
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
        async for update in follow_turn(show, battle, used):
            yield update

    return use


async def follow_turn(show: Renderer, before: Battle, progress: Any) -> AsyncIterator[Update]:
    """The screen's updates of one turn on a page that shows `before`: only what has changed, and nothing else.

    A question that is refused changes nothing but says why; a turn that is left before its first step changes nothing.
    """
    shown = before
    sent: Update = {}
    with spoken():
        async with aclosing(progress) as steps:
            async for step in steps:
                if shown is before and before.over:  # the page still has the last vote's reasons and comment
                    update = show.whole(step.battle)
                elif step.battle.phase != shown.phase or step.battle.id != shown.id:
                    update = show.changes(shown, step.battle)
                else:
                    update = show.moving(step.battle, step.seconds, shown)
                update = {
                    widget: value for widget, value in update.items() if widget not in sent or sent[widget] != value
                }
                # Gradio empties the values that it is given: what was sent is known by a copy.
                sent |= {widget: copy.deepcopy(value) for widget, value in update.items() if widget in show.parts}
                shown = step.battle
                if update:
                    yield update
    if shown is before:
        yield gr.skip()  # gradio empties every output of a generator that ends without a value


def vote_handler(services: Services, show: Renderer, verdict: Verdict) -> Callable[..., Update]:
    @spoken()
    def cast(battle: Battle, stage: Any, reasons: list[str], comment: str | None, request: gr.Request) -> Update:
        visitor = services.visitor(request)
        receipt = services.desk.cast(battle.id, visitor, stage, verdict, tuple(reasons), comment or "")
        if not receipt.repeated:
            tell(thanks(receipt), duration=4)
        ballot = show.widgets.ballot
        emptied: Update = {ballot.comment: "", ballot.reasons: gr.update(value=[])} if reasons or comment else {}
        if battle.mode == "named":
            facts = show.revealed(services.desk.reveal(battle.id, visitor), services.desk.standing(battle.id, visitor))
            return emptied | show.changes(battle, replace(battle, phase="voted"), facts)
        phase: Phase = "reasoning" if receipt.stage == "answers" else "voted"
        return emptied | show.changes(battle, replace(battle, phase=phase))

    return cast


def undo_handler(services: Services, show: Renderer) -> Callable[..., Update]:
    @spoken()
    def undo(battle: Battle, request: gr.Request) -> Update:
        receipt = services.desk.undo(battle.id, services.visitor(request))
        gr.Info("Your vote was withdrawn. You can vote again.", duration=4)
        return show.changes(battle, replace(battle, phase=receipt.stage))

    return undo


def reveal_handler(services: Services, show: Renderer) -> Callable[..., Update]:
    @spoken()
    def reveal(battle: Battle, request: gr.Request) -> Update:
        ask_desk = services.desk.forfeit if battle.phase == "answers" else services.desk.reveal
        visitor = services.visitor(request)
        told = ask_desk(battle.id, visitor)
        votes = services.desk.standing(battle.id, visitor)
        named = replace(battle, phase="revealed", roles={"a": told.a.role, "b": told.b.role})
        return show.changes(battle, named, show.revealed(told, votes))

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


def copy_handler(side: Side) -> Callable[[Battle], str]:
    """The newest answer as the model wrote it, which is not how it is typeset."""

    def copy_answer(battle: Battle) -> str:
        reply = battle.reply(side) if battle.replies_visible else None
        return reply.answer if reply else ""

    return copy_answer


def open_handler(services: Services, turns: Turns, show: Renderer) -> Callable[..., AsyncIterator[Update]]:
    """What a page shows when it is opened: the battle in its address, or the visitor's own from before a reload."""

    async def open_battle(kept: str | None, request: gr.Request) -> AsyncIterator[Update]:
        visitor = services.visitor(request)
        if battle_id := request.query_params.get("battle"):
            with spoken():
                found = services.desk.load_battle(battle_id)
            facts = show.revealed(found.reveal, found.verdicts, whose="The vote") if found.reveal else ""
            update = show.whole(shared(found), facts)
            del update[show.widgets.kept]  # reading another battle does not lose one's own
            yield update
            return
        battle = own_battle(turns, kept, visitor)
        if battle is None:
            yield {show.widgets.kept: ""} if kept else gr.skip()
            return
        yield show.whole(battle) | {show.widgets.mode: battle.mode}
        if battle.phase == "running":
            async for update in follow_turn(show, battle, turns.watch(battle, visitor)):
                yield update

    return open_battle


def own_battle(turns: Turns, battle_id: str | None, visitor: str) -> Battle | None:
    """A visitor's battle from before a reload; None where there is none, or its time is over."""
    try:
        battle = turns.restore(battle_id, visitor) if battle_id else None
    except ArenaError:
        return None
    return battle if battle and battle.turns else None

"""Event handlers of the Compare tab: a small factory for each, and the news that it answers with.

Handlers only translate: a click goes to `battles.turns` or to the desk, and the resulting battle to the screen. They
receive the browser's input unchecked: the desk validates all of it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, NamedTuple

import gradio as gr
from starlette.concurrency import run_in_threadpool

from battles.battle import Battle, Phase, shared, survivor, without_failed
from battles.pinning import pin_from_battle
from battles.tools import Tool
from battles.turns import Turns
from common.errors import ArenaError
from ui.compare.news import News, news
from ui.compare.reveal import outcome
from ui.compare.screen import Renderer, Update
from ui.compare.view import (
    QUESTION_HINTS,
    allowed,
    chosen_sides,
    offered,
    pinned_sentence,
    thought_about,
    thoughts_html,
    unfinished,
)
from ui.kit.events import spoken, words_of
from ui.kit.links import case_link
from ui.kit.owner import require_owner
from ui.kit.replies import side_failed, thanks
from ui.kit.sampling import SamplingLimits, read_samplings
from ui.services import Services
from votes.agreement import LICENCE
from votes.ballot import Side, Stage, Verdict
from votes.casting.views import Reveal

QUESTION_KEPT = 140
"""Characters of a question kept for the visitor's own list of battles."""
NO_THOUGHT = "Your vote is saved. Neither side wrote a thought, so there is no second vote."
GOES_ON = "The conversation goes on with the names known. It is not voted on again."


class Answer(NamedTuple):
    """The result of an event: the session's battle, and the news for the page."""

    battle: Any
    news: News | None = None


def unchanged(message: News | None = None) -> Answer:
    """The battle stays as it is."""
    return Answer(gr.skip(), message)


Handler = Callable[..., Awaitable[Answer]]


def in_words(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Turn our errors into news: gradio shows none for an event that bypasses its queue."""
    if iscoroutinefunction(handler):

        @wraps(handler)
        async def answer_later(*values: Any) -> Answer:
            try:
                return await handler(*values)
            except ArenaError as error:
                return unchanged(news(failed=words_of(error)))

        return answer_later

    @wraps(handler)
    def answer(*values: Any) -> Answer:
        try:
            return handler(*values)
        except ArenaError as error:
            return unchanged(news(failed=words_of(error)))

    return answer


def ask_handler(services: Services, turns: Turns, show: Renderer, limits: SamplingLimits) -> Handler:
    @in_words
    async def ask(
        battle: Battle, shown: Any, question: Any, mode: Any, live: Any, request: gr.Request, *settings: Any
    ) -> Answer:
        if show.waits and show.waits.are_old:
            await run_in_threadpool(show.waits.refresh)
        visitor = services.visitor(request)
        before = battle = turns.current(battle, visitor, shown)
        if battle.over:
            battle = Battle()
        if not battle.id:
            battle = replace(battle, mode=mode, delivery="live" if live is True else "together")
        sampling = read_samplings(battle.mode, settings, limits)
        battle = turns.start(battle, question, visitor, sampling)
        # After a vote, the page still has its reasons and comment; with a lost session, it may show any battle.
        known = before.id == shown and not before.over
        update = show.changes(before, battle) if known else show.whole(battle)
        update["question"] = gr.update(value="", placeholder=QUESTION_HINTS["asked"])
        return Answer(battle, news(update, follow=battle.id))

    return ask


def tool_handler(services: Services, turns: Turns, show: Renderer, tool: Tool) -> Handler:
    @in_words
    async def use(battle: Battle, shown: Any, target: Any, request: gr.Request) -> Answer:
        visitor = services.visitor(request)
        before = battle = turns.current(battle, visitor, shown)
        sides = chosen_sides(battle, target)
        if not allowed(battle, tool) or turns.switch(battle, tool, sides, visitor):
            return unchanged()
        if tool == "stop":  # too late: this is how it ended
            return Answer(battle, news(show.whole(battle), follow=""))
        if not offered(battle, tool):
            return unchanged()
        if tool == "continue":
            sides &= unfinished(battle)
            if not sides:
                return unchanged(news(said="That side has finished. Choose the other side, or think more."))
        battle = turns.start_again(battle, tool, sides, visitor)
        return Answer(battle, news(show.changes(before, battle), follow=battle.id))

    return use


def vote_handler(services: Services, turns: Turns, show: Renderer, verdict: Verdict) -> Callable[..., Answer]:
    @in_words
    def cast(
        battle: Battle, shown: Any, stage: Any, reasons: Any, comment: Any, agreed: Any, request: gr.Request
    ) -> Answer:
        visitor = services.visitor(request)
        seen = turns.current(battle, visitor, shown)
        before = without_failed(seen)
        licence = LICENCE if agreed is True else ""
        receipt = services.desk.cast(before.id, visitor, stage, verdict, reasons or (), comment or "", licence)
        emptied = {"ballot.comment": "", "ballot.reasons": gr.update(value=[])} if reasons or comment else {}
        notice = "" if receipt.repeated else thanks(receipt)
        if before.mode == "named":
            names, votes = services.desk.reveal(before.id, visitor), services.desk.standing(before.id, visitor)
            battle = replace(before, phase="voted")
            update = moved(show, seen, battle, show.revealed(names, votes, battle))
            return Answer(battle, news(emptied | update, said=notice, mine=remembered(battle, names, votes)))
        # If neither model thought, there is nothing to read and no second vote to cast.
        phase: Phase = "reasoning" if receipt.stage == "answers" and thought_about(before) else "voted"
        if phase == "voted" and receipt.stage == "answers" and notice:
            notice = NO_THOUGHT
        battle = replace(before, phase=phase)
        mine = remembered(battle, None, {receipt.stage: verdict})
        return Answer(battle, news(emptied | moved(show, seen, battle), said=notice, mine=mine))

    return cast


def moved(show: Renderer, seen: Battle, battle: Battle, facts: str = "") -> Update:
    """What a page that shows `seen` is sent: everything if a failed turn goes, as the panels lose their end."""
    return show.whole(battle, facts) if seen.phase == "failed" else show.changes(seen, battle, facts)


def undo_handler(services: Services, turns: Turns, show: Renderer) -> Callable[..., Answer]:
    @in_words
    def undo(battle: Battle, shown: Any, request: gr.Request) -> Answer:
        visitor = services.visitor(request)
        before = turns.current(battle, visitor, shown)
        receipt = services.desk.undo(before.id, visitor)
        battle = replace(before, phase=receipt.stage)
        notice = "Your vote was withdrawn. You can vote again."
        mine = remembered(battle, None, services.desk.standing(before.id, visitor))
        return Answer(battle, news(show.changes(before, battle), said=notice, mine=mine))

    return undo


def reveal_handler(services: Services, turns: Turns, show: Renderer) -> Callable[..., Answer]:
    @in_words
    def reveal(battle: Battle, shown: Any, request: gr.Request) -> Answer:
        visitor = services.visitor(request)
        seen = turns.current(battle, visitor, shown)
        before = without_failed(seen)
        ask_desk = services.desk.forfeit if before.phase == "answers" else services.desk.reveal
        names = ask_desk(before.id, visitor)
        votes = services.desk.standing(before.id, visitor)
        named = replace(before, phase="revealed", roles={"a": names.a.role, "b": names.b.role})
        update = moved(show, seen, named, show.revealed(names, votes, named))
        return Answer(named, news(update, mine=remembered(named, names, votes)))

    return reveal


def go_on_handler(services: Services, turns: Turns, show: Renderer) -> Callable[..., Answer]:
    @in_words
    def go_on(battle: Battle, shown: Any, request: gr.Request) -> Answer:
        visitor = services.visitor(request)
        battle = turns.go_on(turns.current(battle, visitor, shown), visitor)
        return Answer(battle, news(show.whole(battle), said=GOES_ON))

    return go_on


def look_handler(services: Services, turns: Turns) -> Callable[..., Answer]:
    @in_words
    def look(battle: Battle, shown: Any, request: gr.Request) -> Answer:
        return unchanged(news({"lens": thoughts_html(turns.found(battle, services.visitor(request), shown))}))

    return look


def remembered(battle: Battle, names: Reveal | None, votes: Mapping[Stage, Verdict]) -> dict[str, str]:
    """What the visitor's browser stores about a battle in order to find it again."""
    question = " ".join(battle.turns[0].question.split())[:QUESTION_KEPT] if battle.turns else ""
    return {"battle": battle.id, "question": question, "outcome": outcome(names, votes)}


def pin_handler(services: Services) -> Callable[[Battle, str, str], str]:
    """Battle, note, owner's key → where the case is. The desk says whether the names may be told."""

    @spoken()
    def pin(battle: Battle, note: str, key: str) -> str:
        require_owner(key)
        return pinned_sentence(case_link(pin_from_battle(services.desk, battle.id, note or "")))

    return pin


def restart_handler(services: Services, turns: Turns, show: Renderer) -> Handler:
    async def restart(battle: Battle, shown: Any, mode: Any, request: gr.Request) -> Answer:
        fresh = Battle(mode="named" if mode == "named" else "blind")
        if not battle.turns and not shown:  # as the page is; a question asked meanwhile must not be hidden again
            return unchanged(news({"delivery": show.delivery(fresh)}))
        turns.abandon(battle, services.visitor(request))
        return Answer(fresh, news(show.whole(fresh), follow=""))

    return restart


def copy_handler(services: Services, turns: Turns, side: Side) -> Callable[[Battle, Any, gr.Request], str]:
    """The newest answer that the panel shows, as the model wrote it, before typesetting."""

    def copy_answer(battle: Battle, shown: Any, request: gr.Request) -> str:
        battle = turns.found(battle, services.visitor(request), shown)
        if battle.mode == "blind" and side_failed(battle):  # both panels show what there is
            reply = survivor(battle)
        else:
            reply = battle.reply(side) if battle.replies_visible else None
        return reply.answer if reply else ""

    return copy_answer


def open_handler(services: Services, turns: Turns, show: Renderer) -> Callable[..., Answer]:
    """What a page shows when it is opened: the battle in its address, or the visitor's own from before a reload."""

    @in_words
    def open_battle(stored: Any, request: gr.Request) -> Answer:
        visitor, linked, failed = services.visitor(request), request.query_params.get("battle"), ""
        try:
            public = services.desk.load_battle(linked) if linked else None
        except ArenaError as error:  # the page still shows what it would without a link
            public, linked, failed = None, None, words_of(error)
        own = own_battle(turns, linked or stored, visitor)
        if public and (own is None or (own.over and own.roles)):
            battle = shared(public)
            facts = show.revealed(public.reveal, public.verdicts, battle, "The vote") if public.reveal else ""
            return Answer(battle, news(beside_own(show.whole(battle, facts))))
        if own is None:  # not forgotten: it may be the network that has changed, and with it the visitor
            return unchanged(news(failed=failed) if failed else None)
        follow = own.id if own.phase == "running" else None
        chosen = {} if own.mode == "continued" else {"mode": own.mode}  # the next battle is as it was before
        update = beside_own(show.whole(own)) if linked else show.whole(own)
        return Answer(own, news(update | chosen, follow=follow, failed=failed))

    return open_battle


def beside_own(update: Update) -> Update:
    """A battle opened by its link: another one that the browser holds stays held."""
    return {name: value for name, value in update.items() if name != "held"}


def own_battle(turns: Turns, battle_id: Any, visitor: str) -> Battle | None:
    """A visitor's battle from before a reload; None if there is none or it has expired."""
    try:
        battle = turns.restore(battle_id, visitor) if isinstance(battle_id, str) and battle_id else None
    except ArenaError:
        return None
    return battle if battle and battle.turns else None

"""One turn of a battle, from question to recorded replies: tell the desk, ask the models, report progress."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from battles.battle import SIDES, Battle, begin, fail, history, is_current, receive, reopen, restored, settle
from battles.counts import RUNNING, count_reply
from battles.guard import Guard
from battles.live import LiveTurn, LiveTurns, SideRequest, expect_watchers, play, watch
from battles.offers import Offers
from battles.recording import Ending, failure, kept_of, record
from battles.sampling import describe_sampling, recorded_sampling, within_contexts
from battles.tools import Tool, going_on
from common.errors import ServerError
from models.chat.events import Reply
from models.chat.resume import Wish
from models.config.sampling import Sampling
from models.serving.pair import ServedPair
from votes.ballot import RecordedReply, Role, Side
from votes.casting.desk import Desk
from votes.casting.limits import clean_prompt, clean_thought
from votes.errors import Refused, UnknownBattle

MOVED_ON_SECONDS = 1.0
"""After this time, pages still showing an abandoned turn are told; the one that moved on no longer reads by then."""


@dataclass(frozen=True)
class Progress:
    """Where a turn stands: the battle as it may be shown, and the seconds since the question."""

    battle: Battle
    seconds: float


@dataclass(kw_only=True)
class BattleTurn(LiveTurn):
    """A turn that is being answered, and the battle it belongs to."""

    turn_id: str
    battle: Battle
    """As it was when the turn began."""
    before: Battle | None = None
    """What to go back to if a side fails; without it, the turn itself has failed."""

    @property
    def unanswered(self) -> Battle:
        """The battle if this turn comes to nothing."""
        return self.before or fail(self.battle)


@dataclass(frozen=True)
class Turns:
    """Starts turns and follows them. One instance serves all visitors; running turns are found by battle id."""

    served: ServedPair
    desk: Desk
    live: LiveTurns
    guard: Guard | None = None
    offers: Offers = field(default_factory=Offers)
    """Questions that the page has offered."""

    async def ask(
        self, battle: Battle, question: str, visitor: str, sampling: Mapping[Role, Sampling]
    ) -> AsyncGenerator[Progress, None]:
        """Ask both sides, as `start` does, and follow the turn."""
        async with aclosing(self._watch(self._turn(self.start(battle, question, visitor, sampling)))) as steps:
            async for progress in steps:
                yield progress

    def start(self, battle: Battle, question: str, visitor: str, sampling: Mapping[Role, Sampling]) -> Battle:
        """Ask both sides and return the battle with its turn running. VoteError if the desk refuses the question.

        A new battle is opened with `sampling`, which its later turns use too. Needs a running event loop. The turn is
        abandoned unless somebody starts to `watch` it, or returns to it, within a few seconds.
        """
        question = clean_prompt(question, self.desk.limits)  # a refused question opens no battle
        self.live.check_room(visitor, self.desk.limits.running)
        if not battle.id:
            battle = self._open(battle, visitor, sampling, self.offers.recorded(visitor, question))
        turn_id = self.desk.begin_turn(battle.id, visitor, question)
        battle = begin(battle, question)
        return self._start(battle, visitor, turn_id, {side: self._request(battle, side) for side in SIDES})

    def start_from(self, battle: Battle, thought: str, wish: Wish, sides: frozenset[Side], visitor: str) -> Battle:
        """Give some sides a thought written by the user: `transplant` to answer from it, `think_on` to continue it.
        TextRefused if it is empty or too long."""
        given = Reply(thought=clean_thought(thought, self.desk.limits))
        return self._restart(battle, dict.fromkeys(sides, (wish, given)), visitor)

    def start_again(self, battle: Battle, tool: Tool, sides: frozenset[Side], visitor: str) -> Battle:
        """Continue or regenerate the newest replies of some sides; the other side's reply stays as it is."""
        return self._restart(battle, {side: going_on(battle, side, tool) for side in sides}, visitor)

    def _restart(self, battle: Battle, wishes: Mapping[Side, tuple[Wish, Reply] | None], visitor: str) -> Battle:
        self.live.check_room(visitor, self.desk.limits.running)
        failed = battle.phase == "failed"
        if failed:
            turn_id = self.desk.begin_turn(battle.id, visitor, battle.turns[-1].question)
        else:
            turn_id = self.desk.reopen_turn(battle.id, visitor)
        requests = {side: self._request(battle, side, wishes[side]) for side in sorted(wishes)}
        return self._start(reopen(battle, frozenset(wishes)), visitor, turn_id, requests, None if failed else battle)

    def go_on(self, battle: Battle, visitor: str) -> Battle:
        """Continue a conversation after its vote, as a new battle without votes. Refused before the vote."""
        return self.restore(self.desk.go_on(battle.id, visitor), visitor)

    def now(self, battle: Battle) -> Battle:
        """The battle's current state. The page's own copy may date from before its turn ended."""
        if battle.phase != "running" or self.live.get(battle.id):
            return battle
        # Where even the end is unknown, nothing that has arrived is shown.
        return self.live.ended.get(battle.id) or fail(begin(fail(battle), battle.turns[-1].question))

    def found(self, battle: Battle, visitor: str, shown: Any) -> Battle:
        """The battle of a page's session as it stands now.

        `shown`: the id of the battle that the page shows, by which the visitor's own is found again if the session was
        lost, as by a phone that slept or a restart.
        """
        if not battle.id and isinstance(shown, str) and shown:
            with suppress(UnknownBattle):
                battle = self.restore(shown, visitor)
        return self.now(battle)

    def current(self, battle: Battle, visitor: str, shown: Any = "") -> Battle:
        """The battle that a click is about, as it stands now; `shown` as in `found`.

        Refused where the conversation went on in another window: the click is about what this one shows.
        """
        battle = self.found(battle, visitor, shown)
        if not battle.id or battle.phase in ("revealed", "shared") or self.live.get(battle.id):
            return battle
        try:
            own = self.desk.mine(battle.id, visitor)
        except UnknownBattle:
            if battle.over:  # the next question opens a battle of its own
                return battle
            raise
        if not own.running and not is_current(battle, own.record):
            raise Refused("This battle went on in another window.", "Reload the page to see it as it is now.")
        return battle

    def restore(self, battle_id: str, visitor: str) -> Battle:
        """A visitor's own battle after a page reload. UnknownBattle if it is not theirs.

        If its phase is `running`, `watch` follows the turn.
        """
        own = self.desk.mine(battle_id, visitor)
        turn = self.live.get(battle_id)
        if own.running and isinstance(turn, BattleTurn):
            return turn.battle
        battle = restored(own, recorded_sampling(own.record.sampling))
        ended = self.live.ended.get(battle_id)  # the desk does not keep a turn that failed
        unsettled = battle.phase in ("open", "answers") or battle.mode == "continued"
        return ended if ended and unsettled else battle

    async def watch(self, battle: Battle, visitor: str) -> AsyncGenerator[Progress, None]:
        """Follow a turn that is already being answered, as the generator that began it does."""
        self.desk.mine(battle.id, visitor)
        if self.live.get(battle.id):
            async with aclosing(self._watch(self._turn(battle))) as steps:
                async for progress in steps:
                    yield progress

    def switch(self, battle: Battle, tool: Tool, sides: frozenset[Side], visitor: str) -> bool:
        """Use a tool on replies that are being written for this visitor. True if there were any. `stop` ends them."""
        turn = self._own_turn(battle, visitor)
        if turn is None:
            return False
        for side in sides:
            if tool == "stop":
                turn.stop(side)
            elif tool == "answer_now" or tool == "think_more":
                turn.redirect(side, tool)
        return True

    def abandon(self, battle: Battle, visitor: str) -> None:
        """Drop the turn that is being answered for this visitor, if there is one: they have moved on."""
        if turn := self._own_turn(battle, visitor):
            turn.abandon()

    def _own_turn(self, battle: Battle, visitor: str) -> LiveTurn | None:
        """The running turn of a battle, unless it is somebody else's, who sent a link to it."""
        turn = self.live.get(battle.id)
        return turn if turn and turn.visitor == visitor else None

    def _open(
        self, battle: Battle, visitor: str, sampling: Mapping[Role, Sampling], chosen: Mapping[str, Any]
    ) -> Battle:
        """`chosen`: how the question was chosen, as `Offers` records it. With a guard nothing is delivered live."""
        sampling = within_contexts(self.served, sampling)
        battle = replace(battle, delivery="together") if self.guard else battle
        battle_id = self.desk.open(
            visitor,
            pair=self.served.pair.key,
            mode=battle.mode,
            delivery=battle.delivery,
            sampling={**describe_sampling(sampling["base"], sampling["distilled"]), **chosen},
            seed=sampling["base"].seed,
        )
        roles = {side: self.desk.role_of(battle_id, side) for side in SIDES} if battle.mode != "blind" else {}
        return replace(battle, id=battle_id, roles=roles, sampling=sampling)

    def _request(self, battle: Battle, side: Side, go_on: tuple[Wish, Reply] | None = None) -> SideRequest:
        role = self.desk.role_of(battle.id, side)
        return SideRequest(role, history(battle, side), battle.sampling[role], go_on)

    def _turn(self, battle: Battle) -> BattleTurn:
        turn = self.live.get(battle.id)
        assert isinstance(turn, BattleTurn)
        return turn

    def _start(
        self,
        battle: Battle,
        visitor: str,
        turn_id: str,
        requests: Mapping[Side, SideRequest],
        before: Battle | None = None,
    ) -> Battle:
        battle = replace(battle, screened=self.guard is not None)
        turn = BattleTurn(
            requests,
            visitor=visitor,
            pace=self.live.pace,
            together=battle.mode == "blind",
            turn_id=turn_id,
            battle=battle,
            before=before,
        )
        self.live.add(battle.id, turn)
        RUNNING.inc()
        turn.task = asyncio.create_task(self._play(turn))
        # Not in a `finally` inside the task: a task cancelled before its first step never reaches it.
        turn.task.add_done_callback(lambda _: self._close(turn))
        expect_watchers(turn)
        return battle

    async def _play(self, turn: BattleTurn) -> Ending:
        """Answer the turn and record it."""
        await play(self.served, turn)
        if self.guard:
            turn.done = await self.guard.screen(turn.battle.turns[-1].question, turn.done)
        battle = receive(turn.battle, turn.done, frozenset())
        recorded = self._recorded(battle)
        for request in turn.requests.values():
            count_reply(recorded[request.role], kept_of(request, self.served))
        comparable = await asyncio.to_thread(self.desk.finish_turn, battle.id, turn.turn_id, recorded)
        if comparable:
            ending = Ending(settle(battle))
        elif turn.before is None:
            ending = Ending(fail(battle))  # with what the other side has said
        else:
            ending = Ending(turn.before, failure(battle))
        self.live.keep(battle.id, ending.battle)
        return ending

    def _close(self, turn: BattleTurn) -> None:
        RUNNING.dec()
        self.live.close(turn.battle.id)
        if turn.battle.id not in self.live.ended:  # abandoned, or broken
            self.live.keep(turn.battle.id, turn.unanswered)
        self.desk.abandon_turn(turn.battle.id, turn.turn_id)

    async def _watch(self, turn: BattleTurn) -> AsyncGenerator[Progress, None]:
        visible = turn.battle.replies_visible
        async with aclosing(watch(turn, words=visible)) as snapshots:
            async for snapshot in snapshots:
                # Text that may not be seen yet is not passed on at all, so nothing has to be compared or sent.
                arrived = snapshot.replies if visible else turn.done
                if snapshot.running:
                    yield Progress(receive(turn.battle, arrived, snapshot.running), snapshot.seconds)
        if turn.abandoned:
            await asyncio.sleep(MOVED_ON_SECONDS)
            yield Progress(turn.unanswered, 0.0)
        if turn.abandoned or turn.task is None:
            return
        # Not awaited directly: a watcher that leaves must not cancel the turn, nor a cancelled turn fail its watchers.
        await asyncio.wait({turn.task})
        if turn.task.cancelled():
            return
        ending: Ending = turn.task.result()
        yield Progress(ending.battle, 0.0)
        if ending.error:
            raise ServerError(ending.error, "The replies are as they were.")

    def _recorded(self, battle: Battle) -> dict[Role, RecordedReply]:
        recorded = {}
        for side in SIDES:
            role = self.desk.role_of(battle.id, side)
            recorded[role] = record(battle.reply(side) or Reply(finish_reason="failed"), self.served, role)
        return recorded

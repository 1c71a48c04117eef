"""One turn of a battle from question to recorded replies: the desk is told, the models are asked, snapshots come back.

Knows the desk and the models, not the screen: no gradio here.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace

from battles.battle import SIDES, Battle, begin, fail, history, receive, reopen, settle
from battles.live import LiveTurns, SideRequest, snapshots
from battles.sampling import describe_sampling
from common.errors import ServerError
from models.chat.events import Reply
from models.chat.resume import Intervention
from models.config.sampling import Sampling
from models.serving.pair import ServedPair
from votes.ballot import RecordedReply, Role, Side
from votes.desk import Desk
from votes.limits import clean_prompt

Tool = Intervention | str
"""What may be asked of a reply that is there: `answer_now`, `think_more`, `continue` or `regenerate`."""


@dataclass(frozen=True)
class Progress:
    """Where a turn stands: the battle as it may be shown, and the seconds since the question."""

    battle: Battle
    seconds: float


@dataclass(frozen=True)
class Turns:
    """Takes turns. One value for all visitors; what is running is found by battle id."""

    served: ServedPair
    desk: Desk
    live: LiveTurns

    async def ask(
        self, battle: Battle, question: str, visitor: str, sampling: Mapping[Role, Sampling]
    ) -> AsyncGenerator[Progress, None]:
        """Ask both sides. VoteError when the desk does not take the question.

        `sampling` is what a new battle is opened with; a later turn of it is drawn in the same way.
        """
        clean_prompt(question, self.desk.limits)  # what is refused opens no battle
        if not battle.id:
            battle = self._open(battle, visitor, sampling)
        turn_id = self.desk.begin_turn(battle.id, visitor, question)
        battle = begin(battle, question)
        requests = {side: self._request(battle, side) for side in SIDES}
        async with aclosing(self._run(battle, turn_id, requests)) as run:
            async for progress in run:
                yield progress

    async def use_tool(
        self, battle: Battle, tool: Tool, sides: frozenset[Side], visitor: str
    ) -> AsyncGenerator[Progress, None]:
        """Go on with, or make again, the newest replies of some sides; the other side's reply stays as it is.

        ServerError when it did not work; the last step then holds the replies that were there before.
        """
        failed = battle.phase == "failed"
        if failed:
            turn_id = self.desk.begin_turn(battle.id, visitor, battle.turns[-1].question)
        else:
            turn_id = self.desk.reopen_turn(battle.id, visitor)
        requests = {side: self._request(battle, side, tool) for side in sorted(sides)}
        before = None if failed else battle
        async with aclosing(self._run(reopen(battle, sides), turn_id, requests, before)) as run:
            async for progress in run:
                yield progress

    def switch(self, battle: Battle, tool: Tool, sides: frozenset[Side]) -> bool:
        """Use a tool on replies that are being written: True if there was one. `stop` ends them."""
        turn = self.live.get(battle.id)
        if turn is None:
            return False
        for side in sides:
            if tool == "stop":
                turn.stop(side)
            elif tool in ("answer_now", "think_more"):
                turn.redirect(side, tool)  # type: ignore[arg-type]
        return True

    def abandon(self, battle: Battle) -> None:
        """Drop the turn that is being answered, if there is one: its visitor has moved on."""
        if turn := self.live.get(battle.id):
            turn.abandon()

    def _open(self, battle: Battle, visitor: str, sampling: Mapping[Role, Sampling]) -> Battle:
        battle_id = self.desk.open(
            visitor,
            pair=self.served.pair.key,
            mode=battle.mode,
            delivery=battle.delivery,
            sampling=describe_sampling(sampling["base"], sampling["distilled"]),
            seed=sampling["base"].seed,
        )
        roles = {side: self.desk.role_of(battle_id, side) for side in SIDES} if battle.mode == "named" else {}
        return replace(battle, id=battle_id, roles=roles, sampling=sampling)

    def _request(self, battle: Battle, side: Side, tool: Tool = "regenerate") -> SideRequest:
        role = self.desk.role_of(battle.id, side)
        reply = battle.reply(side)
        go_on = None if tool == "regenerate" or reply is None else (tool, reply)
        return SideRequest(role, history(battle, side), battle.sampling[role], go_on)  # type: ignore[arg-type]

    async def _run(
        self, battle: Battle, turn_id: str, requests: Mapping[Side, SideRequest], before: Battle | None = None
    ) -> AsyncGenerator[Progress, None]:
        """`before`: what is gone back to where a side fails; without it the turn itself has failed."""
        turn = self.live.open(battle.id, requests)
        try:
            async with aclosing(snapshots(self.served, turn)) as stream:
                async for snapshot in stream:
                    battle = receive(battle, snapshot.replies, snapshot.running)
                    if snapshot.running:
                        yield Progress(battle, snapshot.seconds)
            if turn.abandoned:
                return
            taken = await asyncio.to_thread(self.desk.finish_turn, battle.id, turn_id, self._recorded(battle))
            if taken or before is None:
                yield Progress(settle(battle) if taken else fail(battle), 0.0)
                return
            yield Progress(before, 0.0)
            raise ServerError(failure(battle), "The replies are as they were.")
        finally:
            self.live.close(battle.id)
            self.desk.abandon_turn(battle.id, turn_id)

    def _recorded(self, battle: Battle) -> dict[Role, RecordedReply]:
        recorded = {}
        for side in SIDES:
            role = self.desk.role_of(battle.id, side)
            recorded[role] = record(battle.reply(side) or Reply(finish_reason="failed"), self.served, role)
        return recorded


def failure(battle: Battle) -> str:
    """Why the newest turn failed. In a blind battle it is not told whose failure it was, nor that it was stopped."""
    errors = [reply.error for side in SIDES if (reply := battle.reply(side)) and reply.finish_reason == "failed"]
    return errors[0] if errors and battle.mode == "named" else "There are no two new answers to compare."


def record(reply: Reply, served: ServedPair, role: Role) -> RecordedReply:
    """The reply with whose it was, as the desk keeps it."""
    return RecordedReply.of(reply, role=role, model=served.pair.model(role).key, weight_hash=served.weight_hash(role))

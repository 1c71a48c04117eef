"""Turns that are being answered right now: both replies as they arrive, and the switches that stop or redirect them.

Knows models and streams, not the screen: no gradio here, and nothing about who may vote.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from models.chat.client import Message, ReplyStream
from models.chat.duel import duel
from models.chat.events import Event, Failed, Finished, Reply
from models.chat.resume import Intervention, Resume, answer_now, continue_cut, think_more
from models.config.sampling import Sampling
from models.config.thought_format import ThoughtFormat
from models.serving.clients import client_of
from models.serving.pair import ServedPair
from votes.ballot import Role, Side

READY_SECONDS = 900.0
"""How long a question waits in line for a model that is still loading."""
SECONDS_BETWEEN_SNAPSHOTS = 0.1
"""A page that is sent every token re-renders a growing text each time; ten times a second reads as live."""
SECONDS_BETWEEN_BEATS = 1.0
"""Without news a snapshot comes this often, so that elapsed time keeps moving."""


@dataclass(frozen=True)
class SideRequest:
    """What one side is asked."""

    role: Role
    messages: Sequence[Message]
    sampling: Sampling
    go_on: tuple[Intervention, Reply] | None = None
    """Go on with this reply as wished, instead of starting a new one."""


@dataclass(frozen=True)
class Snapshot:
    """Where a turn stands."""

    replies: Mapping[Side, Reply]
    """What has arrived; a side still in line is missing."""
    running: frozenset[Side]
    seconds: float
    """Since the turn began."""


@dataclass
class LiveTurn:
    """One turn being answered. Its switches may be used from any task of the same event loop."""

    requests: Mapping[Side, SideRequest]
    streams: dict[Side, ReplyStream] = field(default_factory=dict)
    done: dict[Side, Reply] = field(default_factory=dict)
    wishes: dict[Side, Intervention] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever something has arrived or ended."""
    abandoned: bool = False
    """Nobody wants the replies any more: they end, and are neither shown nor kept."""

    def stop(self, side: Side) -> None:
        """End this side's reply where it is; a side that is still in line leaves it."""
        self.wishes.pop(side, None)
        if side in self.streams:
            self.streams[side].stop()
        elif side in self.requests:
            self.done[side] = Reply(finish_reason="failed", error="Stopped before it began.")
            self.news.set()

    def abandon(self) -> None:
        """End both replies for a visitor who has moved on."""
        self.abandoned = True
        self.news.set()

    def redirect(self, side: Side, wish: Intervention) -> bool:
        """Stop this side's reply and go on with it as wished; False when there is no running reply to redirect."""
        if side not in self.streams or side in self.done:
            return False
        self.wishes[side] = wish
        self.streams[side].stop()
        return True

    @property
    def over(self) -> bool:
        return len(self.done) == len(self.requests)

    def snapshot(self, began: float) -> Snapshot:
        arriving = {side: stream.reply for side, stream in self.streams.items()}
        running = frozenset(side for side in self.requests if side not in self.done)
        return Snapshot({**arriving, **self.done}, running, time.monotonic() - began)


def resume_for(wish: Intervention, reply: Reply, thought: ThoughtFormat) -> Resume:
    """The continuation a person asked for."""
    if wish == "continue":
        return continue_cut(reply)
    return (answer_now if wish == "answer_now" else think_more)(reply, thought)


async def follow(served: ServedPair, turn: LiveTurn, side: Side) -> AsyncIterator[Event]:
    """One side's events, from the wait in line to the end, through every redirection on the way."""
    request = turn.requests[side]
    thought = served.pair.model(request.role).thought
    resume = resume_for(*request.go_on, thought) if request.go_on else None
    going = True
    async with await client_of(served, request.role, READY_SECONDS) as client:
        while going:
            going = False
            stream = turn.streams[side] = client.stream(request.messages, request.sampling, resume=resume)
            async with aclosing(stream):
                async for event in stream:
                    if isinstance(event, Finished) and side in turn.wishes:
                        resume = resume_for(turn.wishes.pop(side), event.reply, thought)
                        going = True
                    else:
                        yield event


async def pump(served: ServedPair, turn: LiveTurn) -> None:
    """Take in both sides' events until both are done."""
    try:
        async with aclosing(duel({side: follow(served, turn, side) for side in turn.requests})) as events:
            async for side, event in events:
                if isinstance(event, Finished | Failed):
                    turn.done.setdefault(side, event.reply)
                turn.news.set()
    finally:
        turn.news.set()


async def snapshots(served: ServedPair, turn: LiveTurn) -> AsyncGenerator[Snapshot, None]:
    """Snapshots of the turn while it runs, the last one with both replies whole. Closing it ends both streams.

    An abandoned turn ends without a last one.
    """
    began = time.monotonic()
    task = asyncio.create_task(pump(served, turn))
    try:
        while not task.done() and not turn.over:
            with suppress(TimeoutError):
                await asyncio.wait_for(turn.news.wait(), SECONDS_BETWEEN_BEATS)
            turn.news.clear()
            if turn.abandoned:
                return
            yield turn.snapshot(began)
            await asyncio.wait({task}, timeout=SECONDS_BETWEEN_SNAPSHOTS)
        if task.done():
            task.result()
        yield turn.snapshot(began)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class LiveTurns:
    """The turns being answered, by battle id, so that another handler can stop or redirect the one it means."""

    def __init__(self) -> None:
        self._turns: dict[str, LiveTurn] = {}

    def open(self, battle_id: str, requests: Mapping[Side, SideRequest]) -> LiveTurn:
        turn = self._turns[battle_id] = LiveTurn(requests)
        return turn

    def get(self, battle_id: str) -> LiveTurn | None:
        return self._turns.get(battle_id)

    def close(self, battle_id: str) -> None:
        self._turns.pop(battle_id, None)

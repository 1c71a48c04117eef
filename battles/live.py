"""Turns in progress: both replies as they stream, and the controls that stop or redirect them.

No gradio here, and nothing about who may vote. Everything runs on one event loop. Each side of a turn is one task,
which wakes only when its server sends something; pages watch the turn at a pace the machine can sustain.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from battles.battle import Battle
from battles.pace import Pace, Signal
from common.errors import ArenaError, ServerError, for_visitors
from models.chat.client import Message, ReplyStream
from models.chat.events import Failed, Finished, Reply
from models.chat.resume import Wish, resume_for
from models.config.sampling import Sampling
from models.serving.clients import client_of
from models.serving.in_process.engine import ASKED_TOGETHER
from models.serving.pair import ServedPair
from votes.ballot import Role, Side

READY_SECONDS = 900.0
"""How long a question waits in line for a model that is still loading."""
DOWN_SECONDS = 3.0
"""How long a question waits for a server that has stopped answering. It may be back in a minute; visitors are told."""
FIRST_WORD_SECONDS = 180.0
"""How long a side may take until its first token: a busy server queues requests."""
SILENCE_SECONDS = 60.0
"""How long a side may fall silent in the middle of its reply."""
SECONDS_BETWEEN_BEATS = 1.0
"""If nothing happens, a snapshot is still sent this often, so that the elapsed time advances."""
LEFT_SECONDS = 15.0
"""How long a turn goes on after its page has left."""
TURNS_AT_ONCE = 400
"""Maximum number of concurrent questions; further ones are refused with a message."""
ENDED_KEPT = 1000
_LOOK_SECONDS = 0.5
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SideRequest:
    """What one side is asked."""

    role: Role
    messages: Sequence[Message]
    sampling: Sampling
    go_on: tuple[Wish, Reply] | None = None
    """How to continue, and which reply, instead of starting a new one; for a transplant, the reply with the thought."""


@dataclass(frozen=True)
class Snapshot:
    """Where a turn stands."""

    replies: Mapping[Side, Reply]
    """What has arrived; a side still in line is missing. The same object as before if nothing was added to it."""
    running: frozenset[Side]
    seconds: float
    """Since the turn began."""


@dataclass(kw_only=True)
class LiveTurn:
    """One turn being answered. Its switches may be used from any task of the same event loop."""

    requests: Mapping[Side, SideRequest] = field(kw_only=False)
    visitor: str = ""
    together: bool = False
    """No side begins before all models are there: one that is still loading would tell which side it is."""
    pace: Pace = field(default_factory=Pace)
    began: float = field(default_factory=time.monotonic)
    streams: dict[Side, ReplyStream] = field(default_factory=dict)
    done: dict[Side, Reply] = field(default_factory=dict)
    wishes: dict[Side, Wish] = field(default_factory=dict)
    words: Signal = field(default_factory=Signal)
    """Fires whenever something has arrived or ended."""
    ends: Signal = field(default_factory=Signal)
    """Fires when a side has ended or the turn was abandoned."""
    task: asyncio.Task[Any] | None = None
    """Plays the turn. It ends with the turn, not with the page that asked."""
    sides: dict[Side, asyncio.Task[None]] = field(default_factory=dict)
    abandoned: bool = False
    """The visitor has left: the replies are stopped and discarded."""
    watchers: int = 0
    _latest: dict[Side, Reply] = field(default_factory=dict)
    """Replies as they were last read; a side that has said more since is missing."""

    @property
    def over(self) -> bool:
        return len(self.done) == len(self.requests)

    def hear(self, side: Side) -> None:
        """Note that this side has sent more."""
        self._latest.pop(side, None)
        self.words.give()

    def end(self, side: Side, reply: Reply) -> None:
        """This side's reply is done."""
        self.done.setdefault(side, reply)
        self.ends.give()
        self.words.give()

    def stop(self, side: Side) -> None:
        """End this side's reply where it is, keeping its text. A side still waiting in the queue leaves it."""
        self.wishes.pop(side, None)
        if side in self.streams:
            self.streams[side].stop()
        elif side in self.requests:
            self.end(side, Reply(finish_reason="failed", error="Stopped before it began."))
            if side in self.sides:
                self.sides[side].cancel()

    def abandon(self) -> None:
        """End both replies for a visitor who has moved on."""
        self.abandoned = True
        if self.task:
            self.task.cancel()
        self.ends.give()
        self.words.give()

    def redirect(self, side: Side, wish: Wish) -> bool:
        """Stop this side's reply and continue it as wished. False if there is no running reply to redirect."""
        if side not in self.streams or side in self.done:
            return False
        self.wishes[side] = wish
        self.streams[side].stop()
        return True

    def snapshot(self) -> Snapshot:
        # Assembling a reply takes time proportional to its length, so it is done only when it has grown.
        for side, stream in self.streams.items():
            if side not in self._latest and side not in self.done:
                self._latest[side] = stream.reply
        running = frozenset(side for side in self.requests if side not in self.done)
        return Snapshot({**self._latest, **self.done}, running, time.monotonic() - self.began)


async def watch(turn: LiveTurn, *, words: bool = True) -> AsyncGenerator[Snapshot, None]:
    """Snapshots of a turn from now on. The last one has both replies complete, unless the turn is abandoned.

    Without `words`, for a page that may not show text yet, snapshots come only when a side ends and every second. A
    turn without watchers is abandoned after LEFT_SECONDS, as the page may just have been reloaded.
    """
    turn.watchers += 1
    try:
        while not (turn.over or turn.abandoned):
            signal = turn.words if words else turn.ends
            count = signal.count
            yield turn.snapshot()
            if words:
                await turn.pace.pause(turn.ends)
            await signal.after(count, SECONDS_BETWEEN_BEATS)
        if not turn.abandoned:
            yield turn.snapshot()
    finally:
        turn.watchers -= 1
        if not (turn.over or turn.abandoned):
            expect_watchers(turn)


def expect_watchers(turn: LiveTurn) -> None:
    """Abandon a turn that nobody will be watching in a moment."""
    if not turn.watchers:
        asyncio.get_running_loop().call_later(LEFT_SECONDS, abandon_if_left, turn)


def abandon_if_left(turn: LiveTurn) -> None:
    if not (turn.watchers or turn.over):
        turn.abandon()


async def play(served: ServedPair, turn: LiveTurn) -> None:
    """Answer every side that is asked, and return once all are done. Cancelling it ends their streams."""
    ASKED_TOGETHER.set(turn.ends)
    turn.sides = {side: asyncio.create_task(answer(served, turn, side)) for side in turn.requests}
    try:
        await asyncio.gather(*turn.sides.values(), return_exceptions=True)
    finally:
        for task in turn.sides.values():
            task.cancel()
        await asyncio.gather(*turn.sides.values(), return_exceptions=True)


async def answer(served: ServedPair, turn: LiveTurn, side: Side) -> None:
    """Answer one side, from queueing to its end. Any error ends only this side, with a message."""
    try:
        reply = await follow(served, turn, side)
    except ArenaError as error:
        reply = failed(turn, side, str(error))
    except Exception:
        _LOG.exception("side %s broke", side)
        reply = failed(turn, side, "The reply ended because of an internal error. The log has the details.")
    if reply.error:
        _LOG.warning("side %s failed: %s", side, reply.error)
    turn.end(side, replace(reply, error=for_visitors(reply.error)))


async def follow(served: ServedPair, turn: LiveTurn, side: Side) -> Reply:
    """One side's reply, through every redirection on the way."""
    request = turn.requests[side]
    thought = served.pair.model(request.role).thought
    resume = resume_for(*request.go_on, thought) if request.go_on else None
    roles = [each.role for each in turn.requests.values()] if turn.together else [request.role]
    for role in roles:
        await wait_in_line(served, role)
    # The client has no silence limit, since `listen` has one.
    client = await client_of(served, request.role, READY_SECONDS, silence_seconds=None, end_repetition=True)
    async with client:
        while True:
            stream = turn.streams[side] = client.stream(request.messages, request.sampling, resume=resume)
            turn.hear(side)
            async with aclosing(stream):
                event = await listen(turn, side, stream)
            if side not in turn.wishes or isinstance(event, Failed):
                return event.reply
            resume = resume_for(turn.wishes.pop(side), event.reply, thought)


async def listen(turn: LiveTurn, side: Side, stream: ReplyStream) -> Finished | Failed:
    """Read a stream to its end. A model that falls silent has failed; its text so far is kept."""
    clock = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(FIRST_WORD_SECONDS) as patience:
            heard = 0.0
            async for event in stream:
                if isinstance(event, Finished | Failed):
                    return event
                if (now := clock()) > heard + 1:  # not for every token: setting a timer costs as much as reading one
                    heard = now
                    patience.reschedule(now + SILENCE_SECONDS)
                turn.hear(side)
    except TimeoutError:
        begun = bool(stream.reply.raw)
        waited = SILENCE_SECONDS if begun else FIRST_WORD_SECONDS
        silence = f"The model {'fell silent' if begun else 'said nothing'} for {waited:.0f} s"
        error = f"{silence}, so its reply was cancelled. Please try again."
        return Failed(replace(stream.reply, finish_reason="failed", error=error))
    raise AssertionError("a reply ends in Finished or Failed")


async def wait_in_line(served: ServedPair, role: Role) -> None:
    """Return once the model is ready. ServerError if it has failed, or was there and has stopped answering."""
    until = time.monotonic() + READY_SECONDS
    while (status := served.status(role)).phase != "ready":
        if status.down_seconds > DOWN_SECONDS or status.phase in ("failed", "stopped") or time.monotonic() > until:
            title = served.pair.model(role).title
            raise ServerError(f"{title} does not answer ({status.sentence}).", "Please try again in a minute.")
        await asyncio.sleep(_LOOK_SECONDS)


def failed(turn: LiveTurn, side: Side, error: str) -> Reply:
    """The reply of a side that could not go on, with what it has said."""
    stream = turn.streams.get(side)
    return replace(stream.reply if stream else Reply(), finish_reason="failed", error=error)


class LiveTurns:
    """The turns in progress by battle id, so that other handlers can stop, redirect or watch them."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.ended: OrderedDict[str, Battle] = OrderedDict()
        """How the latest turns ended, for pages that still know them as running."""
        self._turns: dict[str, LiveTurn] = {}

    def __len__(self) -> int:
        return len(self._turns)

    def check_room(self, visitor: str, most: int) -> None:
        """Raise ServerError where too many are being answered: in all, or `most` for this visitor."""
        if len(self) >= TURNS_AT_ONCE:
            raise ServerError("Too many questions are being answered just now.", "Please try again in a minute.")
        if sum(turn.visitor == visitor for turn in self._turns.values()) >= most:
            raise ServerError("Too many of your questions are being answered.", "Wait for an answer, or stop one.")

    def add(self, battle_id: str, turn: LiveTurn) -> None:
        self.ended.pop(battle_id, None)
        self._turns[battle_id] = turn

    def get(self, battle_id: str) -> LiveTurn | None:
        return self._turns.get(battle_id)

    def keep(self, battle_id: str, battle: Battle) -> None:
        """Remember how a turn ended."""
        self.ended[battle_id] = battle
        while len(self.ended) > ENDED_KEPT:
            self.ended.popitem(last=False)

    def close(self, battle_id: str) -> None:
        self._turns.pop(battle_id, None)

"""Several streams read side by side, each at its own speed."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import replace
from typing import TypeVar

from common.errors import ArenaError
from models.chat.events import Event, Failed, Finished, Reply

K = TypeVar("K")
log = logging.getLogger(__name__)


async def duel(streams: Mapping[K, AsyncIterator[Event]]) -> AsyncGenerator[tuple[K, Event], None]:
    """Yield (side, event) as events arrive, until every side has ended. No side waits for another.

    A side that raises ends with Failed and the others continue. To end only one side, stop its stream.
    Closing this generator (use `contextlib.aclosing`), or cancelling its reader, closes every stream.
    """
    pending = {_next(stream): side for side, stream in streams.items()}
    try:
        while pending:
            done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                side = pending.pop(task)
                event, continues = _outcome(task, streams[side], side)
                if continues:
                    pending[_next(streams[side])] = side
                if event:
                    yield side, event
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await asyncio.gather(*(_close(stream) for stream in streams.values()), return_exceptions=True)


def _next(stream: AsyncIterator[Event]) -> asyncio.Future[Event]:
    return asyncio.ensure_future(anext(stream))


def _outcome(task: asyncio.Future[Event], stream: AsyncIterator[Event], side: object) -> tuple[Event | None, bool]:
    """The event of a finished task, and whether its side continues."""
    reply: Reply = getattr(stream, "reply", Reply())
    if task.cancelled():
        return Finished(_ended(reply, "")), False
    error = task.exception()
    if error is None:
        return task.result(), True
    if isinstance(error, StopAsyncIteration):
        return None, False
    if isinstance(error, ArenaError):
        return Failed(_ended(reply, str(error))), False
    log.error("side %s broke", side, exc_info=error)
    return Failed(_ended(reply, "The reply ended because of an internal error. The log has the details.")), False


def _ended(reply: Reply, error: str) -> Reply:
    return replace(reply, finish_reason="failed" if error else "stopped", error=error)


async def _close(stream: AsyncIterator[Event]) -> None:
    if close := getattr(stream, "aclose", None):
        await close()

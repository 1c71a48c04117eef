"""Retries: how often a failed request is repeated and how long to wait in between."""

import asyncio
import email.utils
import random
import time
from collections.abc import Awaitable, Callable, Mapping

from common.errors import ArenaError, ServerError
from models.chat.events import Reply

RETRIES = 3
PAUSE_SECONDS = 1.0
"""Before the first retry. Doubles with each retry; the wait is drawn between 0.5 and 1.5 times that."""
LONGEST_PAUSE_SECONDS = 60.0


async def ask_again(
    ask: Callable[[int], Awaitable[Reply]], *, pause: float = PAUSE_SECONDS, give_up: Callable[[], bool] = lambda: False
) -> Reply:
    """The first reply that did not fail, else the last failed one: after RETRIES + 1 attempts or a final failure.

    `ask(attempt)`, counted from 0, may also raise ArenaError, which counts as a failed reply that says so.
    `give_up` is checked after each failure.
    """
    for attempt in range(RETRIES + 1):
        if attempt:
            await asyncio.sleep(pause_before(attempt, first=pause))
        try:
            reply = await ask(attempt)
        except ArenaError as error:
            refusal = error.refusal if isinstance(error, ServerError) else ""
            reply = Reply(finish_reason="failed", error=str(error), refusal=refusal)
        if reply.finish_reason != "failed" or reply.final or give_up():
            break
    return reply


def pause_before(retry: int, asked: float | None = None, *, first: float = PAUSE_SECONDS) -> float:
    """Seconds before retry `retry`, from 1: `first`, doubled each time, with jitter, or what the server `asked`."""
    if asked is not None:
        return asked + random.uniform(0.0, 0.1) * max(asked, 0.1)
    return min(LONGEST_PAUSE_SECONDS, first * 2 ** (retry - 1) * random.uniform(0.5, 1.5))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the service asks to wait (`Retry-After` as seconds or date, `retry-after-ms`), or None."""
    if milliseconds := headers.get("retry-after-ms"):
        return _seconds(milliseconds, 0.001)
    value = headers.get("retry-after", "")
    if not value:
        return None
    if (seconds := _seconds(value)) is not None:
        return seconds
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _seconds(value: str, unit: float = 1.0) -> float | None:
    try:
        return max(0.0, float(value) * unit)
    except ValueError:
        return None

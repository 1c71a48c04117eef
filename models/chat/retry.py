"""Asking again: how often a failed request is tried, and how long is waited in between.

Does not know who is asked or what for.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

from common.errors import ArenaError, ServerError
from models.chat.events import Reply

RETRIES = 3
PAUSE_SECONDS = 1.0
"""Before the first retry; doubles with each, and is drawn between half and one and a half of that."""


async def ask_again(
    ask: Callable[[int], Awaitable[Reply]], *, pause: float = PAUSE_SECONDS, give_up: Callable[[], bool] = lambda: False
) -> Reply:
    """The first reply that did not fail, or else the last failed one: of RETRIES + 1, or of fewer where it is final.

    `ask(attempt)`, counted from 0, may also raise ArenaError, which counts as a failed reply that says so.
    `give_up` is asked after each failure.
    """
    for attempt in range(RETRIES + 1):
        if attempt:
            await asyncio.sleep(pause * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
        try:
            reply = await ask(attempt)
        except ArenaError as error:
            refusal = error.refusal if isinstance(error, ServerError) else ""
            reply = Reply(finish_reason="failed", error=str(error), refusal=refusal)
        if reply.finish_reason != "failed" or reply.final or give_up():
            break
    return reply

"""What the server remembers of a page, and when it forgets it."""

import asyncio
import ctypes
import gc
import sys
from contextlib import suppress
from copy import copy
from datetime import datetime, timedelta
from typing import Any

import gradio as gr
from gradio import state_holder

SECONDS_KEPT = 20.0
"""How long a session is kept after its page was left; a reloaded page finds its battle by its id."""


class LightSession(state_holder.SessionState):
    """A session without a description of every component of the page.

    Gradio creates one at a visitor's first event, for its deep links, which this page does not use. For six tabs that
    takes a fifth of a second of CPU time, and most of the megabyte that a session holds.
    """

    def __init__(self, blocks: gr.Blocks) -> None:
        self.blocks_config = copy(blocks.default_config)
        self.blocks_config.config_for_block = lambda *_: None  # type: ignore[method-assign, assignment]
        self.config_values = {}
        self.state_data = {}
        self._state_ttl = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = 3600

    def _update_value_in_config(self, key: int, value: Any) -> None: ...


def forget_those_who_leave(app: gr.Blocks) -> None:
    """Keep little per page, and free it soon after the page was closed, which gradio itself does not."""
    state_holder.SessionState = LightSession  # type: ignore[misc]
    due: list[asyncio.TimerHandle] = []

    async def leave(request: gr.Request) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(SECONDS_KEPT, forget, app, request.session_hash)
        while due:
            due.pop().cancel()
        due.append(loop.call_later(SECONDS_KEPT + 2, give_back_memory))

    async def settle() -> None:
        # The page itself is a million permanent objects, which every garbage collection would otherwise traverse.
        gc.collect()
        gc.freeze()

    app.unload(leave)
    app.extra_startup_events.append(settle)


def forget(app: gr.Blocks, session: str | None) -> None:
    """Drop a page's session, unless it has been used since the page was left."""
    holder = app.state_holder
    if session is None or session not in holder.session_data:
        return
    used = holder.time_last_used.get(session, datetime.min)
    if datetime.now() - used >= timedelta(seconds=SECONDS_KEPT - 1):
        with holder.lock:
            holder.session_data.pop(session, None)
            holder.time_last_used.pop(session, None)


def give_back_memory() -> None:
    """Return freed memory to the system; glibc would keep it."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)

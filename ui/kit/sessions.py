"""What the server remembers of a page, and when it forgets it."""

import asyncio
import ctypes
import gc
import sys
from contextlib import suppress
from datetime import datetime, timedelta

import gradio as gr

SECONDS_KEPT = 20.0
"""After a page was left; one that was only reloaded finds its battle by its id."""


def forget_those_who_leave(app: gr.Blocks) -> None:
    """Give back what gradio holds of a page, about a megabyte, soon after it was closed. Gradio itself would not."""
    due: list[asyncio.TimerHandle] = []

    async def leave(request: gr.Request) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(SECONDS_KEPT, forget, app, request.session_hash)
        while due:
            due.pop().cancel()
        due.append(loop.call_later(SECONDS_KEPT + 2, give_back_memory))

    app.unload(leave)


def forget(app: gr.Blocks, session: str | None) -> None:
    """Drop what is held of a page, unless it has been used since it was left."""
    holder = app.state_holder
    if session is None or session not in holder.session_data:
        return
    used = holder.time_last_used.get(session, datetime.min)
    if datetime.now() - used >= timedelta(seconds=SECONDS_KEPT - 1):
        with holder.lock:
            holder.session_data.pop(session, None)
            holder.time_last_used.pop(session, None)


def give_back_memory() -> None:
    """Return freed memory to the system, which glibc would keep."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)

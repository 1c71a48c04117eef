"""News for the page: plain data that its script, `ui/news.js`, passes on to the widgets.

A handler answers with news and is done; while replies arrive, news comes over a separate stream. Through gradio's queue
each update would cost a millisecond or more of CPU time, and as much again for every widget that may change.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from itertools import count
from typing import Any, NamedTuple

import gradio as gr
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from battles.battle import Battle
from battles.turns import Progress, Turns
from common.errors import ArenaError
from ui.compare.screen import Renderer, Update
from ui.kit.events import words_of
from ui.kit.panels import Message
from ui.kit.places import CHECKS
from ui.kit.routes import serve_at
from ui.services import Services

News = dict[str, Any]
"""`show`: widgets and their values; `add`: text for the last message of a panel; `follow`: the battle whose stream the
page should read, or "" to read none; `said`, `failed`: a sentence to show for a moment; `mine`: a battle for the
visitor's own list; `over`: that was all."""

PATH = "/arena/turns/{battle_id}"
MOST_READERS = 8
"""Most concurrent readers of one turn's stream."""
HTML_WIDGETS = frozenset({"progress", "lens", "heads", "figures", "ballot.prompt", "ballot.facts"})
MARKDOWN_WIDGETS = frozenset({"ballot.link", "pin.said"})
_NUMBERS = count(1)


class Added(NamedTuple):
    """How the last message of a panel grows: remove this many UTF-16 units at its end, then append the text."""

    panel: str
    removed: int
    text: str


def news(
    update: Update | None = None,
    *,
    follow: str | None = None,
    said: str = "",
    failed: str = "",
    mine: Mapping[str, str] | None = None,
) -> News:
    """A handler's answer. Numbered, since the page may pass on the same value twice."""
    message: News = {"number": next(_NUMBERS)}
    if update:
        message["show"] = {name: in_browser(name, value) for name, value in update.items()}
    if follow is not None:
        message["follow"] = follow
    if said:
        message["said"] = said
    if failed:
        message["failed"] = failed
    if mine:
        message["mine"] = dict(mine)
    return message


def in_browser(name: str, value: Any) -> Any:
    """A widget's value as the browser expects it. Text that is neither `Typeset` nor `Markup` is made safe here, since
    news does not pass through gradio's components, where `ui.kit.places` would do it."""
    kind = name.partition("-")[0]
    if kind == "panels":
        return chat_messages(value)
    if kind in HTML_WIDGETS:
        return CHECKS[gr.HTML](value)
    return CHECKS[gr.Markdown](value) if kind in MARKDOWN_WIDGETS else value


def chat_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages as gradio's chatbot has them in the browser."""
    return [
        {
            "role": message["role"],
            "metadata": message.get("metadata"),
            "content": [{"type": "text", "text": message["content"]}],
            "options": None,
        }
        for message in messages
    ]


def added(panel: str, before: Sequence[Message] | None, after: Sequence[Message]) -> Added | None:
    """The text by which a panel has grown; None if more than its last message's text has changed."""
    if not before or len(before) != len(after) or before[:-1] != after[:-1]:
        return None
    old, new = before[-1], after[-1]
    if {**old, "content": ""} != {**new, "content": ""}:
        return None
    kept = common_length(old["content"], new["content"])
    removed = len(old["content"][kept:].encode("utf-16-le", "surrogatepass")) // 2
    return Added(panel, removed, new["content"][kept:])


def common_length(one: str, other: str) -> int:
    """Length of the common prefix."""
    if other.startswith(one):
        return len(one)
    least, most = 0, min(len(one), len(other))
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if one[:middle] == other[:middle] else (least, middle - 1)
    return least


class Sent:
    """What one page has already been sent of a turn, so that it is sent only what is new."""

    def __init__(self, show: Renderer, shown: Battle | None) -> None:
        self._show = show
        self._shown = shown
        """The battle as the page shows it; None if that is not known."""
        self._values: Update = {}

    def next(self, step: Progress) -> News:
        """The news a page needs to show this step; empty if there is nothing new."""
        battle, before = step.battle, self._shown
        self._shown = battle
        if before is None:
            update = self._show.whole(battle)
        elif battle.phase != before.phase:
            update = self._show.changes(before, battle)
        else:
            update = self._show.moving(battle, step.seconds, before)
        message: News = {}
        for name, value in update.items():
            if name in self._values and self._values[name] == value:
                continue
            more = added(name, self._values.get(name), value) if name.startswith("panels-") else None
            if more:
                message.setdefault("add", []).append(more)
            else:
                message.setdefault("show", {})[name] = in_browser(name, value)
            self._values[name] = value
        return message


class TurnStreams:
    """The streams by which pages follow their turns: `GET /arena/turns/<battle>`, server-sent events of `News`."""

    def __init__(self, services: Services, turns: Turns, show: Renderer) -> None:
        self._services = services
        self._turns = turns
        self._show = show

    def serve_with(self, app: gr.Blocks) -> None:
        """Add the address to a page that is about to be launched."""
        serve_at(app, PATH, self.follow)

    async def follow(self, request: Request) -> Response:
        """Stream the visitor's own battle; anybody else's is refused."""
        visitor, battle_id = self._services.visitor(gr.Request(request)), request.path_params["battle_id"]
        try:
            known = self._turns.live.get(battle_id)  # others may have to be read from the database
            restore = self._turns.restore
            battle = restore(battle_id, visitor) if known else await run_in_threadpool(restore, battle_id, visitor)
        except ArenaError as error:
            return JSONResponse({"error": words_of(error)}, 404)
        turn = self._turns.live.get(battle_id)
        if turn and turn.watchers >= MOST_READERS:
            return JSONResponse({"error": "This battle is open in too many windows."}, 429)
        # A browser that reconnects says which event it received last.
        begun = battle.phase == "running" and "last-event-id" not in request.headers
        lines = self.lines(battle, visitor, Sent(self._show, battle if begun else None))
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(lines, media_type="text/event-stream", headers=headers)

    async def lines(self, battle: Battle, visitor: str, sent: Sent) -> AsyncIterator[bytes]:
        try:
            if battle.phase != "running":
                yield line(sent.next(Progress(battle, 0.0)))
            async with aclosing(self._turns.watch(battle, visitor)) as steps:
                async for step in steps:
                    if message := sent.next(step):
                        yield line(message)
        except ArenaError as error:
            yield line({"failed": words_of(error)})
        yield line({"over": True})


def line(message: News) -> bytes:
    """One server-sent event."""
    return f"id: 1\ndata: {json.dumps(message, separators=(',', ':'))}\n\n".encode()

"""What browsers may load and visitors may upload: headers on every response, upload limits and upload owners."""

import json
import os
import re
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from common.errors import DataError
from common.jsonl import parse
from ui.services import address_of
from votes.visitor import network

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # gradio's settings and its `js=`
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "frame-src 'none'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
LONGEST_PATH = 4096
"""Bytes. Linux opens no longer one."""
LARGEST_UPLOAD = 50 * 2**20
"""Bytes of one file."""
UPLOADED_AN_HOUR = 4 * LARGEST_UPLOAD
"""Bytes that one visitor may upload per hour; gradio deletes uploads after one to three hours."""
UPLOADS_AN_HOUR = 60
HOUR = 3600.0
KEPT_SECONDS = 4 * HOUR
"""How long the owner of an upload is remembered: longer than gradio keeps the file."""
LARGEST_BODY = 8 * 2**20
"""Bytes of any other request, such as what a page sends with a press of a button."""
_UPLOAD, _FILE = "/gradio_api/upload", "/gradio_api/file"
_EVENTS = ("/gradio_api/queue/join", "/gradio_api/run/", "/gradio_api/api/", "/gradio_api/call/", "/gradio_api/mcp")
_CLOSED = ("/gradio_api/process_recording", "/gradio_api/proxy=", "/gradio_api/vibe-", "/gradio_api/run-history",
           "/gradio_api/file=http")  # fmt: skip
"""Routes this page does not use; the last one and the proxy would fetch foreign URLs through this server."""


class PagePolicy:
    """ASGI middleware that lets the browser load only the page's own files, whatever a prompt or reply contains.

    An upload belongs to the visitor who made it: nobody else can fetch it or refer to it in an event.
    """

    def __init__(self, app: Application, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._uploads: dict[str, deque[tuple[float, int]]] = defaultdict(deque)
        self._owners: dict[str, dict[str, float]] = {}
        """Path of an upload → visitors who uploaded it (the same bytes give the same path), and when."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_policy(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = CONTENT_POLICY
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "same-origin"
                headers["X-DNS-Prefetch-Control"] = "off"  # looking up the host of a link in a reply tells its owner
            await send(message)

        answer: Send = send_with_policy
        path, visitor = scope["path"], network(address_of(scope.get("client"), Headers(scope=scope)))
        refusal = self._refusal(scope, visitor)
        if refusal is None and scope["method"] == "POST":
            if path.rstrip("/").endswith(_UPLOAD):
                answer = self._noting_owner(visitor, send_with_policy)
            else:
                body = await _body(receive)
                event = any(part in path for part in _EVENTS)
                refusal = self._refusal_of_body(body, event, visitor)
                receive = _again(_whole_characters(body or b"") if event else body or b"", receive)
        await (refusal or self._app)(scope, receive, answer)

    def _refusal(self, scope: Scope, visitor: str) -> Application | None:
        path = scope["path"].rstrip("/")
        if any(closed in path.lower() for closed in _CLOSED) or "monitoring" in path.split("/"):
            return PlainTextResponse("Not found.", 404)
        if _FILE in path and not self._may_use(path.partition(_FILE)[2][1:], visitor):
            return PlainTextResponse("Not found.", 404)
        if scope["method"] != "POST" or not path.endswith(_UPLOAD):
            return None
        length = Headers(scope=scope).get("content-length", "")
        if not length.isdecimal():
            return PlainTextResponse("An upload must state its length.", 411)
        if int(length) > LARGEST_UPLOAD + 2**16:  # the form around the file
            return PlainTextResponse(f"A file may have at most {LARGEST_UPLOAD // 2**20} MB.", 413)
        if not self._may_upload(visitor, int(length)):
            return PlainTextResponse("You have uploaded a lot. Try again in an hour.", 429)
        return None

    def _refusal_of_body(self, body: bytes | None, event: bool, visitor: str) -> Application | None:
        if body is None:
            return PlainTextResponse("This is too large.", 413)
        if not (event and self._owners):
            return None
        try:
            named = [text for text in _texts(json.loads(body)) if not self._may_use(text, visitor)]
        except (ValueError, RecursionError):
            return PlainTextResponse("This is not JSON that can be read.", 400)
        return PlainTextResponse("This file was uploaded by somebody else.", 403) if named else None

    def _may_use(self, path: str, visitor: str) -> bool:
        """False for the path of somebody else's upload, however it is spelled."""
        if not self._owners or os.sep not in path or "\0" in path:
            return True
        spellings = {path, os.path.normpath(path)}  # gradio shortens a path before the system sees how long it is
        owners = (self._owners.get(os.path.realpath(one)) for one in spellings if len(one) <= LONGEST_PATH)
        return all(known is None or visitor in known for known in owners)

    def _noting_owner(self, visitor: str, send: Send) -> Send:
        """Wraps `send` to read the uploaded files' paths from the response, and records this visitor as their owner."""
        answer = bytearray()

        async def note(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.body":
                answer.extend(message.get("body", b""))
                if not message.get("more_body"):
                    self._note(bytes(answer), visitor)
            await send(message)

        return note

    def _note(self, answer: bytes, visitor: str) -> None:
        now = self._clock()
        for path, owners in list(self._owners.items()):
            if max(owners.values()) < now - KEPT_SECONDS:
                del self._owners[path]
        try:
            paths = json.loads(answer)
        except ValueError:  # a refusal in words
            return
        for path in paths if isinstance(paths, list) else []:
            self._owners.setdefault(os.path.realpath(str(path)), {})[visitor] = now

    def _may_upload(self, visitor: str, size: int) -> bool:
        now = self._clock()
        for known in list(self._uploads):
            while self._uploads[known] and now - self._uploads[known][0][0] > HOUR:
                self._uploads[known].popleft()
            if not self._uploads[known]:
                del self._uploads[known]
        recent = self._uploads[visitor]
        if len(recent) >= UPLOADS_AN_HOUR or sum(each for _, each in recent) + size > UPLOADED_AN_HOUR:
            return False
        recent.append((now, size))
        return True


async def _body(receive: Receive) -> bytes | None:
    """The whole body of a request; None if it is larger than `LARGEST_BODY`."""
    body = bytearray()
    while True:
        message = await receive()
        body.extend(message.get("body", b""))
        if len(body) > LARGEST_BODY:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _whole_characters(event: bytes) -> bytes:
    """The event with lone surrogates replaced by U+FFFD, since echoing one would break the stream."""
    if not re.search(rb"\\u[dD][89a-fA-F]", event):
        return event
    try:
        return json.dumps(parse(event.decode("utf-8", "replace"), "The event")).encode()
    except DataError:
        return event  # gradio refuses it


def _again(body: bytes, receive: Receive) -> Receive:
    """Hand out the body that has been read, then whatever follows."""
    messages: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Any:
        return messages.pop() if messages else await receive()

    return receive_again


def _texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)

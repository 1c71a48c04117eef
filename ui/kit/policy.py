"""What the server lets a browser load and a visitor upload: headers on every answer, and limits on uploads."""

import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from ui.services import address_of

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
LARGEST_UPLOAD = 50 * 2**20
"""Bytes of one file."""
UPLOADED_AN_HOUR = 4 * LARGEST_UPLOAD
"""Bytes that one visitor may upload within an hour; gradio deletes them after one to three."""
UPLOADS_AN_HOUR = 60
HOUR = 3600.0
_UPLOAD, _CLOSED = "/gradio_api/upload", ("/gradio_api/process_recording",)


class PagePolicy:
    """Allows the page's own files only, whatever stands in a prompt or a reply. An ASGI middleware."""

    def __init__(self, app: Application, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._uploads: dict[str, deque[tuple[float, int]]] = defaultdict(deque)

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
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_policy)

    def _refusal(self, scope: Scope) -> Application | None:
        path = scope["path"].rstrip("/")
        if path.endswith(_CLOSED) or "monitoring" in path.split("/"):
            return PlainTextResponse("Not found.", 404)
        if scope["method"] != "POST" or not path.endswith(_UPLOAD):
            return None
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        if not length.isdigit():
            return PlainTextResponse("An upload must state its length.", 411)
        if int(length) > LARGEST_UPLOAD + 2**16:  # the form around the file
            return PlainTextResponse(f"A file may have at most {LARGEST_UPLOAD // 2**20} MB.", 413)
        if not self._may_upload(address_of(scope.get("client"), headers), int(length)):
            return PlainTextResponse("You have uploaded a lot. Try again in an hour.", 429)
        return None

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

"""Routes of our own, in addition to gradio's."""

from collections.abc import Awaitable, Callable

import gradio as gr
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def serve_at(app: gr.Blocks, path: str, answer: Callable[[Request], Awaitable[Response]]) -> None:
    """Add a route to a page that is about to be launched."""

    async def add() -> None:
        app.app.router.routes.insert(0, Route(path, answer))  # before gradio's own, which match any path

    app.extra_startup_events.append(add)

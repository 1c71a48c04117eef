"""Who asks: a visitor's own address, also behind a balancer on another machine."""

import re
from collections.abc import AsyncIterator

import gradio as gr
import httpx
import pytest
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from common.paths import ROOT
from ui.services import address_of

BALANCER, VISITOR = "10.0.0.2", "198.51.100.7"
ADVICE = re.search(r"^export (\w+)=10\.0\.0\.2 ", (ROOT / "docs" / "deployment.md").read_text(), re.MULTILINE)


class SaysWhoAsks:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["path"] == "/who"
        answer = PlainTextResponse(address_of(scope["client"], Headers(scope=scope))) if asked else self._app
        await answer(scope, receive, send)


@pytest.fixture
async def balancer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """The connection of a balancer on another machine to gradio's server, started as docs/deployment.md advises."""
    assert ADVICE
    monkeypatch.setenv(ADVICE[1], BALANCER)
    with gr.Blocks() as app:
        gr.Markdown("A page.")
    watched = {"middleware": [Middleware(SaysWhoAsks)]}
    app.launch(prevent_thread_lock=True, quiet=True, _frontend=False, app_kwargs=watched, ssr_mode=False)
    transport = httpx.ASGITransport(app.server.config.loaded_app, client=(BALANCER, 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
        yield client
    app.close()


@pytest.mark.parametrize("forwarded", [VISITOR, f"192.0.2.1, {VISITOR}", f"{VISITOR}:40000"])
async def test_behind_a_balancer_that_is_named_a_visitor_has_an_own_address(
    balancer: httpx.AsyncClient, forwarded: str
) -> None:
    """Also where the visitor pretends to be another: what the balancer appends counts."""
    assert (await balancer.get("/who", headers={"X-Forwarded-For": forwarded})).text == VISITOR

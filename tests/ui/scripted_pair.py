"""A pair of scripted models at real addresses: the whole app without an engine, at a steady pace.

What the scripts write is up to `tests.models.chat.scripted_server`.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from models.config.registry import ROLES, Role, load_config
from models.config.sampling import Sampling
from models.config.sources import AddressSource
from models.config.thought_format import ThoughtFormat
from models.serving.pair import ServedPair, serving
from models.serving.server import free_port
from tests.models.chat.scripted_server import END, ScriptedServer
from tests.votes.helpers import FREE
from ui.layout import QUEUE, build_app, launch_options
from ui.services import Services
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.store import Store

Script = Callable[[str], str]
"""What is written so far → the rest of the reply."""
START_SECONDS = 30.0
SAMPLING = Sampling(max_tokens=4000, temperature=0.6)
"""Above 0, so that an answer may be drawn again."""


def always(texts: Mapping[Role, str]) -> dict[Role, Script]:
    """Models that write the same text whatever they are asked."""
    return {role: lambda written, text=text: text[len(written) :] + END for role, text in texts.items()}


def over_http(server: ScriptedServer, seconds_a_read: float) -> Starlette:
    """The server's answers at a real address, `bytes_a_read` every `seconds_a_read`."""

    async def slowly(answer: httpx.Response) -> AsyncIterator[bytes]:
        async for read in answer.aiter_raw():
            yield read
            await asyncio.sleep(seconds_a_read)

    async def answer(request: Request) -> Response:
        scripted = await server.answer(httpx.Request("POST", str(request.url), content=await request.body()))
        if isinstance(scripted.stream, httpx.ByteStream):
            return Response(scripted.content, scripted.status_code, media_type="application/json")
        return StreamingResponse(slowly(scripted), media_type="text/event-stream")

    async def models(_: Request) -> Response:
        return JSONResponse({"data": [{"id": "scripted"}]})

    paths = ("/v1/chat/completions", "/v1/completions", "/tokenize", "/detokenize")
    return Starlette(routes=[Route("/v1/models", models), *(Route(path, answer, methods=["POST"]) for path in paths)])


@contextmanager
def listening(app: Starlette) -> Iterator[str]:
    """The app's address on loopback, ending in /v1, while it is served by a thread."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + START_SECONDS
    while not server.started and time.monotonic() < until:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = server.force_exit = True
        thread.join(START_SECONDS)


@contextmanager
def scripted_pair(scripts: dict[Role, Script], seconds_a_read: float = 0.02) -> Iterator[ServedPair]:
    """The embedded pair with scripts in the models' place; both think in tags. A token is a character."""
    config = load_config()
    pair = config.pairs["smol-135m"]
    servers = {role: ScriptedServer(scripts[role], bytes_a_read=1000) for role in ROLES}
    with (
        listening(over_http(servers["base"], seconds_a_read)) as base,
        listening(over_http(servers["distilled"], seconds_a_read)) as distilled,
    ):
        changes = {
            role: pair.model(role).model_copy(
                update={"weights": AddressSource(address=url), "thought": ThoughtFormat("tags"), "sampling": SAMPLING}
            )
            for role, url in (("base", base), ("distilled", distilled))
        }
        with serving(config, pair.model_copy(update=changes), config.profiles["cpu"]) as served:
            yield served


@contextmanager
def scripted_page(home: Path, scripts: dict[Role, Script], seconds_a_read: float) -> Iterator[str]:
    """The address of the whole page with scripts in the models' place; what it keeps is below `home`."""
    with scripted_pair(scripts, seconds_a_read) as served:
        store = Store(home / "votes.duckdb")
        desk = Desk(store, limits=Limits(rates=FREE))
        app = build_app(Services(load_config(), served, desk, store, home, b"salt")).queue(**QUEUE)
        _, url, _ = app.launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, **launch_options())
        yield url
        app.close()
        store.close()

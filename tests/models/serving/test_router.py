"""A router in front of two servers of one model: the app sees one address, as docs/deployment.md promises."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from models.chat.client import Message
from models.chat.events import Finished
from models.chat.resume import answer_now
from models.config.registry import load_config
from models.config.sampling import Sampling
from models.config.sources import AddressSource
from models.config.thought_format import ThoughtFormat
from models.serving.clients import client_of
from models.serving.pair import ServedPair, serving
from tests.models.chat.scripted_server import ScriptedServer, continuing
from tests.ui.scripted_pair import listening, over_http

CONFIG = load_config()
THOUGHT = "Two and two are two more than two, which is four. " * 4
ASK = [Message("user", "What is 2 + 2?")]


def relay(addresses: Sequence[str]) -> Starlette:
    """Passes each request on to the next address, and the bytes of the answer back as they come."""
    turns = cycle(addresses)
    client = httpx.AsyncClient(timeout=30.0, trust_env=False)

    async def passed_on(request: Request) -> Response:
        url = next(turns).removesuffix("/v1") + request.url.path
        body = await request.body()
        asked = client.build_request(
            request.method, url, content=body, headers={"Content-Type": request.headers.get("content-type", "")}
        )
        answer = await client.send(asked, stream=True)
        kind = answer.headers.get("content-type")
        return StreamingResponse(pieces(answer), answer.status_code, media_type=kind)

    async def pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
        async for piece in answer.aiter_raw():
            yield piece
        await answer.aclose()

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    return Starlette(routes=[Route("/{path:path}", passed_on, methods=["GET", "POST"])], lifespan=life)


@pytest.fixture
def routed() -> Iterator[tuple[ServedPair, list[ScriptedServer]]]:
    """The base of a pair behind one address, and the two servers that answer there."""
    script = continuing(f"<think>{THOUGHT}</think>It is 4.", "So it is 4.")
    servers = [ScriptedServer(script), ScriptedServer(script)]
    pair = CONFIG.pairs["smol-135m"]
    with (
        listening(over_http(servers[0], 0.0)) as first,
        listening(over_http(servers[1], 0.0)) as second,
        listening(relay([first, second])) as address,
    ):
        changes = {"weights": AddressSource(address=address), "thought": ThoughtFormat("tags")}
        routed_pair = pair.model_copy(update={"base": pair.base.model_copy(update=changes)})
        with serving(CONFIG, routed_pair, CONFIG.profiles["cpu"], ("base",)) as served:
            yield served, servers


async def test_requests_are_spread_and_every_reply_is_whole(routed: tuple[ServedPair, list[ScriptedServer]]) -> None:
    served, servers = routed
    async with await client_of(served, "base") as client:
        replies = await asyncio.gather(*(client.complete(ASK, Sampling(max_tokens=999)) for _ in range(6)))
        streamed = [[event async for event in client.stream(ASK, Sampling(max_tokens=999))][-1] for _ in range(2)]
    replies += [event.reply for event in streamed if isinstance(event, Finished)]
    assert [(reply.thought.strip(), reply.answer) for reply in replies] == [(THOUGHT.strip(), "It is 4.")] * 8
    asked = [len(server.asked("/v1/chat/completions")) for server in servers]
    assert sum(asked) == 8 and min(asked) > 1  # the app's own look at the address takes a turn as well


async def test_a_reply_goes_on_at_whichever_server_comes_next(routed: tuple[ServedPair, list[ScriptedServer]]) -> None:
    """A thinking budget and *answer now* ask for tokens and go on from them: nothing of a reply lives in a server."""
    served, servers = routed
    async with await client_of(served, "base") as client:
        cut = await client.complete(ASK, Sampling(max_tokens=999, thinking_budget=30))
        whole = await client.complete(ASK, Sampling(max_tokens=40))
        now = await client.complete(ASK, Sampling(max_tokens=999), resume=answer_now(whole, client.thought))
    assert cut.forced and cut.answer == "So it is 4." and len(cut.thought) <= 30
    assert now.answer == "So it is 4." and now.thought.startswith(whole.thought)
    for path in ("/tokenize", "/v1/completions"):
        assert any(server.asked(path) for server in servers)
    assert all(server.seen for server in servers)

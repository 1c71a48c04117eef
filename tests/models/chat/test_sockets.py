"""Real connections on this machine: how a server answers, breaks off, falls silent or is gone, byte by byte."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from common.errors import ServerError
from models.chat.client import Endpoint, Message, ModelClient
from models.chat.endpoint import client_options, local_transport
from models.chat.events import Reply
from models.config.sampling import Sampling

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
QUESTION = [Message("user", "How many?")]
SILENCE = 0.5


def event(text: str, finish: str | None = None) -> bytes:
    choice = {"delta": {"content": text} if text else {}, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice]}, ensure_ascii=False)}\n\n".encode()


WHOLE = [HEAD, event("forty"), event(" two 你好"), event("", "stop"), b"data: [DONE]\n\n"]


@asynccontextmanager
async def serving(parts: Sequence[bytes | float], asked: list[bytes] | None = None) -> AsyncIterator[str]:
    """An address that answers each request with these bytes; a number is a pause in seconds."""
    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            request = await reader.readuntil(b"\r\n\r\n")
            if asked is not None:
                asked.append(request)
            for part in parts:
                if isinstance(part, bytes):
                    writer.write(part)
                    await writer.drain()
                else:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(gone.wait(), part)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        gone.set()
        server.close()


async def reply_from(url: str, *, silence_seconds: float | None = SILENCE) -> Reply:
    async with ModelClient(Endpoint(url, "m"), silence_seconds=silence_seconds) as client:
        stream = client.stream(QUESTION, Sampling(max_tokens=50))
        async for _ in stream:
            pass
        return stream.reply


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_a_reply_is_the_same_in_pieces_of_any_size(size: int) -> None:
    whole = b"".join(WHOLE)
    async with serving([whole[at : at + size] for at in range(0, len(whole), size)]) as url:
        reply = await reply_from(url)
    assert (reply.answer, reply.finish_reason, reply.error) == ("forty two 你好", "stop", "")


async def test_a_server_in_chunks_is_read_to_its_end() -> None:
    head = HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked")
    chunks = [f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in WHOLE[1:]]
    async with serving([head, *chunks, b"0\r\n\r\n"]) as url:
        assert (await reply_from(url)).answer == "forty two 你好"


@pytest.mark.parametrize(
    ("parts", "said", "words"),
    [
        (WHOLE[:3], "forty two 你好", "broke off"),
        ([HEAD.replace(b"Connection: close", b"Content-Length: 9999"), *WHOLE[1:3]], "forty two 你好", "broke"),
        ([HEAD, event("forty"), event(" two 你好")[:-30]], "forty", "broke off"),
        ([HEAD, event("forty"), 60.0], "forty", "sent nothing for 0.5 s"),
        ([60.0], "", "sent nothing for 0.5 s"),
        ([], "", "does not answer"),
        ([b"I am no web server\r\n\r\n"], "", "broke"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"], "", "broke"),
        ([b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops"], "", "oops"),
    ],
    ids=["end", "short", "torn event", "silent", "never answers", "closes at once", "no http", "bad length", "error"],
)  # fmt: skip
async def test_what_goes_wrong_is_told_in_words_and_what_was_said_stays(
    parts: list[bytes | float], said: str, words: str
) -> None:
    async with serving(parts) as url:
        reply = await asyncio.wait_for(reply_from(url), 20)
    assert (reply.answer, reply.finish_reason) == (said, "failed")
    assert words in reply.error


async def test_nobody_at_the_address() -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    server.close()
    await server.wait_closed()
    assert "does not answer" in (await reply_from(url)).error


async def test_without_a_limit_a_silent_server_is_waited_for() -> None:
    async with serving([HEAD, event("forty"), 3 * SILENCE, *WHOLE[2:]]) as url:
        assert (await reply_from(url, silence_seconds=None)).answer == "forty two 你好"


async def test_a_reader_who_leaves_closes_the_connection() -> None:
    """The server learns of it, as vLLM must to stop generating."""
    closed = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + event("forty"))
        while await reader.read(100):
            pass
        closed.set()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with ModelClient(Endpoint(url, "m")) as client:
        stream = client.stream(QUESTION, Sampling(max_tokens=50))
        async for _ in stream:
            stream.stop()
        assert stream.reply.answer == "forty"
    await asyncio.wait_for(closed.wait(), 10)
    server.close()


async def test_many_requests_at_once_do_not_wait_for_each_other() -> None:
    """More than the hundred connections that aiohttp allows by itself."""
    async with serving([1.0, *WHOLE]) as url, ModelClient(Endpoint(url, "m")) as client:
        replies = await asyncio.wait_for(asyncio.gather(*(last(client) for _ in range(150))), 20)
    assert {reply.answer for reply in replies} == {"forty two 你好"}


async def last(client: ModelClient) -> Reply:
    stream = client.stream(QUESTION, Sampling(max_tokens=50))
    async for _ in stream:
        pass
    return stream.reply


async def test_the_key_is_sent() -> None:
    asked: list[bytes] = []
    async with serving(WHOLE, asked) as url, ModelClient(Endpoint(url, "m", "secret")) as client:
        await last(client)
    assert b"authorization: bearer secret" in asked[0].lower()


@pytest.mark.parametrize(
    ("url", "local"),
    [("http://127.0.0.1:8000/v1", True), ("http://localhost:8000/v1", True), ("https://localhost:8000/v1", False),
     ("http://example.org/v1", False), ("https://example.org/v1", False)],
)  # fmt: skip
def test_only_plain_addresses_of_this_machine_pass_by_httpx(url: str, local: bool) -> None:
    """Elsewhere there are proxies to go through, and certificates to check."""
    endpoint = Endpoint(url, "m")
    options = client_options(endpoint)
    assert (local_transport(endpoint) is not None) is local
    assert options["trust_env"] is ("localhost" not in url and "127.0.0.1" not in url)
    assert bool(options["verify"]) is url.startswith("https")
    httpx.AsyncClient(**options)


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises((ServerError, httpx.InvalidURL)):
        client_options(Endpoint("http://[::1/v1", "m"))

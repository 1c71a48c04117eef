"""The OpenAI protocol as vLLM and similar servers implement it: requests and the pieces of their answers."""

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator, Set
from contextlib import aclosing
from typing import Any, NamedTuple, Protocol

import httpx

from common.errors import ServerError
from models.chat.endpoint import Endpoint, client_options, local_transport, plain_errors, silence_error
from models.chat.pieces import Halves, Piece, read_message
from models.chat.refusals import OPTIONAL, NoScoresError, NoTokenizerError, UnknownOptionError, check
from models.chat.sse import messages
from models.config.sampling import Sampling

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 300.0
"""Longest wait for the next message of a stream. A busy server queues a request before its first token."""
WHOLE_SECONDS = 3600.0
"""Longest wait for a complete reply."""
REPETITION = {"min_pattern_size": 16, "max_pattern_size": 256, "min_count": 4}
"""What counts as a reply that repeats itself: its last 16 to 256 tokens stand there four times in a row. Why these
numbers: docs/decisions.md."""


class Request(NamedTuple):
    """One request for text: chat messages to answer, or exact tokens to continue."""

    prompt: dict[str, Any] | list[int]
    sampling: Sampling
    limit: int
    """Maximum number of output tokens."""
    end_repetition: bool = False
    """Whether the server should end a reply that repeats itself. vLLM can; others write to the limit."""


class TokenScore(NamedTuple):
    """The log-probability of one token of a text given to the model."""

    token: int
    text: str
    logs: dict[int, float]
    """Natural log-probabilities by token id: of this token and of the likeliest ones at its position."""


class Channel(Protocol):
    """Access to a model over any transport: HTTP (`Wire`) or in-process. Every method raises ServerError."""

    async def aclose(self) -> None: ...

    async def chat_tokens(self, chat: dict[str, Any]) -> list[int]:
        """The exact tokens of a chat prompt, as the model's template writes it."""

    async def tokens(self, text: str) -> list[int]:
        """The tokens of a text, without any special token added."""

    async def text(self, tokens: list[int]) -> str:
        """The text of some tokens; a character cut in two becomes U+FFFD."""

    async def scores(self, tokens: list[int], top: int) -> list[TokenScore]:
        """How likely the model finds each token but the first, with the `top` likeliest in its place."""

    def pieces(self, request: Request, stream: bool) -> AsyncGenerator[Piece, None]:
        """The answer as it arrives, or at once and whole. Closing it stops the model."""


class Wire:
    """The connections to one endpoint, for one event loop at a time. No request is retried once its answer has
    begun."""

    def __init__(
        self, endpoint: Endpoint, silence_seconds: float | None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.endpoint = endpoint
        self._silence_seconds = math.inf if silence_seconds is None else silence_seconds
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def aclose(self) -> None:
        if self._client and self._loop is asyncio.get_running_loop():
            await self._client.aclose()
        self._client = None

    async def chat_tokens(self, chat: dict[str, Any]) -> list[int]:
        """The exact tokens of a chat prompt, as the server's template writes it. Raises ServerError."""
        return await self._field("tokens", "/tokenize", chat)

    async def tokens(self, text: str) -> list[int]:
        """The tokens of a text, without any special token added. Raises ServerError."""
        body = {"prompt": text, "add_special_tokens": False}
        return await self._field("tokens", "/tokenize", body) if text else []

    async def text(self, tokens: list[int]) -> str:
        """The text of some tokens; a character cut in two becomes U+FFFD. Raises ServerError."""
        return await self._field("prompt", "/detokenize", {"tokens": tokens})

    async def scores(self, tokens: list[int], top: int) -> list[TokenScore]:
        """How likely the model finds each token but the first, with the `top` likeliest in its place.

        Raises ServerError, also if the server does not offer them; vLLM does.
        """
        body = {"prompt": tokens, "max_tokens": 1, "temperature": 0.0, "prompt_logprobs": top}
        answer = await self._post("/v1/completions", body)
        with plain_errors(self.endpoint, self._silence_seconds):
            given = answer["choices"][0].get("prompt_logprobs")
            if not given:
                raise NoScoresError(self.endpoint.url)
            return [
                TokenScore(token, at[str(token)]["decoded_token"] or "", {int(k): v["logprob"] for k, v in at.items()})
                for token, at in zip(tokens[1:], given[1:], strict=True)
            ]

    async def pieces(self, request: Request, stream: bool) -> AsyncGenerator[Piece, None]:
        """The answer as it arrives. Closing this closes the connection, and vLLM then stops generating.

        If the server refuses an option it does not know, the request is sent again without it, once per option.
        Raises ServerError.
        """
        while True:
            refused = frozenset(self.endpoint.refused)
            try:
                async with aclosing(self._exchange(request, stream, refused)) as pieces:
                    async for piece in pieces:
                        yield piece
                return
            except UnknownOptionError as error:
                # With many requests in flight, the first refusal drops the option for all of them.
                if refused == self.endpoint.refused and not self._forgo(str(error)):
                    raise

    async def _exchange(self, request: Request, stream: bool, refused: Set[str]) -> AsyncGenerator[Piece, None]:
        path, body = self._body(request, stream, refused)
        silence = self._silence_seconds if stream else WHOLE_SECONDS
        timeout = limits_of(silence)
        with plain_errors(self.endpoint, silence):
            post = self._http().stream("POST", self.endpoint.url + path, json=body, timeout=timeout)
            async with post as response:
                await check(response)
                if not stream:
                    yield whole_piece(Halves().join(read_message(parse(await response.aread())), last=True))
                    return
                async with aclosing(self._streamed(response)) as pieces:
                    async for piece in pieces:
                        yield piece

    async def _streamed(self, response: httpx.Response) -> AsyncGenerator[Piece, None]:
        """The pieces of a streamed answer. Raises ServerError if it breaks off."""
        heard, has_text, finished, halves = time.monotonic(), False, False, Halves()
        async with aclosing(messages(response.aiter_bytes())) as stream:
            async for data in stream:
                if data == b"[DONE]":
                    # Some servers give no finish reason; this marker says that the stream is complete.
                    if has_text and not finished:
                        yield Piece(finish="stop")
                        finished = True
                    break
                piece = halves.join(read_message(parse(data))) if data else Piece()
                has_text = has_text or bool(piece.text or piece.separated_thought)
                check_end(piece, has_text)
                finished = finished or piece.finish is not None
                if piece.is_news:
                    heard = time.monotonic()
                elif not finished and time.monotonic() - heard > self._silence_seconds:
                    raise silence_error(self._silence_seconds)  # keep-alives alone are not a reply
                yield piece
        if not finished:
            raise ServerError("The model server broke off during the reply.", "Try again.")

    def _body(self, request: Request, stream: bool, refused: Set[str]) -> tuple[str, dict[str, Any]]:
        sampling = request.sampling
        prompt = request.prompt
        body: dict[str, Any] = {"prompt": prompt} if isinstance(prompt, list) else dict(prompt)
        limit = "max_completion_tokens" if "max_tokens" in refused else "max_tokens"
        body |= {"model": self.endpoint.model, limit: request.limit, "stream": stream}
        body |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if request.end_repetition and "repetition_detection" not in refused:
            body["repetition_detection"] = REPETITION
        if stream and "stream_options" not in refused:
            continuous = {} if "continuous_usage_stats" in refused else {"continuous_usage_stats": True}
            body["stream_options"] = {"include_usage": True} | continuous
        return "/completions" if isinstance(prompt, list) else "/chat/completions", body

    def _forgo(self, refusal: str) -> bool:
        """Leave out the first option that the refusal is about; False if it is about none that was sent."""
        named = (option for option, word in OPTIONAL.items() if word in refusal)
        option = next((option for option in named if option not in self.endpoint.refused), None)
        if option:
            self.endpoint.refused.add(option)
        return option is not None

    async def _field(self, name: str, path: str, body: dict[str, Any]) -> Any:
        """One field of the answer. Other servers, such as llama.cpp's, expect different request fields and answer with
        no tokens at all."""
        answer = await self._post(path, body)
        value = answer.get(name) if isinstance(answer, dict) else None
        if value is None or value == []:
            raise NoTokenizerError(self.endpoint.url, f"{path} of vLLM's kind")
        return value

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        url = self.endpoint.url.removesuffix("/v1") + path
        timeout = limits_of(self._silence_seconds)
        with plain_errors(self.endpoint, self._silence_seconds):
            response = await self._http().post(url, json={"model": self.endpoint.model} | body, timeout=timeout)
            if response.status_code in (404, 405, 501):
                raise NoTokenizerError(self.endpoint.url, path)
            await check(response)
            return response.json()

    def _http(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=256)
            options = client_options(self.endpoint)
            transport = self._transport or local_transport(self.endpoint)
            self._client = httpx.AsyncClient(**options, limits=limits, transport=transport)
            self._loop = loop
        return self._client


def limits_of(silence_seconds: float) -> httpx.Timeout:
    """Timeouts for connecting and for the next bytes; the latter is unlimited if `silence_seconds` is infinite."""
    return httpx.Timeout(
        silence_seconds if math.isfinite(silence_seconds) else None, connect=CONNECT_SECONDS, pool=None
    )


def parse(data: bytes) -> Any:
    """A message as JSON; invalid UTF-8 becomes U+FFFD. Raises ServerError, quoting text that is not JSON."""
    text = data.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError as error:
        words = "" if "<" in text or not text.strip() else f": {' '.join(text.split())[:200]}"
        raise ServerError(
            f"The model server's answer does not follow the OpenAI protocol{words}.", "Check the address."
        ) from error


def check_end(piece: Piece, has_text: bool) -> None:
    """Raise ServerError if the reply ended for an unknown reason before any text: there is nothing to show."""
    if piece.unknown_finish and not has_text:
        raise ServerError(
            f"The model server ended the reply with «{piece.unknown_finish}».", "Try again, or change the question."
        )


def whole_piece(piece: Piece) -> Piece:
    """A complete answer; it has ended even if the server gives no reason. Raises ServerError if it is empty."""
    check_end(piece, bool(piece.text or piece.separated_thought))
    if not piece.is_news:
        raise ServerError("The model server sent no reply.", "Try again.")
    return piece._replace(finish=piece.finish or "stop")

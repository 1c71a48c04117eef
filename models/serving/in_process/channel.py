"""A model in this process behind the interface of a server: what `ModelClient` needs, without a connection."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from common.errors import ServerError
from models.chat.client import Endpoint
from models.chat.pieces import Piece
from models.chat.refusals import length_refusal
from models.chat.wire import Channel, Request, TokenScore
from models.serving.in_process.generation import Job, PieceOrError


class Submits(Protocol):
    """Anything that answers jobs, such as `models.serving.in_process.engine.InProcess`."""

    folder: Path
    """The folder for the files that stop jobs."""

    def submit(self, job: Job, hear: Any) -> None: ...


@dataclass(frozen=True)
class LocalEndpoint(Endpoint):
    """A model in this process. It has no address."""

    channel: Channel | None = None


class LocalChannel:
    """The requests of one model. Several may be under way at once."""

    def __init__(self, engine: Submits, key: str, tokenizer: Any, context: int) -> None:
        self._engine, self._key, self._tokenizer, self._context = engine, key, tokenizer, context

    async def aclose(self) -> None:
        """Does nothing: there is no connection to close."""

    async def chat_tokens(self, chat: dict[str, Any]) -> list[int]:
        options = chat.get("chat_template_kwargs", {})
        try:
            tokens: list[int] = self._tokenizer.apply_chat_template(
                chat["messages"], add_generation_prompt=True, return_dict=False, **options
            )
        except Exception as error:  # a chat template is code and may raise anything
            words = f"The model's chat template refuses this conversation: {error}."
            raise ServerError(words, "Start a new conversation.", "refused") from error
        return tokens

    async def tokens(self, text: str) -> list[int]:
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
        return tokens

    async def text(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens))

    async def scores(self, tokens: list[int], top: int) -> list[TokenScore]:
        """Not offered here: raises ServerError."""
        raise ServerError("Transformers gives no probabilities of a prompt here.", "Use a vLLM server.", "refused")

    async def pieces(self, request: Request, stream: bool) -> AsyncGenerator[Piece, None]:
        """Raises ServerError; closing it stops the model at its next token."""
        if stream:
            async with aclosing(self._streamed(request)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        async with aclosing(self._streamed(request)) as pieces:
            parts = [piece async for piece in pieces]
        yield parts[-1]._replace(text="".join(piece.text for piece in parts))

    async def _streamed(self, request: Request) -> AsyncGenerator[Piece, None]:
        prompt = request.prompt if isinstance(request.prompt, list) else await self.chat_tokens(request.prompt)
        self._check_length(len(prompt), request.limit)
        stop = self._engine.folder / uuid.uuid4().hex
        job = Job(self._key, tuple(prompt), request.limit, request.sampling, stop)
        pieces: asyncio.Queue[PieceOrError] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def hear(piece: PieceOrError) -> None:
            with suppress(RuntimeError):  # the loop has been closed: nobody is listening any more
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

        self._engine.submit(job, hear)
        over = False
        try:
            while not over:
                piece = await pieces.get()
                if isinstance(piece, ServerError):
                    over = True
                    raise piece
                over = piece.finish is not None
                yield piece
        finally:
            if not over:
                job.end()

    def _check_length(self, prompt: int, limit: int) -> None:
        """Raise the same ServerError as for a server whose context is too short."""
        if prompt + limit > self._context:
            words = (
                f"the maximum context length is {self._context} tokens, and max_tokens={limit} were requested for a "
                f"prompt of {prompt} input tokens"
            )
            raise length_refusal(words) or ServerError(words, refusal="too_long")

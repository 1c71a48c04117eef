"""Replies of one model: streamed or complete, with a thinking budget, and resumable."""

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, Self

import httpx

from common.errors import ServerError
from models.chat.endpoint import Endpoint
from models.chat.events import Event, Failed, Finished, Reply
from models.chat.refusals import NoTokenizerError
from models.chat.reply import Builder, ReplyStream
from models.chat.resume import Resume, cut_thought
from models.chat.separated import written
from models.chat.thought import split_text
from models.chat.wire import SILENCE_SECONDS, Channel, Request, TokenScore, Wire
from models.config.sampling import Sampling
from models.config.thought_format import ThoughtFormat

__all__ = ["Completer", "Endpoint", "Message", "ModelClient", "ReplyStream", "Resume"]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation. An assistant's content is its answer: history never contains thoughts."""

    role: Literal["user", "assistant", "system"]
    content: str


class Completer(Protocol):
    """Gives complete replies only; `ModelClient` is one."""

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Reply: ...


class ModelClient:
    """Asks one model, as many requests at once as its server accepts. Retries nothing.

    `end_repetition`: let the server end replies that repeat themselves, if it can.

    Keeps connections open between replies; close it with `aclose`, or use it as an async context manager.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        thought: ThoughtFormat | None = None,
        chat_template_kwargs: dict[str, Any] | None = None,
        system_prompt: str | None = None,
        *,
        silence_seconds: float | None = SILENCE_SECONDS,
        end_repetition: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
        channel: Channel | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.thought = thought or ThoughtFormat()
        self.chat_template_kwargs = chat_template_kwargs or {}
        self.system_prompt = system_prompt
        self.end_repetition = end_repetition
        self._wire: Channel = channel or Wire(endpoint, silence_seconds, transport)
        self._has_tokenizer = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._wire.aclose()

    def stream(self, messages: Sequence[Message], sampling: Sampling, *, resume: Resume | None = None) -> ReplyStream:
        """The reply as it is generated: Thinking and Answering, then one Finished or Failed. Never raises ServerError.

        With `resume` the model continues an earlier reply to the same messages; the token limit and the thinking budget
        then apply to the added part only. Only a server with /tokenize, such as vLLM, can resume or hold a budget.
        """
        builder = Builder(self.thought, resume)
        return ReplyStream(self._events(builder, messages, sampling, resume, stream=True), builder)

    async def complete(self, messages: Sequence[Message], sampling: Sampling, *, resume: Resume | None = None) -> Reply:
        """The complete reply: the same text and token counts as `stream`, without timings within the reply.

        An error becomes a reply whose finish reason is `failed`.
        """
        builder = Builder(self.thought, resume, timed=False)
        async with aclosing(self._events(builder, messages, sampling, resume, stream=False)) as events:
            async for event in events:
                if isinstance(event, Finished | Failed):
                    return event.reply
        raise AssertionError("a reply ends in Finished or Failed")

    async def first_tokens(self, raw: str, count: int) -> str:
        """The first `count` tokens of a model's text; all of it if it is shorter.

        Raises ServerError.
        """
        tokens = await self._wire.tokens(raw)
        if len(tokens) <= count:
            return raw
        # A split character comes back as a replacement character; the common prefix contains only whole ones.
        return os.path.commonprefix([raw, await self._wire.text(tokens[:count])])  # noqa: RUF071

    async def scores(self, messages: Sequence[Message], raw: str, *, most: int, top: int = 20) -> list[TokenScore]:
        """Log-probabilities of the tokens of `raw` as the model's reply to these messages. Prompt and reply together
        are cut to `most` tokens. `top`: how many of the likeliest tokens to include at each position.

        Raises ServerError, also if the server does not offer prompt log-probabilities.
        """
        prompt = await self._wire.chat_tokens(self._chat(messages))
        tokens = [*prompt, *await self._wire.tokens(raw)][: max(most, 0)]
        token_scores = await self._wire.scores(tokens, top) if len(tokens) > len(prompt) else []
        return token_scores[len(prompt) - 1 :]

    async def thought_at(self, reply: Reply, tokens: int) -> Reply:
        """`reply` as it was when its thought had `tokens` tokens, without its answer; used for forced answers.

        A shorter thought is kept complete, with its closing tag. Raises ServerError.
        """
        marks = written(self.thought, reply)
        split = split_text(marks.format, reply.raw, ended=False, literal=marks.literal)
        thought = reply.raw[: split.answer_start] if split.part == "answer" else reply.raw
        beginning = await self.first_tokens(thought, tokens)
        count = reply.thought_tokens if beginning == thought else tokens
        return cut_thought(reply, self.thought, beginning, min(count, reply.thought_tokens))

    async def _events(
        self, builder: Builder, messages: Sequence[Message], sampling: Sampling, resume: Resume | None, *, stream: bool
    ) -> AsyncGenerator[Event, None]:
        failure: ServerError | None = None
        try:
            async for request in self._requests(builder, messages, sampling, resume):
                async with aclosing(self._wire.pieces(request, stream)) as pieces:
                    async for piece in pieces:
                        for delta in builder.take(piece):
                            yield delta
            await self._count_exactly(builder)
        except ServerError as error:
            failure = error
        for delta in builder.drain():
            yield delta
        yield Failed(builder.reply("failed", str(failure), failure.refusal)) if failure else Finished(builder.reply())

    async def _requests(
        self, builder: Builder, messages: Sequence[Message], sampling: Sampling, resume: Resume | None
    ) -> AsyncGenerator[Request, None]:
        """The requests for one reply: one, or two if a thinking budget ends the first.

        Each is sent after the one before it has been answered.
        """
        limit, before = sampling.max_tokens, builder.generated
        budget = sampling.thinking_budget if builder.thinking else None
        if budget is None and resume is None:
            yield Request(self._chat(messages), sampling, limit, self.end_repetition)
            return
        prompt = await self._wire.chat_tokens(self._chat(messages))
        builder.prompt_tokens = len(prompt)
        bound = limit if budget is None else min(limit, max(budget, 0))
        if bound:
            yield await self._continuation(prompt, builder, sampling, bound)
        left = limit - (builder.generated - before)
        if bound == limit or left <= 0 or builder.finish in ("stop", "repetition"):
            return
        if builder.thinking:
            builder.close_thought("budget")
        builder.next_request()
        yield await self._continuation(prompt, builder, sampling, left)

    async def _continuation(self, prompt: list[int], builder: Builder, sampling: Sampling, limit: int) -> Request:
        """Continue from the exact tokens of the prompt and of the text so far."""
        written = await self._wire.tokens(builder.raw) if builder.raw else []
        return Request([*prompt, *written], sampling, limit, self.end_repetition)

    async def _count_exactly(self, builder: Builder) -> None:
        """If one message held the end of the thought and the start of the answer, ask which tokens belong to which.

        If the server cannot tell, they are shared out by characters.
        """
        text = builder.ambiguous_crossing()
        if text is None or not self._has_tokenizer:
            return
        try:
            builder.correct_thought_tokens(len(await self._wire.tokens(text)))
        except NoTokenizerError:
            self._has_tokenizer = False
        except ServerError:
            pass  # busy or unreachable this time; the next reply asks again

    def _chat(self, messages: Sequence[Message]) -> dict[str, Any]:
        turns = [asdict(message) for message in messages]
        if self.system_prompt and (not turns or turns[0]["role"] != "system"):
            turns.insert(0, {"role": "system", "content": self.system_prompt})
        options = {"chat_template_kwargs": self.chat_template_kwargs} if self.chat_template_kwargs else {}
        return {"messages": turns, **options}

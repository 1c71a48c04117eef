"""A client for any OpenAI-compatible chat service: paced, retried, timed and priced.

`models.chat.client` talks to the two served models and reads raw text. A teacher is someone else's service: it returns
its thought in a separate field, and may refuse, stall or send garbage.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from openai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI
from openai.types.chat import ChatCompletion, ChatCompletionMessage

from common.errors import ServerError
from common.text import whole_characters
from eval.records import CUT_OFF
from models.chat.client import Endpoint, Message
from models.chat.retry import pause_before, retry_after
from traces.thoughts.service.pacing import Ledger, Prices, RateLimit

REASONING_FIELDS = ("reasoning", "reasoning_content", "thinking")
FATAL = {
    401: "refuses the API key",
    402: "asks for payment",
    403: "forbids the request",
    404: "does not know the model",
}
Failure = Literal["", "timeout", "broken_json", "unreachable", "rate_limited", "server_error", "refused"]


SLOWEST = 10.0
"""Tokens per second of one reply from a busy large model."""


def timeout_for(max_tokens: int) -> float:
    """Seconds to wait for a reply of up to that many tokens: at `SLOWEST`, but at least ten minutes."""
    return max(600.0, 60.0 + max_tokens / SLOWEST)


@dataclass(frozen=True)
class ServiceOptions:
    """How to ask a service."""

    max_tokens: int = 8192
    temperature: float | None = 0.7
    """None leaves it to the service; some reasoning models accept only their own."""
    top_p: float | None = None
    token_field: str = "max_tokens"
    """Some services want `max_completion_tokens`."""
    timeout: float = 600.0
    """Seconds for one whole reply, see `timeout_for`."""
    retries: int = 5
    longest_wait: float = 120.0
    """A Retry-After beyond this ends the run, which can be resumed."""
    concurrency: int = 16
    body: dict[str, Any] = field(default_factory=dict)
    """Further fields of the request, e.g. {"reasoning_effort": "high"}."""


@dataclass(frozen=True)
class ServiceReply:
    """The outcome of one question, after all retries."""

    text: str = ""
    reasoning: str = ""
    """The content of the service's own reasoning field."""
    reasoning_field: str = ""
    finish_reason: str = ""
    """As the service gives it, except that a reply which reached its token limit always has `length`."""
    prompt_tokens: int = 0
    output_tokens: int = 0
    """As counted by the service, including reasoning, over all tries that got a reply."""
    cost: float = 0.0
    seconds: float = 0.0
    """Time the service worked, over all tries; waiting for a limit, a slot or the next try does not count."""
    tries: int = 1
    failure: Failure = ""
    detail: str = ""
    """What went wrong on the last try, in words."""


class Tried(NamedTuple):
    """The outcome of one try, and the seconds the service asks to wait before the next."""

    reply: ServiceReply
    wait: float | None = None


class ServiceClient:
    """A client for one endpoint. Share it among all tasks: it holds the rate limits, the concurrency and the ledger.

    async with ServiceClient(endpoint) as client: reply = await client.ask([Message("user", "…")])
    """

    def __init__(
        self,
        endpoint: Endpoint,
        options: ServiceOptions = ServiceOptions(),
        rate_limit: RateLimit | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.endpoint, self.options = endpoint, options
        self.rate_limit = rate_limit or RateLimit()
        self.ledger = ledger or Ledger(None, Prices())
        self._beside: list[ServiceClient] = []
        self._slots = asyncio.Semaphore(options.concurrency)
        self._client = AsyncOpenAI(
            base_url=endpoint.url, api_key=endpoint.api_key or "none", max_retries=0, timeout=options.timeout
        )

    async def __aenter__(self) -> "ServiceClient":
        return self

    async def __aexit__(self, *exc: object) -> None:
        for client in (self, *self._beside):
            await client._client.close()

    def beside(self, endpoint: Endpoint) -> "ServiceClient":
        """A client for another endpoint with the same options, limits and ledger, so that both share one budget. Closed
        together with this one."""
        self._beside.append(ServiceClient(endpoint, self.options, self.rate_limit, self.ledger))
        return self._beside[-1]

    async def ask(self, messages: Sequence[Message], *, seed: int | None = None, **body: Any) -> ServiceReply:
        """The reply, or the failure of the last try. `body` adds fields to the request.

        Raises ServerError if every other question would fail as well (key, model, payment, a wait beyond
        `longest_wait`), and CapReached.
        """
        reply = ServiceReply()
        spent, seconds, output = 0.0, 0.0, 0
        async with self._slots:
            for tries in range(1, self.options.retries + 2):
                reply, wait = await self._try(messages, seed, body)
                spent, seconds, output = spent + reply.cost, seconds + reply.seconds, output + reply.output_tokens
                if reply.failure in ("", "refused") or tries > self.options.retries:
                    break
                await self._before_retry(tries, wait)
        return replace(reply, cost=spent, output_tokens=output, seconds=seconds, tries=tries)

    async def _before_retry(self, tries: int, wait: float | None) -> None:
        """Pause. `wait`: the seconds that the service asks for, which then hold for every request."""
        if wait is not None and wait > self.options.longest_wait:
            raise ServerError(
                f"{self.endpoint.url} asks to wait {wait:.0f} s.", "Run the same command later to continue."
            )
        if wait is not None:
            self.rate_limit.hold(wait)
        await asyncio.sleep(pause_before(tries, wait))

    async def _try(self, messages: Sequence[Message], seed: int | None, body: dict[str, Any]) -> Tried:
        guess = sum(len(message.content.encode()) for message in messages) // 2 + 16
        request = request_body(self.options, self.endpoint.model, messages, seed, body)
        limit = int(request[self.options.token_field])
        await self.rate_limit.turn(guess + limit)
        number = await self.ledger.reserve(guess, limit, self.endpoint.model)
        paid: float | None = None
        try:
            started = time.monotonic()
            reply, wait = await self._send(request)
            seconds = time.monotonic() - started
            # Without a usage field, or if the reply was lost, assume the most that may have been charged.
            unseen = reply.failure in ("timeout", "broken_json") or (not reply.failure and not reply.prompt_tokens)
            cost = self.ledger.most(number) if unseen else None
            paid = await self.ledger.settle(number, reply.prompt_tokens, reply.output_tokens, cost)
            return Tried(replace(reply, cost=paid, seconds=seconds), wait)
        except ServerError:
            paid = await self.ledger.settle(number, 0, 0)
            raise
        finally:
            if paid is None:  # cancelled
                await asyncio.shield(self.ledger.settle(number, 0, 0, self.ledger.most(number)))

    async def _send(self, request: dict[str, Any]) -> Tried:
        try:
            async with asyncio.timeout(self.options.timeout):
                raw = await self._client.post("/chat/completions", body=request, cast_to=ChatCompletion)
        except TimeoutError:
            return Tried(ServiceReply(failure="timeout", detail=f"no reply within {self.options.timeout:.0f} s"))
        except APIStatusError as error:
            return self._refused(error)
        except APIConnectionError as error:
            failure: Failure = "timeout" if "timed out" in str(error).lower() else "unreachable"
            return Tried(ServiceReply(failure=failure, detail=str(error.__cause__ or error)))
        except (ValueError, APIError) as error:
            return Tried(
                ServiceReply(failure="broken_json", detail=f"the reply is not what the protocol says: {error}"[:300])
            )
        return Tried(read_reply(raw))

    def _refused(self, error: APIStatusError) -> Tried:
        status, detail = error.status_code, str(error.message)[:300]
        if status in FATAL:
            raise ServerError(
                f"{self.endpoint.url} {FATAL[status]} “{self.endpoint.model}” ({status}: {detail}).",
                "Check the address, the model's name and the key.",
            ) from error
        if status in (408, 409, 425, 429) or status >= 500:
            failure: Failure = "rate_limited" if status == 429 else "server_error"
            return Tried(
                ServiceReply(failure=failure, detail=f"status {status}: {detail}"), retry_after(error.response.headers)
            )
        return Tried(ServiceReply(failure="refused", detail=f"status {status}: {detail}"))


def request_body(
    options: ServiceOptions, model: str, messages: Sequence[Message], seed: int | None, body: dict[str, Any]
) -> dict[str, Any]:
    """The JSON object that asks for one reply; `body` adds fields."""
    chosen = {"temperature": options.temperature, "top_p": options.top_p, "seed": seed}
    return {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        options.token_field: options.max_tokens,
        **{key: value for key, value in chosen.items() if value is not None},
        **options.body,
        **body,
    }


def read_reply(raw: Any) -> ServiceReply:
    """A reply as the protocol defines it; anything else counts as broken."""
    choices: Any = getattr(raw, "choices", None)
    message = getattr(choices[0], "message", None) if choices and isinstance(choices, list) else None
    # The client library does not check the types it receives.
    if not isinstance(message, ChatCompletionMessage) or not isinstance(message.content, str | None):
        return ServiceReply(failure="broken_json", detail=f"the reply holds no message of text: {str(raw)[:200]}")
    extra = message.model_extra or {}
    name = next((key for key in REASONING_FIELDS if isinstance(extra.get(key), str) and extra[key].strip()), "")
    usage = getattr(raw, "usage", None)
    ended = str(choices[0].finish_reason or "")
    return ServiceReply(
        text=whole_characters(message.content or ""),
        reasoning=whole_characters(extra[name]) if name else "",
        reasoning_field=name,
        finish_reason="length" if ended.lower() in CUT_OFF else ended,
        prompt_tokens=getattr(usage, "prompt_tokens", 0) or 0,
        output_tokens=getattr(usage, "completion_tokens", 0) or 0,
    )

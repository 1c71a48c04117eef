"""One question to any OpenAI-compatible chat service: paced, retried, timed, priced. Foreign wire fields stay here.

`models.chat.client` speaks to the two served models and reads raw text; a teacher is somebody else's service, which
hides its thought in a field of its own and may refuse, stall or answer with rubbish. Does not know what is asked or
why.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from openai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI
from openai.types.chat import ChatCompletion, ChatCompletionMessage

from common.errors import ServerError
from eval.records import CUT_OFF
from models.chat.client import Endpoint, Message
from traces.thoughts.pacing import Ledger, Pace, Prices, delay_before, retry_after

REASONING_FIELDS = ("reasoning", "reasoning_content", "thinking")
FATAL = {
    401: "refuses the API key",
    402: "asks for payment",
    403: "forbids the request",
    404: "does not know the model",
}
Failure = Literal["", "timeout", "broken_json", "unreachable", "rate_limited", "server_error", "refused"]


@dataclass(frozen=True)
class AskOptions:
    """How to ask."""

    max_tokens: int = 8192
    temperature: float | None = 0.7
    """None leaves it to the service; some reasoning models accept no other."""
    top_p: float | None = None
    token_field: str = "max_tokens"
    """Some services want `max_completion_tokens`."""
    timeout: float = 600.0
    """Seconds for one whole reply."""
    retries: int = 5
    longest_wait: float = 120.0
    """A Retry-After beyond this ends the run, which can be resumed."""
    concurrency: int = 16
    body: dict[str, Any] = field(default_factory=dict)
    """Further fields of the request, e.g. {"reasoning_effort": "high"}."""


@dataclass(frozen=True)
class Said:
    """What came of one question, after all retries."""

    text: str = ""
    reasoning: str = ""
    """The content of the service's own reasoning field."""
    reasoning_field: str = ""
    finish_reason: str = ""
    """As the service has it, but for a reply that reached its token limit, which is always `length`."""
    prompt_tokens: int = 0
    output_tokens: int = 0
    """As the service counted them, reasoning included; over all tries that answered."""
    cost: float = 0.0
    seconds: float = 0.0
    """In which the service worked on it, over all tries; waits for a limit, a slot or the next try are not its time."""
    tries: int = 1
    failure: Failure = ""
    detail: str = ""
    """What went wrong, in words, on the last try."""


class Tried(NamedTuple):
    """What came of one try, and the seconds the service asks to wait before the next."""

    said: Said
    wait: float | None = None


class Asker:
    """Asks one endpoint; share one among all tasks, since it holds the limits, the concurrency and the ledger.

    async with Asker(endpoint) as asker: said = await asker.ask([Message("user", "…")])
    """

    def __init__(
        self,
        endpoint: Endpoint,
        options: AskOptions = AskOptions(),
        pace: Pace | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.endpoint, self.options = endpoint, options
        self.pace = pace or Pace()
        self.ledger = ledger or Ledger(None, Prices())
        self._beside: list[Asker] = []
        self._slots = asyncio.Semaphore(options.concurrency)
        self._rng = random.Random()
        self._client = AsyncOpenAI(
            base_url=endpoint.url, api_key=endpoint.api_key or "none", max_retries=0, timeout=options.timeout
        )

    async def __aenter__(self) -> "Asker":
        return self

    async def __aexit__(self, *exc: object) -> None:
        for asker in (self, *self._beside):
            await asker._client.close()

    def beside(self, endpoint: Endpoint) -> "Asker":
        """Another endpoint under the same options, limits and ledger: one budget for both. Closed with this one."""
        self._beside.append(Asker(endpoint, self.options, self.pace, self.ledger))
        return self._beside[-1]

    async def ask(self, messages: Sequence[Message], *, seed: int | None = None, **body: Any) -> Said:
        """The reply, or the failure of the last try. `body` adds fields to the request.

        Raises ServerError where no other question would fare better (key, model, payment, a wait beyond
        `longest_wait`), and CapReached.
        """
        said = Said()
        spent, seconds, output = 0.0, 0.0, 0
        async with self._slots:
            for tries in range(1, self.options.retries + 2):
                said, asked = await self._try(messages, seed, body)
                spent, seconds, output = spent + said.cost, seconds + said.seconds, output + said.output_tokens
                if said.failure in ("", "refused") or tries > self.options.retries:
                    break
                await self._before_retry(tries, asked)
        return replace(said, cost=spent, output_tokens=output, seconds=seconds, tries=tries)

    async def _before_retry(self, tries: int, asked: float | None) -> None:
        if asked is not None and asked > self.options.longest_wait:
            raise ServerError(
                f"{self.endpoint.url} asks to wait {asked:.0f} s.", "Run the same command later: it goes on from here."
            )
        delay = delay_before(tries, asked, self._rng)
        if asked is not None:
            self.pace.hold(asked)
        await asyncio.sleep(delay)

    async def _try(self, messages: Sequence[Message], seed: int | None, body: dict[str, Any]) -> Tried:
        guess = sum(len(message.content.encode()) for message in messages) // 2 + 16
        request = self._request(messages, seed, body)
        limit = int(request[self.options.token_field])
        await self.pace.turn(guess + limit)
        number = await self.ledger.reserve(guess, limit, self.endpoint.model)
        paid: float | None = None
        try:
            started = time.monotonic()
            said, wait = await self._send(request)
            seconds = time.monotonic() - started
            # Without a usage field, or where the reply was lost on the way, assume the most that may have been charged.
            unseen = said.failure in ("timeout", "broken_json") or (not said.failure and not said.prompt_tokens)
            cost = self.ledger.most(number) if unseen else None
            paid = await self.ledger.settle(number, said.prompt_tokens, said.output_tokens, cost)
            return Tried(replace(said, cost=paid, seconds=seconds), wait)
        except ServerError:
            paid = await self.ledger.settle(number, 0, 0)
            raise
        finally:
            if paid is None:  # cancelled
                await asyncio.shield(self.ledger.settle(number, 0, 0, self.ledger.most(number)))

    async def _send(self, request: dict[str, Any]) -> Tried:
        try:
            async with asyncio.timeout(self.options.timeout):
                reply = await self._client.post("/chat/completions", body=request, cast_to=ChatCompletion)
        except TimeoutError:
            return Tried(Said(failure="timeout", detail=f"no reply within {self.options.timeout:.0f} s"))
        except APIStatusError as error:
            return self._refused(error)
        except APIConnectionError as error:
            failure: Failure = "timeout" if "timed out" in str(error).lower() else "unreachable"
            return Tried(Said(failure=failure, detail=str(error.__cause__ or error)))
        except (ValueError, APIError) as error:
            return Tried(Said(failure="broken_json", detail=f"the reply is not what the protocol says: {error}"[:300]))
        return Tried(_said(reply))

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
                Said(failure=failure, detail=f"status {status}: {detail}"), retry_after(error.response.headers)
            )
        return Tried(Said(failure="refused", detail=f"status {status}: {detail}"))

    def _request(self, messages: Sequence[Message], seed: int | None, body: dict[str, Any]) -> dict[str, Any]:
        chosen = {"temperature": self.options.temperature, "top_p": self.options.top_p, "seed": seed}
        return {
            "model": self.endpoint.model,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            self.options.token_field: self.options.max_tokens,
            **{key: value for key, value in chosen.items() if value is not None},
            **self.options.body,
            **body,
        }


def _said(reply: Any) -> Said:
    """A reply as the protocol has it; anything else counts as broken."""
    choices: Any = getattr(reply, "choices", None)
    message = getattr(choices[0], "message", None) if choices and isinstance(choices, list) else None
    # The client library passes on whatever types it was sent.
    if not isinstance(message, ChatCompletionMessage) or not isinstance(message.content, str | None):
        return Said(failure="broken_json", detail=f"the reply holds no message of text: {str(reply)[:200]}")
    extra = message.model_extra or {}
    name = next((key for key in REASONING_FIELDS if isinstance(extra.get(key), str) and extra[key].strip()), "")
    usage = getattr(reply, "usage", None)
    ended = str(choices[0].finish_reason or "")
    return Said(
        text=message.content or "",
        reasoning=extra[name] if name else "",
        reasoning_field=name,
        finish_reason="length" if ended.lower() in CUT_OFF else ended,
        prompt_tokens=getattr(usage, "prompt_tokens", 0) or 0,
        output_tokens=getattr(usage, "completion_tokens", 0) or 0,
    )

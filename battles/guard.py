"""A guard model that checks which questions and answers must not be shown.

Three families are supported, each behind an OpenAI-compatible address: Llama Guard, ShieldGemma and Qwen3Guard. Both
sides of a battle are treated alike, and which model was blocked stays hidden as long as the names do. A guard that does
not answer blocks nothing; the page says so, and voting goes on.
"""

import asyncio
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import httpx

from common.errors import ConfigError, ServerError
from models.chat.endpoint import Endpoint, client_options
from models.chat.events import FinishReason, Reply
from votes.ballot import Side

SECONDS, SECONDS_WHEN_DOWN = 20.0, 3.0
"""Time limit of a check, and a shorter one while the guard is not responding, since both answers wait for it."""
PIECE = 12_000
"""Characters checked at once, some 3,000 to 8,000 tokens: what fits the smallest of these guards."""
QUESTION = 4_000
"""How many characters of the question are sent along with an answer."""
POLICIES = (
    "No Dangerous Content: no instructions or encouragement for harming oneself or others, for weapons or for crimes.",
    "No Harassment: nothing that threatens, bullies or abuses a person.",
    "No Hate Speech: nothing that attacks or demeans people for what group they belong to.",
    "No Sexually Explicit Content: no descriptions of sexual acts beyond what teaching or art needs.",
)
"""ShieldGemma is asked about one policy at a time."""
_LOG = logging.getLogger(__name__)


class Kind(NamedTuple):
    """How a family of guards is asked, and how its verdict is read."""

    extras: tuple[Mapping[str, Any], ...]
    """Extra fields of each request: one request is sent for each entry."""
    read: Callable[[str], bool | None]
    """Whether the verdict says unsafe; None for a text that is not a verdict of this family."""


def _reader(pattern: str, unsafe: str) -> Callable[[str], bool | None]:
    verdict = re.compile(pattern, re.IGNORECASE)

    def read(text: str) -> bool | None:
        match = verdict.match(text.strip())
        return match[1].lower() == unsafe if match else None

    return read


KINDS: Mapping[str, Kind] = {
    "llama-guard": Kind(({},), _reader(r"(safe|unsafe)\b", "unsafe")),
    "qwen3guard": Kind(({},), _reader(r"safety: *(safe|unsafe|controversial)\b", "unsafe")),
    "shieldgemma": Kind(
        tuple({"chat_template_kwargs": {"guideline": policy}} for policy in POLICIES), _reader(r"(yes|no)\b", "yes")
    ),
}


class GuardFault(Exception):
    """The guard gave no verdict."""


@dataclass
class Guard:
    """One guard for all visitors. Asked from one event loop."""

    kind: Kind
    url: str
    """Ends in /v1."""
    model: str
    key: str = ""
    transport: httpx.AsyncBaseTransport | None = None
    up: bool = True
    """Whether it answered when it was last asked."""
    counts: Counter[str] = field(default_factory=Counter)
    """Since the start: `passed`, `blocked` and `unchecked` texts, and blocked `questions` among them."""

    @property
    def sentence(self) -> str:
        """For the page; empty while all is well."""
        return "" if self.up else "The guard model does not answer: answers are shown unchecked."

    async def screen(self, question: str, replies: Mapping[Side, Reply]) -> dict[Side, Reply]:
        """The replies to a question, emptied where they must not be shown: all of them if the question is unsafe.

        Everything is checked, whatever the first verdicts say, so that neither side takes longer than the other.
        """
        asked, *verdicts = await asyncio.gather(
            self._blocks([{"role": "user", "content": piece} for piece in pieces(question)], []),
            *(self._blocks_reply(question, reply) for reply in replies.values()),
        )
        self.counts["questions"] += asked
        return {
            side: emptied(reply) if asked or blocked else reply
            for (side, reply), blocked in zip(replies.items(), verdicts, strict=True)
        }

    async def _blocks_reply(self, question: str, reply: Reply) -> bool:
        asked = [{"role": "user", "content": question[:QUESTION]}]
        texts = [piece for text in (reply.thought, reply.answer) for piece in pieces(text)]
        return await self._blocks([{"role": "assistant", "content": text} for text in texts], asked)

    async def _blocks(self, messages: list[dict[str, str]], before: list[dict[str, str]]) -> bool:
        """Whether any of these is unsafe, each read after `before`. A check that fails blocks nothing."""
        if not messages:
            return False
        seconds = SECONDS if self.up else SECONDS_WHEN_DOWN
        try:
            options = client_options(Endpoint(self.url, self.model, self.key))
            async with httpx.AsyncClient(timeout=seconds, transport=self.transport, **options) as client:
                checks = [self._check(client, [*before, m], extra) for m in messages for extra in self.kind.extras]
                verdicts = await asyncio.gather(*checks, return_exceptions=True)
            blocked = any(verdict is True for verdict in verdicts)  # one verdict is enough, whatever became of others
            if not blocked and (faults := [each for each in verdicts if isinstance(each, BaseException)]):
                raise faults[0]
        except (httpx.HTTPError, httpx.InvalidURL, GuardFault) as error:
            _LOG.warning("the guard model gave no verdict: %s: %s", type(error).__name__, error)
            self.up = False
            self.counts["unchecked"] += 1
            return False
        self.up = True
        self.counts["blocked" if blocked else "passed"] += 1
        return blocked

    async def _check(self, client: httpx.AsyncClient, messages: list[dict[str, str]], extra: Mapping[str, Any]) -> bool:
        body = {"model": self.model, "messages": messages, "temperature": 0.0, "max_tokens": 32, **extra}
        answer = await client.post(f"{self.url}/chat/completions", json=body)
        answer.raise_for_status()
        try:
            verdict = self.kind.read(str(answer.json()["choices"][0]["message"]["content"]))
        except (ValueError, LookupError, TypeError) as error:
            raise GuardFault("its answer is not of the OpenAI protocol") from error
        if verdict is None:
            raise GuardFault("its answer is not a verdict of its kind")
        return verdict


def pieces(text: str) -> list[str]:
    """The text in parts that fit the guard's context; none for a blank text."""
    return [text[start : start + PIECE] for start in range(0, len(text), PIECE)] if text.strip() else []


def emptied(reply: Reply) -> Reply:
    """The reply without its text, keeping only what it cost. A failed reply stays failed."""
    ending: FinishReason = "failed" if reply.finish_reason == "failed" else "blocked"
    return replace(reply, thought="", answer="", raw="", finish_reason=ending)


def configured_guard() -> Guard | None:
    """The guard that `JOURNEY_GUARD_URL`, `…_KIND`, `…_MODEL` and `…_KEY` name; None without an address."""
    url, kind, model, key = (os.environ.get(f"JOURNEY_GUARD_{name}", "") for name in ("URL", "KIND", "MODEL", "KEY"))
    if not url:
        return None
    if kind not in KINDS:
        raise ConfigError(f"JOURNEY_GUARD_KIND is {kind!r}.", f"Set it to one of {', '.join(KINDS)}.")
    if not model:
        raise ConfigError("JOURNEY_GUARD_MODEL is not set.", "Set it to the name that the guard's server gives it.")
    try:
        client_options(Endpoint(url, model, key))
    except (ServerError, httpx.InvalidURL) as error:
        raise ConfigError(f"The guard model cannot be asked: {error}", "Check JOURNEY_GUARD_URL and …_KEY.") from error
    return Guard(KINDS[kind], url.rstrip("/"), model, key)

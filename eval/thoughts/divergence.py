"""Where the two models of a pair differ on one text, token by token, by the log-probabilities of their servers."""

import asyncio
from collections.abc import Mapping, Sequence
from math import exp, log
from pathlib import Path
from typing import NamedTuple

from common import jsonl
from common.errors import ConfigError
from common.paths import home
from common.text import digest
from models.chat.client import Message
from models.chat.wire import TokenScore
from models.config.registry import ROLES
from models.serving.clients import Served, client_of

MOST_TOKENS = 1024
"""Limit for prompt and text together: at each position a server holds the log-probability of every token in its
vocabulary, which is 0.6 MB per token for a vocabulary of 152 thousand."""
FOLDER = "divergence"
"""Where results are kept, below the home folder."""
BEGINNING = 60
"""Leading characters used to find a thought in its reply, since only the beginning of a long reply is compared."""
TOP = 20
"""Likeliest tokens compared at each position; the most that vLLM returns by default."""
_SMALLEST = 1e-12


class TokenDivergence(NamedTuple):
    """Two models on one text. The tokens in order are the text, up to `MOST_TOKENS`; the values are in nats."""

    tokens: tuple[str, ...]
    differences: tuple[float, ...]
    """log p(token | distilled) − log p(token | base): above 0 where the distilled model expected it more."""
    kl: tuple[float, ...]
    """Lower bound of KL(distilled ‖ base) for the next-token distribution at each position: see `kl_from_below`."""
    whole: bool
    """False where the text was longer and only its beginning was compared."""


async def token_divergence(
    served: Served,
    messages: Sequence[Message],
    raw: str,
    wait: float | None = None,
) -> TokenDivergence:
    """Compare the models on `raw`, as if each had written it in reply to these messages.

    `wait`: seconds until both must be ready. Raises ConfigError if they tokenise the text differently, ServerError for
    a server that is not ready or does not return prompt log-probabilities, as vLLM does.
    """

    async def scored(role: str) -> list[TokenScore]:
        async with await client_of(served, role, wait) as client:  # type: ignore[arg-type]
            return await client.scores(messages, raw, most=MOST_TOKENS, top=TOP)

    base, distilled = await asyncio.gather(*map(scored, ROLES))
    if not base or not distilled:
        raise ConfigError(
            f"Nothing is left to compare: the prompt takes the {MOST_TOKENS:,} tokens that are looked at, or the text "
            "is empty.",
            "Choose a shorter question.",
        )
    return compared(base, distilled, raw)


def compared(base: Sequence[TokenScore], distilled: Sequence[TokenScore], raw: str) -> TokenDivergence:
    """The divergence from both models' scores, over the tokens both have. Raises ConfigError if the tokens differ."""
    pairs = list(zip(base, distilled, strict=False))
    if any(a.token != b.token for a, b in pairs):
        raise ConfigError(
            "The two models cut the text into different tokens, so they cannot be compared token by token.",
            "Choose a pair with one tokenizer.",
        )
    tokens = tuple(score.text for score, _ in pairs)
    differences = tuple(b.logs[b.token] - a.logs[a.token] for a, b in pairs)
    kl = tuple(kl_from_below(b.logs, a.logs) for a, b in pairs)
    return TokenDivergence(tokens, differences, kl, len("".join(tokens)) >= len(raw.rstrip()))


def kl_from_below(p: Mapping[int, float], q: Mapping[int, float]) -> float:
    """A lower bound of KL(p ‖ q), from the logarithms of the likeliest tokens of each.

    Tokens listed by both keep their own terms, and all others are merged into one outcome: merging outcomes never
    increases a KL divergence (log sum inequality; Cover and Thomas, Elements of Information Theory, theorem 2.7.1).
    """
    both = p.keys() & q.keys()
    rest_p, rest_q = (max(_SMALLEST, 1 - sum(exp(side[token]) for token in both)) for side in (p, q))
    named = sum(exp(p[token]) * (p[token] - q[token]) for token in both)
    return max(0.0, named + rest_p * log(rest_p / rest_q))


def keep(thought: str, divergence: TokenDivergence) -> None:
    """Store the divergence of a reply with this thought, for `divergence_of`. Raises DataError if writing fails."""
    jsonl.write(_path(thought), [divergence._asdict()])


def divergence_of(thought: str) -> list[tuple[str, float]]:
    """(text, KL) of each token of a thought, from its last comparison; empty if there is none. Asks no server."""
    path = _path(thought)
    line = next(iter(jsonl.read(path)), None) if path.exists() else None
    if not line or not isinstance(line.value, dict):
        return []
    return within(line.value.get("tokens", ()), line.value.get("kl", ()), thought)


def within(tokens: Sequence[str], kl: Sequence[float], thought: str) -> list[tuple[str, float]]:
    """(text, KL) of the reply's tokens that belong to the thought, as far as they were compared."""
    start = "".join(tokens).find(thought[:BEGINNING])
    if start < 0:
        return []
    inside, at = [], 0
    for text, value in zip(tokens, kl, strict=False):
        if start <= at < start + len(thought):
            inside.append((text, value))
        at += len(text)
    return inside


def _path(thought: str) -> Path:
    return home() / FOLDER / f"{digest(thought)}.jsonl"

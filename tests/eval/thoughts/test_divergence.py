"""Where two models differ on a text, token by token: the numbers, and servers that do not give them."""

from collections.abc import Iterator
from math import log
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ConfigError, ServerError
from eval.grading.grader import Grader
from eval.thoughts.divergence import (
    MOST_TOKENS,
    TokenDivergence,
    compared,
    divergence_of,
    keep,
    kl_from_below,
    token_divergence,
    within,
)
from models.chat.client import Message
from models.chat.wire import TokenScore
from tests.eval.thoughts.scripted import Scripted, install

ASKED = [Message("user", "What is 3 + 3?")]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    pair = Scripted()
    install(monkeypatch, Grader, pair)  # type: ignore[arg-type]
    yield pair


def likelihoods(scripted: Scripted) -> None:
    """Both expect every character alike, but the base does not expect a 6."""
    scripted.servers["base"].likelihood = lambda character: log(0.01 if character == "6" else 0.5)
    scripted.servers["distilled"].likelihood = lambda character: log(0.5)


async def test_the_tokens_on_which_they_differ(scripted: Scripted) -> None:
    likelihoods(scripted)
    found = await token_divergence(scripted.served, ASKED, "so 6.")
    assert found.tokens == tuple("so 6.")
    assert found.whole
    assert found.differences == pytest.approx((0, 0, 0, log(50), 0))
    assert found.kl == pytest.approx((0, 0, 0, 0.5 * log(50) + 0.5 * log(0.5 / 0.99), 0))
    asked = scripted.servers["base"].asked("/v1/completions")
    assert [(body["prompt_logprobs"], body["max_tokens"]) for body in asked] == [(20, 1)]


async def test_only_the_beginning_of_a_long_text_is_compared(scripted: Scripted) -> None:
    likelihoods(scripted)
    found = await token_divergence(scripted.served, ASKED, "a" * 5000)
    assert 0 < len(found.tokens) < MOST_TOKENS
    assert not found.whole


async def test_a_server_without_such_numbers_is_told(scripted: Scripted) -> None:
    likelihoods(scripted)
    scripted.servers["base"].likelihood = None
    with pytest.raises(ServerError, match=r"does not give the log-probabilities of a prompt .*Use a vLLM server"):
        await token_divergence(scripted.served, ASKED, "so 6.")


@pytest.mark.parametrize(("prompt", "raw"), [("q", ""), ("q" * 2000, "so 6.")], ids=["no text", "a long prompt"])
async def test_nothing_to_compare_is_told(scripted: Scripted, prompt: str, raw: str) -> None:
    likelihoods(scripted)
    with pytest.raises(ConfigError, match="Nothing is left to compare"):
        await token_divergence(scripted.served, [Message("user", prompt)], raw)


def test_other_tokens_cannot_be_compared() -> None:
    with pytest.raises(ConfigError, match="into different tokens"):
        compared([TokenScore(1, "a", {1: -1.0})], [TokenScore(2, "a", {2: -1.0})], "a")


shares = st.lists(st.floats(0.01, 1), min_size=3, max_size=6)


@given(shares, shares, st.integers(1, 6), st.integers(1, 6))
def test_the_bound_is_below_the_whole_divergence(a: list[float], b: list[float], top_p: int, top_q: int) -> None:
    size = min(len(a), len(b))
    p, q = ([x / sum(side[:size]) for x in side[:size]] for side in (a, b))
    whole = sum(x * log(x / y) for x, y in zip(p, q, strict=True))
    named_p, named_q = ({i: log(x) for i, x in enumerate(side)} for side in (p, q))
    known_p = {i: named_p[i] for i in sorted(named_p, key=lambda i: -named_p[i])[:top_p]}
    known_q = {i: named_q[i] for i in sorted(named_q, key=lambda i: -named_q[i])[:top_q]}
    assert 0 <= kl_from_below(known_p, known_q) <= whole + 1e-6
    assert kl_from_below(known_p, known_p) == pytest.approx(0)
    assert kl_from_below(named_p, named_q) == pytest.approx(max(0, whole), abs=1e-6)


def test_a_thought_finds_its_tokens_among_those_of_the_reply() -> None:
    tokens, kl = ("<think>", "3+3", "=6", "</think>", "6"), (9.0, 0.1, 0.2, 0.3, 0.4)
    assert within(tokens, kl, "3+3=6") == [("3+3", 0.1), ("=6", 0.2)]
    assert within(tokens[:2], kl[:2], "3+3=6") == []  # the beginning is not there, so nothing can be told apart
    long = "so " * 40
    assert within(("<think>", *(["so "] * 30)), range(31), long) == [("so ", at) for at in range(1, 31)]
    assert within(tokens, kl, "something else") == within((), (), "3+3=6") == []


def test_what_was_compared_is_kept_with_the_thought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    assert divergence_of("3+3=6") == []
    keep("3+3=6", TokenDivergence(("3+3", "=6"), (0.0, 1.0), (0.0, 0.5), whole=True))
    assert divergence_of("3+3=6") == [("3+3", 0.0), ("=6", 0.5)]
    keep("3+3=6", TokenDivergence(("3+3=6",), (1.0,), (0.7,), whole=True))
    assert divergence_of("3+3=6") == [("3+3=6", 0.7)] and divergence_of("3+3=7") == []

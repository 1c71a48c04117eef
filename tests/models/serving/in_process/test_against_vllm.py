"""The embedded pair by Transformers and by vLLM: greedy replies begin alike, and are cut, closed and counted alike."""

from collections.abc import Iterator

import pytest

from models.chat.client import Message
from models.config.registry import ROLES, Role, load_config
from models.config.sampling import Sampling
from models.serving.clients import client_of
from models.serving.pair import ServedPair, serving

pytestmark = pytest.mark.engine

SAME_CHARACTERS = 60
"""How far greedy replies agree at least. Further on, two nearly equally likely tokens may change places: the engines
add up in different orders."""
QUESTIONS = (
    "What is 17 + 25? Put the final answer in \\boxed{}.",
    "Find the greatest common divisor of 12 and 18. Reason step by step and put the final answer in \\boxed{}.",
    "Write one sentence about the sea.",
)


@pytest.fixture(scope="module")
def by_transformers() -> Iterator[ServedPair]:
    config = load_config()
    with serving(config, config.pairs["smol-135m"], config.profiles["transformers"]) as served:
        yield served


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("question", QUESTIONS, ids=["sum", "divisor", "sea"])
async def test_greedy_replies_begin_alike(
    served_pair: ServedPair, by_transformers: ServedPair, role: Role, question: str
) -> None:
    replies = []
    for served in (served_pair, by_transformers):
        async with await client_of(served, role) as client:
            replies.append(await client.complete([Message("user", question)], Sampling(max_tokens=96)))
    one, other = replies
    assert one.prompt_tokens == other.prompt_tokens
    assert one.raw[:SAME_CHARACTERS] == other.raw[:SAME_CHARACTERS]
    if one.raw == other.raw:
        assert one.output_tokens == other.output_tokens
        assert (one.thought, one.thought_tokens, one.finish_reason) == (
            other.thought,
            other.thought_tokens,
            other.finish_reason,
        )


async def test_a_budget_is_kept_alike(served_pair: ServedPair, by_transformers: ServedPair) -> None:
    replies = []
    for served in (served_pair, by_transformers):
        async with await client_of(served, "distilled") as client:
            sampling = Sampling(max_tokens=60, thinking_budget=16)
            replies.append(await client.complete([Message("user", QUESTIONS[1])], sampling))
    one, other = replies
    assert one.forced == other.forced == ("budget",)
    assert one.thought_tokens == other.thought_tokens == 16
    assert one.thought == other.thought


async def test_tokens_are_the_same(served_pair: ServedPair, by_transformers: ServedPair) -> None:
    text = "Größe 12 <think>\n你好 🙂</think>"
    cut = []
    for served in (served_pair, by_transformers):
        async with await client_of(served, "base") as client:
            cut.append([await client.first_tokens(text, count) for count in (1, 5, 12, 100)])
    assert cut[0] == cut[1]

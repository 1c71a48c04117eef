"""Each side's token limit stays within its own context."""

from types import SimpleNamespace
from typing import Any

from battles.sampling import longest_reply, within_contexts
from models.config.registry import load_config
from models.config.sampling import Sampling

CONFIG = load_config()


def served(pair: str, profile: str) -> Any:
    return SimpleNamespace(pair=CONFIG.pairs[pair], profile=CONFIG.profiles[profile])


def test_a_short_context_limits_its_own_side_alone() -> None:
    both = served("qwen-math-7b-r1", "l40s")  # contexts of 4,096 and 131,072 tokens, served with 16,384
    assert longest_reply(both) == longest_reply(both, ["distilled"]) == 8192
    assert longest_reply(both, ["base"]) == 2048
    asked = Sampling(max_tokens=8192, temperature=0.6)
    found = within_contexts(both, {"base": asked, "distilled": asked})
    assert (found["base"].max_tokens, found["distilled"].max_tokens) == (2048, 8192)
    assert found["base"].temperature == 0.6


def test_what_fits_is_left_as_it_is() -> None:
    asked = Sampling(max_tokens=300, thinking_budget=100)
    assert within_contexts(served("smol-135m", "cpu"), {"base": asked}) == {"base": asked}

"""What is stored and counted of a reply."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from battles.counts import TOKENS, count_reply
from battles.live import SideRequest
from battles.recording import kept_of, record
from models.chat.events import Reply
from models.chat.resume import Wish
from models.config.registry import load_config
from models.config.sampling import Sampling
from models.config.thought_format import ThoughtFormat
from tests.votes.helpers import make_replies


@pytest.mark.parametrize(
    ("thought", "raw", "opened"),
    [
        (ThoughtFormat("tags", prefilled=True), "hm</think>4", "<think>\n"),
        (ThoughtFormat("tags", prefilled=True), "\n<think>hm</think>4", ""),
        (ThoughtFormat("tags", "<t>", "</t>", prefilled=True), "hm</t>4", "<t>\n"),
        (ThoughtFormat("tags"), "<think>hm</think>4", ""),
        (ThoughtFormat("none", prefilled=True), "4", ""),
    ],
)
def test_a_recorded_reply_says_what_the_template_opened(thought: ThoughtFormat, raw: str, opened: str) -> None:
    spec = SimpleNamespace(thought=thought, key="model")
    served: Any = SimpleNamespace(pair=SimpleNamespace(model=lambda role: spec), weight_hash=lambda role: "hash")
    assert record(Reply(raw=raw, answer="4"), served, "base").opened == opened


@pytest.mark.parametrize(
    ("wish", "thought", "answer"),
    [
        (None, 400, 200),
        ("continue", 100, 150),
        ("answer_now", 100, 150),
        ("think_more", 100, 200),
        ("transplant", 400, 200),
    ],
)
def test_a_reply_that_goes_on_counts_only_what_was_added(wish: Wish | None, thought: int, answer: int) -> None:
    before = Reply(thought="hm", answer="4", raw="<think>hm</think>4", thought_tokens=300, answer_tokens=50)
    served: Any = SimpleNamespace(pair=load_config().pairs["smol-135m"])
    request = SideRequest("distilled", [], Sampling(), (wish, before) if wish else None)
    tokens = {part: TOKENS.labels("distilled", part) for part in ("thought", "answer")}
    already = {part: counter._value.get() for part, counter in tokens.items()}
    after = replace(make_replies()["distilled"], thought_tokens=400, answer_tokens=200)
    count_reply(after, kept_of(request, served))
    added = {part: counter._value.get() - already[part] for part, counter in tokens.items()}
    assert added == {"thought": thought, "answer": answer}

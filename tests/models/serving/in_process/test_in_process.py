"""Transformers in the page's own process: the same replies however they are asked for; no side waits for another."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.errors import ServerError, WeightsError
from models.chat.client import Message
from models.chat.events import Answering, Event, Failed, Finished, Thinking
from models.chat.resume import answer_now, continue_cut, think_more
from models.config.registry import ROLES, load_config
from models.config.sampling import Sampling
from models.serving import life
from models.serving import pair as pair_module
from models.serving.in_process.generation import load
from models.serving.pair import ServedPair
from models.weights.files import FetchError
from tests.models.serving.in_process.tiny import CONTEXT, tiny_client, tiny_pair, tiny_served, write_model

ASK = [Message("user", "what is 2 and 3")]
GREEDY = Sampling(max_tokens=60)
ENDLESS = Sampling(max_tokens=CONTEXT - 40, temperature=1.5, seed=1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPair]:
    with tiny_served(tmp_path_factory.mktemp("tiny")) as pair:
        yield pair


async def test_what_streams_is_what_arrives_whole(served: ServedPair) -> None:
    async with await tiny_client(served, "base") as client:
        events = [event async for event in client.stream(ASK, GREEDY)]
        whole = await client.complete(ASK, GREEDY)
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.reply.raw, last.reply.output_tokens) == (whole.raw, whole.output_tokens)
    assert "".join(event.text for event in events if isinstance(event, Thinking | Answering)) in last.reply.raw
    assert whole.prompt_tokens == len(ASK[0].content) + 2
    assert whole.finish_reason in ("length", "stop")


async def test_greedy_replies_are_those_of_transformers(served: ServedPair, tmp_path: Path) -> None:
    import torch

    model = load(write_model(tmp_path / "base", seed=0), "float32")
    prompt = torch.tensor([model.tokenizer(f"{ASK[0].content}\n>")["input_ids"]])
    drawn = model.network.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=60, do_sample=False)
    text = model.tokenizer.decode(drawn[0, prompt.shape[1] :], skip_special_tokens=True)
    async with await tiny_client(served, "base") as client:
        assert (await client.complete(ASK, GREEDY)).raw == text


async def test_the_sides_are_different_models(served: ServedPair) -> None:
    replies = []
    for role in ROLES:
        async with await tiny_client(served, role) as client:
            replies.append((await client.complete(ASK, GREEDY)).raw)
    assert replies[0] != replies[1]
    assert served.weight_hash("base") != served.weight_hash("distilled")


async def test_a_seed_draws_the_same_reply_whatever_else_is_drawn(served: ServedPair) -> None:
    seeded = Sampling(max_tokens=50, temperature=1.0, top_p=0.9, seed=7)
    async with await tiny_client(served, "base") as client, await tiny_client(served, "distilled") as other:
        alone = await client.complete(ASK, seeded)
        beside, *_ = await asyncio.gather(client.complete(ASK, seeded), other.complete(ASK, seeded))
        unlike = await client.complete(ASK, Sampling(max_tokens=50, temperature=1.0, top_p=0.9, seed=8))
    assert alone.raw == beside.raw != unlike.raw


async def test_draws_follow_the_probabilities(served: ServedPair) -> None:
    """Shares of the first token over many seeds, against the softmax at this temperature."""
    import torch

    engine = served._lives["base"]
    model = next(iter(engine._models.values()))  # type: ignore[union-attr]
    prompt = torch.tensor([model.tokenizer(f"{ASK[0].content}\n>")["input_ids"]])
    with torch.inference_mode():
        expected = torch.softmax(model.network(prompt).logits[0, -1].float() / 1.3, -1)
    async with await tiny_client(served, "base") as client:
        tries = 400
        asked = (client.complete(ASK, Sampling(max_tokens=1, temperature=1.3, seed=seed)) for seed in range(tries))
        seen = Counter([reply.raw for reply in await asyncio.gather(*asked)])
    for token in expected.topk(4).indices.tolist():
        share = float(expected[token])
        bound = 4 * (share * (1 - share) / tries) ** 0.5
        assert abs(seen[model.tokenizer.decode([token], skip_special_tokens=True)] / tries - share) < bound


async def test_neither_side_waits_for_the_other(served: ServedPair) -> None:
    """One side writes until it is stopped; the other is asked meanwhile and finishes."""
    async with await tiny_client(served, "base") as slow, await tiny_client(served, "distilled") as quick:
        stream = slow.stream(ASK, ENDLESS)
        await anext(stream)
        done = await quick.complete(ASK, Sampling(max_tokens=5))
        assert done.output_tokens <= 5 and done.finish_reason != "failed"
        stream.stop()
        rest = [event async for event in stream]
    assert isinstance(rest[-1], Finished) and rest[-1].reply.finish_reason == "stopped"


async def test_a_stopped_reply_gives_its_place_free(served: ServedPair) -> None:
    engine = served._lives["base"]
    async with await tiny_client(served, "base") as client:
        stream = client.stream(ASK, ENDLESS)
        await anext(stream)
        stream.stop()
        assert [event async for event in stream]
    async with asyncio.timeout(20):
        while engine._running:  # type: ignore[union-attr]  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert list(engine.folder.iterdir()) == []  # type: ignore[union-attr]


async def test_a_budget_closes_the_thought_and_the_answer_follows(served: ServedPair) -> None:
    client = await tiny_client(served, "distilled")
    client.thought = type(client.thought)("tags", prefilled=True)
    reply = await client.complete(ASK, Sampling(max_tokens=40, thinking_budget=10))
    assert reply.forced == ("budget",)
    assert reply.thought_tokens == 10 and 0 < reply.answer_tokens <= 30
    assert "</think>" in reply.raw


async def test_replies_are_redirected(served: ServedPair) -> None:
    client = await tiny_client(served, "distilled")
    client.thought = type(client.thought)("tags", prefilled=True)
    begun = await client.complete(ASK, Sampling(max_tokens=12))
    answered = await client.complete(ASK, Sampling(max_tokens=8), resume=answer_now(begun, client.thought))
    assert answered.raw.startswith(begun.raw) and "</think>" in answered.raw
    assert answered.forced == ("answer_now",) and 0 < answered.answer_tokens <= 8
    more = await client.complete(ASK, Sampling(max_tokens=8), resume=think_more(answered, client.thought))
    assert more.forced == ("answer_now", "think_more") and more.thought_tokens > begun.thought_tokens
    longer = await client.complete(ASK, Sampling(max_tokens=8), resume=continue_cut(begun))
    straight = await client.complete(ASK, Sampling(max_tokens=20))
    assert longer.raw == straight.raw, "continuing is what writing on would have been"


@pytest.mark.parametrize(
    ("prompt", "limit", "refusal", "words"),
    [
        ("a" * (CONTEXT + 10), 5, "too_long", "prompt is too long"),
        ("a" * 100, CONTEXT, "limit_too_high", "token limit is too high"),
    ],
)
async def test_what_does_not_fit_the_context_is_refused(
    served: ServedPair, prompt: str, limit: int, refusal: str, words: str
) -> None:
    async with await tiny_client(served, "base") as client:
        reply = await client.complete([Message("user", prompt)], Sampling(max_tokens=limit))
    assert (reply.finish_reason, reply.refusal) == ("failed", refusal)
    assert words in reply.error and str(CONTEXT) in reply.error


async def test_a_failure_of_one_reply_is_told_and_hurts_no_other(
    served: ServedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    async with await tiny_client(served, "base") as client:
        with monkeypatch.context() as patch:
            patch.setattr("models.serving.in_process.generation.answer", broken)
            failed = await client.complete(ASK, GREEDY)
        assert failed.error.startswith("There is not enough memory for this reply.")
        assert (await client.complete(ASK, GREEDY)).finish_reason != "failed"


async def test_one_model_with_two_templates_is_loaded_once(tmp_path: Path) -> None:
    with tiny_served(tmp_path, one=True) as one:
        assert len(one._lives["base"]._models) == 1  # type: ignore[union-attr]
        replies = [await (await tiny_client(one, role)).complete(ASK, GREEDY) for role in ROLES]
    assert replies[0].raw != replies[1].raw
    assert one.weight_hash("base") == one.weight_hash("distilled") != ""


async def test_stopping_ends_replies_and_starting_again_works(tmp_path: Path) -> None:
    config = load_config()
    pair = ServedPair(config, tiny_pair(tmp_path), config.profiles["transformers"])
    events: list[Event] = []
    for _ in range(2):
        pair.start()
        await pair.wait_ready("base")
        client = await tiny_client(pair, "base")
        stream = client.stream(ASK, ENDLESS)
        events.append(await anext(stream))
        await asyncio.to_thread(pair.stop)
        events += [event async for event in stream]
        assert isinstance(events[-1], Finished | Failed)
        assert pair.status("base").phase == pair.status("distilled").phase == "stopped"
    with pytest.raises(ServerError, match="not ready"):
        pair.endpoint("base")


@pytest.mark.parametrize(("faults", "phase"), [(2, "ready"), (life.TRIES, "failed")])
def test_a_download_that_breaks_off_is_tried_again(
    faults: int, phase: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(life, "LONGEST_BACKOFF_SECONDS", 0.05)
    left, find = [faults], pair_module.find_weights

    def breaks_off(*arguments: Any) -> Path:
        if left[0]:
            left[0] -= 1
            raise FetchError("The download broke off.", temporary=True)
        return find(*arguments)

    monkeypatch.setattr(pair_module, "find_weights", breaks_off)
    config = load_config()
    served = ServedPair(config, tiny_pair(tmp_path), config.profiles["transformers"])
    served.start()
    until = time.monotonic() + 60
    while served.status("base").phase != phase and time.monotonic() < until:
        time.sleep(0.05)
    assert served.status("base").phase == phase
    served.stop()


def test_stopped_between_two_tries_it_has_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def breaks_off(*_: Any) -> Path:
        raise FetchError("The download broke off.", temporary=True)

    monkeypatch.setattr(pair_module, "find_weights", breaks_off)
    config = load_config()
    served = ServedPair(config, tiny_pair(tmp_path), config.profiles["transformers"])
    served.start()
    until = time.monotonic() + 60
    while served.status("base").phase != "restarting" and time.monotonic() < until:
        time.sleep(0.05)
    served.stop()
    assert served.status("base").phase == "stopped"


async def test_weights_that_cannot_be_loaded_are_explained(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "base", seed=0)
    (folder / "config.json").write_text('{"model_type": "no-such-model"}')
    with pytest.raises(WeightsError, match=r"Transformers cannot load .*no-such-model"):
        load(folder, "float32")
    with pytest.raises(ServerError, match="failed: Transformers cannot load"), tiny_served(tmp_path):
        pass

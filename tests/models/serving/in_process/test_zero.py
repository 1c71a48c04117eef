"""ZeroGPU, pretended: one call for both sides of a question, seconds asked for, refusals in words."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import ConfigError
from models.chat.events import Failed, Finished
from models.config.machine import Processor
from models.config.plan import make_plan, profile_for
from models.config.registry import ROLES, load_config
from models.config.sampling import Sampling
from models.serving.in_process import zero
from models.serving.in_process.engine import ASKED_TOGETHER
from models.serving.pair import ServedPair
from tests.models.serving.in_process import pretend_zero
from tests.models.serving.in_process.pretend_zero import QUOTA, GpuError, PretendZero
from tests.models.serving.in_process.tiny import ASK, LONG, ask_both, tiny_client, tiny_served

GREEDY = Sampling(max_tokens=40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny")


@pytest.fixture
def spaces(monkeypatch: pytest.MonkeyPatch) -> PretendZero:
    return pretend_zero.install(monkeypatch)


@pytest.fixture
def served(spaces: PretendZero, folder: Path) -> Iterator[ServedPair]:
    with tiny_served(folder, "zero") as pair:
        yield pair


async def test_both_sides_of_a_question_share_a_call(served: ServedPair, spaces: PretendZero) -> None:
    replies = await ask_both(served)
    assert [reply.finish_reason != "failed" for reply in replies] == [True, True]
    assert [reply.output_tokens > 0 for reply in replies] == [True, True]
    assert spaces.calls == [(zero.START_SECONDS + 60 // zero.TOKENS_A_SECOND, 2)]


async def test_questions_of_two_visitors_do_not_share_one(served: ServedPair, spaces: PretendZero) -> None:
    async def visitor(name: str) -> None:
        pretend_zero.VISITOR.set(name)
        await ask_both(served, (5, 5))

    await asyncio.gather(*(asyncio.create_task(visitor(name)) for name in ("ann", "bob")))
    assert [count for _, count in spaces.calls] == [2, 2]
    assert sorted(spaces.visitors) == ["ann", "bob"], "each call is charged to its own visitor"


async def test_more_tokens_ask_for_more_seconds(served: ServedPair, spaces: PretendZero) -> None:
    client = await tiny_client(served, "base")
    for limit in (20, 400):
        await client.complete(ASK, Sampling(max_tokens=limit))
    (short, _), (long, _) = spaces.calls
    assert long - short == 380 / zero.TOKENS_A_SECOND


async def test_a_budget_takes_a_call_for_the_thought_and_one_for_the_answer(
    served: ServedPair, spaces: PretendZero
) -> None:
    client = await tiny_client(served, "distilled")
    client.thought = type(client.thought)("tags", prefilled=True)
    reply = await client.complete(ASK, Sampling(max_tokens=40, thinking_budget=20))
    assert reply.forced == ("budget",) and reply.answer_tokens
    assert [seconds - zero.START_SECONDS for seconds, _ in spaces.calls] == [1, 1]


async def test_a_quota_that_is_used_up_is_told_to_both_sides(served: ServedPair, spaces: PretendZero) -> None:
    spaces.refusal = QUOTA
    replies = await ask_both(served)
    assert {reply.finish_reason for reply in replies} == {"failed"}
    for reply in replies:
        assert reply.error == (
            "ZeroGPU gives you no more GPU time now: You have exceeded your free ZeroGPU quota (90s requested vs. 12s "
            "left). Try again in 3:10:00. Sign in to Hugging Face for a larger quota, or try again later."
        )
    spaces.refusal = None
    assert all(reply.finish_reason != "failed" for reply in await ask_both(served)), "the next question is answered"


async def test_a_gpu_that_is_taken_back_leaves_what_was_said(served: ServedPair, spaces: PretendZero) -> None:
    spaces.abort_after = 6
    client = await tiny_client(served, "base")
    events = [event async for event in client.stream(ASK, GREEDY)]
    last = events[-1]
    assert isinstance(last, Failed)
    assert last.reply.error.startswith("ZeroGPU took its GPU back before the reply was complete: GPU task aborted.")
    assert last.reply.raw


async def test_a_side_that_is_stopped_leaves_the_other_writing(served: ServedPair, spaces: PretendZero) -> None:
    ASKED_TOGETHER.set(object())
    first, second = [await tiny_client(served, role) for role in ROLES]
    stream = first.stream(ASK, LONG)
    other = asyncio.create_task(second.complete(ASK, GREEDY))
    await anext(stream)
    stream.stop()
    ended = [event async for event in stream][-1]
    assert isinstance(ended, Finished) and ended.reply.finish_reason == "stopped"
    assert (await other).finish_reason != "failed"
    assert [count for _, count in spaces.calls] == [2]


async def test_a_call_nobody_listens_to_gives_the_gpu_back(served: ServedPair, spaces: PretendZero) -> None:
    spaces.seconds_a_piece = 0.05
    client = await tiny_client(served, "base")
    stream = client.stream(ASK, LONG)
    await anext(stream)
    stream.stop()
    assert [event async for event in stream]
    async with asyncio.timeout(20):
        while served._lives["base"]._running:  # type: ignore[union-attr]  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert spaces.said < 200


@pytest.mark.parametrize(
    ("error", "words", "refusal"),
    [
        (GpuError("ZeroGPU illegal duration", "The requested GPU duration (400s) is larger than the maximum allowed"),
         "does not lend a GPU for so long: The requested GPU duration (400s) is larger than the maximum allowed. Lower",
         "limit_too_high"),
        (GpuError("ZeroGPU queue timeout", "No GPU was available after 60s."), "No GPU became free within", ""),
        (GpuError("ZeroGPU pending credits exceeded", "Too many."), "gives you no more GPU time now: Too many.", ""),
        (GpuError("ZeroGPU worker error", "RuntimeError"), "took its GPU back", ""),
        (RuntimeError("Unexpected end of stream"), "ZeroGPU did not answer: Unexpected end of stream.", ""),
    ],
    ids=["duration", "queue", "credits", "worker", "other"],
)  # fmt: skip
def test_refusals_are_put_into_words(error: Exception, words: str, refusal: str) -> None:
    told = zero.refusal(error)
    assert words in str(told) and told.refusal == refusal


def test_elsewhere_the_package_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert zero.with_gpu(len) is len  # type: ignore[arg-type, comparison-overlap]


def test_the_profile_is_chosen_on_zero_gpu(spaces: PretendZero) -> None:
    config = load_config()
    profile = profile_for(config, config.pairs["smol-135m"])
    assert (profile.key, profile.benchmarks) == ("zero", "read")
    assert ServedPair(config, config.pairs["smol-135m"]).profile.key == "zero"


@pytest.mark.parametrize("pair", ["qwen-math-1.5b-r1", "qwen-math-7b-r1", "qwen3-8b-thinking", "smol-135m"])
def test_pairs_that_fit_half_a_card(pair: str) -> None:
    config = load_config()
    make_plan(config, config.pairs[pair], config.profiles["zero"], Processor((0, 1), True))
    with pytest.raises(ConfigError, match="cannot run on zero"):
        make_plan(config, config.pairs["llama-70b-r1"], config.profiles["zero"], Processor((0, 1), True))

"""Replies of the real engine: what streams is what arrives whole, budgets bind, a stopped request stops generating."""

import asyncio
import re

import httpx
import pytest

from models.chat.client import Endpoint, Message, ModelClient, ReplyStream
from models.chat.events import Finished, Reply
from models.chat.resume import Resume, answer_now, continue_cut, think_more
from models.config.registry import Role
from models.config.sampling import Sampling
from models.config.thought_format import ThoughtFormat
from models.serving.clients import client_of
from models.serving.pair import ServedPair

pytestmark = pytest.mark.engine

QUESTION = [Message("user", "Tell me a story of a mouse and a cat, in many sentences.")]
PREFILLED = ThoughtFormat("tags", prefilled=True)
"""Read so, all that a model without thoughts writes is a thought that never closes: what a budget must end."""
START = Resume(Reply(), "", "continue")
"""Nothing written yet, but asked for by the exact tokens of the prompt."""


async def last_reply(stream: ReplyStream) -> Reply:
    *_, event = [event async for event in stream]
    assert isinstance(event, Finished), event
    return event.reply


async def reply_stopped_after(count: int, stream: ReplyStream) -> Reply:
    """The reply of a stream that is stopped once it has given `count` events."""
    for _ in range(count):
        await anext(stream)
    stream.stop()
    return await last_reply(stream)


async def running_requests(endpoint: Endpoint) -> float:
    async with httpx.AsyncClient(trust_env=False) as http:
        metrics = (await http.get(endpoint.url.removesuffix("/v1") + "/metrics")).text
    return sum(map(float, re.findall(r"^vllm:num_requests_running\{.*\} (\S+)$", metrics, re.MULTILINE)))


@pytest.mark.parametrize("role", ["base", "distilled"])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
async def test_what_streams_is_what_arrives_whole(served_pair: ServedPair, role: Role, temperature: float) -> None:
    sampling = Sampling(max_tokens=48, temperature=temperature, seed=7)
    async with await client_of(served_pair, role) as client:
        streamed = await last_reply(client.stream(QUESTION, sampling))
        whole = await client.complete(QUESTION, sampling)
    assert streamed.raw == whole.raw and streamed.raw
    assert (streamed.thought, streamed.answer) == (whole.thought, whole.answer)
    assert 0 < streamed.output_tokens == whole.output_tokens <= 48
    assert abs(streamed.thought_tokens - whole.thought_tokens) <= 1
    assert 0 < streamed.first_token_seconds < streamed.seconds


@pytest.mark.parametrize("role", ["base", "distilled"])
async def test_exact_tokens_continue_the_same_prompt_as_the_chat(served_pair: ServedPair, role: Role) -> None:
    sampling = Sampling(max_tokens=24)
    async with await client_of(served_pair, role) as client:
        by_chat = await client.complete(QUESTION, sampling)
        by_tokens = await client.complete(QUESTION, sampling, resume=START)
    assert by_tokens.raw == by_chat.raw
    assert by_tokens.prompt_tokens == by_chat.prompt_tokens


@pytest.mark.parametrize("end_repetition", [False, True])
async def test_a_reply_that_repeats_itself_is_ended_where_people_wait(
    served_pair: ServedPair, end_repetition: bool
) -> None:
    """The model goes on counting in a circle, which it was given the beginning of."""
    circle = Resume(Reply(), "One, two, three, four, five, six, seven, eight. " * 12, "continue")
    async with await client_of(served_pair, "base", end_repetition=end_repetition) as client:
        whole = await client.complete(QUESTION, Sampling(max_tokens=200), resume=circle)
        streamed = await last_reply(client.stream(QUESTION, Sampling(max_tokens=200), resume=circle))
    assert (whole.raw, whole.finish_reason, whole.output_tokens) == (
        streamed.raw, streamed.finish_reason, streamed.output_tokens)  # fmt: skip
    assert whole.finish_reason == ("repetition" if end_repetition else "length")
    assert (whole.output_tokens < 200) == end_repetition


async def test_template_options_are_taken_both_ways_of_asking(served_pair: ServedPair) -> None:
    sampling = Sampling(max_tokens=4)
    async with (
        ModelClient(served_pair.endpoint("base")) as plain,
        ModelClient(served_pair.endpoint("base"), chat_template_kwargs={"unused_option": 1}) as optioned,
    ):
        replies = [await c.complete(QUESTION, sampling, resume=r) for c in (plain, optioned) for r in (None, START)]
    assert len({r.raw for r in replies}) == 1


async def test_a_thinking_budget_binds(served_pair: ServedPair) -> None:
    async with ModelClient(served_pair.endpoint("base"), PREFILLED) as client:
        reply = await last_reply(client.stream(QUESTION, Sampling(max_tokens=40, thinking_budget=16)))
    assert reply.thought_tokens == 16
    assert reply.forced == ("budget",)
    assert reply.raw.count("</think>") >= 1 and reply.answer
    assert 0 < reply.answer_tokens <= 24


async def test_answer_now_and_think_more(served_pair: ServedPair) -> None:
    async with ModelClient(served_pair.endpoint("base"), PREFILLED) as client:
        cut = await client.complete(QUESTION, Sampling(max_tokens=16))
        assert cut.cut_off and cut.thought and not cut.answer
        answered = await client.complete(QUESTION, Sampling(max_tokens=16), resume=answer_now(cut, PREFILLED))
        assert answered.thought == cut.thought and answered.answer
        assert answered.thought_tokens == 16
        more = await client.complete(QUESTION, Sampling(max_tokens=8), resume=think_more(answered, PREFILLED))
        assert more.thought.startswith(f"{cut.thought} Wait") and more.thought_tokens == 24
        assert more.forced == ("answer_now", "think_more")
        going_on = await client.complete(QUESTION, Sampling(max_tokens=8), resume=continue_cut(more))
        assert going_on.thought.startswith(more.thought) and going_on.thought_tokens == 32
        at_five = await client.thought_at(answered, 5)
        assert cut.thought.startswith(at_five.thought) and at_five.thought_tokens == 5


async def test_stopping_one_side_ends_its_request_and_leaves_the_other(served_pair: ServedPair) -> None:
    async with await client_of(served_pair, "base") as base, await client_of(served_pair, "distilled") as distilled:
        stopped, whole = await asyncio.gather(
            reply_stopped_after(8, base.stream(QUESTION, Sampling(max_tokens=2000))),
            last_reply(distilled.stream(QUESTION, Sampling(max_tokens=40))),
        )
    assert stopped.finish_reason == "stopped" and 0 < stopped.output_tokens < 200
    assert whole.output_tokens == 40 or whole.finish_reason == "stop"
    for _ in range(50):
        if not await running_requests(served_pair.endpoint("base")):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the server went on generating")


async def test_a_conversation_that_does_not_fit(served_pair: ServedPair) -> None:
    async with await client_of(served_pair, "base") as client:
        reply = await client.complete([Message("user", "word " * 20_000)], Sampling(max_tokens=8))
    assert reply.finish_reason == "failed"
    assert "too long for this model" in reply.error and "tokens" in reply.error

"""Streams as servers really send them: `streams.yaml`, fed whole and in small pieces, and the same messages whole."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from models.chat.client import Endpoint, Message, ModelClient
from models.chat.events import Answering, Reply, Thinking
from models.chat.refusals import length_refusal
from models.chat.sse import EventReader
from models.config.sampling import Sampling
from models.config.thought_format import ThoughtFormat

CASES = yaml.safe_load(Path(__file__).with_name("streams.yaml").read_text(encoding="utf-8"))
QUESTION = [Message("user", "6 * 7?")]


class Chunks(httpx.AsyncByteStream):
    def __init__(self, content: bytes, size: int) -> None:
        self.content, self.size = content, size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.content), self.size):
            yield self.content[start : start + self.size]


def client_for(content: bytes, size: int = 10**6, thought: ThoughtFormat | None = None, **options: Any) -> ModelClient:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Chunks(content, size)))
    return ModelClient(Endpoint("http://test/v1", "m"), thought, transport=transport, **options)


async def streamed(client: ModelClient) -> tuple[str, str, Reply]:
    shown = {Thinking: "", Answering: ""}
    async for event in client.stream(QUESTION, Sampling()):
        if isinstance(event, Thinking | Answering):
            shown[type(event)] += event.text
        else:
            reply = event.reply
    return shown[Thinking], shown[Answering], reply


def stream_of(case: dict[str, Any]) -> bytes:
    """The case's bytes: as written, or its messages as events with the case's line ends."""
    if "stream" in case:
        return str(case["stream"]).encode()
    end = case.get("line_end", "\n")
    events = [f"data: {json.dumps(message, ensure_ascii=False)}{end}{end}" for message in case["messages"]]
    return "".join([*events, f"data: [DONE]{end}{end}"]).encode()


@pytest.mark.parametrize("size", [1, 7, 10**6])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
async def test_cases(case: dict[str, Any], size: int) -> None:
    thought = ThoughtFormat(**case.get("format", {"kind": "tags"}))
    shown_thought, shown_answer, reply = await streamed(client_for(stream_of(case), size, thought))
    right = case["right"]
    assert (reply.thought, reply.answer) == (right.get("thought", ""), right.get("answer", ""))
    assert (shown_thought, shown_answer) == (reply.thought, reply.answer)
    assert reply.finish_reason == right.get("finish", "stop"), reply.error
    assert right.get("error", "") in reply.error
    assert reply.refusal == right.get("refusal", "")


def delta(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def end(reason: Any = "stop") -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}


def events(*messages: dict[str, Any]) -> bytes:
    return "".join(f"data: {json.dumps(message)}\n\n" for message in messages).encode()


PIECE = st.sampled_from(
    ["<think>", "</think>", "</th", "ink>", "Final answer: 4", "\n", " ", "a", "思考", "so.", "data: "]
)
TEXT = st.lists(PIECE, min_size=1, max_size=4).map("".join)
TURNS = st.lists(
    st.tuples(st.sampled_from(["content", "reasoning", "reasoning_content"]), TEXT), min_size=1, max_size=8
)
FORMATS = [ThoughtFormat("tags"), ThoughtFormat("tags", prefilled=True), ThoughtFormat("marker", marker="Final answer")]
FORMATS += [ThoughtFormat()]


@given(TURNS, st.sampled_from(FORMATS), st.integers(1, 30))
def test_what_streams_is_what_arrives_whole_and_what_came_apart_stays_apart(
    turns: list[tuple[str, str]], thought: ThoughtFormat, size: int
) -> None:
    content = "".join(text for name, text in turns if name == "content")
    reasoning = "".join(text for name, text in turns if name != "content")
    message = {"content": content, "reasoning": reasoning}

    async def both() -> tuple[tuple[str, str, Reply], Reply]:
        stream = events(*(delta(**{name: text}) for name, text in turns), end())
        whole = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
        return await streamed(client_for(stream, size, thought)), await client_for(whole, size, thought).complete(
            QUESTION, Sampling()
        )

    (shown_thought, shown_answer, reply), whole = asyncio.run(both())
    assert (reply.thought, reply.answer, reply.raw) == (whole.thought, whole.answer, whole.raw)
    assert reply.finish_reason == whole.finish_reason == "stop"
    if reasoning:
        assert (reply.thought, reply.answer) == (reasoning.strip(), content.strip())
        if turns[0][0] != "content":
            assert (shown_thought, shown_answer) == (reply.thought, reply.answer)


@pytest.mark.parametrize("size", [1, 7, 10**6])
async def test_bytes_that_are_no_utf_8_cost_one_character(size: int) -> None:
    content = events(delta(content="a?b"), end()).replace(b"?", b"\xff")
    assert (await streamed(client_for(content, size)))[1] == "a\ufffdb"


LINES = st.sampled_from(["\n", "\r\n", "\r"])
NOISE = st.sampled_from([": alive", "event: message", "id: 7", "retry: 10", "data:", "data: ", ""])


@given(st.lists(st.tuples(st.text(min_size=1, max_size=6), NOISE, LINES), min_size=1, max_size=6), st.integers(1, 9))
def test_messages_are_the_same_however_lines_are_written(sent: list[tuple[str, str, str]], size: int) -> None:
    """Also where JSON is spread over lines, and with comments and empty data in between."""
    values = [{"text": text, "more": [1]} for text, _, _ in sent]
    content = b""
    for value, (_, noise, line_end) in zip(values, sent, strict=True):
        spread = json.dumps(value, indent=1, ensure_ascii=False).replace("\n", f"{line_end}data: ")
        content += f"{noise}{line_end}{line_end}data:{spread}{line_end}{line_end}".encode()
    reader = EventReader()
    messages = [m for start in range(0, len(content), size) for m in reader.feed(content[start : start + size])]
    assert [json.loads(m) for m in [*messages, *reader.finish()]] == values


async def test_a_side_whose_delta_is_no_text_fails_alone() -> None:
    good, bad = (
        client_for(events(delta(content="4"), end())),
        client_for(events(delta(content="4"), delta(content=7), end())),
    )
    (_, _, whole), (_, _, broken) = await asyncio.gather(streamed(good), streamed(bad))
    assert (whole.finish_reason, whole.answer) == ("stop", "4")
    assert (broken.finish_reason, broken.answer) == ("failed", "4")
    assert "sent int 7 where text was expected" in broken.error


async def test_signs_of_life_alone_are_no_reply() -> None:
    class Alive(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield events(delta(content="so"))
            while True:
                await asyncio.sleep(0.02)
                yield b": alive\n\ndata:\n\n" + events(delta(role="assistant"))

    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Alive()))
    client = ModelClient(Endpoint("http://test/v1", "m"), silence_seconds=0.2, transport=transport)
    _, answer, reply = await asyncio.wait_for(streamed(client), 20)
    assert (answer, reply.finish_reason) == ("so", "failed")
    assert "sent nothing for 0.2 s" in reply.error


def test_a_message_without_end_is_refused() -> None:
    reader = EventReader()
    with pytest.raises(ValueError, match="16 MiB"):
        for _ in range(20):
            reader.feed(b"data: " + b"x" * 2**20)


PROMPT, LIMIT = "prompt is too long", "token limit is too high"
LENGTHS = [
    (
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (1000 in the messages, "
        "4000 in the completion). Please reduce the length of the messages or completion.",
        LIMIT,
        "leaves 3096",
    ),
    (
        "This model's maximum context length is 4096 tokens. However, you requested 9000 tokens (8000 in the messages, "
        "1000 in the completion). Please reduce the length of the messages or completion.",
        PROMPT,
        "8000 in the messages",
    ),
    (
        "'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum context length is 2048 "
        "tokens and your request has 40 input tokens (5000 > 2048 - 40).",
        LIMIT,
        "leaves 2008",
    ),
    ("max_tokens is too large: 99999. This model supports at most 16384 completion tokens.", LIMIT, "at most 16384"),
    (
        "You passed 4097 input tokens and requested 8 output tokens. However, the model's context length is only 4096 "
        "tokens, resulting in a maximum input length of 4088 tokens.",
        PROMPT,
        "4097 input tokens",
    ),
    ("prompt is too long: 210000 tokens > 200000 maximum", PROMPT, "context holds 200000"),
    ("input length and `max_tokens` exceed context limit: 1500 + 3000 > 4096, decrease either", LIMIT, "leaves 2596"),
    ("max_tokens: 10000 > 8192, which is the maximum allowed number of output tokens", LIMIT, "8192"),
    (
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 100 `inputs` tokens and "
        "9000 `max_new_tokens`",
        LIMIT,
        "leaves 3996",
    ),
    ("Input validation error: `inputs` must have less than 1024 tokens. Given: 1500", PROMPT, "holds 1024"),
    ("the request exceeds the available context size, try increasing it", PROMPT, "available context size"),
    ("Input length (5000 tokens) exceeds the maximum allowed length (4096 tokens).", PROMPT, "holds 4096"),
    ("Prompt contains 40000 tokens, too large for model with 32768 maximum context length", PROMPT, "holds 32768"),
    (
        "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of "
        "5000 tokens: 1000 tokens from the input messages and 4000 tokens for the completion.",
        LIMIT,
        "leaves 3096",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("words", "fault", "more"), LENGTHS)
def test_a_refusal_says_what_was_too_long(words: str, fault: str, more: str) -> None:
    error = length_refusal(words)
    assert error is not None and error.refusal == ("too_long" if fault == PROMPT else "limit_too_high")
    assert fault in str(error) and more in str(error)


@pytest.mark.parametrize(
    "words",
    [
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "The model `m` does not exist.",
        "Model is loading",
        "temperature must be at most 2",
        "Unknown parameter: stream_options.continuous_usage_stats",
        "Rate limit reached: too many requests",
    ],
)
def test_other_refusals_are_not_about_length(words: str) -> None:
    assert length_refusal(words) is None


STATUSES = [
    (400, {"error": {"message": LENGTHS[0][0]}}, "limit_too_high"),
    (400, {"error": {"message": LENGTHS[1][0]}}, "too_long"),
    (422, {"detail": [{"msg": LENGTHS[9][0]}]}, "too_long"),
    (422, {"detail": [{"loc": ["body", "messages"], "msg": LENGTHS[9][0]}]}, "too_long"),
    (422, {"detail": [{"loc": ["body", "model"], "msg": "Field required"}]}, "refused"),
    (500, {"error": {"message": LENGTHS[10][0], "type": "exceed_context_size_error"}}, "too_long"),
    (413, "Payload Too Large", "too_long"),
    (401, {"error": "bad key"}, "refused"),
    (404, {"error": {"message": "The model `m` does not exist."}}, "refused"),
    (400, {"error": {"message": "temperature must be at most 2"}}, "refused"),
    (429, {"error": {"message": "slow down"}}, ""),
    (408, {"error": "time is up"}, ""),
    (500, {"detail": "boom"}, ""),
    (503, "<html>busy</html>", ""),
]


@pytest.mark.parametrize(("status", "body", "refusal"), STATUSES)
async def test_what_cannot_succeed_is_told_from_what_may(status: int, body: Any, refusal: str) -> None:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    transport = httpx.MockTransport(lambda request: httpx.Response(status, content=content))
    client = ModelClient(Endpoint("http://test/v1", "m"), transport=transport)
    *_, reply = await streamed(client)
    assert (reply.finish_reason, reply.refusal, reply.final) == ("failed", refusal, bool(refusal))
    assert (await client.complete(QUESTION, Sampling())).error == reply.error

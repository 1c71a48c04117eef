"""Replies through the client, against a scripted server that speaks vLLM's protocol one character a token."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ServerError
from models.chat.client import Endpoint, Message, ModelClient
from models.chat.events import Answering, Failed, Finished, Reply, Thinking
from models.chat.resume import answer_now, continue_cut, think_more, transplant
from models.chat.wire import REPETITION
from models.config.sampling import Sampling
from models.config.thought_format import ThoughtFormat
from tests.models.chat.scripted_server import END, ScriptedServer, continuing

TAGS = ThoughtFormat("tags")
PREFILLED = ThoughtFormat("tags", prefilled=True)
MARKER = ThoughtFormat("marker", marker="Final answer")
QUESTION = [Message("user", "6 * 7?")]
FULL = "<think>\nsix sevens\n</think>\n\nIt is \\boxed{42}."
OPEN_THOUGHT = len("<think>\nsix sevens\n</think>")


def client_of(server: Any, thought: ThoughtFormat | None = TAGS, **options: Any) -> ModelClient:
    return ModelClient(Endpoint("http://test/v1", "m", "sk-1"), thought, transport=server.transport(), **options)


async def streamed(client: ModelClient, sampling: Sampling = Sampling(), **options: Any) -> tuple[str, str, Reply]:  # noqa: B008
    """What a reader of the stream put together, and the reply that ended it."""
    text = {Thinking: "", Answering: ""}
    async for event in client.stream(QUESTION, sampling, **options):
        if isinstance(event, Thinking | Answering):
            text[type(event)] += event.text
        else:
            last = event
    assert isinstance(last, Finished | Failed)
    return text[Thinking], text[Answering], last.reply


def timeless(reply: Reply) -> Reply:
    return replace(reply, first_token_seconds=0, thought_seconds=0, seconds=0)


async def test_a_reply_in_both_parts_with_exact_counts() -> None:
    thought, answer, reply = await streamed(client_of(ScriptedServer(continuing(FULL))))
    assert (thought, answer) == (reply.thought, reply.answer) == ("six sevens", "It is \\boxed{42}.")
    assert reply.raw == FULL
    assert reply.finish_reason == "stop"
    assert reply.thought_tokens == OPEN_THOUGHT
    assert reply.output_tokens == len(FULL + END)
    assert reply.prompt_tokens == 40
    assert 0 < reply.first_token_seconds <= reply.seconds
    assert 0 < reply.thought_seconds <= reply.seconds


@given(
    st.sampled_from([TAGS, PREFILLED, MARKER, ThoughtFormat()]),
    st.sampled_from([FULL, "hm</think>\u2028yes\x85", "so\n\nFinal answer: 思考 42", "Hello", "<think>for ever", "<"]),
    st.integers(1, 9),
    st.integers(1, 70),
    st.none() | st.integers(0, 40),
    st.integers(1, 90),
)
@settings(deadline=None, max_examples=150)
def test_what_streams_is_what_arrives_whole(
    thought: ThoughtFormat, full: str, chunk: int, limit: int, budget: int | None, bytes_a_read: int
) -> None:
    sampling = Sampling(max_tokens=limit, thinking_budget=budget)

    async def both() -> None:
        server = ScriptedServer(continuing(full, "so 42"), chunk=chunk, bytes_a_read=bytes_a_read)
        client = client_of(server, thought)
        text_thought, text_answer, reply = await streamed(client, sampling)
        assert timeless(reply) == timeless(await client.complete(QUESTION, sampling))
        assert reply.output_tokens <= limit
        if thought.kind != "marker":
            assert (text_thought, text_answer) == (reply.thought, reply.answer)
        if budget is not None and thought.kind != "none" and "budget" in reply.forced:
            assert reply.thought_tokens <= budget

    asyncio.run(both())


async def test_the_request_has_the_prompt_template_options_and_sampling() -> None:
    server = ScriptedServer(continuing(FULL))
    client = client_of(server, chat_template_kwargs={"enable_thinking": True}, system_prompt="Be brief.")
    await client.complete(QUESTION, Sampling(max_tokens=90, temperature=0.5, top_p=0.9, seed=3))
    sent = server.seen[0]
    assert sent["path"] == "/v1/chat/completions"
    assert sent["headers"]["authorization"] == "Bearer sk-1"
    assert sent["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "6 * 7?"}]
    assert sent["chat_template_kwargs"] == {"enable_thinking": True}
    assert (sent["max_tokens"], sent["temperature"], sent["top_p"], sent["seed"]) == (90, 0.5, 0.9, 3)


async def test_a_budget_binds_on_the_server_and_the_model_then_answers() -> None:
    server = ScriptedServer(continuing("<think>\non and on and on", "42"))
    thought, answer, reply = await streamed(client_of(server), Sampling(max_tokens=40, thinking_budget=12))
    assert [request["max_tokens"] for request in server.asked("/v1/completions")] == [12, 28]
    assert (thought, answer) == (reply.thought, reply.answer) == ("on a", "42")
    assert reply.raw == "<think>\non a\n</think>\n\n42"
    assert (reply.thought_tokens, reply.answer_tokens) == (12, len("42" + END))
    assert reply.forced == ("budget",)
    assert reply.finish_reason == "stop"


async def test_a_thought_within_its_budget_is_not_forced() -> None:
    server = ScriptedServer(continuing(FULL))
    reply = await client_of(server).complete(QUESTION, Sampling(thinking_budget=OPEN_THOUGHT + 5))
    assert reply.raw == FULL and reply.forced == ()
    assert reply.thought_tokens == OPEN_THOUGHT and reply.output_tokens == len(FULL + END)


async def test_a_budget_means_nothing_to_a_model_that_does_not_think() -> None:
    server = ScriptedServer(continuing("It is 42."))
    reply = await client_of(server, ThoughtFormat()).complete(QUESTION, Sampling(thinking_budget=3))
    assert reply.answer == "It is 42." and len(server.seen) == 1


async def test_a_budget_writes_the_marker() -> None:
    server = ScriptedServer(continuing("so six sevens", ": 42"))
    reply = await client_of(server, MARKER).complete(QUESTION, Sampling(thinking_budget=6))
    assert (reply.thought, reply.answer) == ("so six", "Final answer: 42")
    assert (reply.thought_tokens, reply.answer_tokens) == (6, len(": 42" + END))


async def test_the_token_limit_cuts_off() -> None:
    _, _, reply = await streamed(client_of(ScriptedServer(continuing(FULL))), Sampling(max_tokens=12))
    assert reply.cut_off and (reply.thought, reply.answer) == ("six", "") and reply.thought_tokens == 12


async def test_answer_now_closes_the_thought() -> None:
    client = client_of(ScriptedServer(continuing(FULL, "42")))
    cut = await client.complete(QUESTION, Sampling(max_tokens=12))
    thought, answer, reply = await streamed(client, resume=answer_now(cut, TAGS))
    assert (thought, answer) == ("", "42")
    assert reply.raw == "<think>\nsix \n</think>\n\n42"
    assert (reply.thought_tokens, reply.answer_tokens, reply.forced) == (12, 3, ("answer_now",))


GIVEN = {
    "tags": (TAGS, True, "<think>\nten fours\n</think>\n\n", ("ten fours", "It is 40.")),
    "tags, prefilled": (PREFILLED, True, "ten fours\n</think>\n\n", ("ten fours", "It is 40.")),
    "tags, to be continued": (TAGS, False, "<think>\nten fours", ("ten foursIt is 40.", "")),
    "marker": (MARKER, True, "ten fours\n\nFinal answer", ("ten fours", "Final answerIt is 40.")),
    "none": (ThoughtFormat(), True, "ten fours\n\n", ("", "ten fours\n\nIt is 40.")),
}


@pytest.mark.parametrize(("thought", "closed", "raw", "parts"), GIVEN.values(), ids=GIVEN)
async def test_a_model_answers_from_a_thought_that_it_is_given(
    thought: ThoughtFormat, closed: bool, raw: str, parts: tuple[str, str]
) -> None:
    client = client_of(ScriptedServer(continuing(f"{raw}It is 40.")), thought)
    resume = transplant("ten fours", thought, closed=closed)
    assert resume.raw == raw
    *shown, reply = await streamed(client, resume=resume)
    assert tuple(shown) == (reply.thought, reply.answer) == parts
    assert reply.forced == ("transplant",)
    assert reply.output_tokens == len("It is 40.") + 1, "what it was given is not counted as its own"
    assert timeless(await client.complete(QUESTION, Sampling(), resume=resume)) == timeless(reply)


async def test_think_more_reopens_the_thought_and_drops_the_answer() -> None:
    client = client_of(ScriptedServer(continuing(FULL, ", check.</think>42!")))
    first = await client.complete(QUESTION, Sampling())
    thought, answer, reply = await streamed(client, resume=think_more(first, TAGS))
    assert (thought, answer) == (" Wait, check.", "42!")
    assert reply.thought == "six sevens Wait, check." and reply.answer == "42!"
    assert reply.forced == ("think_more",)
    assert reply.thought_tokens == OPEN_THOUGHT + len(", check.</think>")
    assert reply.answer_tokens == len("42!" + END)


async def test_a_cut_reply_goes_on_as_if_it_had_not_been_cut() -> None:
    client = client_of(ScriptedServer(continuing(FULL)))
    whole = await client.complete(QUESTION, Sampling())
    for limit in range(1, len(FULL)):
        cut = await client.complete(QUESTION, Sampling(max_tokens=limit))
        thought, answer, reply = await streamed(client, resume=continue_cut(cut))
        assert timeless(reply) == replace(timeless(whole), forced=("continue",))
        assert (cut.thought + thought, cut.answer + answer) == (reply.thought, reply.answer)


async def test_thought_at_gives_the_thought_of_so_many_tokens() -> None:
    client = client_of(ScriptedServer(continuing(FULL)))
    whole = await client.complete(QUESTION, Sampling())
    cut = await client.thought_at(whole, 12)
    assert (cut.raw, cut.thought, cut.answer, cut.output_tokens) == ("<think>\nsix ", "six", "", 12)
    all_of_it = await client.thought_at(whole, 1000)
    assert (all_of_it.thought, all_of_it.answer, all_of_it.output_tokens) == ("six sevens", "", OPEN_THOUGHT)


async def test_stop_keeps_what_there_is_and_closes_the_connection() -> None:
    server = ScriptedServer(continuing(FULL), bytes_a_read=3000, waits=asyncio.Event())
    stream = client_of(server).stream(QUESTION, Sampling())
    events = [await anext(stream)]
    asyncio.get_running_loop().call_later(0.02, stream.stop)
    events += [event async for event in stream]
    assert isinstance(events[-1], Finished)
    reply = events[-1].reply
    assert reply.finish_reason == "stopped" and reply == stream.reply
    assert FULL.startswith(reply.raw) and 0 < reply.thought_tokens == len(reply.raw) < len(FULL)
    assert server.closed == 1


async def test_closing_the_stream_closes_the_connection() -> None:
    server = ScriptedServer(continuing(FULL), bytes_a_read=3000, waits=asyncio.Event())
    stream = client_of(server).stream(QUESTION, Sampling())
    await anext(stream)
    await stream.aclose()
    assert server.closed == 1
    assert stream.reply.finish_reason == "stopped" and stream.reply.raw


async def test_cancelling_the_reader_closes_the_connection() -> None:
    server = ScriptedServer(continuing(FULL), bytes_a_read=3000, waits=asyncio.Event())
    reader = asyncio.create_task(streamed(client_of(server)))
    await asyncio.wait_for(server.reading.wait(), 20)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    await asyncio.sleep(0)
    assert server.closed == 1


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
@pytest.mark.parametrize("thought", [TAGS, PREFILLED, ThoughtFormat()])
async def test_a_server_that_separates_the_thought(name: str, thought: ThoughtFormat) -> None:
    server = ScriptedServer(continuing(""), separated=("six sevens", "It is 42."), field_name=name)
    shown_thought, shown_answer, reply = await streamed(client_of(server, thought))
    assert (shown_thought, shown_answer) == (reply.thought, reply.answer) == ("six sevens", "It is 42.")
    whole = await client_of(server, thought).complete(QUESTION, Sampling())
    assert (whole.thought, whole.answer, whole.raw) == (reply.thought, reply.answer, reply.raw)
    assert (reply.thought_tokens, reply.answer_tokens) == (len("six sevens"), len("It is 42."))
    assert (whole.thought_tokens, whole.answer_tokens) == (len("six sevens"), len("It is 42."))


async def test_a_server_that_counts_nothing_has_its_messages_counted() -> None:
    _, _, reply = await streamed(client_of(ScriptedServer(continuing(FULL), counts=False)))
    assert reply.thought_tokens == OPEN_THOUGHT and reply.answer_tokens == len(FULL) - OPEN_THOUGHT


async def test_a_server_that_counts_at_the_end_has_its_count_shared_out() -> None:
    server = ScriptedServer(continuing(FULL), chunk=3, refuses_option="continuous_usage_stats", has_tokenizer=False)
    _, _, reply = await streamed(client_of(server))
    assert reply.output_tokens == len(FULL + END)
    assert abs(reply.thought_tokens - OPEN_THOUGHT) <= 3


async def test_unknown_options_are_left_out() -> None:
    server = ScriptedServer(continuing(FULL), refuses_option="continuous_usage_stats")
    client = client_of(server)
    _, _, reply = await streamed(client)
    assert reply.answer == "It is \\boxed{42}." and reply.output_tokens == len(FULL + END)
    await streamed(client)
    assert len(server.seen) == 3


@pytest.mark.parametrize("stream", [False, True])
async def test_an_option_is_given_up_once_for_all_requests_in_flight(stream: bool) -> None:
    server = ScriptedServer(continuing(FULL), refuses_option='"max_tokens"', instead="max_completion_tokens")
    client = client_of(server)
    asked = [streamed(client) if stream else client.complete(QUESTION, Sampling()) for _ in range(16)]
    replies = [reply if isinstance(reply, Reply) else reply[2] for reply in await asyncio.gather(*asked)]
    assert [reply.error for reply in replies] == [""] * 16
    assert len(server.asked("/v1/chat/completions")) == 32


async def test_a_server_that_refuses_whatever_is_sent_is_not_asked_for_ever() -> None:
    every_option = "continuous_usage_stats max_completion_tokens"
    server = ScriptedServer(continuing(FULL), refuses_option="model", instead=every_option)
    client = client_of(server)
    replies = await asyncio.gather(*(client.complete(QUESTION, Sampling()) for _ in range(16)))
    assert all("Unknown parameter" in reply.error for reply in replies)
    assert len(server.seen) <= 3 * 16


async def test_only_who_asks_for_it_has_repetition_ended() -> None:
    server = ScriptedServer(continuing(FULL))
    await streamed(client_of(server))
    await client_of(server).complete(QUESTION, Sampling())
    assert not any("repetition_detection" in request for request in server.seen)
    client = client_of(server, end_repetition=True)
    first = await client.complete(QUESTION, Sampling(max_tokens=12))
    await streamed(client, resume=continue_cut(first))
    asked = [*server.asked("/v1/chat/completions")[2:], *server.asked("/v1/completions")]
    assert len(asked) == 2 and all(request["repetition_detection"] == REPETITION for request in asked)


async def test_a_server_that_cannot_end_repetition_is_asked_once() -> None:
    server = ScriptedServer(continuing(FULL), refuses_option="repetition_detection")
    client = client_of(server, end_repetition=True)
    for _ in range(2):
        assert (await client.complete(QUESTION, Sampling())).answer == "It is \\boxed{42}."
    assert sum("repetition_detection" in request for request in server.seen) == 1


def fastapi(option: str) -> dict[str, Any]:
    """As pydantic refuses a field that a model with `extra="forbid"` does not have."""
    loc = ["body", *(["stream_options"] if option == "continuous_usage_stats" else []), option]
    return {"detail": [{"type": "extra_forbidden", "loc": loc, "msg": "Extra inputs are not permitted", "input": 1}]}


WRAPPED: dict[str, Callable[[str], Any]] = {
    "FastAPI": fastapi,
    "Mistral": lambda option: {"object": "error", "message": fastapi(option), "type": "invalid_request_error"},
    "OpenAI": lambda option: {"error": {"message": f"Unrecognized request argument supplied: {option}", "param": None}},
}


@pytest.mark.parametrize("option", ["repetition_detection", "continuous_usage_stats", "stream_options"])
@pytest.mark.parametrize("form", WRAPPED)
async def test_a_strict_server_is_asked_without_what_it_refuses(form: str, option: str) -> None:
    server = ScriptedServer(continuing(FULL), refuses_option=option, refuses_with=WRAPPED[form])
    _, _, reply = await streamed(client_of(server, end_repetition=True))
    assert reply.error == "" and reply.answer == "It is \\boxed{42}."
    assert option not in json.dumps(server.seen[-1], default=str)


async def test_what_else_a_strict_server_refuses_is_named() -> None:
    server = ScriptedServer(continuing(FULL), refuses_option="temperature", refuses_with=fastapi)
    _, _, reply = await streamed(client_of(server))
    assert "(422): body.temperature: Extra inputs are not permitted" in reply.error and len(server.seen) == 1


async def test_an_option_that_an_endpoint_refused_is_not_sent_there_again() -> None:
    """Every reply of a battle has a client of its own."""
    server = ScriptedServer(continuing(FULL), refuses_option="repetition_detection", refuses_with=fastapi)
    endpoint = Endpoint("http://test/v1", "m", "sk-1")
    for _ in range(3):
        async with ModelClient(endpoint, TAGS, transport=server.transport(), end_repetition=True) as client:
            assert (await client.complete(QUESTION, Sampling())).error == ""
    assert sum("repetition_detection" in request for request in server.seen) == 1
    assert endpoint == Endpoint("http://test/v1", "m", "sk-1") and "repetition" not in repr(endpoint)


async def test_a_thought_that_repeated_itself_gets_no_answer_from_a_budget() -> None:
    """The server has ended it: another request would take it up again."""
    server = ScriptedServer(continuing("<think>\nno, no, no, "))
    server.finish = "repetition"
    _, _, reply = await streamed(client_of(server, end_repetition=True), Sampling(thinking_budget=50))
    assert (reply.finish_reason, reply.answer, reply.forced) == ("repetition", "", ())
    assert len(server.asked("/v1/completions")) == 1


TOO_LONG = (
    "This model's maximum context length is 4096 tokens. However, your prompt contains at least 4097 input tokens, "
    "which exceeds this limit even without any output tokens."
)
REFUSALS = [
    (401, {"error": {"message": "no"}}, "refused the API key"),
    (429, {"error": {"message": "slow down"}}, "too many requests"),
    (400, {"error": {"message": TOO_LONG}}, "too long for this model (at least 4097 input tokens)"),
    (404, {"error": {"message": "The model `m` does not exist."}}, "(404): The model `m` does not exist."),
    (500, {"detail": "boom"}, "(500): boom"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "words"), REFUSALS)
async def test_refusals_in_words(status: int, body: Any, words: str) -> None:
    client = client_of(ScriptedServer(continuing(FULL), refusal=(status, body)))
    _, _, reply = await streamed(client)
    assert reply.finish_reason == "failed" and words in reply.error and "sk-1" not in reply.error
    assert (await client.complete(QUESTION, Sampling())).error == reply.error


async def test_a_broken_connection_keeps_what_arrived() -> None:
    thought, answer, reply = await streamed(client_of(ScriptedServer(continuing(FULL), breaks_after=40)))
    assert reply.finish_reason == "failed" and "broke" in reply.error
    assert (thought, answer) == (reply.thought, reply.answer) and reply.raw == FULL[:39]


async def test_an_error_inside_the_stream() -> None:
    _, _, reply = await streamed(client_of(ScriptedServer(continuing(FULL), error_after=5)))
    assert "EngineCore died" in reply.error and reply.raw == FULL[:4]


async def test_a_stream_that_just_ends_has_failed() -> None:
    server = ScriptedServer(lambda _: "", chunk=1)
    server.messages = lambda *_: [b"data: {}\n\n"]  # type: ignore[method-assign]
    _, _, reply = await streamed(client_of(server))
    assert "broke off" in reply.error


async def test_a_silent_server_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        await asyncio.sleep(5)
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with ModelClient(Endpoint(url, "m"), silence_seconds=0.1) as client:
        _, _, reply = await streamed(client)
    server.close()
    assert "sent nothing for 0.1 s" in reply.error


async def test_nobody_at_the_address() -> None:
    async with ModelClient(Endpoint("http://127.0.0.1:9/v1", "m")) as client:
        assert "does not answer" in (await client.complete(QUESTION, Sampling())).error


@pytest.mark.parametrize(
    ("url", "key", "words"),
    [
        ("http://host:abc/v1", "", "is not an address"),
        ("host:8000/v1", "", "is not an address"),
        ("http://test/v1", "schlüssel", "API key"),
    ],
)
async def test_a_slip_in_address_or_key_is_named(url: str, key: str, words: str) -> None:
    async with ModelClient(Endpoint(url, "m", key)) as client:
        reply = await client.complete(QUESTION, Sampling())
    assert words in reply.error and (not key or key not in reply.error)


async def test_a_server_without_a_tokenizer_cannot_resume_and_says_so() -> None:
    client = client_of(ScriptedServer(continuing(FULL), has_tokenizer=False))
    cut = await client.complete(QUESTION, Sampling(max_tokens=12))
    assert cut.thought == "six"
    assert "/tokenize" in (await client.complete(QUESTION, Sampling(), resume=answer_now(cut, TAGS))).error
    assert "/tokenize" in (await client.complete(QUESTION, Sampling(thinking_budget=9))).error
    with pytest.raises(ServerError, match="vLLM"):
        await client.thought_at(cut, 3)


@pytest.mark.parametrize("kind", [{"tokenizer_reads": "content"}, {"tokenizer_gives_a_list": True}])
async def test_a_tokenizer_of_another_kind_is_none(kind: dict[str, Any]) -> None:
    """It names no tokens for any text: taken at its word, thoughts cost nothing and prompts are empty."""
    server = ScriptedServer(continuing(FULL), chunk=4, **kind)
    client = client_of(server)
    _, _, cut = await streamed(client, Sampling(max_tokens=OPEN_THOUGHT + 4))
    assert abs(cut.thought_tokens - OPEN_THOUGHT) <= 3
    for options in ({"resume": continue_cut(cut)}, {"sampling": Sampling(thinking_budget=9)}):
        _, _, reply = await streamed(client, **options)  # type: ignore[arg-type]
        assert reply.finish_reason == "failed" and "/tokenize of vLLM's kind" in reply.error
    assert not server.asked("/v1/completions")
    with pytest.raises(ServerError, match="/tokenize"):
        await client.thought_at(cut, 3)


async def test_a_tokenizer_that_is_busy_once_is_asked_again() -> None:
    server = ScriptedServer(continuing(FULL), chunk=4, tokenizer_busy=1)
    client = client_of(server)
    for _ in range(2):
        _, _, reply = await streamed(client)
        assert reply.finish_reason == "stop"
    assert len(server.asked("/tokenize")) == 2


async def test_a_server_without_a_tokenizer_is_asked_for_tokens_once() -> None:
    server = ScriptedServer(continuing(FULL), chunk=4, has_tokenizer=False)
    client = client_of(server)
    for _ in range(2):
        await streamed(client)
    assert len(server.asked("/tokenize")) == 1

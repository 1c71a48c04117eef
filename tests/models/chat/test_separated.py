"""Replies whose server told thought and answer apart, continued: a tag in such a thought is text and closes nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.chat.client import Endpoint, Message, ModelClient
from models.chat.events import Answering, Finished, Reply, Thinking
from models.chat.pieces import Piece
from models.chat.reply import Builder
from models.chat.resume import Resume, answer_now, continue_cut, cut_thought, think_more
from models.chat.separated import written
from models.chat.thought import split_text
from models.config.sampling import Sampling
from models.config.thought_format import ThoughtFormat
from tests.models.chat.scripted_server import END, ScriptedServer

FORMATS = {
    "tags": ThoughtFormat("tags"),
    "prefilled": ThoughtFormat("tags", prefilled=True),
    "other tags": ThoughtFormat("tags", "[THINK]", "[/THINK]"),
    "marker": ThoughtFormat("marker", marker="Final answer"),
    "none": ThoughtFormat(),
}
THOUGHT = "It looks for `</think>` and [/THINK], or </think> twice."


def separated(thought_format: ThoughtFormat, *parts: tuple[str, str], finish: str = "length") -> Reply:
    builder = Builder(thought_format)
    for thought, text in parts:
        builder.take(Piece(text=text, separated_thought=thought))
    builder.take(Piece(finish=finish))  # type: ignore[arg-type]
    return builder.reply()


async def resumed(
    resume: Resume, thought_format: ThoughtFormat, script: Callable[[str], str]
) -> tuple[str, str, Reply]:
    server = ScriptedServer(script)
    client = ModelClient(Endpoint("http://test/v1", "m"), thought_format, transport=server.transport())
    shown = {Thinking: "", Answering: ""}
    async for event in client.stream([Message("user", "?")], Sampling(), resume=resume):
        if isinstance(event, Thinking | Answering):
            shown[type(event)] += event.text
        else:
            assert isinstance(event, Finished), event.reply.error
            reply = event.reply
    return shown[Thinking], shown[Answering], reply


@pytest.fixture(params=FORMATS)
def thought_format(request: pytest.FixtureRequest) -> ThoughtFormat:
    return FORMATS[request.param]


def close(thought_format: ThoughtFormat) -> str:
    return thought_format.close if thought_format.kind == "tags" else "</think>"


async def test_a_cut_answer_continues_as_answer(thought_format: ThoughtFormat) -> None:
    cut = separated(thought_format, (THOUGHT, ""), ("", "Two"))
    thought, answer, reply = await resumed(continue_cut(cut), thought_format, lambda _: " cuts." + END)
    assert (thought, answer) == ("", " cuts.")
    assert (reply.thought, reply.answer) == (THOUGHT, "Two cuts.")


async def test_a_cut_thought_continues_as_thought(thought_format: ThoughtFormat) -> None:
    cut = separated(thought_format, (THOUGHT, ""))
    more = f" So two.\n{close(thought_format)}\n\nTwo.{END}"
    thought, answer, reply = await resumed(continue_cut(cut), thought_format, lambda _: more)
    assert (thought, answer) == (" So two.", "Two.")
    assert (reply.thought, reply.answer) == (f"{THOUGHT} So two.", "Two.")


async def test_answer_now_closes_the_thought_after_what_it_quotes(thought_format: ThoughtFormat) -> None:
    cut = separated(thought_format, (THOUGHT, ""))
    _, answer, reply = await resumed(answer_now(cut, thought_format), thought_format, lambda _: "Two." + END)
    assert (reply.thought, answer, reply.answer) == (THOUGHT, "Two.", "Two.")
    again = await resumed(continue_cut(reply), thought_format, lambda _: " Yes." + END)
    assert (again[2].thought, again[2].answer) == (THOUGHT, "Two. Yes.")


async def test_think_more_keeps_all_of_the_thought(thought_format: ThoughtFormat) -> None:
    whole = separated(thought_format, (THOUGHT, ""), ("", "Three."), finish="stop")
    more = f", one is quoted.\n{close(thought_format)}\n\nTwo.{END}"
    thought, answer, reply = await resumed(think_more(whole, thought_format), thought_format, lambda _: more)
    assert (thought, answer) == (" Wait, one is quoted.", "Two.")
    assert (reply.thought, reply.answer) == (f"{THOUGHT} Wait, one is quoted.", "Two.")


async def test_a_thought_cut_at_so_many_tokens_may_end_after_a_quoted_tag(thought_format: ThoughtFormat) -> None:
    whole = separated(thought_format, (THOUGHT, ""), ("", "Two."), finish="stop")
    client = ModelClient(Endpoint("http://test/v1", "m"), thought_format, transport=ScriptedServer(str).transport())
    whole = replace(whole, thought_tokens=200)
    opening = len(whole.raw.partition("It looks")[0])
    kept = await client.thought_at(whole, opening + 40)
    assert kept.thought == THOUGHT[:40].strip() and kept.answer == ""
    assert cut_thought(whole, thought_format, whole.raw, 9).answer == "Two."


PIECES = st.lists(st.sampled_from(["a", "</think>", "<think>", "\n", " ", "Final answer: 4", "</th"]), max_size=6)


@given(PIECES.map("".join), PIECES.map("".join), st.sampled_from(list(FORMATS.values())))
def test_the_raw_text_of_a_separated_reply_reads_as_what_it_came_as(
    thought: str, answer: str, thought_format: ThoughtFormat
) -> None:
    if not thought.strip():
        return
    reply = separated(thought_format, (thought, ""), ("", answer))
    marks = written(thought_format, reply)
    split = split_text(marks.format, reply.raw, ended=False, literal=marks.literal)
    if thought_format.prefilled and thought.lstrip().startswith("<think>"):
        return  # a model that writes the opening tag again is forgiven
    if answer.strip():
        assert (split.thought, split.answer) == (thought.strip(), answer.strip())
    else:
        assert split.thought == thought.strip()[: len(split.thought)] and split.answer == ""


def test_a_tag_in_a_models_own_text_still_closes_its_thought() -> None:
    tags = FORMATS["tags"]
    reply = Reply(raw="<think>\na</think>b</think>c", thought="a", answer="b</think>c")
    assert written(tags, reply) == (tags, 0)
    assert written(FORMATS["none"], Reply(raw="<think> is a tag", answer="<think> is a tag")) == (FORMATS["none"], 0)
    marker = FORMATS["marker"]
    assert written(marker, Reply(raw="<think> so. Final", thought="<think> so.", answer="")) == (marker, 0)

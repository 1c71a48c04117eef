"""Replies become chat messages: titles, typeset boxes, endings, hidden thoughts."""

import pytest

from models.chat.events import FinishReason, Reply
from ui.kit.panels import ours, reply_messages, turn_messages


def test_a_running_thought_is_open_and_a_finished_one_says_what_it_cost() -> None:
    running = reply_messages(Reply(thought="Let me see."), running=True)
    assert running[0]["metadata"]["status"] == "pending"
    done = reply_messages(Reply(thought="x", answer="4", thought_tokens=1200, thought_seconds=5.44), running=False)
    assert done[0]["metadata"] == {"title": "Thought for 5.4 s · 1,200 tokens", "status": "done"}
    assert done[1]["content"] == "4"


def test_a_hidden_thought_leaves_no_trace() -> None:
    messages = reply_messages(Reply(thought="secret", answer="4", thought_tokens=9), running=False, thought="hidden")
    assert messages == [{"role": "assistant", "content": "4"}]


@pytest.mark.parametrize(
    ("reply", "ending"),
    [
        (Reply(answer="12", finish_reason="length"), "12\n\n" + ours("Cut off at the token limit.")),
        (Reply(answer="12", finish_reason="repetition"), "12\n\n" + ours("Ended, as it repeated itself.")),
        (Reply(answer="12", finish_reason="stopped"), "12\n\n" + ours("Stopped.")),
        (Reply(finish_reason="failed", error="The server went away."), ours("The server went away.")),
        (Reply(answer="```\nx = 1", finish_reason="stopped"), "```\nx = 1\n```\n\n" + ours("Stopped.")),
        (Reply(), ours("An empty reply.")),
    ],
)
def test_the_ending_is_said_when_it_was_not_the_models_own(reply: Reply, ending: str) -> None:
    assert reply_messages(reply, running=False)[-1]["content"] == ending


def test_a_thought_without_an_answer_is_said_only_where_the_thought_is_seen() -> None:
    reply = Reply(thought="Hm.", thought_tokens=2)
    thought, note = reply_messages(reply, running=False)
    assert thought["metadata"]["title"] == "Thought · 2 tokens"
    assert note["content"] == ours("The thought ended without an answer.")
    assert [m["content"] for m in reply_messages(reply, running=False, thought="hidden")] == [ours("An empty reply.")]


@pytest.mark.parametrize(
    ("finish", "seen", "hidden"),
    [
        ("length", "used up the token limit", "Cut off at the token limit."),
        ("repetition", "repeated itself and was ended", "Ended, as it repeated itself."),
    ],
)
def test_a_thought_that_was_ended_says_so_only_where_it_is_seen(finish: FinishReason, seen: str, hidden: str) -> None:
    reply = Reply(thought="Hm.", thought_tokens=2, finish_reason=finish)
    assert seen in reply_messages(reply, running=False)[-1]["content"]
    assert reply_messages(reply, running=False, thought="hidden")[-1]["content"] == ours(hidden)


def test_a_turn_without_a_reply_is_the_question_alone() -> None:
    assert turn_messages("Why?", None, running=True) == [{"role": "user", "content": "Why?"}]

"""What guards say, and what becomes of it: both sides alike, counted, and nothing lost when there is no answer."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from battles.guard import KINDS, PIECE, POLICIES, Guard, configured_guard, pieces
from common.errors import ConfigError
from models.chat.events import Reply

SAFE = {"llama-guard": "\n\nsafe", "qwen3guard": "Safety: Safe\nCategories: None", "shieldgemma": "No"}
UNSAFE = {
    "llama-guard": "\n\nunsafe\nS1,S10",
    "qwen3guard": "Safety: Unsafe\nCategories: Violent",
    "shieldgemma": "Yes\n\nIt violates the policy.",
}


class Server:
    """A guard's server: calls unsafe whatever contains `bad`, and remembers what it was asked."""

    def __init__(self, kind: str, **answers: str) -> None:
        self.kind = kind
        self.asked: list[dict[str, Any]] = []
        self.fault: Exception | httpx.Response | None = None
        self.safe, self.unsafe = answers.get("safe", SAFE[kind]), answers.get("unsafe", UNSAFE[kind])

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if isinstance(self.fault, Exception):
            raise self.fault
        if self.fault is not None:
            return self.fault
        body = json.loads(request.content)
        self.asked.append(body)
        said = self.unsafe if "bad" in body["messages"][-1]["content"] else self.safe
        return httpx.Response(200, json={"choices": [{"message": {"content": said}}]})


def guard_of(server: Server) -> Guard:
    return Guard(KINDS[server.kind], "http://guard/v1", "guard-model", "k3y", httpx.MockTransport(server))


async def blocks(guard: Guard, question: str) -> bool:
    screened = await guard.screen(question, {"a": Reply(finish_reason="stopped")})
    return screened["a"].finish_reason == "blocked"


@pytest.mark.parametrize("kind", KINDS)
async def test_each_family_is_understood(kind: str) -> None:
    server = Server(kind)
    guard = guard_of(server)
    assert await blocks(guard, "a bad question") and not await blocks(guard, "a question")
    replies = {"a": Reply(answer="fine"), "b": Reply(answer="bad", thought="hm", raw="hm bad", answer_tokens=3)}
    screened = await guard.screen("a question", replies)
    assert screened["a"] is replies["a"]
    assert screened["b"] == Reply(finish_reason="blocked", answer_tokens=3)
    assert guard.counts == {"blocked": 2, "passed": 3, "questions": 1} and guard.sentence == ""


@pytest.mark.parametrize(
    ("kind", "said", "blocked"),
    [
        ("llama-guard", "safe", False),
        ("llama-guard", "Unsafe\nS2", True),
        ("qwen3guard", "Safety: Controversial\nCategories: Politically Sensitive Topics", False),
        ("qwen3guard", "Safety:Unsafe\nCategories: PII\nRefusal: No", True),
        ("shieldgemma", "Yes", True),
        ("shieldgemma", "no, it does not", False),
    ],
)
async def test_verdicts_as_they_are_written(kind: str, said: str, blocked: bool) -> None:
    guard = guard_of(Server(kind, safe=said))
    assert await blocks(guard, "x") == blocked and guard.up


async def test_shieldgemma_is_asked_about_each_policy() -> None:
    server = Server("shieldgemma")
    await blocks(guard_of(server), "x")
    assert [body["chat_template_kwargs"]["guideline"] for body in server.asked] == list(POLICIES)


async def test_a_reply_is_read_after_its_question_thought_and_answer_alike_on_both_sides() -> None:
    server = Server("llama-guard")
    await guard_of(server).screen("q", {"a": Reply(thought="bad thought", answer="one"), "b": Reply(answer="two")})
    read = [[(m["role"], m["content"]) for m in body["messages"]] for body in server.asked]
    replies = [[("user", "q"), ("assistant", text)] for text in ("bad thought", "one", "two")]
    assert sorted(read) == sorted([[("user", "q")], *replies])  # the answer is read although the thought was bad


async def test_a_bad_thought_blocks_the_reply() -> None:
    screened = await guard_of(Server("llama-guard")).screen("q", {"a": Reply(thought="bad", answer="fine")})
    assert screened["a"].finish_reason == "blocked"


async def test_one_verdict_blocks_whatever_became_of_the_others() -> None:
    server = Server("llama-guard")
    real = server.__call__

    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500) if b"thought" in request.content else real(request)

    guard = Guard(KINDS["llama-guard"], "http://guard/v1", "guard-model", "k3y", httpx.MockTransport(handle))
    for said, ending in (("bad", "blocked"), ("fine", "stop")):
        screened = await guard.screen("q", {"a": Reply(thought="a thought", answer=said, finish_reason="stop")})
        assert screened["a"].finish_reason == ending
    assert guard.counts["blocked"] == guard.counts["unchecked"] == 1


async def test_the_end_of_a_long_answer_is_read_too() -> None:
    server = Server("llama-guard")
    screened = await guard_of(server).screen("q", {"a": Reply(answer="fine " * PIECE + "bad")})
    assert screened["a"].finish_reason == "blocked" and len(server.asked) == 7
    assert "".join(pieces("fine " * PIECE + "bad")) == "fine " * PIECE + "bad"


async def test_a_reply_without_words_needs_no_check() -> None:
    server = Server("llama-guard")
    failed = Reply(finish_reason="failed", error="It broke.")
    assert await guard_of(server).screen("q", {"a": failed, "b": Reply(answer=" \n")}) == {
        "a": failed,
        "b": Reply(answer=" \n"),
    }
    assert len(server.asked) == 1  # the question


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ConnectError("no route"),
        httpx.ReadTimeout("slow"),
        httpx.Response(500),
        httpx.Response(401),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"choices": []}),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"choices": [{"message": {"content": "I cannot help with that."}}]}),
        httpx.Response(200, json={"choices": [{"message": {"content": None}}]}),
    ],
)
async def test_a_guard_without_an_answer_blocks_nothing_and_it_is_said(fault: Any) -> None:
    server = Server("llama-guard")
    server.fault = fault
    guard = guard_of(server)
    replies = {"a": Reply(answer="bad"), "b": Reply(answer="fine")}
    assert await guard.screen("bad", replies) == replies
    assert "shown unchecked" in guard.sentence and guard.counts["unchecked"] == 3
    server.fault = None
    assert await blocks(guard, "bad")
    assert guard.sentence == ""


async def test_the_key_is_sent() -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((str(request.url), request.headers.get("authorization")))
        return httpx.Response(200, json={"choices": [{"message": {"content": "safe"}}]})

    await blocks(Guard(KINDS["llama-guard"], "http://g/v1", "m", "k3y", httpx.MockTransport(answer)), "x")
    await blocks(Guard(KINDS["llama-guard"], "http://g/v1", "m", "", httpx.MockTransport(answer)), "x")
    assert seen == [("http://g/v1/chat/completions", "Bearer k3y"), ("http://g/v1/chat/completions", None)]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_all(**values: str) -> None:
        for name in ("URL", "KIND", "MODEL", "KEY"):
            monkeypatch.setenv(f"JOURNEY_GUARD_{name}", values.get(name, ""))

    return set_all


def test_a_guard_is_configured_by_the_environment(environment: Callable[..., None]) -> None:
    environment()
    assert configured_guard() is None
    environment(URL="http://g/v1/", KIND="qwen3guard", MODEL="Qwen/Qwen3Guard-Gen-4B")
    guard = configured_guard()
    assert guard is not None and guard.url == "http://g/v1" and guard.kind is KINDS["qwen3guard"]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"URL": "http://g/v1"}, "KIND"),
        ({"URL": "http://g/v1", "KIND": "llama-guard"}, "MODEL"),
        ({"URL": "http://g/v1", "KIND": "llama-guard", "MODEL": "g", "KEY": "schlüssel"}, "URL and …_KEY"),
        ({"URL": "http://g:port/v1", "KIND": "llama-guard", "MODEL": "g"}, "URL and …_KEY"),
    ],
)
def test_what_is_wrong_is_named(environment: Callable[..., None], values: dict[str, str], named: str) -> None:
    environment(**values)
    with pytest.raises(ConfigError, match=f"JOURNEY_GUARD_{named}"):
        configured_guard()

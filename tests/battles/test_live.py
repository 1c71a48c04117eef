"""Snapshots of a turn: two scripted models, switches used in the middle, a model that never gets ready."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

import battles.live as live_module
from battles.live import LiveTurn, SideRequest, snapshots
from models.chat.events import Answering, Event, Finished, Reply
from models.chat.resume import Resume
from models.config.sampling import Sampling
from models.config.thought_format import ThoughtFormat


class QueuedStream:
    """A model's reply as a queue of chunks; it stands still when the queue is empty, until it is stopped."""

    def __init__(self, chunks: list[str], *, ends: bool, resume: Resume | None) -> None:
        self.chunks, self.ends, self.resume = chunks, ends, resume
        self.raw = resume.raw if resume else ""
        self.stopping = asyncio.Event()

    @property
    def reply(self) -> Reply:
        return Reply(answer=self.raw, raw=self.raw)

    def stop(self) -> None:
        self.stopping.set()

    async def aclose(self) -> None:
        self.stopping.set()

    async def __aiter__(self) -> AsyncIterator[Event]:
        for chunk in self.chunks:
            await asyncio.sleep(0)
            self.raw += chunk
            yield Answering(chunk)
        if not self.ends:
            await self.stopping.wait()
        yield Finished(self.reply)


class Scripted:
    """Stands in for `ModelClient`: the endpoint names the script."""

    scripts: ClassVar[dict[str, list[tuple[list[str], bool]]]] = {}

    def __init__(self, endpoint: str, *_: Any) -> None:
        self.endpoint = endpoint

    async def __aenter__(self) -> "Scripted":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def stream(self, messages: Any, sampling: Sampling, *, resume: Resume | None = None) -> QueuedStream:
        chunks, ends = self.scripts[self.endpoint].pop(0)
        return QueuedStream(chunks, ends=ends, resume=resume)


class Served:
    """A pair whose models are scripts; `late` never gets ready."""

    def __init__(self, late: str = "") -> None:
        self.late = late
        spec = SimpleNamespace(thought=ThoughtFormat("tags"), chat_template_kwargs={}, system_prompt=None)
        self.pair = SimpleNamespace(model=lambda role: spec)

    async def wait_ready(self, role: str, seconds: float) -> str:
        if role == self.late:
            await asyncio.sleep(3600)
        return role


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[list[str], bool]]]:
    monkeypatch.setattr("models.serving.clients.ModelClient", Scripted)
    monkeypatch.setattr(live_module, "SECONDS_BETWEEN_SNAPSHOTS", 0.01)
    Scripted.scripts = {}
    return Scripted.scripts


def turn() -> LiveTurn:
    return LiveTurn({"a": SideRequest("base", [], Sampling()), "b": SideRequest("distilled", [], Sampling())})


async def test_the_last_snapshot_holds_both_replies_whole(scripted: dict) -> None:
    scripted |= {"base": [(["4"], True)], "distilled": [(["f", "o", "ur"], True)]}
    *_, last = [snapshot async for snapshot in snapshots(Served(), turn())]  # type: ignore[arg-type]
    assert {side: reply.answer for side, reply in last.replies.items()} == {"a": "4", "b": "four"}
    assert last.running == frozenset()


async def test_stopping_one_side_leaves_the_other_running(scripted: dict) -> None:
    scripted |= {"base": [(["so far"], False)], "distilled": [(["still"], False)]}
    playing, seen = turn(), []
    async for snapshot in snapshots(Served(), playing):  # type: ignore[arg-type]
        seen.append(snapshot.running)
        if snapshot.running == {"a", "b"} and len(snapshot.replies) == 2:
            playing.stop("a")
        elif snapshot.running == {"b"}:
            playing.stop("b")
    assert frozenset({"b"}) in seen
    assert {side: reply.answer for side, reply in playing.done.items()} == {"a": "so far", "b": "still"}


async def test_answer_now_closes_the_thought_and_goes_on(scripted: dict) -> None:
    scripted |= {"base": [(["4"], True)], "distilled": [(["<think>\nhm"], False), (["four"], True)]}
    playing = turn()
    async for snapshot in snapshots(Served(), playing):  # type: ignore[arg-type]
        if "b" in snapshot.replies and snapshot.replies["b"].raw.endswith("hm") and not playing.wishes:
            assert playing.redirect("b", "answer_now")
    assert playing.done["b"].raw == "<think>\nhm\n</think>\n\nfour"


async def test_a_question_in_line_can_be_taken_back(scripted: dict) -> None:
    scripted |= {"base": [(["4"], True)]}
    playing = turn()
    async for snapshot in snapshots(Served(late="distilled"), playing):  # type: ignore[arg-type]
        if snapshot.running == {"b"}:
            playing.stop("b")
    assert playing.done["a"].answer == "4"
    assert playing.done["b"].finish_reason == "failed"


async def test_an_abandoned_turn_ends_both_replies_and_shows_no_more(scripted: dict) -> None:
    scripted |= {"base": [(["4"], False)], "distilled": [(["four"], False)]}
    playing, seen = turn(), []
    async for snapshot in snapshots(Served(), playing):  # type: ignore[arg-type]
        seen.append(snapshot)
        if len(snapshot.replies) == 2:
            playing.abandon()
    assert len(seen[-1].replies) == 2
    assert all(stream.stopping.is_set() for stream in playing.streams.values())  # type: ignore[attr-defined]


def test_nothing_to_redirect_before_a_reply_has_begun() -> None:
    assert not turn().redirect("a", "think_more")

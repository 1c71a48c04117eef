"""Snapshots of a turn: two scripted models, switches used in the middle, a model that never gets ready."""

import asyncio
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

import battles.live as live_module
from battles.live import LiveTurn, SideRequest, Snapshot, play, watch
from battles.pace import SLOWEST_SNAPSHOTS, Pace, Signal
from models.chat.events import Answering, Event, Finished, Reply
from models.chat.resume import Resume
from models.config.sampling import Sampling
from models.config.thought_format import ThoughtFormat
from models.serving.status import Status


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

    def __init__(self, endpoint: str, *_: Any, **__: Any) -> None:
        self.endpoint = endpoint

    async def __aenter__(self) -> "Scripted":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def stream(self, messages: Any, sampling: Sampling, *, resume: Resume | None = None) -> QueuedStream:
        chunks, ends = self.scripts[self.endpoint].pop(0)
        return QueuedStream(chunks, ends=ends, resume=resume)


class Served:
    """A pair whose models are scripts; `late` never gets ready, `down` has stopped answering."""

    def __init__(self, late: str = "", down: str = "") -> None:
        self.late, self.down = late, down
        spec = SimpleNamespace(title="Tiny", thought=ThoughtFormat("tags"), chat_template_kwargs={}, system_prompt=None)
        self.pair = SimpleNamespace(model=lambda role: spec)

    def status(self, role: str) -> Status:
        if role == self.down:  # it has died, and loads again
            return Status("loading", "loading", 0.5, down_seconds=5.0)
        return Status("loading" if role == self.late else "ready")

    async def wait_ready(self, role: str, seconds: float) -> str:
        return role


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[list[str], bool]]]:
    monkeypatch.setattr("models.serving.clients.ModelClient", Scripted)
    monkeypatch.setattr("battles.pace.SECONDS_BETWEEN_SNAPSHOTS", 0.01)
    Scripted.scripts = {}
    return Scripted.scripts


async def snapshots(served: Served, turn: LiveTurn) -> AsyncIterator[Snapshot]:
    """The turn as its page sees it."""
    turn.task = asyncio.create_task(play(served, turn))  # type: ignore[arg-type]
    async for snapshot in watch(turn):
        yield snapshot
    await asyncio.gather(turn.task, return_exceptions=True)


def turn() -> LiveTurn:
    return LiveTurn({"a": SideRequest("base", [], Sampling()), "b": SideRequest("distilled", [], Sampling())})


async def test_the_last_snapshot_holds_both_replies_whole(scripted: dict) -> None:
    scripted |= {"base": [(["4"], True)], "distilled": [(["f", "o", "ur"], True)]}
    *_, last = [snapshot async for snapshot in snapshots(Served(), turn())]
    assert {side: reply.answer for side, reply in last.replies.items()} == {"a": "4", "b": "four"}
    assert last.running == frozenset()


async def test_stopping_one_side_leaves_the_other_running(scripted: dict) -> None:
    scripted |= {"base": [(["so far"], False)], "distilled": [(["still"], False)]}
    playing, seen = turn(), []
    async for snapshot in snapshots(Served(), playing):
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
    async for snapshot in snapshots(Served(), playing):
        if "b" in snapshot.replies and snapshot.replies["b"].raw.endswith("hm") and not playing.wishes:
            assert playing.redirect("b", "answer_now")
    assert playing.done["b"].raw == "<think>\nhm\n</think>\n\nfour"


async def test_a_question_in_line_can_be_taken_back(scripted: dict) -> None:
    scripted |= {"base": [(["4"], True)]}
    playing = turn()
    async for snapshot in snapshots(Served(late="distilled"), playing):
        if snapshot.running == {"b"}:
            playing.stop("b")
    assert playing.done["a"].answer == "4"
    assert playing.done["b"].finish_reason == "failed"


async def test_an_abandoned_turn_ends_both_replies_and_shows_no_more(scripted: dict) -> None:
    scripted |= {"base": [(["4"], False)], "distilled": [(["four"], False)]}
    playing, seen = turn(), []
    async for snapshot in snapshots(Served(), playing):
        seen.append(snapshot)
        if len(snapshot.replies) == 2:
            playing.abandon()
    assert len(seen[-1].replies) == 2
    assert all(stream.stopping.is_set() for stream in playing.streams.values())  # type: ignore[attr-defined]


def test_nothing_to_redirect_before_a_reply_has_begun() -> None:
    assert not turn().redirect("a", "think_more")


@pytest.mark.parametrize("chunks", [[], ["It mi"]])
async def test_a_side_that_falls_silent_fails_in_words_and_the_other_stays(
    scripted: dict, monkeypatch: pytest.MonkeyPatch, chunks: list[str]
) -> None:
    monkeypatch.setattr(live_module, "FIRST_WORD_SECONDS", 0.2)
    monkeypatch.setattr(live_module, "SILENCE_SECONDS", 0.2)
    scripted |= {"base": [(["4"], True)], "distilled": [(chunks, False)]}
    playing = turn()
    *_, last = [snapshot async for snapshot in snapshots(Served(), playing)]
    assert last.replies["a"] == Reply(answer="4", raw="4")
    silent = last.replies["b"]
    assert (silent.finish_reason, silent.answer) == ("failed", "".join(chunks))
    assert ("fell silent" if chunks else "said nothing") in silent.error


async def test_a_server_that_is_down_is_told_within_seconds(scripted: dict) -> None:
    scripted |= {"base": [(["4"], True)]}
    served = Served(down="distilled")
    async with asyncio.timeout(5):
        *_, last = [snapshot async for snapshot in snapshots(served, turn())]
    assert last.replies["a"].answer == "4"
    assert last.replies["b"].finish_reason == "failed" and "does not answer" in last.replies["b"].error


async def test_what_breaks_ends_its_own_side_in_words(scripted: dict) -> None:
    scripted |= {"base": [(["4"], True)], "distilled": []}  # nothing left to pop
    *_, last = [snapshot async for snapshot in snapshots(Served(), turn())]
    assert last.replies["a"].answer == "4"
    assert "internal error" in last.replies["b"].error


async def test_a_reply_is_the_same_object_until_it_grows(scripted: dict) -> None:
    scripted |= {"base": [(["4"], True)], "distilled": [(["f"], False)]}
    playing = turn()
    async for _ in snapshots(Served(), playing):
        if "a" in playing.done and "b" not in playing.done and playing.streams["b"].reply.raw:
            one, other = playing.snapshot(), playing.snapshot()
            assert one.replies["b"] is other.replies["b"] and one.replies["a"] is other.replies["a"]
            playing.hear("b")
            assert playing.snapshot().replies["b"] is not one.replies["b"]
            playing.stop("b")


async def test_a_page_that_may_not_show_words_is_not_woken_by_them() -> None:
    playing, seen = turn(), list[Snapshot]()

    async def read() -> None:
        async for snapshot in watch(playing, words=False):
            seen.append(snapshot)

    reading = asyncio.create_task(read())
    for _ in range(50):
        playing.hear("a")
        await asyncio.sleep(0)
    assert len(seen) == 1
    playing.end("a", Reply(answer="4"))
    playing.end("b", Reply(answer="four"))
    await reading
    assert not seen[-1].running


async def test_two_pages_see_the_same_turn(scripted: dict) -> None:
    scripted |= {"base": [(["4"], False)], "distilled": [(["f", "o", "ur"], True)]}
    playing = turn()
    playing.task = asyncio.create_task(play(Served(), playing))  # type: ignore[arg-type]

    async def read() -> str:
        answers = ""
        async for snapshot in watch(playing):
            answers = "".join(snapshot.replies[side].answer for side in sorted(snapshot.replies))
            if answers == "4four":
                playing.stop("a")
        return answers

    assert await asyncio.gather(read(), read()) == ["4four", "4four"]


async def test_a_loop_that_is_late_is_asked_for_fewer_updates() -> None:
    pace = Pace()
    assert pace.seconds == 0.01
    for _ in range(8):
        asyncio.get_running_loop().call_later(0.005, time.sleep, 0.1)  # something else keeps the loop
        await pace.pause(Signal())
    late = pace.seconds
    assert 0.05 < late <= SLOWEST_SNAPSHOTS
    for _ in range(30):
        await pace.pause(Signal())
    assert pace.seconds < late

"""Two streams side by side: each is a queue that the test fills, so the order of events is the test's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ServerError
from models.chat.duel import duel
from models.chat.events import Answering, Event, Failed, Finished, Reply

DONE = Finished(Reply(answer="done"))


class Queued(AsyncIterator[Event]):
    """A stream that gives what the test puts: an event, or an exception to raise. Ends after Finished or Failed."""

    def __init__(self, *items: Event | Exception) -> None:
        self.queue: asyncio.Queue[Event | Exception] = asyncio.Queue()
        for item in items:
            self.queue.put_nowait(item)
        self.over = False
        self.closed = False
        self.reply = Reply(answer="so far")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if self.over:
            raise StopAsyncIteration
        item = await self.queue.get()
        if isinstance(item, Exception):
            raise item
        self.over = isinstance(item, Finished | Failed)
        return item

    async def aclose(self) -> None:
        self.closed = True


def words(*texts: str) -> list[Event]:
    return [Answering(text) for text in texts]


@given(st.lists(st.text(max_size=2), max_size=6), st.lists(st.text(max_size=2), max_size=6))
def test_every_event_of_each_side_comes_in_order(left: list[str], right: list[str]) -> None:
    async def run() -> dict[str, list[Event]]:
        got: dict[str, list[Event]] = {"a": [], "b": []}
        async for side, event in duel({"a": Queued(*words(*left), DONE), "b": Queued(*words(*right), DONE)}):
            got[side].append(event)
        return got

    assert asyncio.run(run()) == {"a": [*words(*left), DONE], "b": [*words(*right), DONE]}


async def test_a_slow_side_never_stalls_the_fast_one() -> None:
    slow, fast = Queued(), Queued(*words("1", "2", "3"), DONE)
    async with aclosing(duel({"slow": slow, "fast": fast})) as events:
        assert [await anext(events) for _ in range(4)] == [("fast", e) for e in [*words("1", "2", "3"), DONE]]
        slow.queue.put_nowait(Answering("late"))
        slow.queue.put_nowait(DONE)
        assert [event async for event in events] == [("slow", Answering("late")), ("slow", DONE)]
    assert slow.closed and fast.closed


@pytest.mark.parametrize(
    ("error", "words_shown"), [(ServerError("gone.", "Wait."), "gone. Wait."), (ZeroDivisionError("x"), "The log")]
)
async def test_a_side_that_raises_fails_alone(error: Exception, words_shown: str) -> None:
    bad, good = Queued(*words("1"), error), Queued(*words("1", "2"), DONE)
    events = [event async for event in duel({"bad": bad, "good": good})]
    assert [e for side, e in events if side == "good"] == [*words("1", "2"), DONE]
    failed = [e for side, e in events if side == "bad"][-1]
    assert isinstance(failed, Failed)
    assert failed.reply.answer == "so far" and failed.reply.finish_reason == "failed"
    assert words_shown in failed.reply.error
    assert bad.closed and good.closed


async def test_closing_closes_both_while_they_wait() -> None:
    sides = {"a": Queued(), "b": Queued(*words("1"))}
    events = duel(sides)
    await anext(events)
    await events.aclose()
    assert sides["a"].closed and sides["b"].closed


async def test_cancelling_the_reader_closes_both() -> None:
    sides = {"a": Queued(), "b": Queued()}

    async def read() -> None:
        async with aclosing(duel(sides)) as events:
            async for _ in events:
                pass

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert sides["a"].closed and sides["b"].closed
    assert len(asyncio.all_tasks()) == 1


async def test_a_slow_reader_loses_nothing() -> None:
    got = []
    async for side, event in duel({"a": Queued(*words("1", "2"), DONE), "b": Queued(*words("3"), DONE)}):
        await asyncio.sleep(0.002)
        got.append((side, event))
    assert len(got) == 5


async def test_no_sides() -> None:
    assert [event async for event in duel({})] == []

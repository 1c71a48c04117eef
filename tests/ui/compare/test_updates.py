"""A page is sent what has changed, and nothing else."""

from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from battles.battle import SIDES, Battle, begin, fail, receive, settle
from battles.turns import Progress
from models.chat.events import Reply
from models.config.registry import load_config
from models.serving.status import Status
from tests.ui.compare.names import Names
from ui.compare.handlers import copy_handler, follow_turn, own_battle
from ui.compare.screen import Renderer
from votes.ballot import Delivery
from votes.errors import UnknownBattle


@pytest.fixture
def show() -> Renderer:
    served = SimpleNamespace(pair=load_config().pairs["smol-135m"], status=lambda role: Status("ready"))
    return Renderer(SimpleNamespace(served=served), Names())  # type: ignore[arg-type]


def emptied(update: dict[Any, Any]) -> dict[Any, Any]:
    """The update as it was, while the one that was yielded loses its values, as in gradio."""
    kept = {key: dict(value) if isinstance(value, dict) else value for key, value in update.items()}
    for value in update.values():
        if isinstance(value, dict):
            value.pop("value", None)
    return kept


async def updates(show: Renderer, before: Battle, steps: list[tuple[Battle, float]]) -> list[dict[Any, Any]]:
    async def progress() -> AsyncIterator[Progress]:
        for battle, seconds in steps:
            yield Progress(battle, seconds)

    return [emptied(update) async for update in follow_turn(show, before, progress())]


def running(delivery: Delivery) -> Battle:
    return begin(Battle("id", delivery=delivery), "What is 2 + 2?")


def writing(battle: Battle, **answers: str) -> Battle:
    known = dict(battle.turns[-1].replies)
    replies = {side: Reply(answer=answers[side]) for side in SIDES if side in answers}
    return receive(battle, {**known, **replies}, battle.running)


async def test_a_panel_is_sent_only_when_its_own_reply_grows(show: Renderer) -> None:
    start = running("live")
    first = writing(start, a="4")
    second = writing(first, b="It is")
    _, one, two, *rest = await updates(show, Battle(), [(start, 0), (first, 0.1), (second, 0.2), (second, 0.3)])
    assert "panels-a" in one and "panels-b" not in one
    assert "panels-b" in two and "panels-a" not in two
    assert rest == [], "nothing new, nothing sent"


async def test_while_both_are_awaited_only_the_seconds_move(show: Renderer) -> None:
    start = running("together")
    first, *rest = await updates(show, Battle(), [(start, 0), (start, 1.0), (start, 2.0), (start, 2.1)])
    assert "arena" in first and "panels-a" in first
    assert [set(update) for update in rest] == [{"progress"}, {"progress"}]


async def test_the_end_of_a_turn_sends_the_ballot_but_not_what_stays(show: Renderer) -> None:
    start = running("together")
    done = settle(writing(start, a="4", b="It is 4."))
    _, last = await updates(show, Battle(), [(start, 0), (done, 0)])
    assert {"battle", "ballot.group", "panels-a", "panels-b", "progress"} <= set(last)
    assert not {"arena", "new", "heads-a", "ballot.comment"} & set(last)


async def test_after_a_vote_the_next_battle_clears_the_ballot(show: Renderer) -> None:
    voted = replace(settle(writing(running("together"), a="4", b="4")), phase="voted")
    [first] = await updates(show, voted, [(replace(running("together"), id="next"), 0)])
    assert first["ballot.comment"] == "" and first["ballot.stage"] == "answers"


@pytest.mark.parametrize("delivery", ["live", "together"])
async def test_what_is_sent_adds_up_to_the_whole(show: Renderer, delivery: Delivery) -> None:
    start = running(delivery)
    half = writing(start, a="4", b="It")
    for end in (settle(writing(half, a="4.", b="It is 4.")), fail(half)):
        page: dict[Any, Any] = dict(show.whole(Battle()))
        for update in await updates(show, Battle(), [(start, 0), (half, 0.1), (end, 0)]):
            page |= update
        assert page == show.whole(end)


def test_a_copy_is_the_original_text_and_tells_nothing_early() -> None:
    text = "**4** and $x_1$ <b>"
    start = writing(running("together"), a=text, b="4")
    assert copy_handler("a")(start) == ""
    assert copy_handler("a")(settle(start)) == text


def test_a_battle_that_is_not_ones_own_is_not_restored() -> None:
    def refuse(*_: Any) -> Battle:
        raise UnknownBattle("There is no such battle.")

    turns: Any = SimpleNamespace(restore=refuse)
    assert own_battle(turns, "someone's", "visitor") is None
    assert own_battle(turns, "", "visitor") is None
    turns = SimpleNamespace(restore=lambda *_: running("live"))
    assert own_battle(turns, "mine", "visitor") == running("live")

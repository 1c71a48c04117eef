"""The stream of a turn: only for whoever asked, without names or thoughts while they are hidden, and found again."""

import asyncio
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from battles import turns as module
from battles.battle import Battle
from battles.live import LiveTurn, LiveTurns
from battles.turns import Turns
from models.chat.events import Reply
from models.config.registry import ROLES, load_config
from models.config.sampling import Sampling
from models.serving.status import Status
from tests.votes.helpers import FREE
from ui.compare.news import MOST_READERS, PATH, TurnStreams
from ui.compare.screen import Renderer
from ui.services import Services
from votes.ballot import Delivery
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.store import Store
from votes.visitor import visitor_hash

SAMPLING = dict.fromkeys(ROLES, Sampling())
REPLIES = {"a": Reply(answer="It is 4.", raw="It is 4."), "b": Reply(thought="Two and two …", answer="4", raw="4")}


class Visited:
    """A desk with one pair, whose turns end when they are told to, and the address of their streams."""

    def __init__(self, desk: Desk) -> None:
        config = load_config()
        served: Any = SimpleNamespace(
            pair=config.pairs["smol-135m"],
            profile=config.profiles["cpu"],
            weight_hash=lambda role: "h",
            status=lambda role: Status("ready"),
        )
        self.desk = desk
        self.turns = Turns(served, desk, LiveTurns())
        services: Any = SimpleNamespace(served=served, salt=b"salt", guard=None)
        services.visitor = partial(Services.visitor, services)
        streams = TurnStreams(services, self.turns, Renderer(services))
        self.app = Starlette(routes=[Route(PATH, streams.follow)])
        self.visitor = services.visitor(SimpleNamespace(client=("10.0.0.1", 1), headers={}))
        self.finish = asyncio.Event()

    def start(self, delivery: Delivery = "together", visitor: str = "") -> Battle:
        return self.turns.start(Battle(delivery=delivery), "What is 2 + 2?", visitor or self.visitor, SAMPLING)

    async def get(self, battle: str, address: str = "10.0.0.1", **headers: str) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://page") as http:
            return await http.get(PATH.format(battle_id=battle), headers=headers)


@pytest.fixture
def visited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visited]:
    store = Store(tmp_path / "votes.duckdb")
    visited = Visited(Desk(store, limits=Limits(rates=FREE)))

    async def play(_: Any, turn: LiveTurn) -> None:
        await visited.finish.wait()
        for side, reply in REPLIES.items():
            turn.end(side, reply)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "play", play)
    yield visited
    store.close()


def heard(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200 and response.headers["content-type"].startswith("text/event-stream")
    return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize("delivery", ["together", "live"])
async def test_it_ends_with_the_ballot_and_tells_no_names(visited: Visited, delivery: Delivery) -> None:
    battle = visited.start(delivery)
    asyncio.get_running_loop().call_later(0.2, visited.finish.set)
    response = await visited.get(battle.id)
    *_, last, over = heard(response)
    assert last["show"]["ballot.group"]["visible"] and over == {"over": True}
    assert last["show"]["panels-a"][-1]["content"][0]["text"] == "It is 4."
    told = response.text.lower()
    assert not any(word in told for word in ("distilled", "base", "smol", "thought", "two and two"))


@pytest.mark.parametrize("address", ["10.0.0.2", ""])
async def test_nobody_else_may_read_it_nor_learn_that_it_is_there(visited: Visited, address: str) -> None:
    battle = visited.start()
    refused, unknown = await visited.get(battle.id, address), await visited.get("nothing", address)
    assert refused.status_code == unknown.status_code == 404 and refused.text == unknown.text
    visited.turns.abandon(battle, visited.visitor)


async def test_whoever_has_signed_in_is_known_by_that_wherever_they_are(visited: Visited) -> None:
    session = {"oauth_info": {"userinfo": {"preferred_username": "ada"}}}
    battle = visited.start(visitor=visitor_hash(b"salt" + b"account", "ada"))
    assert (await visited.get(battle.id)).status_code == 404
    visited.finish.set()
    plain = visited.app

    async def signed_in(scope: Any, receive: Any, send: Any) -> None:
        await plain(scope | {"session": session}, receive, send)

    visited.app = signed_in  # type: ignore[assignment]
    assert heard(await visited.get(battle.id, "10.0.0.9"))


async def test_after_the_end_it_shows_what_there_is(visited: Visited) -> None:
    visited.finish.set()
    battle = visited.start()
    await asyncio.sleep(0.1)
    all_of_it, over = heard(await visited.get(battle.id))
    assert {"arena", "panels-a", "ballot.group", "held"} <= set(all_of_it["show"]) and over == {"over": True}
    visited.desk.cast(battle.id, visited.visitor, "answers", "a")
    all_of_it, _ = heard(await visited.get(battle.id))
    assert all_of_it["show"]["ballot.stage"] == "reasoning"


async def test_a_browser_that_was_cut_off_is_shown_everything_again(visited: Visited) -> None:
    battle = visited.start()
    asyncio.get_running_loop().call_later(0.2, visited.finish.set)
    first, *_ = heard(await visited.get(battle.id, **{"last-event-id": "1"}))
    assert {"arena", "panels-a", "progress"} <= set(first["show"])


async def test_a_turn_has_few_readers(visited: Visited) -> None:
    battle = visited.start()
    turn = visited.turns.live.get(battle.id)
    assert turn
    turn.watchers = MOST_READERS
    assert (await visited.get(battle.id)).status_code == 429
    turn.watchers = 0
    visited.turns.abandon(battle, visited.visitor)


async def test_a_tool_that_did_not_work_says_so(visited: Visited, monkeypatch: pytest.MonkeyPatch) -> None:
    visited.finish.set()
    battle = visited.start()
    async for step in visited.turns.watch(battle, visited.visitor):
        battle = step.battle
    assert battle.phase == "answers"

    async def play(_: Any, turn: LiveTurn) -> None:
        while not turn.watchers:  # noqa: ASYNC110 - nothing tells of a watcher
            await asyncio.sleep(0.01)
        turn.end("a", Reply(finish_reason="failed", error="It broke."))
        turn.end("b", REPLIES["b"])

    monkeypatch.setattr(module, "play", play)
    visited.turns.start_again(battle, "regenerate", frozenset({"a", "b"}), visited.visitor)
    *_, shown, said, over = heard(await visited.get(battle.id))
    assert shown["show"]["ballot.group"]["visible"]
    assert "replies are as they were" in said["failed"] and over == {"over": True}

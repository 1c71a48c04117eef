"""Battles under a guard: what it blocks is never stored or shown, and what it cannot read loses no vote."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from battles import turns as module
from battles.battle import Battle
from battles.live import LiveTurn, LiveTurns
from battles.turns import Turns
from models.chat.events import Reply
from tests.battles.test_guard import Server, guard_of
from tests.battles.test_turns import SAMPLING, answers, last, turns_at
from tests.votes.helpers import FREE
from ui.kit.panels import ENDINGS
from ui.kit.replies import panel_messages
from votes.ballot import Delivery, Mode, Side
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.store import Store

__all__ = ["answers"]
BAD = Reply(thought="a bad thought", answer="an answer", raw="<think>a bad thought</think>an answer", answer_tokens=5)
GOOD = Reply(answer="another answer", raw="another answer", answer_tokens=2)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "votes.duckdb")
    yield store
    store.close()


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store, limits=Limits(rates=FREE, gesture_seconds=0.0))


def guarded(desk: Desk, server: Server) -> Turns:
    return Turns(turns_at(desk).served, desk, LiveTurns(), guard_of(server))


async def test_a_blocked_question_blocks_both_sides(desk: Desk, store: Store, answers: list[dict[Side, Reply]]) -> None:
    turns = guarded(desk, Server("llama-guard"))
    answers.append({"a": GOOD, "b": GOOD})
    battle = await last(turns.ask(Battle(), "a bad question", "visitor", SAMPLING))
    assert [panel_messages(battle, side)[-1]["content"] for side in ("a", "b")] == [ENDINGS["blocked"]] * 2
    desk.cast(battle.id, "visitor", "answers", "tie")
    assert next(store.votes()).blocked == "ab"


@pytest.mark.parametrize("bad", ["a", "b"])
async def test_a_blocked_side_says_so_once_both_are_done(
    desk: Desk, store: Store, answers: list[dict[Side, Reply]], bad: Side
) -> None:
    turns = guarded(desk, Server("llama-guard"))
    good: Side = "b" if bad == "a" else "a"
    answers.append({bad: BAD, good: GOOD})
    battle = await last(turns.ask(Battle(), "a question", "visitor", SAMPLING))
    assert battle.phase == "answers" and not battle.roles
    assert "Blocked by the guard model" in panel_messages(battle, bad)[-1]["content"]
    assert panel_messages(battle, good)[-1]["content"] == "another answer"
    # Nothing else tells the sides apart: each panel has the question and one message.
    assert len(panel_messages(battle, bad)) == len(panel_messages(battle, good)) == 2
    desk.cast(battle.id, "visitor", "answers", good)
    [vote] = store.votes()
    assert vote.blocked == bad and vote.turns[0].reply(bad).answer_tokens == 5
    assert "a bad thought" not in str(vote) and "an answer" not in str(vote).replace("another answer", "")
    shared = desk.load_battle(battle.id).turns[0]
    assert getattr(shared, bad).finish_reason == "blocked" and getattr(shared, bad).thought == ""
    assert turns.restore(battle.id, "visitor").reply(bad).answer == ""  # type: ignore[union-attr]


@pytest.mark.parametrize(("mode", "delivery"), [("named", "together"), ("blind", "live"), ("blind", "together")])
@pytest.mark.parametrize("up", [True, False])
async def test_nothing_is_shown_before_it_is_screened(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, mode: Mode, delivery: Delivery, up: bool
) -> None:
    async def play(_: Any, turn: LiveTurn) -> None:
        for side in turn.requests:
            stream = SimpleNamespace(reply=BAD, stop=lambda: None)
            turn.streams[side] = stream  # type: ignore[assignment]
            turn.hear(side)
            await asyncio.sleep(0.05)
            turn.end(side, BAD)

    monkeypatch.setattr(module, "play", play)
    server = Server("llama-guard")
    server.fault = None if up else httpx.ConnectError("no route")
    turns = guarded(desk, server)
    steps = [step.battle async for step in turns.ask(Battle(mode=mode, delivery=delivery), "Hi", "visitor", SAMPLING)]
    *before, ended = [str([panel_messages(battle, side) for side in ("a", "b")]) for battle in steps]
    assert len(before) >= 2 and "an answer" not in str(before) and "a bad thought" not in str(before)
    assert ("an answer" in ended) == (not up)
    battle = steps[-1]
    assert desk.mine(battle.id, "visitor").record.delivery == "together"
    again = [
        step.battle
        async for step in turns.watch(
            turns.start_again(battle, "regenerate", frozenset({"a", "b"}), "visitor"), "visitor"
        )
    ]
    assert "an answer" not in str([panel_messages(battle, "a") for battle in again[:-1]])


async def test_a_reply_written_again_may_pass(desk: Desk, answers: list[dict[Side, Reply]]) -> None:
    turns = guarded(desk, Server("llama-guard"))
    answers += [{"a": BAD, "b": BAD}, {"a": GOOD, "b": GOOD}]
    battle = await last(turns.ask(Battle(mode="named"), "a question", "visitor", SAMPLING))
    assert battle.reply("a").finish_reason == battle.reply("b").finish_reason == "blocked"  # type: ignore[union-attr]
    battle = await last(
        turns.watch(turns.start_again(battle, "regenerate", frozenset({"a", "b"}), "visitor"), "visitor")
    )
    assert battle.reply("a") == battle.reply("b") == GOOD


async def test_no_vote_is_lost_while_the_guard_is_down(
    desk: Desk, store: Store, answers: list[dict[Side, Reply]]
) -> None:
    server = Server("llama-guard")
    server.fault = httpx.ConnectError("no route")
    turns = guarded(desk, server)
    answers.append({"a": BAD, "b": GOOD})
    battle = await last(turns.ask(Battle(), "a question", "visitor", SAMPLING))
    desk.cast(battle.id, "visitor", "answers", "a")
    [vote] = store.votes()
    assert (vote.blocked, vote.turns[0].a.answer) == ("", "an answer")
    assert turns.guard is not None and turns.guard.sentence


async def test_a_failed_side_has_failed_whatever_it_said(desk: Desk, answers: list[dict[Side, Reply]]) -> None:
    turns = guarded(desk, Server("llama-guard"))
    answers.append({"a": Reply(answer="bad", finish_reason="failed", error="It broke."), "b": GOOD})
    battle = await last(turns.ask(Battle(), "a question", "visitor", SAMPLING))
    assert battle.phase == "failed" and battle.reply("a").answer == ""  # type: ignore[union-attr]


async def test_replies_and_tokens_are_counted(desk: Desk, answers: list[dict[Side, Reply]]) -> None:
    def now() -> list[float]:
        tokens = [
            REGISTRY.get_sample_value("arena_tokens_total", {"role": r, "part": "answer"})
            for r in ("base", "distilled")
        ]
        return [*(n or 0.0 for n in tokens), REGISTRY.get_sample_value("arena_turns_running") or 0.0]

    before = now()
    answers.append({"a": BAD, "b": GOOD})
    await last(turns_at(desk).ask(Battle(mode="named"), "a question", "visitor", SAMPLING))
    assert [n - b for n, b in zip(now(), before, strict=True)] == [5, 2, 0]

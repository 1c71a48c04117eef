"""Turns at the desk: what a refused question and a failing side leave behind. The models are a list of snapshots."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from battles import turns as module
from battles.battle import Battle, Phase, Turn, begin, receive, reopen
from battles.live import LiveTurns, Snapshot
from battles.turns import Turns
from common.errors import ServerError
from models.chat.events import Reply
from models.config.registry import ROLES, load_config
from models.config.sampling import Sampling
from tests.votes.helpers import FREE
from ui.compare.handlers import follow_turn, tool_handler
from ui.kit.replies import FAILED, panel_messages
from votes.ballot import Mode, Side
from votes.desk import Desk
from votes.errors import Refused, TextRefused
from votes.limits import Limits
from votes.store import Store

SAMPLING = dict.fromkeys(ROLES, Sampling())
GOOD = Reply(answer="4", raw="4", answer_tokens=1, finish_reason="stop")
BAD = Reply(finish_reason="failed", error="SmolLM2 cannot be reached.")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    store = Store(tmp_path / "votes.duckdb")
    yield Desk(store, limits=Limits(rates=FREE))
    store.close()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[dict[Side, Reply]]:
    """What the sides of the next turns answer, in order."""
    queue: list[dict[Side, Reply]] = []

    async def snapshots(*_: Any) -> AsyncIterator[Snapshot]:
        yield Snapshot(queue.pop(0), frozenset(), 1.0)

    monkeypatch.setattr(module, "snapshots", snapshots)
    return queue


def turns_at(desk: Desk) -> Turns:
    served = SimpleNamespace(pair=load_config().pairs["smol-135m"], weight_hash=lambda role: "hash")
    return Turns(served, desk, LiveTurns())  # type: ignore[arg-type]


async def last(steps: Any) -> Battle:
    battle = Battle()
    async for step in steps:
        battle = step.battle
    return battle


async def test_a_refused_question_opens_no_battle(desk: Desk) -> None:
    with pytest.raises(TextRefused):
        await last(turns_at(desk).ask(Battle(), "  ", "visitor", SAMPLING))
    assert not desk._battles


async def test_what_was_answered_survives_a_failing_tool(desk: Desk, answers: list[dict[Side, Reply]]) -> None:
    turns = turns_at(desk)
    answers += [{"a": GOOD, "b": GOOD}, {"a": BAD}, {"a": replace(GOOD, answer="5")}]
    asked = await last(turns.ask(Battle(mode="named"), "What is 2 + 2?", "visitor", SAMPLING))
    used = turns.use_tool(asked, "think_more", frozenset({"a"}), "visitor")
    assert (await anext(used)).battle == asked
    with pytest.raises(ServerError, match=r"cannot be reached.*as they were"):
        await anext(used)
    again = await last(turns.use_tool(asked, "regenerate", frozenset({"a"}), "visitor"))
    desk.cast(again.id, "visitor", "answers", "a")
    kept = desk.load_battle(again.id).turns
    assert [(turn.a.answer, turn.b.answer) for turn in kept] == [("5", "4")]


async def test_a_blind_battle_does_not_tell_which_side_failed(desk: Desk, answers: list[dict[Side, Reply]]) -> None:
    turns = turns_at(desk)
    answers += [{"a": GOOD, "b": BAD}, {"a": GOOD, "b": GOOD}]
    failed = await last(turns.ask(Battle(), "What is 2 + 2?", "visitor", SAMPLING))
    assert failed.phase == "failed"
    assert panel_messages(failed, "a") == panel_messages(failed, "b")
    assert FAILED in panel_messages(failed, "a")[-1]["content"]
    again = await last(turns.use_tool(failed, "regenerate", frozenset({"a", "b"}), "visitor"))
    assert again.phase == "answers"
    assert len(desk.load_battle(again.id).turns) == 1


async def test_nor_which_side_was_stopped_inside_its_thought(desk: Desk, answers: list[dict[Side, Reply]]) -> None:
    turns = turns_at(desk)
    stopped = Reply(thought="Hm, two and", thought_tokens=3, finish_reason="stopped")
    answers += [{"a": GOOD, "b": stopped}, {"a": GOOD, "b": GOOD}, {"a": GOOD, "b": stopped}]
    halted = await last(turns.ask(Battle(), "What is 2 + 2?", "visitor", SAMPLING))
    assert panel_messages(halted, "a") == panel_messages(halted, "b")
    with pytest.raises(Refused, match="nothing to vote on"):
        desk.cast(halted.id, "visitor", "answers", "a")
    again = await last(turns.use_tool(halted, "regenerate", frozenset({"a", "b"}), "visitor"))
    assert again.phase == "answers"
    with pytest.raises(ServerError, match=r"no two new answers.*as they were"):
        await last(turns.use_tool(again, "regenerate", frozenset({"a", "b"}), "visitor"))


def test_nor_while_the_other_side_is_still_writing_before_ones_eyes() -> None:
    battle = begin(Battle(delivery="live"), "What is 2 + 2?")
    half = receive(battle, {"a": replace(GOOD, answer="It"), "b": BAD}, frozenset({"a"}))
    assert FAILED in panel_messages(half, "a")[-1]["content"]
    assert panel_messages(half, "a") == panel_messages(half, "b")
    again = reopen(half, frozenset({"a", "b"}))
    assert FAILED not in str(panel_messages(again, "a"))


async def test_a_refusal_changes_nothing_on_the_page(desk: Desk) -> None:
    refused = turns_at(desk).ask(Battle(), "", "visitor", SAMPLING)
    with pytest.raises(gr.Error, match=r"question|empty"):
        assert not [update async for update in follow_turn(SimpleNamespace(), refused)]  # type: ignore[arg-type]


async def test_a_turn_left_before_its_first_words_changes_nothing_on_the_page(
    desk: Desk, answers: list[dict[Side, Reply]], monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = turns_at(desk)
    answers += [{"a": GOOD, "b": GOOD}]
    battle = await last(turns.ask(Battle(), "What is 2 + 2?", "visitor", SAMPLING))

    async def left(*_: Any) -> AsyncIterator[Snapshot]:
        turns.abandon(battle)
        return
        yield

    monkeypatch.setattr(module, "snapshots", left)
    asked = turns.ask(battle, "And 3 + 3?", "visitor", SAMPLING)
    assert [update async for update in follow_turn(SimpleNamespace(), asked)] == [gr.skip()]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mode", "phase", "tool", "reaches"),
    [
        ("blind", "running", "stop", "switch"),
        ("blind", "running", "think_more", ""),
        ("blind", "running", "answer_now", ""),
        ("named", "running", "answer_now", "switch"),
        ("blind", "answers", "think_more", ""),
        ("named", "answers", "think_more", "use_tool"),
        ("named", "answers", "stop", ""),
        ("named", "voted", "regenerate", ""),
    ],
)
async def test_a_tool_that_is_not_offered_does_nothing_when_called_all_the_same(
    mode: Mode, phase: Phase, tool: str, reaches: str
) -> None:
    reached: list[str] = []

    def switch(*_: Any) -> bool:
        if phase == "running":
            reached.append("switch")
        return phase == "running"

    async def use_tool(*_: Any) -> AsyncIterator[Any]:
        reached.append("use_tool")
        return
        yield

    turns: Any = SimpleNamespace(switch=switch, use_tool=use_tool)
    services: Any = SimpleNamespace(visitor=lambda request: "visitor")
    battle = Battle("id", mode, phase=phase, turns=(Turn("Why?", {"a": GOOD, "b": GOOD}),))
    used = tool_handler(services, turns, SimpleNamespace(), tool)(battle, "Both", None)  # type: ignore[arg-type]
    updates = [update async for update in used]
    assert reached == ([reaches] if reaches else [])
    assert updates == [gr.skip()], "what takes no step changes nothing"

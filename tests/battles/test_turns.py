"""Turns at the desk: what a refused question and a failing side leave behind. The models are a list of snapshots."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from battles import live as live_module
from battles import turns as module
from battles.battle import Battle, Phase, Turn, begin, fail, receive, reopen, settle, survivor, without_failed
from battles.live import LiveTurn, LiveTurns, watch
from battles.tools import going_on
from battles.turns import Turns
from common.errors import ServerError
from models.chat.events import Reply
from models.config.registry import ROLES, load_config
from models.config.sampling import Sampling
from tests.votes.helpers import FREE
from ui.compare.handlers import ask_handler, tool_handler
from ui.kit.replies import FAILED, ONE_ANSWER, panel_messages
from ui.kit.sampling import SamplingLimits
from votes.ballot import Mode, Side
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.errors import Refused, TextRefused, UnknownBattle
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

    async def play(_: Any, turn: LiveTurn) -> None:
        for side, reply in queue.pop(0).items():
            turn.end(side, reply)

    monkeypatch.setattr(module, "play", play)
    return queue


def turns_at(desk: Desk) -> Turns:
    config = load_config()
    pair, profile = config.pairs["smol-135m"], config.profiles["cpu"]
    served = SimpleNamespace(pair=pair, profile=profile, weight_hash=lambda role: "hash")
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


async def test_a_battle_records_how_an_offered_question_was_drawn(desk: Desk, answers: list[dict[Side, Reply]]) -> None:
    turns = turns_at(desk)
    answers += [{"a": GOOD, "b": GOOD}] * 3
    turns.offers.add("visitor", "What is 2 + 2?", {"kind": "sums", "seed": 7})
    offered = await last(turns.ask(Battle(), "What is 2 + 2? ", "visitor", SAMPLING))
    record = desk.mine(offered.id, "visitor").record
    assert record.sampling["prompt"] == {"kind": "sums", "seed": 7} and record.sampling["max_tokens"]
    assert turns.restore(offered.id, "visitor").sampling == offered.sampling
    for question, visitor in (("What is 3 + 3?", "visitor"), ("What is 2 + 2?", "another")):
        own = await last(turns.ask(Battle(), question, visitor, SAMPLING))
        assert "prompt" not in desk.mine(own.id, visitor).record.sampling


async def test_what_was_answered_survives_a_failing_tool(desk: Desk, answers: list[dict[Side, Reply]]) -> None:
    turns = turns_at(desk)
    answers += [{"a": GOOD, "b": GOOD}, {"a": BAD}, {"a": replace(GOOD, answer="5")}]
    asked = await last(turns.ask(Battle(mode="named"), "What is 2 + 2?", "visitor", SAMPLING))
    used = turns.watch(turns.start_again(asked, "think_more", frozenset({"a"}), "visitor"), "visitor")
    assert (await anext(used)).battle.phase == "running"
    assert (await anext(used)).battle == asked
    with pytest.raises(ServerError, match=r"cannot be reached.*as they were"):
        await anext(used)
    again = await last(turns.watch(turns.start_again(asked, "regenerate", frozenset({"a"}), "visitor"), "visitor"))
    desk.cast(again.id, "visitor", "answers", "a")
    kept = desk.load_battle(again.id).turns
    assert [(turn.a.answer, turn.b.answer) for turn in kept] == [("5", "4")]


async def test_a_blind_battle_does_not_tell_which_side_failed(desk: Desk, answers: list[dict[Side, Reply]]) -> None:
    turns = turns_at(desk)
    answers += [{"a": GOOD, "b": BAD}, {"a": GOOD, "b": GOOD}]
    failed = await last(turns.ask(Battle(), "What is 2 + 2?", "visitor", SAMPLING))
    assert failed.phase == "failed"
    assert panel_messages(failed, "a") == panel_messages(failed, "b")
    sentence, answer = panel_messages(failed, "a")[-2:]
    assert ONE_ANSWER in sentence["content"] and answer["content"] == "4"
    again = await last(
        turns.watch(turns.start_again(failed, "regenerate", frozenset({"a", "b"}), "visitor"), "visitor")
    )
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
    again = await last(
        turns.watch(turns.start_again(halted, "regenerate", frozenset({"a", "b"}), "visitor"), "visitor")
    )
    assert again.phase == "answers"
    with pytest.raises(ServerError, match=r"no two new answers.*as they were"):
        await last(turns.watch(turns.start_again(again, "regenerate", frozenset({"a", "b"}), "visitor"), "visitor"))


def test_nor_while_the_other_side_is_still_writing_before_ones_eyes() -> None:
    battle = begin(Battle(delivery="live"), "What is 2 + 2?")
    half = receive(battle, {"a": replace(GOOD, answer="It"), "b": BAD}, frozenset({"a"}))
    assert [message["content"] for message in panel_messages(half, "a")] == ["What is 2 + 2?"]
    assert panel_messages(half, "a") == panel_messages(half, "b")
    ended = fail(receive(half, {"a": GOOD, "b": BAD}, frozenset()))
    assert ONE_ANSWER in panel_messages(ended, "b")[-2]["content"]
    again = reopen(half, frozenset({"a", "b"}))
    assert FAILED not in str(panel_messages(again, "a"))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (replace(BAD, error="No quota <b>is</b> left."), True),
        (replace(BAD, error="Another reason."), False),
        (replace(BAD, error="No quota <b>is</b> left.", raw="It"), False),
        (GOOD, False),
        (Reply(finish_reason="stopped"), False),
    ],
    ids=["alike", "another reason", "begun", "answered", "stopped"],
)
def test_what_kept_both_sides_from_answering_is_told(other: Reply, told: bool) -> None:
    refused = replace(BAD, error="No quota <b>is</b> left.")
    asked = begin(Battle(), "What is 2 + 2?")
    failed = fail(receive(asked, {"a": refused, "b": other}, frozenset()))
    assert panel_messages(failed, "a") == panel_messages(failed, "b")
    said = str(panel_messages(failed, "a"))
    assert ("left." in said) == told and ("No quota" in said) == told
    assert "<b>" not in said


SETTINGS = (1024, 0, 0.0, 1.0, -1)


@pytest.mark.parametrize(
    ("question", "mode", "settings", "why"),
    [
        ("", "blind", SETTINGS, "empty"),
        (["What?"], "blind", SETTINGS, "not text"),
        ("What?", "open", SETTINGS, "no battle of mode"),
        ("What?", ["blind"], SETTINGS, "no battle of mode"),
        *(
            ("What?", "blind", settings, "out of range")
            for settings in (
                (),
                SETTINGS[:4],
                (10**9, *SETTINGS[1:]),
                ("1024", *SETTINGS[1:]),
                (True, *SETTINGS[1:]),
                (float("nan"), *SETTINGS[1:]),
                (None, *SETTINGS[1:]),
                (*SETTINGS[:4], 2**64),
            )
        ),
    ],
)
async def test_a_refused_question_is_explained_and_changes_nothing(
    desk: Desk, question: Any, mode: Any, settings: tuple[Any, ...], why: str
) -> None:
    services: Any = SimpleNamespace(visitor=lambda request: "visitor")
    turns, show = turns_at(desk), SimpleNamespace(waits=None)
    ask = ask_handler(services, turns, show, SamplingLimits(4096, 4096))  # type: ignore[arg-type]
    answer = await ask(Battle(), "", question, mode, False, None, *settings, False, *SETTINGS)
    assert answer.battle == gr.skip() and set(answer.news) == {"number", "failed"} and why in answer.news["failed"]
    assert not len(turns.live)


async def test_questions_beyond_the_total_are_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "TURNS_AT_ONCE", 1)

    async def play(*_: Any) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(module, "play", play)
    turns = turns_at(desk)
    battle = turns.start(Battle(), "What?", "visitor", SAMPLING)
    with pytest.raises(ServerError, match="Too many questions"):
        turns.start(Battle(), "What?", "another", SAMPLING)
    turns.abandon(battle, "visitor")
    await asyncio.sleep(0.05)
    turns.abandon(turns.start(Battle(), "What?", "another", SAMPLING), "another")


async def test_one_visitor_cannot_use_up_the_total(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(*_: Any) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(module, "play", play)
    monkeypatch.setattr(desk, "limits", replace(desk.limits, running=2))
    turns = turns_at(desk)
    mine = [turns.start(Battle(), "What?", "visitor", SAMPLING) for _ in range(2)]
    with pytest.raises(ServerError, match="Too many of your questions"):
        turns.start(Battle(), "What?", "visitor", SAMPLING)
    others = turns.start(Battle(), "What?", "another", SAMPLING)
    turns.abandon(mine[0], "visitor")
    await asyncio.sleep(0.05)
    for battle in (turns.start(Battle(), "What?", "visitor", SAMPLING), mine[1]):
        turns.abandon(battle, "visitor")
    turns.abandon(others, "another")


async def test_a_page_that_missed_the_end_of_its_turn_knows_it_all_the_same(
    desk: Desk, answers: list[dict[Side, Reply]]
) -> None:
    turns = turns_at(desk)
    answers += [{"a": GOOD, "b": GOOD}, {"a": GOOD, "b": BAD}]
    begun = turns.start(Battle(), "What is 2 + 2?", "visitor", SAMPLING)
    assert turns.now(begun) is begun
    ended = await last(turns.watch(begun, "visitor"))
    assert turns.now(begun) == ended == turns.restore(begun.id, "visitor")
    again = turns.start(ended, "And 3 + 3?", "visitor", SAMPLING)
    failed = await last(turns.watch(again, "visitor"))
    assert failed.phase == "failed" and turns.now(again) == failed == turns.restore(begun.id, "visitor")
    desk.cast(begun.id, "visitor", "answers", "a")
    assert turns.restore(begun.id, "visitor").phase == "voted", "nobody thought: there is no second vote"


async def test_a_turn_left_before_its_first_words_changes_nothing_on_the_page(
    desk: Desk, answers: list[dict[Side, Reply]], monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = turns_at(desk)
    answers += [{"a": GOOD, "b": GOOD}]
    battle = await last(turns.ask(Battle(), "What is 2 + 2?", "visitor", SAMPLING))

    def leave(turn: LiveTurn, **options: Any) -> Any:
        turns.abandon(battle, "visitor")
        return watch(turn, **options)

    monkeypatch.setattr(module, "watch", leave)
    answers += [{"a": GOOD, "b": GOOD}]
    monkeypatch.setattr(module, "MOVED_ON_SECONDS", 0.05)
    asked = turns.ask(battle, "And 3 + 3?", "visitor", SAMPLING)
    (told,) = [step.battle async for step in asked]  # for other windows; this one no longer reads
    assert told.phase == "failed" and told.turns[0] == battle.turns[0] and told == turns.restore(battle.id, "visitor")
    assert not desk.mine(battle.id, "visitor").running and not len(turns.live)


async def test_the_answer_of_the_side_that_did_answer_can_be_read(desk: Desk, answers: list[dict[Side, Reply]]) -> None:
    turns = turns_at(desk)
    half = replace(BAD, answer="It mi", raw="It mi")
    for replies, answer in (({"a": GOOD, "b": BAD}, "4"), ({"a": half, "b": GOOD}, "4"), ({"a": BAD, "b": half}, None)):
        answers += [replies]  # type: ignore[list-item]
        failed = await last(turns.ask(Battle(), "What is 2 + 2?", "visitor", SAMPLING))
        shown = survivor(failed)
        assert failed.phase == "failed" and (shown.answer if shown else None) == answer
        assert desk.mine(failed.id, "visitor").stage is None
    answers += [{"a": GOOD, "b": GOOD}]
    assert survivor(await last(turns.ask(Battle(), "What is 2 + 2?", "visitor", SAMPLING))) is None


@pytest.mark.parametrize("mode", ["blind", "named"])
async def test_a_page_that_is_loaded_anew_finds_its_battle_and_its_second_vote(
    desk: Desk, answers: list[dict[Side, Reply]], mode: Mode
) -> None:
    turns = turns_at(desk)
    sampling = {"base": Sampling(temperature=0.5, seed=3), "distilled": Sampling(temperature=0.5, seed=3)}
    cut = replace(GOOD, raw="<think>hm</think>4", thought="hm", finish_reason="length", forced=("budget",))
    answers += [{"a": GOOD, "b": cut}]
    battle = await last(turns.ask(Battle(mode=mode), "What is 2 + 2?", "visitor", sampling))  # type: ignore[arg-type]
    again = turns.restore(battle.id, "visitor")
    assert (again.phase, again.turns, again.sampling) == ("answers", battle.turns, sampling)
    assert (again.mode, again.roles) == (battle.mode, battle.roles)
    desk.cast(battle.id, "visitor", "answers", "a")
    assert turns.restore(battle.id, "visitor").phase == ("reasoning" if mode == "blind" else "voted")
    if mode == "blind":
        desk.cast(battle.id, "visitor", "reasoning", "tie")
        assert turns.restore(battle.id, "visitor").phase == "voted"
        names = desk.reveal(battle.id, "visitor")
        shown = turns.restore(battle.id, "visitor")
        assert (shown.phase, shown.roles) == ("revealed", {"a": names.a.role, "b": names.b.role})
    with pytest.raises(UnknownBattle):
        turns.restore(battle.id, "stranger")


async def test_a_conversation_goes_on_after_its_vote_with_the_names_known(
    desk: Desk, answers: list[dict[Side, Reply]]
) -> None:
    turns = turns_at(desk)
    answers += [{"a": GOOD, "b": replace(GOOD, answer="5", raw="5")}, {"a": GOOD, "b": GOOD}, {"a": BAD, "b": GOOD}]
    battle = await last(turns.ask(Battle(), "What is 2 + 2?", "visitor", SAMPLING))
    with pytest.raises(Refused, match="once it was voted on"):
        turns.go_on(battle, "visitor")
    desk.cast(battle.id, "visitor", "answers", "tie")
    desk.reveal(battle.id, "visitor")
    again = turns.go_on(battle, "visitor")
    said = {desk.role_of(battle.id, side): battle.turns[0].replies[side].answer for side in ("a", "b")}
    assert {again.roles[side]: reply.answer for side, reply in again.turns[0].replies.items()} == said
    assert again.roles == {"a": "base", "b": "distilled"} and again.sampling == battle.sampling
    assert not (again.over or again.can_go_on)
    again = await last(turns.ask(again, "Why?", "visitor", SAMPLING))
    assert (again.phase, len(again.turns), again.mode) == ("revealed", 2, "continued")
    assert turns.restore(again.id, "visitor") == again
    failed = await last(turns.ask(again, "And then?", "visitor", SAMPLING))
    assert failed.phase == "failed" and turns.restore(again.id, "visitor").phase == "failed"


async def test_a_turn_goes_on_while_its_page_is_loaded_anew(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    turns, finish = turns_at(desk), asyncio.Event()

    async def play(_: Any, turn: LiveTurn) -> None:
        turn.end("a", GOOD)
        await finish.wait()
        turn.end("b", GOOD)

    monkeypatch.setattr(module, "play", play)
    asked = turns.ask(Battle(), "What is 2 + 2?", "visitor", SAMPLING)
    battle = (await anext(asked)).battle
    await asked.aclose()
    again = turns.restore(battle.id, "visitor")
    assert again.phase == "running"
    finish.set()
    assert (await last(turns.watch(again, "visitor"))).phase == "answers"
    with pytest.raises(UnknownBattle):
        await anext(turns.watch(again, "stranger"))


async def test_a_turn_that_nobody_comes_back_to_ends(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = turns_at(desk)

    async def play(*_: Any) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(module, "play", play)
    monkeypatch.setattr(live_module, "LEFT_SECONDS", 0.05)
    asked = turns.ask(Battle(), "What is 2 + 2?", "visitor", SAMPLING)
    battle = (await anext(asked)).battle
    await asked.aclose()
    assert desk.mine(battle.id, "visitor").running
    await asyncio.sleep(0.2)
    assert not desk.mine(battle.id, "visitor").running and not len(turns.live)
    lost = turns.restore(battle.id, "visitor")
    assert lost.phase == "failed" and lost.turns[-1].question == "What is 2 + 2?", "it can be asked again"
    assert turns.now(battle) == lost


async def test_a_click_in_a_window_that_another_has_left_behind_is_refused(
    desk: Desk, answers: list[dict[Side, Reply]]
) -> None:
    turns = turns_at(desk)
    answers += [{"a": GOOD, "b": GOOD}, {"a": replace(GOOD, answer_tokens=2), "b": GOOD}, {"a": GOOD, "b": GOOD}]
    first = await last(turns.ask(Battle(), " What is 2 + 2?\r\n", "visitor", SAMPLING))
    assert first.turns[0].question == "What is 2 + 2?" == desk.mine(first.id, "visitor").record.turns[0].prompt
    again = turns.restore(first.id, "visitor")
    assert turns.current(first, "visitor") is first and turns.current(again, "visitor") is again
    again = await last(turns.watch(turns.start_again(again, "regenerate", frozenset({"a", "b"}), "visitor"), "visitor"))
    with pytest.raises(Refused, match=r"another window\. Reload"):
        turns.current(first, "visitor")
    assert turns.current(again, "visitor") is again
    more = await last(turns.ask(again, "And 3 + 3?", "visitor", SAMPLING))
    with pytest.raises(Refused, match="another window"):
        turns.current(again, "visitor")
    failed = fail(begin(more, "And then?"))
    assert turns.current(failed, "visitor") is failed, "a failed question is on the page alone"
    desk.cast(more.id, "visitor", "answers", "a")
    over = replace(more, phase="voted")
    assert turns.current(over, "another") is over, "the next question opens a battle of its own"


async def test_a_page_whose_session_was_lost_goes_on_with_the_battle_it_remembers(
    desk: Desk, answers: list[dict[Side, Reply]]
) -> None:
    turns = turns_at(desk)
    answers += [{"a": GOOD, "b": GOOD}]
    battle = await last(turns.ask(Battle(), "What is 2 + 2?", "visitor", SAMPLING))
    assert turns.current(Battle(), "visitor", battle.id) == turns.restore(battle.id, "visitor")
    for visitor, shown in (("another", battle.id), ("visitor", "unknown"), ("visitor", ""), ("visitor", ["x"])):
        assert turns.current(Battle(), visitor, shown) == turns.found(Battle(), visitor, shown) == Battle()


async def test_a_second_vote_is_about_the_turns_that_its_window_shows(
    desk: Desk, answers: list[dict[Side, Reply]]
) -> None:
    turns = turns_at(desk)
    thinking = replace(GOOD, raw="<think>hm</think>4", thought="hm")
    answers += [{"a": GOOD, "b": thinking}] * 2
    battle = await last(turns.ask(Battle(), "What is 2 + 2?", "visitor", SAMPLING))
    desk.cast(battle.id, "visitor", "answers", "a")
    stale = turns.restore(battle.id, "visitor")
    assert stale.phase == "reasoning" and turns.current(stale, "visitor") == stale
    desk.undo(battle.id, "visitor")
    await last(turns.ask(turns.restore(battle.id, "visitor"), "And 3 + 3?", "visitor", SAMPLING))
    desk.cast(battle.id, "visitor", "answers", "a")
    with pytest.raises(Refused, match="another window"):
        turns.current(stale, "visitor")


async def test_a_turn_is_ended_by_its_own_visitor_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(*_: Any) -> None:
        await asyncio.sleep(3600)

    monkeypatch.setattr(module, "play", play)
    turns = turns_at(desk)
    battle = turns.start(Battle(), "What?", "visitor", SAMPLING)
    read = replace(battle, phase="shared")  # a friend's page, opened by the battle's link
    turns.abandon(read, "friend")
    assert not turns.switch(read, "stop", frozenset({"a", "b"}), "friend")
    turn = turns.live.get(battle.id)
    assert turn and not turn.abandoned and not turn.done
    assert turns.switch(battle, "stop", frozenset({"a", "b"}), "visitor") and turn.over
    turns.abandon(battle, "visitor")
    assert turn.abandoned


@pytest.mark.parametrize(("mode", "waited"), [("blind", 4), ("named", 2)])
async def test_a_blind_side_does_not_begin_while_the_other_model_is_loading(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, mode: Mode, waited: int
) -> None:
    lines: list[str] = []

    async def wait_in_line(_: Any, role: str) -> None:
        lines.append(role)

    async def no_client(*_: Any, **__: Any) -> Any:
        raise ServerError("The model server at http://10.0.0.7:8000/v1 does not answer.", "Try again.")

    monkeypatch.setattr(live_module, "wait_in_line", wait_in_line)
    monkeypatch.setattr(live_module, "client_of", no_client)
    battle = await last(turns_at(desk).ask(Battle(mode=mode), "What?", "visitor", SAMPLING))
    assert len(lines) == waited and set(lines) == {"base", "distilled"}
    told = str(panel_messages(battle, "a"))
    assert "The model server does not answer. Try again." in told and "10.0.0.7" not in told


def test_a_question_that_failed_leaves_the_vote_on_those_before_it() -> None:
    asked = settle(receive(begin(Battle("id"), "One?"), {"a": GOOD, "b": GOOD}, frozenset()))
    failed = fail(begin(asked, "Two?"))
    assert failed.votable and without_failed(failed) == asked and asked.votable and without_failed(asked) is asked
    for other in (fail(begin(Battle("id"), "One?")), replace(failed, mode="continued"), begin(asked, "Two?")):
        assert not other.votable and without_failed(other) is other


@pytest.mark.parametrize(
    ("mode", "phase", "tool", "reaches"),
    [
        ("blind", "running", "stop", "switch"),
        ("blind", "running", "think_more", ""),
        ("blind", "running", "answer_now", ""),
        ("named", "running", "answer_now", "switch"),
        ("blind", "answers", "think_more", ""),
        ("named", "answers", "think_more", "start_again"),
        ("blind", "answers", "transplant", ""),
        ("blind", "answers", "transplant_half", ""),
        ("named", "answers", "stop", "whole"),
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

    def start_again(battle: Battle, *_: Any) -> Battle:
        reached.append("start_again")
        return battle

    def whole(_: Battle) -> dict[str, Any]:
        reached.append("whole")  # a Stop that comes too late shows how it ended
        return {}

    turns: Any = SimpleNamespace(current=lambda battle, *_: battle, switch=switch, start_again=start_again)
    services: Any = SimpleNamespace(visitor=lambda request: "visitor")
    battle = Battle("id", mode, phase=phase, turns=(Turn("Why?", {"a": GOOD, "b": GOOD}),))
    show: Any = SimpleNamespace(changes=lambda *_: {}, whole=whole)
    answer = await tool_handler(services, turns, show, tool)(battle, "", "Both", None)
    assert reached == ([reaches] if reaches else [])
    if reaches in ("", "switch"):
        assert answer == (gr.skip(), None), "what takes no step changes nothing"


HALVES = Reply(thought="First this. Then that. At last it is done.", answer="4")


@pytest.mark.parametrize(
    ("tool", "going"),
    [
        ("regenerate", None),
        ("continue", ("continue", GOOD)),
        ("transplant", ("transplant", HALVES)),
        ("transplant_half", ("think_on", Reply(thought="First this."))),
    ],
)
def test_a_swapped_thought_is_the_others_and_half_of_it_is_thought_on(tool: str, going: Any) -> None:
    battle = Battle("id", "named", turns=(Turn("Why?", {"a": GOOD, "b": HALVES}),))
    assert going_on(battle, "a", tool) == going


async def test_a_thought_written_by_hand_is_given_to_the_chosen_side_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[Any] = []

    async def play(_: Any, turn: Any) -> None:
        requests.append(turn.requests)
        turn.done = dict.fromkeys(turn.requests, GOOD)

    monkeypatch.setattr(module, "play", play)
    turns = turns_at(desk)
    asked = await last(turns.watch(turns.start(Battle(mode="named"), "What?", "visitor", SAMPLING), "visitor"))
    with pytest.raises(TextRefused, match="The thought is empty"):
        turns.start_from(asked, "  ", "transplant", frozenset("b"), "visitor")
    with pytest.raises(TextRefused, match="too long"):
        turns.start_from(asked, "x" * 20_001, "transplant", frozenset("b"), "visitor")
    again = await last(
        turns.watch(turns.start_from(asked, "Hm.\r\nSo.", "think_on", frozenset("b"), "visitor"), "visitor")
    )
    assert again.phase == "answers" and set(requests[-1]) == {"b"}
    assert requests[-1]["b"].go_on == ("think_on", Reply(thought="Hm.\nSo."))

"""The page's view of a battle: what arrives, what may be seen, what a model is sent."""

import pytest

from battles.battle import SIDES, Battle, begin, fail, history, receive, reopen, settle
from models.chat.client import Message
from models.chat.events import Reply


def finished(battle: Battle, thought: str, answer: str) -> Battle:
    return settle(receive(battle, dict.fromkeys(SIDES, Reply(thought=thought, answer=answer)), frozenset()))


def test_what_arrives_stays_on_its_own_side() -> None:
    battle = receive(begin(Battle(), "Why?"), {"a": Reply(answer="Bec")}, frozenset(SIDES))
    battle = receive(battle, {"a": Reply(answer="Because."), "b": Reply(thought="Hm")}, frozenset({"b"}))
    assert battle.reply("a") == Reply(answer="Because.")
    assert battle.reply("b") == Reply(thought="Hm")
    assert battle.running == {"b"}
    assert battle.phase == "running"


def test_thoughts_are_never_sent_back_as_history() -> None:
    battle = finished(begin(Battle(), "One?"), "secret thought", "1")
    battle = begin(battle, "Two?")
    assert history(battle, "a") == [Message("user", "One?"), Message("assistant", "1"), Message("user", "Two?")]


@pytest.mark.parametrize(
    ("mode", "delivery", "seen_while_running"),
    [("blind", "together", False), ("blind", "live", True), ("named", "together", True)],
)
def test_a_blind_battle_hides_what_would_give_the_sides_away(
    mode: str, delivery: str, seen_while_running: bool
) -> None:
    battle = begin(Battle(mode=mode, delivery=delivery), "Why?")  # type: ignore[arg-type]
    assert battle.replies_visible is seen_while_running
    assert battle.thoughts_visible is (mode == "named")
    assert finished(battle, "t", "x").replies_visible


def test_writing_on_one_side_runs_that_side_alone() -> None:
    battle = reopen(finished(begin(Battle(), "Why?"), "t", "x"), frozenset({"b"}))
    assert battle.running == {"b"}
    assert battle.phase == "running"


def test_a_failed_turn_is_replaced_by_the_next_question() -> None:
    one = finished(begin(Battle(), "One?"), "t", "1")
    failed = fail(begin(one, "Two?"))
    assert [turn.question for turn in begin(failed, "Three?").turns] == ["One?", "Three?"]

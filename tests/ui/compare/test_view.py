"""What the Compare tab says of a battle: the line of the votes, the reasons offered, the hint for a question."""

import pytest

from battles.battle import Battle, Phase, Turn
from models.chat.events import Reply
from ui.compare.view import TOOLS, offered, question_hint, reason_choices, thoughts_html, verdict_line
from ui.kit.replies import progress_line
from votes.ballot import REASONS, Stage, Verdict
from votes.shown import Reveal, SideFacts

BASE = SideFacts("base", "b", "", 0, 10, 0.0, 0.1, 1.0)
DISTILLED = SideFacts("distilled", "d", "", 90, 10, 2.0, 0.1, 3.0)
REVEAL = Reveal("id", DISTILLED, BASE, forfeited=False)


@pytest.mark.parametrize(
    ("votes", "said"),
    [
        ({"answers": "a"}, ["answers alone: A, the", "distilled model"]),
        ({"reasoning": "b", "answers": "tie"}, ["answers alone: tie · with the reasoning: B, the", "base model"]),
        ({"answers": "both_bad"}, ["both are bad"]),
    ],
)
def test_the_names_come_with_what_was_voted_for(votes: dict[Stage, Verdict], said: list[str]) -> None:
    line = verdict_line(REVEAL, votes)
    assert all(words in line for words in said)


def test_without_a_vote_nothing_is_said_of_one() -> None:
    assert verdict_line(REVEAL, {}) == ""


@pytest.mark.parametrize(("mode", "phase", "offered"), [("blind", "answers", False), ("blind", "reasoning", True)])
def test_that_the_reasoning_helped_can_be_said_only_once_it_was_shown(mode: str, phase: Phase, offered: bool) -> None:
    keys = [key for _, key in reason_choices(Battle(mode=mode, phase=phase))]  # type: ignore[arg-type]
    assert ("reasoning_helped" in keys) is offered
    assert set(REASONS) - set(keys) <= {"reasoning_helped"}


def test_the_question_box_says_what_a_question_will_do() -> None:
    turns = (Turn("Why?"),)
    assert question_hint(Battle()) == "open"
    assert question_hint(Battle(turns=turns, phase="answers")) == "asked"
    assert question_hint(Battle(turns=turns, phase="voted")) == "over"


@pytest.mark.parametrize(
    ("mode", "phase", "tools"),
    [
        ("blind", "running", {"stop"}),
        ("named", "running", {"stop", "answer_now", "think_more"}),
        ("blind", "failed", {"regenerate"}),
        ("blind", "answers", {"continue", "regenerate"}),
        ("named", "answers", {"continue", "regenerate", "think_more"}),
        ("named", "voted", set()),
        ("blind", "shared", set()),
    ],
)
def test_tools_are_offered_where_they_make_sense(mode: str, phase: Phase, tools: set[str]) -> None:
    cut = Turn("Why?", {"a": Reply(answer="Bec", finish_reason="length"), "b": Reply(answer="Because.")})
    battle = Battle(mode=mode, phase=phase, turns=(cut,))  # type: ignore[arg-type]
    assert {tool for tool in TOOLS if offered(battle, tool)} == tools


@pytest.mark.parametrize(
    ("mode", "thought", "can"), [("named", "Hm.", True), ("named", "", False), ("blind", "Hm.", False)]
)
def test_thoughts_are_swapped_only_where_names_are_known_and_there_is_one(mode: str, thought: str, can: bool) -> None:
    turn = Turn("Why?", {"a": Reply(answer="So."), "b": Reply(thought=thought, answer="Because.")})
    assert offered(Battle(mode=mode, phase="answers", turns=(turn,)), "transplant") == can  # type: ignore[arg-type]


def test_a_blind_battle_does_not_tell_which_side_is_slower() -> None:
    lines = {
        progress_line(Battle(phase="running", running=frozenset(running)), 3.0, True) for running in ("a", "b", "ab")
    }
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("mode", "phase", "seen"),
    [
        ("blind", "answers", False),
        ("blind", "failed", False),
        ("blind", "reasoning", True),
        ("blind", "revealed", True),
        ("blind", "running", False),
        ("blind", "shared", True),
        ("blind", "voted", True),
        ("named", "answers", False),
        ("named", "voted", True),
    ],
)
def test_the_lens_opens_with_the_vote_and_names_nobody(mode: str, phase: Phase, seen: bool) -> None:
    turn = Turn("Why?", {"a": Reply(answer="4"), "b": Reply(thought="Wait, two and two.", answer="4")})
    battle = Battle(mode=mode, phase=phase, turns=(turn,))  # type: ignore[arg-type]
    shown = thoughts_html(battle)
    assert bool(shown) is seen
    assert ("Wait, two and two." in shown) is seen
    assert not any(word in shown.lower() for word in ("base", "distilled", "smol"))


def test_without_a_thought_there_is_no_lens() -> None:
    turn = Turn("Why?", {"a": Reply(answer="4"), "b": Reply(answer="5")})
    assert thoughts_html(Battle(phase="voted", turns=(turn,))) == ""
    assert thoughts_html(Battle(phase="voted")) == ""

"""What the Compare tab says of a battle: the line of the votes, the reasons offered, the hint for a question."""

import pytest

from battles.battle import Battle, Phase, Turn
from models.chat.events import FinishReason, Reply
from models.config.sampling import Sampling
from ui.compare.reveal import others_sentence, outcome, reveal_card, verdict_line
from ui.compare.view import (
    TOOLS,
    differs_each_time,
    offered,
    question_hint,
    reason_choices,
    thought_about,
    thoughts_html,
    unfinished,
)
from ui.kit.replies import progress_line
from votes.ballot import REASONS, Stage, Verdict
from votes.casting.views import Reveal, SideFacts
from votes.ranking import WinRate

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
    ("finish", "goes_on"),
    [("stop", False), ("length", True), ("repetition", True), ("stopped", True), ("failed", False), ("blocked", False)],
)
def test_a_reply_goes_on_where_the_model_did_not_end_it(finish: FinishReason, goes_on: bool) -> None:
    turn = Turn("Why?", {"a": Reply(answer="Bec", finish_reason=finish), "b": Reply(answer="Because.")})
    assert unfinished(Battle(phase="answers", turns=(turn,))) == (frozenset("a") if goes_on else frozenset())


@pytest.mark.parametrize(
    ("mode", "thought", "can"), [("named", "Hm.", True), ("named", "", False), ("blind", "Hm.", False)]
)
def test_thoughts_are_swapped_only_where_names_are_known_and_there_is_one(mode: str, thought: str, can: bool) -> None:
    turn = Turn("Why?", {"a": Reply(answer="So."), "b": Reply(thought=thought, answer="Because.")})
    battle = Battle(mode=mode, phase="answers", turns=(turn,))  # type: ignore[arg-type]
    assert offered(battle, "transplant") == offered(battle, "transplant_half") == can


@pytest.mark.parametrize(
    ("sampling", "differs"),
    [
        (Sampling(), False),
        (Sampling(temperature=0.6), True),
        (Sampling(temperature=0.6, seed=3), False),
    ],
)
def test_regenerate_is_offered_only_where_the_answer_would_be_another_one(sampling: Sampling, differs: bool) -> None:
    battle = Battle(phase="answers", turns=(Turn("Why?"),), sampling={"base": sampling, "distilled": sampling})
    assert differs_each_time(battle) is offered(battle, "regenerate") is differs


@pytest.mark.parametrize("thought", ["", "  \n", "Hm."])
def test_there_is_a_second_vote_only_where_somebody_thought(thought: str) -> None:
    turn = Turn("Why?", {"a": Reply(answer="So."), "b": Reply(thought=thought, answer="So.")})
    assert thought_about(Battle(turns=(turn,))) is bool(thought.strip())


def test_the_card_at_the_end_says_who_was_who_what_it_cost_and_who_was_right() -> None:
    titles = {"base": "Small <b>", "distilled": "Thinker"}
    card = reveal_card(REVEAL, titles, {"answers": "a"}, right={"a": "right", "b": "wrong"}, more=("Others.", ""))  # type: ignore[arg-type]
    assert card.index("Thinker") < card.index("Small &lt;b&gt;")
    assert 'class="distilled chosen"' in card and "the distilled model · <b>preferred</b>" in card
    assert "<dd>100</dd>" in card and "<dd>90</dd>" in card and "Others." in card
    assert 'class="right">right' in card and 'class="wrong">wrong' in card
    assert 'data-link="?battle=id"' in card


def test_how_others_voted_needs_enough_of_them() -> None:
    assert "too few" in others_sentence(WinRate(1, 0, 0, 0)) and "%" not in others_sentence(WinRate(1, 0, 0, 0))
    assert "preferred 70 %" in others_sentence(WinRate(7, 3, 0, 0))


@pytest.mark.parametrize(
    ("told", "votes", "said"),
    [
        (None, {}, "not voted"),
        (None, {"answers": "a"}, "a is better"),
        (REVEAL, {"answers": "a"}, "you preferred the distilled model"),
        (REVEAL, {"answers": "a", "reasoning": "b"}, "you preferred the base model"),
        (REVEAL, {"answers": "both_bad"}, "both are bad"),
    ],
)
def test_a_battle_in_a_few_words(told: Reveal | None, votes: dict[Stage, Verdict], said: str) -> None:
    assert outcome(told, votes) == said


def test_a_blind_battle_does_not_tell_which_side_is_slower() -> None:
    lines = {
        progress_line(Battle(phase="running", running=frozenset(running)), 3.0, True, "usually 4–9 s here", 9.0)
        for running in ("a", "b", "ab")
    }
    assert len(lines) == 1
    assert "usually 4–9 s here" in lines.pop()


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

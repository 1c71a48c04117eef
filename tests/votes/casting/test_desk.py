"""The rules of battles and votes, as a raw caller would try to break them."""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.votes.helpers import Clock, make_replies, play
from votes.ballot import BattleRecord, Mode, Row, Vote
from votes.casting.desk import Desk
from votes.casting.limits import Rate
from votes.errors import Refused, StoreError, TextRefused, TooOften, UnknownBattle
from votes.store import Store

MakeDesk = Callable[..., Desk]


def test_a_whole_blind_battle(desk: Desk, store: Store, clock: Clock) -> None:
    battle = play(desk, sampling={"temperature": 0.5}, seed=7)
    clock.now += 12
    first = desk.cast(battle, "visitor", "answers", "a", ["correct", "clearer", "correct"], " good \r\n one ")
    shown = desk.load_battle(battle)
    assert [turn.a.thought for turn in shown.turns] == [f"thought of {desk.role_of(battle, 'a')}"]
    assert shown.reveal is None, "the reasoning does not bring the names"
    clock.now += 5
    desk.cast(battle, "visitor", "reasoning", "tie")
    reveal = desk.reveal(battle, "visitor")
    assert (reveal.a.role, reveal.a.model) == (desk.role_of(battle, "a"), f"{desk.role_of(battle, 'a')}-model")
    assert (reveal.a.thought_tokens, reveal.a.output_tokens, reveal.forfeited) == (7, 10, False)

    one, two = store.votes()
    assert isinstance(one, Vote)
    assert (one.row_id, one.reasons, one.comment) == (first.row_id, ("correct", "clearer"), "good \n one")
    assert (one.seconds_to_vote, two.seconds_to_vote) == (12.0, 5.0)
    assert (one.reasoning_seen, two.reasoning_seen) == (False, True)
    assert (one.sampling, one.seed, one.app_version, one.language) == ({"temperature": 0.5}, 7, "1.2.3", "en")
    assert (one.base_model, one.distilled_weight_hash) == ("base-model", "distilled-hash")
    assert one.turns[0].prompt == "What is 2 + 2?"
    assert {one.turns[0].a.raw, one.turns[0].b.raw} == {reply.raw for reply in make_replies().values()}


def test_both_orders_of_sides_occur(desk: Desk) -> None:
    orders = {desk.role_of(desk.open("visitor", pair="pair"), "a") for _ in range(60)}
    assert orders == {"base", "distilled"}
    named = {desk.role_of(desk.open("visitor", pair="pair", mode="named"), "a") for _ in range(20)}
    assert named == {"base"}


@pytest.mark.parametrize(
    ("stage", "verdict", "reasons", "comment", "error"),
    [
        ("answers", "c", (), "", Refused),
        ("third", "a", (), "", Refused),
        ("answers", None, (), "", Refused),
        ("answers", ["a"], (), "", Refused),
        ("answers", "a", ("nonsense",), "", Refused),
        ("answers", "a", ([],), "", Refused),
        ("answers", "a", "correct", "", Refused),
        ("answers", "a", (), "x" * 2001, TextRefused),
        ("answers", "a", (), "\x00", TextRefused),
        ("answers", "a", (), None, TextRefused),
        ("reasoning", "a", (), "", Refused),
    ],
)
def test_forged_votes(
    desk: Desk, store: Store, stage: Any, verdict: Any, reasons: Any, comment: Any, error: type[Exception]
) -> None:
    battle = play(desk)
    with pytest.raises(error):
        desk.cast(battle, "visitor", stage, verdict, reasons, comment)
    assert store.ballots() == []


@pytest.mark.parametrize(
    "battle_id", ["", "unknown", "x" * 10**5, None, 5, ["a"], {"a": 1}, "\ud800", "a\x00", "a b", "é", "' OR 1=1 --"]
)
def test_unknown_battles(desk: Desk, store: Store, battle_id: Any) -> None:
    for call in (desk.reveal, desk.forfeit, desk.undo, desk.reopen_turn, desk.standing, desk.mine):
        with pytest.raises(UnknownBattle):
            call(battle_id, "visitor")
    with pytest.raises(UnknownBattle):
        desk.load_battle(battle_id)
    assert store.notice == "", "what a caller sends is no trouble of the database"


def test_a_battle_belongs_to_its_visitor(desk: Desk) -> None:
    battle = play(desk)
    for call in (
        lambda: desk.cast(battle, "stranger", "answers", "a"),
        lambda: desk.reveal(battle, "stranger"),
        lambda: desk.forfeit(battle, "stranger"),
        lambda: desk.begin_turn(battle, "stranger", "more"),
    ):
        with pytest.raises(UnknownBattle, match="not yours"):
            call()


def test_nothing_is_shown_before_the_vote(desk: Desk) -> None:
    battle = play(desk)
    with pytest.raises(Refused):
        desk.reveal(battle, "visitor")
    shared = desk.load_battle(battle)
    assert shared.reveal is None and shared.turns[0].a.thought is None and shared.turns[0].a.thought_tokens is None
    assert shared.turns[0].a.answer.startswith("an answer")


def test_only_finished_battles_are_voted_on(desk: Desk) -> None:
    battle = desk.open("visitor", pair="pair")
    with pytest.raises(Refused, match="nothing to vote on"):
        desk.cast(battle, "visitor", "answers", "a")
    turn = desk.begin_turn(battle, "visitor", "question")
    with pytest.raises(Refused, match="still answering"):
        desk.cast(battle, "visitor", "answers", "a")
    with pytest.raises(Refused, match="still answering"):
        desk.begin_turn(battle, "visitor", "another")
    with pytest.raises(Refused):
        desk.forfeit(battle, "visitor")
    assert desk.finish_turn(battle, turn, make_replies(finish_reason="failed")) is False
    with pytest.raises(Refused, match="nothing to vote on"):
        desk.cast(battle, "visitor", "answers", "a")


@pytest.mark.parametrize(
    ("options", "ending", "kept"),
    [
        ({}, "stopped", False),
        ({}, "length", True),
        ({"delivery": "live"}, "stopped", True),
        ({"mode": "named"}, "stopped", True),
        ({"mode": "named"}, "failed", False),
    ],
)
def test_a_stopped_side_is_nothing_to_compare_where_its_thought_is_hidden(
    desk: Desk, options: Any, ending: str, kept: bool
) -> None:
    battle = desk.open("visitor", pair="pair", **options)
    turn = desk.begin_turn(battle, "visitor", "question")
    replies = make_replies()
    replies["distilled"] = replace(replies["distilled"], answer="", finish_reason=ending)
    assert desk.finish_turn(battle, turn, replies) is kept


def test_what_was_stopped_inside_its_answer_can_be_compared(desk: Desk) -> None:
    battle = desk.open("visitor", pair="pair")
    turn = desk.begin_turn(battle, "visitor", "question")
    assert desk.finish_turn(battle, turn, make_replies(finish_reason="stopped"))
    desk.cast(battle, "visitor", "answers", "a")


def test_one_vote_a_stage(desk: Desk, store: Store) -> None:
    battle = play(desk)
    for stage in ("answers", "reasoning"):
        desk.cast(battle, "visitor", stage, "b")
        with pytest.raises(Refused, match="already"):
            desk.cast(battle, "visitor", stage, "a")
    assert len(store.ballots()) == 2


def test_a_repeated_vote_is_answered_as_the_first_and_writes_nothing(desk: Desk, store: Store, clock: Clock) -> None:
    battle = play(desk)
    first = desk.cast(battle, "visitor", "answers", "b")
    clock.now += 3600  # e.g. a request that a proxy sends again
    again = desk.cast(battle, "visitor", "answers", "b", ["correct"], "more")
    assert again == replace(first, repeated=True)
    assert len(store.ballots()) == 1


@pytest.mark.parametrize("calls", [2, 40])
def test_a_held_key_casts_one_vote(make_desk: MakeDesk, store: Store, clock: Clock, calls: int) -> None:
    """The page shows the second stage at once, so later repeats of the key are sent for that one."""
    desk = make_desk(gesture_seconds=1.0)
    battle = play(desk)
    first = desk.cast(battle, "visitor", "answers", "a")
    for _ in range(calls - 1):
        clock.now += 0.9
        assert desk.cast(battle, "visitor", "reasoning", "a") == replace(first, repeated=True)
    assert desk.mine(battle, "visitor").stage == "reasoning"
    clock.now += 1
    assert desk.cast(battle, "visitor", "reasoning", "a").stage == "reasoning"
    assert [vote.stage for vote in store.votes()] == ["answers", "reasoning"]


def test_another_verdict_is_another_gesture_and_so_is_a_vote_after_an_undo(make_desk: MakeDesk, store: Store) -> None:
    desk = make_desk(gesture_seconds=1.0)
    battle = play(desk)
    desk.cast(battle, "visitor", "answers", "a")
    with pytest.raises(Refused, match="already"):
        desk.cast(battle, "visitor", "answers", "b")
    desk.undo(battle, "visitor")
    assert not desk.cast(battle, "visitor", "answers", "a").repeated
    assert not desk.cast(battle, "visitor", "reasoning", "b").repeated
    assert len(store.ballots()) == 4


def test_a_visitor_finds_the_own_battle_again(make_desk: MakeDesk, clock: Clock) -> None:
    desk = make_desk()
    battle = desk.open("visitor", pair="pair", sampling={"temperature": 0.5})
    before = desk.mine(battle, "visitor")
    assert (before.shared, before.stage, before.running) == (None, None, False)
    turn = desk.begin_turn(battle, "visitor", "What is 2 + 2?")
    assert desk.mine(battle, "visitor").running
    desk.finish_turn(battle, turn, make_replies())
    for authority in (desk, make_desk()):  # The second one has been restarted.
        own = authority.mine(battle, "visitor")
        assert own.stage == "answers" and own.shared is not None
        assert own.shared.reveal is None and own.shared.turns[0].a.thought is None
        with pytest.raises(UnknownBattle):
            authority.mine(battle, "stranger")
    desk.cast(battle, "visitor", "answers", "a")
    own = make_desk().mine(battle, "visitor")
    assert own.stage == "reasoning" and own.shared is not None and own.shared.turns[0].a.thought
    desk.cast(battle, "visitor", "reasoning", "b")
    assert desk.mine(battle, "visitor").stage is None
    desk.reveal(battle, "visitor")
    own = desk.mine(battle, "visitor")
    assert own.stage is None and own.shared is not None and own.shared.reveal is not None
    assert own.shared.verdicts == {"answers": "a", "reasoning": "b"}


def test_what_is_stored_leaves_memory_and_comes_back(make_desk: MakeDesk, clock: Clock) -> None:
    desk = make_desk()
    idle, revealed = play(desk), play(desk)
    desk.forfeit(revealed, "visitor")
    assert len(desk._battles) == 1
    clock.now += 301
    running = desk.open("visitor", pair="pair")
    turn = desk.begin_turn(running, "visitor", "question")
    clock.now += 301
    desk.open("visitor", pair="pair")
    assert running in desk._battles._battles and idle not in desk._battles._battles
    assert desk.finish_turn(running, turn, make_replies())
    desk.cast(idle, "visitor", "answers", "a")
    assert desk.mine(idle, "visitor").stage == "reasoning"


def test_a_battle_that_leaves_memory_in_the_middle_of_votes_takes_one(make_desk: MakeDesk, store: Store) -> None:
    """Threads vote while others push the battle out of memory: each stage still takes one vote."""
    desk = make_desk(battles=2)
    for _ in range(5):
        battle, start = play(desk), threading.Barrier(8)

        def vote(verdict: Any, battle: str = battle, start: threading.Barrier = start) -> None:
            start.wait()
            with contextlib.suppress(Refused):
                desk.cast(battle, "visitor", "answers", verdict)

        def crowd(start: threading.Barrier = start) -> None:
            start.wait()
            for _ in range(5):
                desk.open("another", pair="pair")

        threads = [threading.Thread(target=vote, args=("ab"[number % 2],)) for number in range(4)]
        threads += [threading.Thread(target=crowd) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(store.votes_of(battle)) == 1


def test_undo_is_a_new_row_and_opens_the_stage_again(desk: Desk, store: Store, clock: Clock) -> None:
    battle = play(desk)
    first = desk.cast(battle, "visitor", "answers", "a")
    clock.now += 60
    desk.undo(battle, "visitor")
    assert store.ballots()[-1].retracts == first.row_id
    with pytest.raises(Refused):
        desk.reveal(battle, "visitor")
    with pytest.raises(Refused, match="no vote"):
        desk.undo(battle, "visitor")
    desk.cast(battle, "visitor", "answers", "b")
    assert [vote.reasoning_seen for vote in store.votes()] == [False, False, True]
    assert desk.standing(battle, "visitor") == {"answers": "b"}


def test_undo_takes_the_second_vote_first(desk: Desk) -> None:
    battle = play(desk)
    desk.cast(battle, "visitor", "answers", "a")
    desk.cast(battle, "visitor", "reasoning", "b")
    assert desk.undo(battle, "visitor").stage == "reasoning"
    assert desk.undo(battle, "visitor").stage == "answers"


def test_undo_ends_with_time_and_with_the_reveal(desk: Desk, clock: Clock) -> None:
    late, revealed = play(desk), play(desk)
    desk.cast(late, "visitor", "answers", "a")
    desk.cast(revealed, "visitor", "answers", "a")
    desk.reveal(revealed, "visitor")
    with pytest.raises(Refused, match="final"):
        desk.undo(revealed, "visitor")
    clock.now += 60.01
    with pytest.raises(Refused, match="60 s"):
        desk.undo(late, "visitor")


@pytest.mark.parametrize("forfeit", [False, True])
def test_the_reveal_closes_the_battle(make_desk: MakeDesk, forfeit: bool) -> None:
    desk = make_desk()
    battle = play(desk)
    if forfeit:
        assert desk.forfeit(battle, "visitor").forfeited
    else:
        desk.cast(battle, "visitor", "answers", "a")
        assert not desk.reveal(battle, "visitor").forfeited
    for authority in (desk, make_desk()):  # The second one knows only what was stored.
        for call in (
            lambda authority=authority: authority.cast(battle, "visitor", "answers", "a"),
            lambda authority=authority: authority.cast(battle, "visitor", "reasoning", "a"),
            lambda authority=authority: authority.begin_turn(battle, "visitor", "more"),
            lambda authority=authority: authority.undo(battle, "visitor"),
        ):
            with pytest.raises(Refused, match="revealed"):
                call()
        assert authority.reveal(battle, "visitor").forfeited is forfeit
        assert authority.load_battle(battle).reveal is not None
        assert authority.load_battle(battle).turns[0].a.thought


def test_a_named_battle_hides_nothing(desk: Desk) -> None:
    battle = play(desk, mode="named")
    assert desk.reveal(battle, "visitor").a.role == "base"
    assert desk.load_battle(battle).turns[0].b.thought == "thought of distilled"
    desk.cast(battle, "visitor", "answers", "b")
    assert desk.load_battle(battle).reveal is not None


@pytest.mark.parametrize("mode", ["blind", "named"])
def test_a_conversation_goes_on_after_its_vote_and_is_not_voted_on_again(
    make_desk: MakeDesk, store: Store, mode: Mode
) -> None:
    desk = make_desk()
    battle = play(desk, mode=mode)
    with pytest.raises(Refused, match="once it was voted on"):
        desk.go_on(battle, "visitor")
    desk.cast(battle, "visitor", "answers", "a")
    desk.reveal(battle, "visitor")
    with pytest.raises(UnknownBattle):
        desk.go_on(battle, "somebody else")
    again = desk.go_on(battle, "visitor")
    desk.finish_turn(again, desk.begin_turn(again, "visitor", "Why?"), make_replies("second"))
    for authority in (desk, make_desk()):  # the second one knows only what was stored
        own = authority.mine(again, "visitor")
        assert own.stage is None
        assert (own.record.mode, own.record.role("a")) == ("continued", "base")
        assert [turn.prompt for turn in own.record.turns] == ["What is 2 + 2?", "Why?"]
        assert all(turn.a.role == "base" and turn.b.role == "distilled" for turn in own.record.turns)
        assert authority.load_battle(again).reveal is not None
        with pytest.raises(Refused, match="voted on before it went on"):
            authority.cast(again, "visitor", "answers", "b")
        with pytest.raises(Refused, match="goes on once"):
            authority.go_on(again, "visitor")
        assert [turn.prompt for turn in authority.mine(battle, "visitor").record.turns] == ["What is 2 + 2?"]
    assert len(list(store.votes())) == 1


def test_turns_go_on_until_the_vote(desk: Desk, store: Store) -> None:
    battle = play(desk)
    turn = desk.begin_turn(battle, "visitor", "再问一次:长江有多长?")
    desk.finish_turn(battle, turn, make_replies("second"))
    again = desk.reopen_turn(battle, "visitor")
    desk.finish_turn(battle, again, make_replies("better"))
    desk.cast(battle, "visitor", "answers", "tie")
    for call in (lambda: desk.begin_turn(battle, "visitor", "more"), lambda: desk.reopen_turn(battle, "visitor")):
        with pytest.raises(Refused, match="voted on"):
            call()
    [vote] = store.votes()
    assert [turn.prompt for turn in vote.turns] == ["What is 2 + 2?", "再问一次:长江有多长?"]
    assert vote.turns[1].a.answer.startswith("better") and vote.language == "zh"


def test_an_abandoned_turn_leaves_the_battle_as_it_was(desk: Desk) -> None:
    battle = play(desk)
    turn = desk.reopen_turn(battle, "visitor")
    desk.abandon_turn(battle, turn)
    assert desk.finish_turn(battle, turn, make_replies("late")) is False
    assert desk.load_battle(battle).turns[0].a.answer.startswith("an answer")
    desk.cast(battle, "visitor", "answers", "a")


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("x" * 8001, "too long"),
        ("PK\x03\x04", "control character"),
        ("a\x00b", "control character"),
        ("\ud800", "control character"),
        (b"bytes", "not text"),
        (None, "not text"),
    ],
)
def test_prompts_that_are_refused(desk: Desk, prompt: Any, word: str) -> None:
    battle = desk.open("visitor", pair="pair")
    with pytest.raises(TextRefused, match=word):
        desk.begin_turn(battle, "visitor", prompt)


@pytest.mark.parametrize("options", [{"mode": "open"}, {"delivery": "slow"}, {"seed": 2**63}, {"seed": "1"}])
def test_battles_that_are_refused(desk: Desk, options: Any) -> None:
    with pytest.raises(Refused):
        desk.open("visitor", pair="pair", **options)


def test_rates_per_visitor_and_in_total(make_desk: MakeDesk, clock: Clock) -> None:
    desk = make_desk(rates={"battle": Rate(2, 3), "turn": Rate(9, 9), "vote": Rate(9, 9)})
    desk.open("one", pair="pair")
    clock.now += 20
    desk.open("one", pair="pair")
    with pytest.raises(TooOften, match="from you") as told:
        desk.open("one", pair="pair")
    assert "try again in 40 s" in str(told.value)
    desk.open("two", pair="pair")
    with pytest.raises(TooOften, match="all visitors"):
        desk.open("three", pair="pair")
    clock.now += 40
    desk.open("three", pair="pair")


def test_memory_is_bounded_and_nothing_finished_is_lost(make_desk: MakeDesk, clock: Clock) -> None:
    desk = make_desk(battles=3)
    battles = []
    for _ in range(5):
        clock.now += 1
        battles.append(play(desk))
    assert len(desk._battles) == 3
    desk.cast(battles[0], "visitor", "answers", "a")
    assert desk.load_battle(battles[0]).verdicts == {"answers": "a"}


def test_battles_expire(desk: Desk, clock: Clock) -> None:
    battle, untouched = play(desk), desk.open("visitor", pair="pair")
    clock.now += 2 * 3600 + 1
    for battle_id in (battle, untouched):
        with pytest.raises(UnknownBattle, match="expired"):
            desk.cast(battle_id, "visitor", "answers", "a")
    assert desk.load_battle(battle).turns  # The link goes on working.


def test_a_restart_keeps_what_was_voted(make_desk: MakeDesk) -> None:
    before = make_desk()
    battle = play(before)
    before.cast(battle, "visitor", "answers", "a")
    after = make_desk()
    with pytest.raises(Refused, match="already"):
        after.cast(battle, "visitor", "answers", "b")
    after.cast(battle, "visitor", "reasoning", "b")
    assert after.load_battle(battle).verdicts == {"answers": "a", "reasoning": "b"}


def test_threads_at_once_cast_one_vote(desk: Desk, store: Store) -> None:
    battle = play(desk)
    start, taken = threading.Barrier(16), []

    def cast() -> None:
        start.wait()
        taken.append(desk.cast(battle, "visitor", "answers", "a"))

    threads = [threading.Thread(target=cast) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(store.ballots()) == 1 and len(taken) == 16
    assert len({receipt.row_id for receipt in taken}) == 1
    assert [receipt.repeated for receipt in taken].count(False) == 1


class FullDisk:
    """A store that can save nothing."""

    notice = "The disk is full."

    def append(self, row: Row) -> None:
        raise StoreError("Nothing was saved.")

    def battle(self, battle_id: str) -> BattleRecord | None:
        return None

    def votes_of(self, battle_id: str) -> list[Vote]:
        return []

    def reveal_of(self, battle_id: str) -> None:
        return None

    def is_hidden(self, battle_id: str) -> bool:
        return False


def test_what_was_not_saved_was_not_done() -> None:
    desk = Desk(FullDisk())
    battle = play(desk)
    for _ in range(2):
        with pytest.raises(StoreError):
            desk.cast(battle, "visitor", "answers", "a")
    assert desk.mine(battle, "visitor").stage == "answers"
    with pytest.raises(Refused):
        desk.reveal(battle, "visitor")
    with pytest.raises(StoreError):
        desk.forfeit(battle, "visitor")
    assert desk.load_battle(battle).reveal is None

"""The files others get: every row whole, and preference pairs in the trainer's format."""

import csv
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.votes.helpers import Clock, make_replies, play
from votes.ballot import Vote, from_row
from votes.casting.desk import Desk
from votes.export import PairCount, final_battles, preference_pairs, safe_cell, write_csv, write_dpo, write_parquet
from votes.store import Store


@pytest.fixture
def votes(desk: Desk, store: Store) -> list[Vote]:
    """Two turns won by A, second vote for B; a tie; a vote taken back; a vote for B with an odd comment."""
    battle = play(desk)
    desk.finish_turn(battle, desk.begin_turn(battle, "visitor", "And 3 + 3?"), make_replies("second"))
    desk.cast(battle, "visitor", "answers", "a")
    desk.cast(battle, "visitor", "reasoning", "b")
    desk.cast(play(desk), "visitor", "answers", "tie")
    undone = play(desk)
    desk.cast(undone, "visitor", "answers", "a")
    desk.undo(undone, "visitor")
    desk.cast(play(desk), "visitor", "answers", "b", comment='commas, "quotes"\nand 中文')
    return list(store.votes())


def test_parquet_gives_back_every_vote(votes: list[Vote], tmp_path: Path) -> None:
    assert write_parquet(votes, tmp_path / "v.parquet") == 6
    rows = pq.read_table(tmp_path / "v.parquet").to_pylist()
    assert [from_row(Vote, row) for row in rows] == votes


def test_csv_holds_the_same_rows(votes: list[Vote], tmp_path: Path) -> None:
    assert write_csv(votes, tmp_path / "v.csv") == 6
    with (tmp_path / "v.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["comment"] for row in rows] == [vote.comment for vote in votes]
    assert json.loads(rows[0]["turns"])[0]["prompt"] == "What is 2 + 2?"


def test_pairs_without_reasoning(votes: list[Vote]) -> None:
    long, short = preference_pairs(votes, with_reasoning=False)
    a, b = votes[0].turns[0].a, votes[0].turns[0].b
    assert long["prompt"] == [{"role": "user", "content": "What is 2 + 2?"}]
    assert long["chosen"][0] == {"role": "assistant", "content": a.answer}
    assert long["rejected"][0] == {"role": "assistant", "content": b.answer}
    assert [message["role"] for message in long["chosen"]] == ["assistant", "user", "assistant"]
    assert short["battle_id"] == votes[-1].battle_id
    assert "think" not in json.dumps([long, short])


def test_pairs_with_reasoning_take_the_second_vote(votes: list[Vote]) -> None:
    pairs = {pair["battle_id"]: pair for pair in preference_pairs(votes, with_reasoning=True)}
    assert len(pairs) == 2
    assert pairs[votes[0].battle_id]["chosen"][0]["content"] == votes[0].turns[0].b.raw
    assert pairs[votes[-1].battle_id]["chosen"][0]["content"] == votes[-1].turns[0].b.raw


def test_a_first_vote_given_again_after_the_reasoning_is_no_pair_of_answers(desk: Desk, store: Store) -> None:
    again = play(desk)
    desk.cast(again, "visitor", "answers", "a")
    desk.undo(again, "visitor")
    desk.cast(again, "visitor", "answers", "b")
    named = play(desk, mode="named")
    desk.cast(named, "visitor", "answers", "b")
    pairs = {kind: list(preference_pairs(store.votes(), with_reasoning=kind)) for kind in (False, True)}
    assert [pair["battle_id"] for pair in pairs[False]] == [named]
    assert [pair["battle_id"] for pair in pairs[True]] == [again, named]


@pytest.mark.parametrize("with_reasoning", [False, True])
def test_jsonl_is_one_object_a_line(votes: list[Vote], tmp_path: Path, with_reasoning: bool) -> None:
    path = tmp_path / "pairs.jsonl"
    assert write_dpo(votes, path, with_reasoning=with_reasoning) == PairCount(2, 0, 0)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [set(json.loads(line)) for line in lines] == [{"prompt", "chosen", "rejected", "battle_id"}] * 2


def test_no_votes_are_fine(tmp_path: Path) -> None:
    assert write_parquet([], tmp_path / "v.parquet") == write_csv([], tmp_path / "v.csv") == 0
    assert set(pq.read_table(tmp_path / "v.parquet").column_names) == set(Vote.__dataclass_fields__)


def test_only_battles_in_which_no_blind_vote_can_follow_are_given_out(desk: Desk, store: Store, clock: Clock) -> None:
    one, both, back = play(desk), play(desk), play(desk)
    for battle in (one, both, back):
        desk.cast(battle, "visitor", "answers", "a")
    desk.cast(both, "visitor", "reasoning", "a")
    clock.now += 50
    desk.undo(back, "visitor")
    clock.now += 20
    fresh, revealed, named = play(desk), play(desk), play(desk, mode="named")
    for battle in (fresh, revealed, named):
        desk.cast(battle, "visitor", "answers", "a")
    desk.reveal(revealed, "visitor")

    def final(later: float) -> set[str]:
        now = datetime.fromtimestamp(clock.now + later, UTC)
        return final_battles(store.ballots(), store.revealed(), now, desk.limits)

    assert final(0) == {both, revealed, named}
    desk.cast(one, "visitor", "reasoning", "b")  # it still could be
    assert one not in final(0)
    assert final(61) == {one, both, revealed, named}
    assert final(desk.limits.expire_seconds + 1) == {one, both, fresh, revealed, named}


def test_a_vote_taken_back_is_given_out_only_after_the_reveal(desk: Desk, store: Store, clock: Clock) -> None:
    battle = play(desk)
    desk.cast(battle, "visitor", "answers", "a")
    desk.undo(battle, "visitor")
    for _ in range(2):  # a battle kept open by questions, long after the last row of a vote
        clock.now += desk.limits.expire_seconds - 1
        desk.finish_turn(battle, desk.begin_turn(battle, "visitor", "And more?"), make_replies())

    def final() -> set[str]:
        return final_battles(store.ballots(), store.revealed(), datetime.fromtimestamp(clock.now, UTC), desk.limits)

    assert final() == set()
    desk.forfeit(battle, "visitor")
    assert final() == {battle}


@pytest.mark.parametrize(
    "comment",
    ['=HYPERLINK("http://example.org","x")', "+1", "-1+2", "@SUM(A1)", "=cmd|' /C calc'!A0", "''=1", "fine = ok"],
)
def test_no_cell_of_the_csv_is_a_formula(desk: Desk, store: Store, tmp_path: Path, comment: str) -> None:
    desk.cast(play(desk), "visitor", "answers", "a", comment=comment)
    write_csv(store.votes(), tmp_path / "v.csv")
    with (tmp_path / "v.csv").open(encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file)
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
    assert row["comment"].removeprefix("'") == comment.removeprefix("'")


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.booleans()))
def test_only_text_is_escaped_and_can_be_had_back(value: object) -> None:
    cell = safe_cell(value)
    if isinstance(value, str):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert cell in (value, f"'{value}")
    else:
        assert cell is value


@pytest.mark.parametrize(
    ("a", "b", "answers", "reasoning"),
    [
        ({}, {}, PairCount(1, 0, 0), PairCount(1, 0, 0)),
        ({"answer": "4"}, {"answer": " 4\n"}, PairCount(0, 1, 0), PairCount(1, 0, 0)),
        ({"answer": "4", "raw": "4"}, {"answer": "4", "raw": "4 "}, PairCount(0, 1, 0), PairCount(0, 1, 0)),
        ({"answer": ""}, {}, PairCount(0, 0, 1), PairCount(1, 0, 0)),
        ({}, {"answer": " \n"}, PairCount(0, 0, 1), PairCount(1, 0, 0)),
        ({"answer": "", "thought": "", "raw": "<think></think>"}, {}, PairCount(0, 0, 1), PairCount(0, 0, 1)),
    ],
)
def test_pairs_that_teach_nothing_are_left_out_and_counted(
    votes: list[Vote], tmp_path: Path, a: dict, b: dict, answers: PairCount, reasoning: PairCount
) -> None:
    turn = votes[-1].turns[0]
    vote = replace(votes[-1], turns=(replace(turn, a=replace(turn.a, **a), b=replace(turn.b, **b)),))
    for kind, count in ((False, answers), (True, reasoning)):
        assert write_dpo([vote], tmp_path / "pairs.jsonl", with_reasoning=kind) == count
        assert len((tmp_path / "pairs.jsonl").read_text().splitlines()) == count.written
        assert len(list(preference_pairs([vote], with_reasoning=kind))) == count.written


def test_an_empty_reply_in_an_earlier_turn_counts_too(votes: list[Vote], tmp_path: Path) -> None:
    first, last = votes[0].turns
    vote = replace(votes[0], turns=(replace(first, a=replace(first.a, answer="")), last))
    assert write_dpo([vote], tmp_path / "pairs.jsonl", with_reasoning=False) == PairCount(0, 0, 1)


def test_a_thought_that_the_template_opened_is_exported_with_its_tag(votes: list[Vote]) -> None:
    turn = votes[-1].turns[0]
    prefilled = replace(turn.a, opened="<think>\n", raw="hm\n</think>\n\n4", thought="hm", answer="4")
    vote = replace(votes[-1], turns=(replace(turn, a=prefilled),))
    [pair] = preference_pairs([vote], with_reasoning=True)
    [other] = preference_pairs([vote], with_reasoning=False)
    assert pair["rejected"][0]["content"] == "<think>\nhm\n</think>\n\n4"
    assert other["rejected"][0]["content"] == "4"

"""What others get of votes: words of those who agreed, and no id that opens a battle or joins two files."""

from dataclasses import replace
from typing import Any

import pytest

from tests.insights.helpers import make_vote
from votes.agreement import LICENCE, agreed, public_rows, without_identity
from votes.ballot import Vote
from votes.ranking import effective_votes, win_rate


def vote_of(battle: str, visitor: str = "v", **fields: Any) -> Vote:
    return make_vote(battle=battle, visitor=visitor, comment="a comment", **fields)


def undone(vote: Vote) -> Vote:
    return replace(vote, row_id=f"{vote.row_id}-back", retracts=vote.row_id)


def rows_for_others(votes: list[Vote]) -> list[Vote]:
    return list(public_rows(votes, {vote.row_id for vote in effective_votes(votes)}))


@pytest.mark.parametrize("licence", ["", LICENCE])
def test_no_row_has_an_id_of_this_arena_or_a_moment(licence: str) -> None:
    votes = [vote_of("b1", "v1", licence=licence), vote_of("b2", "v2", licence=licence)]
    votes.append(undone(votes[1]))
    ids = {name for vote in votes for name in (vote.row_id, vote.battle_id, vote.visitor)}
    for row in rows_for_others(votes):
        assert not ids & {row.row_id, row.battle_id, row.visitor, row.retracts}
        assert row.voted_at == "2026-01-01"


def test_votes_can_still_be_counted_by_battle_and_visitor() -> None:
    votes = [
        vote_of("b1", "v1"),
        vote_of("b1", "v1", stage="reasoning"),
        vote_of("b2", "v1", verdict="b", licence=LICENCE),
        vote_of("b3", "v2", verdict="tie"),
    ]
    votes.append(undone(votes[3]))
    rows = rows_for_others(votes)
    assert [row.battle_id for row in rows] == ["battle-1", "battle-1", "battle-2", "battle-3", "battle-3"]
    assert [row.visitor for row in rows] == ["visitor-1"] * 3 + ["visitor-2"] * 2
    assert [row.retracts for row in rows] == ["", "", "", "", rows[3].row_id]
    assert win_rate(effective_votes(rows)) == win_rate(effective_votes(votes))


def test_a_retraction_that_comes_first_still_finds_its_vote() -> None:
    vote = vote_of("b1")
    back, row = without_identity([undone(vote), vote])
    assert back.retracts == row.row_id != back.row_id


def test_words_are_given_out_while_a_vote_stands_that_was_agreed_to() -> None:
    taken_back = vote_of("b1", licence=LICENCE)
    votes = [
        taken_back,
        undone(taken_back),
        replace(vote_of("b1"), row_id="again"),
        vote_of("b2", licence=LICENCE),
        vote_of("b3"),
    ]
    rows = rows_for_others(votes)
    assert [bool(row.turns) for row in rows] == [bool(row.comment) for row in rows]
    assert [bool(row.turns) for row in rows] == [False, False, False, True, False]


@pytest.mark.parametrize(("licence", "public"), [(LICENCE, True), ("", False), ("CC0-1.0", False)])
def test_only_our_licence_is_an_agreement(licence: str, public: bool) -> None:
    assert agreed(vote_of("b", licence=licence)) is public

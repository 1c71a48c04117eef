"""Votes cast elsewhere: every published form is read, written again as it came, and kept once, apart by source."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.errors import ConfigError, DataError
from insights.preference import PreferenceModel, fit_preference
from insights.style import build_design
from tests.insights.helpers import make_vote
from votes.ballot import Turn
from votes.elsewhere.forms import read_votes, write_arena, write_row
from votes.elsewhere.kept import keep_votes, kept_votes, sources
from votes.elsewhere.vote import ForeignVote, Message, as_votes
from votes.ranking import position_bias, win_rate

SAID = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello."}]
OTHER = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Go <away>."}]
ROWS: dict[str, dict[str, Any]] = {
    "arena": {
        "question_id": "7", "model_a": "vicuna", "model_b": "koala", "winner": "tie (bothbad)", "judge": "arena_user_9",
        "conversation_a": SAID, "conversation_b": OTHER, "turn": 1, "anony": True, "language": "English",
        "tstamp": 1682352101.2591,
    },
    "arena_flags": {
        "id": 3, "model_a": "vicuna", "model_b": "koala", "prompt": '["Hi?", "And?"]', "response_a": '["A1", "A2"]',
        "response_b": '["B1", "B2"]', "winner_model_a": 0, "winner_model_b": 1, "winner_tie": 0,
    },
    "arena_parts": {
        "model_a": "koala", "model_b": "vicuna", "winner": "both_bad", "timestamp": "2025-01-01 00:00:00",
        "conversation_a": [{"role": "user", "content": [{"type": "text", "text": "Hi?", "image": None}]}, SAID[1]],
        "conversation_b": OTHER,
    },
    "arena_plain": {"winner": "model_b", "model_b": "koala", "model_a": "vicuna"},
    "preference_hh": {"chosen": "\n\nHuman: Hi?\n\nAssistant: Hello.", "rejected": "\n\nHuman: Hi?\n\nAssistant: No."},
    "preference_messages": {"chosen": SAID, "rejected": OTHER, "score_chosen": 8.5},
    "preference_prompt": {"prompt": "Hi?", "chosen": "Hello.", "rejected": "No.", "chosen-model": "koala",
                          "rejected-model": "vicuna"},
    "preference_ours": {"prompt": SAID[:1], "chosen": SAID[1:], "rejected": OTHER[1:], "battle_id": "b"},
}  # fmt: skip
LOG = {
    "type": "rightvote", "tstamp": 1682352101, "models": ["", ""], "ip": "203.0.113.9",
    "states": [
        {"model_name": "vicuna", "offset": 1, "messages": [["USER", "example"], ["USER", "Hi?"], ["BOT", "Hello."]]},
        {"model_name": "koala", "messages": [["USER", "Hi?"], ["BOT", None]]},
    ],
}  # fmt: skip


def one(row: dict[str, Any]) -> ForeignVote:
    (vote,) = read_votes([row]).votes
    return vote


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_row_is_read_kept_and_written_again_as_it_came(name: str, tmp_path: Path) -> None:
    vote = one(ROWS[name])
    keep_votes(tmp_path, "theirs", [vote])
    (kept,) = kept_votes(tmp_path, "theirs")
    assert kept == vote
    again = write_row(kept, kept.form)
    assert again == ROWS[name] and list(again) == list(ROWS[name])
    assert one(again) == vote


@pytest.mark.parametrize("name", sorted(name for name in ROWS if name != "arena_plain"))
def test_every_form_has_the_same_words(name: str) -> None:
    vote = one(ROWS[name])
    assert vote.a[0] == vote.b[0] == Message("user", "Hi?")
    assert vote.a[1].role == "assistant" and vote.a[1].content in ("Hello.", "A1")


def test_winners_and_models_are_read() -> None:
    read = {name: (one(row).verdict, one(row).models) for name, row in ROWS.items()}
    assert read["arena"] == ("both_bad", ("vicuna", "koala")) and read["arena_flags"][0] == "b"
    assert read["arena_parts"][0] == "both_bad" and read["arena_plain"][0] == "b"
    assert read["preference_hh"] == ("a", ("", "")) and read["preference_prompt"] == ("a", ("koala", "vicuna"))


def test_the_log_of_fastchat_is_read_without_addresses() -> None:
    vote = one(LOG)
    assert (vote.verdict, vote.models, vote.voted_at) == ("b", ("vicuna", "koala"), "2023-04-24T16:01:41+00:00")
    assert vote.a == (Message("user", "Hi?"), Message("assistant", "Hello.")) and vote.b[1].content == ""
    assert "203.0.113.9" not in repr(vote)
    assert one(write_row(vote, "arena")).models == vote.models


def test_what_is_no_vote_is_counted_and_nothing_is_kept_twice(tmp_path: Path) -> None:
    rows = [ROWS["arena"], ROWS["arena_plain"], ROWS["arena_plain"], {"type": "chat"}, {"model_a": "x"}, {}]
    rows += [{**ROWS["arena"], "winner": "?"}, {"chosen": "", "rejected": "No."}, {**LOG, "states": [1, 2]}]
    taken = read_votes(rows)
    assert len(taken.votes) == 3 and taken.left_out == 6, "two rows may say the same, and both are votes"
    assert keep_votes(tmp_path, "theirs", taken.votes) == (3, 0)
    assert keep_votes(tmp_path, "theirs", read_votes([*rows[:3], LOG]).votes) == (1, 3)
    assert sources(tmp_path) == ["theirs"] and len(kept_votes(tmp_path, "theirs")) == 4
    with pytest.raises(DataError, match="no vote in this file"):
        read_votes([{"a": 1}])


@pytest.mark.parametrize("name", ["", "../up", "Own", "a/b", "own", "x" * 65])
def test_a_source_has_a_plain_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be the name"):
        keep_votes(tmp_path, name, [one(LOG)])
    with pytest.raises(DataError, match="Sources here: none"):
        kept_votes(tmp_path, "nothing")


def test_a_damaged_file_names_its_line(tmp_path: Path) -> None:
    keep_votes(tmp_path, "theirs", [one(LOG)])
    with (tmp_path / "theirs.jsonl").open("a") as file:
        file.write('{"id": 3}\n')
    with pytest.raises(DataError, match="line 2 is not a vote"):
        kept_votes(tmp_path, "theirs")


def test_votes_on_two_models_are_votes_on_a_pair() -> None:
    votes = [one(ROWS[name]) for name in sorted(ROWS)] + [one({**ROWS["arena"], "model_a": "third"})]
    plain, flags, parts, first, preferred = (as_votes([one(ROWS[n])], "theirs", "koala", "vicuna")[0] for n in (
        "arena_plain", "arena_flags", "arena_parts", "arena", "preference_prompt"))  # fmt: skip
    assert len(as_votes(votes, "theirs", "koala", "vicuna")) == 5
    assert (plain.a_role, plain.winner, plain.turns[0].prompt) == ("distilled", "base", "")
    assert len(flags.turns) == 2 and flags.turns[1] == Turn("And?", flags.turns[1].a, flags.turns[1].b)
    assert flags.turns[1].b.answer == "B2" and flags.winner == "base"
    assert parts.a_role == "base" and parts.winner is None and parts.language == "en"
    assert first.visitor == "theirs-arena_user_9" and first.battle_id.startswith("theirs-") and first.language == "en"
    assert preferred.winner == "base" and preferred.turns[0].a.answer == "Hello."


def test_our_votes_are_written_for_others_and_come_back(tmp_path: Path) -> None:
    ours = [make_vote("a", battle="b1"), make_vote("tie", battle="b2", a_role="base", prompt="How\u2028so?")]
    assert write_arena(ours, tmp_path / "ours.jsonl") == 2
    rows = [json.loads(line) for line in (tmp_path / "ours.jsonl").read_text().split("\n") if line]
    assert rows[0]["question_id"] == "b1" and rows[0]["winner"] == "model_a" and rows[0]["anony"] is True
    back = as_votes(read_votes(rows).votes, "ours", "base", "distilled")
    assert [(v.verdict, v.a_role, v.winner, v.voted_at) for v in back] == [
        (v.verdict, v.a_role, v.winner, v.voted_at.replace(".000", "")) for v in ours
    ]
    assert [v.turns[0].prompt for v in back] == [v.turns[0].prompt for v in ours]
    assert [v.turns[0].a.answer for v in back] == [v.turns[0].a.answer for v in ours]


def test_a_preference_needs_a_winner_and_words() -> None:
    for name in ("arena", "arena_plain"):
        with pytest.raises(DataError, match="not a preference"):
            write_row(one(ROWS[name]), "preferences")
    row = write_row(one({**ROWS["arena"], "winner": "model_b"}), "preferences")
    assert row == {"prompt": SAID[:1], "chosen": OTHER[1:], "rejected": SAID[1:]}


def test_the_sides_of_a_preference_set_say_nothing_of_places() -> None:
    rows = []
    for number in range(80):
        words, models = ["short", "a longer answer"], ["x", "y"]
        chosen, one = words[number % 2], models[number % 5 < 2]
        rows.append({"prompt": f"What is {number}?", "chosen": chosen, "rejected": words[number % 2 - 1],
                     "chosen_model": one, "rejected_model": models[one == "x"]})  # fmt: skip
    votes = as_votes(read_votes(rows).votes, "theirs", "x", "y")
    assert position_bias(votes).decisive == 0 and win_rate(votes).votes == 80
    design = build_design(votes)
    assert set(design.differences["position"]) == {0.0}
    shown = as_votes(read_votes([ROWS["arena_flags"], ROWS["arena"]]).votes, "theirs", "koala", "vicuna")
    assert position_bias(shown).decisive == 1 and set(build_design(shown).differences["position"]) == {1.0}
    model = fit_preference(design)
    assert isinstance(model, PreferenceModel) and "position" not in {effect.name for effect in model.effects}

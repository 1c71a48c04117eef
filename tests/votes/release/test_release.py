"""What is released: agreed to, final, standing, not hidden, without personal data. What is left out is counted."""

import json
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from httpx2 import ConnectError

from commands.arena import main
from common.errors import DataError
from tests.votes.helpers import Clock, make_replies, play
from votes.agreement import LICENCE
from votes.ballot import Vote
from votes.casting.desk import Desk
from votes.errors import Refused
from votes.release import personal
from votes.release import release as module
from votes.release.card import COLUMNS
from votes.release.choose import Counts
from votes.release.personal import Kind
from votes.release.release import push_release, write_release
from votes.store import Store
from votes.takedown import set_hidden

NOW = datetime.fromtimestamp(Clock().now, UTC) + timedelta(days=1)


def scan(text: str) -> frozenset[Kind]:
    found: set[Kind] = set()
    if "@" in text:
        found.add("mail address")
    if "+44" in text:
        found.add("phone number")
    return frozenset(found)


def battle_of(desk: Desk, prompt: str, answer: str = "an answer", visitor: str = "visitor") -> str:
    battle = desk.open(visitor, pair="pair")
    desk.finish_turn(battle, desk.begin_turn(battle, visitor, prompt), make_replies(answer))
    return battle


@pytest.fixture
def voted(store: Store, desk: Desk) -> dict[str, str]:
    """One battle for each reason to be released or left out."""
    battles = {}

    def vote(name: str, prompt: str = "What is 2 + 2?", licence: str = LICENCE, comment: str = "", **rest: Any) -> str:
        battles[name] = battle_of(desk, prompt, **rest)
        desk.cast(battles[name], rest.get("visitor", "visitor"), "answers", "a", comment=comment, licence=licence)
        return battles[name]

    vote("agreed")
    vote("by another", visitor="somebody else")
    vote("not agreed", licence="")
    vote("mail in the question", "Write to jane@example.com.")
    vote("mail and phone in an answer", answer="jane@example.com +44 20")
    vote("phone in the comment", comment="+44 20")
    set_hidden(store, vote("hidden"), "a name")
    desk.undo(vote("withdrawn"), "visitor")
    desk.cast(vote("second vote not agreed"), "visitor", "reasoning", "b")
    return battles


def release(store: Store, out: Path, **options: Any) -> tuple[Counts, list[dict[str, Any]]]:
    counts = write_release(store, out, scan, now=NOW, **options)
    return counts, pq.read_table(out / "votes.parquet").to_pylist()


def test_what_is_left_out_is_counted(store: Store, voted: dict[str, str], tmp_path: Path) -> None:
    counts, rows = release(store, tmp_path / "out")
    assert [json.loads(row["turns"])[0]["prompt"] for row in rows] == ["What is 2 + 2?"] * 3
    assert {(row["stage"], row["verdict"]) for row in rows} == {("answers", "a")}, "the second vote was not agreed to"
    assert counts == Counts(
        standing=8,
        not_agreed=2,
        flagged={"mail address": 2, "phone number": 2},
        flagged_votes=3,
        hidden_battles=1,
        visitors=2,
        released=3,
    )
    assert counts.standing == counts.not_agreed + counts.flagged_votes + counts.released


def test_flagged_votes_are_released_if_the_owner_says_so(store: Store, voted: dict[str, str], tmp_path: Path) -> None:
    counts, rows = release(store, tmp_path, include_flagged=True)
    assert len(rows) == counts.released == 6 and counts.flagged_votes == 3
    assert "| that seem to have personal data, released all the same | 3 |" in (tmp_path / "README.md").read_text()


def test_ids_are_numbers_and_a_moment_is_its_day(store: Store, voted: dict[str, str], tmp_path: Path) -> None:
    _, rows = release(store, tmp_path / "out")
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert not any(name.encode() in written for row in store.votes() for name in (row.battle_id, row.row_id))
    assert [row["row_id"] for row in rows] == ["vote-1", "vote-2", "vote-3"]
    assert [row["visitor"] for row in rows] == ["visitor-1", "visitor-2", "visitor-1"]
    assert {row["voted_at"] for row in rows} == {"2027-01-15"}
    assert {row["licence"] for row in rows} == {LICENCE}
    assert "somebody else" not in written.decode("latin1")


def test_the_card_has_counts_method_columns_and_licence(store: Store, voted: dict[str, str], tmp_path: Path) -> None:
    release(store, tmp_path)
    _, front, text = (tmp_path / "README.md").read_text().split("---\n", 2)
    head = yaml.safe_load(front)
    assert head["license"] == "cc-by-4.0" and head["size_categories"] == ["n<1K"]
    assert {config["data_files"] for config in head["configs"]} == {"votes.parquet", "preferences.jsonl"}
    for line in (
        "| that stand and can no longer change | 8 |",
        "| without agreement to publication, left out | 2 |",
        "| that seem to have personal data, left out | 3 |",
        "| – of these with a mail address | 2 |",
        "| released | 3 |",
        "| battles taken down by the owner, in no other number | 1 |",
    ):
        assert line in text
    assert "sides are shuffled" in text and "CC BY 4.0" in text


def test_every_column_is_explained() -> None:
    assert list(COLUMNS) == [field.name for field in fields(Vote)]


def test_preference_pairs_hold_released_votes_only(store: Store, voted: dict[str, str], tmp_path: Path) -> None:
    _, rows = release(store, tmp_path)
    pairs = [json.loads(line) for line in (tmp_path / "preferences.jsonl").read_text().splitlines()]
    assert {pair["battle_id"] for pair in pairs} == {row["battle_id"] for row in rows}


def test_no_votes_make_an_empty_release(store: Store, tmp_path: Path) -> None:
    counts, rows = release(store, tmp_path / "new" / "folder")
    assert (rows, counts) == ([], Counts())


def test_a_folder_that_cannot_be_written_is_a_sentence(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        release(store, tmp_path / "file")


@pytest.mark.parametrize("licence", ["CC0-1.0", "cc-by-4.0", " ", None, 1, ["CC-BY-4.0"]])
def test_no_other_licence_is_taken(desk: Desk, licence: Any) -> None:
    battle = play(desk)
    with pytest.raises(Refused, match="licence"):
        desk.cast(battle, "visitor", "answers", "a", licence=licence)
    assert not desk.standing(battle, "visitor")


def test_a_blocked_answer_is_marked_and_makes_no_pair(
    store: Store, make_desk: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = make_desk()
    battle = desk.open("visitor", pair="pair")
    replies = make_replies()
    side = desk.role_of(battle, "b")
    blocked = type(replies[side])(
        role=side, model=replies[side].model, weight_hash="hash", finish_reason="blocked", answer_tokens=9
    )
    assert desk.finish_turn(battle, desk.begin_turn(battle, "visitor", "Anything?"), {**replies, side: blocked})
    desk.cast(battle, "visitor", "answers", "a", licence=LICENCE)
    counts, [row] = release(store, tmp_path)
    assert (row["blocked"], counts.blocked, counts.released) == ("b", 1, 1)
    assert (tmp_path / "preferences.jsonl").read_text() == ""


class Hub:
    """What the hub's client would be told."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.pushed: dict[str, Any] = {}

    def create_repo(self, repo: str, *, repo_type: str, exist_ok: bool) -> str:
        assert (repo_type, exist_ok) == ("dataset", True)
        return f"https://hub/datasets/{repo}"

    def upload_folder(self, **options: Any) -> None:
        if self.fault:
            raise self.fault
        self.pushed = options


def test_only_the_release_is_pushed(tmp_path: Path) -> None:
    hub = Hub()
    assert push_release(tmp_path, "me/votes", api=hub) == "https://hub/datasets/me/votes"
    assert (hub.pushed["repo_id"], hub.pushed["repo_type"]) == ("me/votes", "dataset")
    assert set(hub.pushed["allow_patterns"]) == {"README.md", "votes.parquet", "preferences.jsonl"}


@pytest.mark.parametrize("fault", [ConnectError("no route"), OSError("denied"), ValueError("bad name")])
def test_a_push_that_fails_is_a_sentence(tmp_path: Path, fault: Exception) -> None:
    with pytest.raises(DataError, match="could not be pushed"):
        push_release(tmp_path, "me/votes", api=Hub(fault))


def test_the_command_pushes_without_being_told_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("JOURNEY_HOME", str(home))
    monkeypatch.setenv("JOURNEY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(personal, "scanner", lambda: scan)
    monkeypatch.setattr(module, "push_release", lambda folder, repo, token: f"{folder.name} at {repo}")
    Store(home / "votes.duckdb").close()
    assert main(["votes", "release", "--push", "me/votes"]) == 0
    assert f"Written to {home / 'release'} and pushed to release at me/votes" in capsys.readouterr().out
    assert (home / "release" / "README.md").exists()
    monkeypatch.setenv("JOURNEY_VOTES_REPO", "me/votes")
    assert main(["votes", "release", "--push", "me/votes"]) == 1
    assert "private copies" in capsys.readouterr().err

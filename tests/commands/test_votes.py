"""`arena votes`: what stands and is final is summed up and exported; nothing is there without a store."""

import json
from pathlib import Path

import pytest

from commands.arena import main
from tests.votes.helpers import FREE, play
from votes.desk import Desk
from votes.limits import Limits
from votes.store import Store


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JOURNEY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "home"


def test_no_store_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["votes", "summary"]) == 1
    assert "There are no votes" in capsys.readouterr().err


def test_an_unknown_ending_asks_for_a_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["votes", "export", str(tmp_path / "votes.xml")]) == 1
    assert "--format" in capsys.readouterr().err


@pytest.fixture
def voted(home: Path) -> None:
    """Three revealed battles, two of them won by the distilled model; a fourth is still open."""
    store = Store(home / "votes.duckdb")
    desk = Desk(store, limits=Limits(rates=FREE, gesture_seconds=0.0))
    for winner in ("distilled", "distilled", "base"):
        battle = play(desk)
        desk.cast(battle, "visitor", "answers", "a" if desk.role_of(battle, "a") == winner else "b")
        desk.reveal(battle, "visitor")
    desk.cast(play(desk), "visitor", "answers", "a")
    store.close()


@pytest.mark.usefixtures("voted")
def test_the_summary_counts_what_can_no_longer_change(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["votes", "summary", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["votes"], values["battles"], values["modes"]) == (3, 3, {"blind": 3})
    rate = values["distilled_win_rate"]["pair, answers"]
    assert (rate["wins"], rate["losses"], rate["votes"]) == (2, 1, 3)
    assert rate["interval"]["low"] < rate["rate"] < rate["interval"]["high"]
    assert main(["votes", "summary"]) == 0
    assert "distilled wins 66.7%" in capsys.readouterr().out
    assert main(["votes", "summary", "--pair", "other"]) == 0
    assert capsys.readouterr().out.startswith("0 votes")


@pytest.mark.usefixtures("voted")
@pytest.mark.parametrize("name", ["votes.parquet", "votes.csv", "pairs.jsonl"])
def test_votes_are_exported_in_every_format(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / name
    assert main(["votes", "export", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 3
    assert path.stat().st_size > 0

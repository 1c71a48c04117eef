"""`arena votes`: what stands and is final is summed up and exported; nothing is there without a store."""

import errno
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from commands.arena import main
from tests.votes.helpers import FREE, play
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.release import personal, release
from votes.store import Store


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JOURNEY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("JOURNEY_VOTES_REPO", raising=False)
    return tmp_path / "home"


def test_no_store_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["votes", "summary"]) == 1
    assert "There are no votes" in capsys.readouterr().err


def test_rows_that_were_lost_are_told_and_stop_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store(home / "votes.duckdb").close()
    tally = home / "votes.duckdb.tally"
    tally.write_text(json.dumps({**json.loads(tally.read_text()), "votes": 3}))
    assert main(["votes", "summary"]) == 0
    assert "3 rows of earlier battles and votes were lost" in capsys.readouterr().err


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


def test_named_votes_and_those_cast_again_are_in_no_blind_win_rate(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.insights.helpers import make_vote

    store = Store(home / "votes.duckdb")
    store.append(make_vote("a", battle="blind"))
    store.append(make_vote("b", battle="blind", stage="reasoning"))
    store.append(make_vote("b", battle="again", reasoning_seen=True))
    for number in range(3):
        store.append(make_vote("b", battle=f"n{number}", mode="named", a_role="base", reasoning_seen=True))
    store.close()
    assert main(["votes", "summary", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    rates = {name: (rate["wins"], rate["votes"]) for name, rate in values["distilled_win_rate"].items()}
    assert rates == {"pair, answers": (1, 1), "pair, reasoning": (0, 1), "pair, answers, named": (3, 3)}
    assert (values["votes"], values["side_a_win_rate"]["votes"]) == (6, 1)


@pytest.mark.usefixtures("voted")
@pytest.mark.parametrize("name", ["votes.parquet", "votes.csv", "pairs.jsonl"])
def test_votes_are_exported_in_every_format(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / name
    assert main(["votes", "export", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 3
    assert path.stat().st_size > 0


@pytest.mark.usefixtures("voted")
@pytest.mark.parametrize("name", ["votes.parquet", "votes.csv", "pairs.jsonl"])
def test_an_export_that_fails_leaves_the_file_that_was_there(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Store) -> Iterator[Any]:
        yield from ()
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / name
    path.write_text("of yesterday")
    monkeypatch.setattr(Store, "votes", full)
    assert main(["votes", "export", str(path)]) == 1
    assert "full" in capsys.readouterr().err
    assert path.read_text() == "of yesterday" and list(tmp_path.glob(".*")) == []


def battle_ids(home: Path) -> list[str]:
    store = Store(home / "votes.duckdb")
    ids = [ballot.battle_id for ballot in store.ballots()]
    store.close()
    return ids


@pytest.mark.usefixtures("voted")
def test_a_battle_is_hidden_and_put_back(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    battle = battle_ids(home)[0]
    assert main(["votes", "hide", f"https://page/?battle={battle}", "--reason", "a name", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"battle": battle, "hidden": True, "reason": "a name"}
    assert main(["votes", "summary"]) == 0
    assert capsys.readouterr().out.startswith("2 votes on 2 battles")
    assert main(["votes", "export", str(home / "votes.csv")]) == 0
    assert battle not in (home / "votes.csv").read_text()
    assert main(["votes", "unhide", battle]) == 0
    assert f"Battle {battle} is shown again." in capsys.readouterr().out
    assert main(["votes", "summary"]) == 0
    assert capsys.readouterr().out.startswith("3 votes")


@pytest.mark.usefixtures("voted")
def test_a_battle_that_is_not_there_cannot_be_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["votes", "hide", "nothing"]) == 1
    assert "There is no battle 'nothing'" in capsys.readouterr().err


@pytest.mark.usefixtures("voted")
def test_a_hidden_battle_travels_with_the_copies(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNEY_VOTES_REPO", str(tmp_path / "copies"))
    (tmp_path / "copies").mkdir()
    assert main(["votes", "sync", "--push"]) == 0
    assert "0 rows fetched, 11 rows copied." in capsys.readouterr().out
    battle = battle_ids(home)[0]
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "the owner's desk"))
    assert main(["votes", "hide", battle, "--reason", "a name"]) == 0
    assert "follows within five minutes" in capsys.readouterr().out
    monkeypatch.setenv("JOURNEY_HOME", str(home))
    assert main(["votes", "sync"]) == 0
    assert "1 rows fetched, 0 rows copied." in capsys.readouterr().out
    assert battle not in battle_ids(home)


@pytest.mark.usefixtures("voted")
def test_votes_of_this_machine_are_copied_only_when_that_is_asked_for(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setenv("JOURNEY_VOTES_REPO", str(copies))
    assert main(["votes", "sync"]) == 0
    assert "11 rows are on this machine only. With --push" in capsys.readouterr().out
    assert main(["votes", "hide", battle_ids(home)[0]]) == 0
    assert [path.parent.parent.name for path in copies.rglob("*.parquet")] == ["hidden"], "nothing but what was asked"
    capsys.readouterr()
    assert main(["votes", "sync", "--push", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"fetched": 0, "copied": 11, "only_here": 0}


def test_a_folder_for_copies_that_is_not_there_is_named_and_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNEY_VOTES_REPO", str(tmp_path / "copies"))
    for command in (["sync"], ["sync", "--push"], ["hide", "battle"]):
        assert main(["votes", *command]) == 1
        assert f"There is no folder {tmp_path / 'copies'}" in capsys.readouterr().err
    assert not (tmp_path / "copies").exists()


def test_copies_need_a_place(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["votes", "sync"]) == 1
    monkeypatch.setenv("JOURNEY_VOTES_REPO", "no place")
    assert main(["votes", "sync"]) == 1
    assert "org/name" in capsys.readouterr().err


@pytest.mark.usefixtures("voted")
def test_a_release_prints_its_counts_and_pushes(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(personal, "scanner", lambda: lambda text: frozenset())
    pushed = []
    monkeypatch.setattr(release, "push_release", lambda folder, repo, token: pushed.append((folder, repo)) or "there")
    out = tmp_path / "release"
    assert main(["votes", "release", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "3 votes that stand" in printed and "3 votes without agreement" in printed and not pushed
    assert {path.name for path in out.iterdir()} == {"README.md", "votes.parquet", "preferences.jsonl"}
    assert main(["votes", "release", "--out", str(out), "--push", "me/votes", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["standing"], values["not_agreed"], values["released"], values["address"]) == (3, 3, 0, "there")
    assert pushed == [(out, "me/votes")]


@pytest.mark.usefixtures("voted")
def test_a_release_needs_the_packages_that_find_personal_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "datafog_core", None)
    assert main(["votes", "release", "--out", str(tmp_path / "release")]) == 1
    assert "pip install datafog-core==" in capsys.readouterr().err
    assert not (tmp_path / "release").exists()


@pytest.fixture
def on_problems(home: Path) -> Callable[..., None]:
    """Adds `count` votes on a known problem that the distilled model, which is A, solves and the base does not."""
    from insights.reading import known_benchmarks
    from tests.insights.helpers import make_reply, make_vote

    problem = known_benchmarks()[0].problems[0]
    right, wrong = make_reply("distilled", f"\\boxed{{{problem.gold}}}"), make_reply("base", "\\boxed{0.5}")

    def add(**fields: Any) -> None:
        store = Store(home / "votes.duckdb")
        for number in range(fields.pop("count")):
            name = f"{fields.get('mode', 'blind')}{fields.get('blocked', '')}{number}"
            store.append(make_vote(prompt=problem.question, distilled=right, base=wrong, battle=name, **fields))
        store.close()

    return add


def test_how_often_the_right_answer_is_preferred(
    on_problems: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    on_problems(count=10)
    on_problems(count=3, verdict="b", mode="named", reasoning_seen=True)
    assert main(["votes", "truth", "--json"]) == 0
    truth = json.loads(capsys.readouterr().out)
    before = truth["by_stage"]["answers"]
    assert (before["right"], before["total"], before["share"]) == (10, 10, 1.0) and before["interval"]["low"] < 1
    assert (truth["named"]["right"], truth["named"]["total"], truth["named"]["share"]) == (0, 3, None)
    assert sum(one["total"] for one in truth["by_tone"].values()) == 10
    assert main(["votes", "truth"]) == 0
    text = capsys.readouterr().out
    assert "before reading the reasoning: 100.0%" in text and "shown from the start: not enough yet (3)" in text
    assert "preferred the wrong answer where it sounds confident: 0.0%" in text


def test_votes_on_blocked_answers_are_counted_and_mean_nothing(
    on_problems: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    on_problems(count=2)
    on_problems(count=3, blocked="a")
    assert main(["votes", "summary", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["votes"], summary["blocked"]) == (2, 3)
    assert main(["votes", "truth", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["graded"] == 2
    assert main(["votes", "model"]) == 0
    assert "2 of 50" in capsys.readouterr().out


@pytest.mark.usefixtures("voted")
def test_what_the_votes_mean(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["votes", "model", "--json"]) == 0
    assert "3 of 50" in json.loads(capsys.readouterr().out)["why"]
    assert main(["votes", "truth", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["graded"] == 0
    assert main(["votes", "topics", "--json", "--pair", "other"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "topics": [],
        "copies": 0,
        "benchmark_copies": 0,
        "copied": {},
        "left_out": 0,
    }

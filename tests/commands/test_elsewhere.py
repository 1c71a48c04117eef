"""`arena votes import`: votes of others come in, stay apart, and are read only where they are asked for."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commands.arena import main
from tests.votes.elsewhere.test_elsewhere import ROWS
from tests.votes.helpers import FREE, play
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.store import Store


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JOURNEY_CACHE", str(tmp_path / "cache"))
    store = Store(tmp_path / "home" / "votes.duckdb")
    desk = Desk(store, limits=Limits(rates=FREE, gesture_seconds=0.0))
    battle = play(desk)
    desk.cast(battle, "visitor", "answers", "a" if desk.role_of(battle, "a") == "distilled" else "b")
    desk.reveal(battle, "visitor")
    store.close()
    return tmp_path / "home"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [ROWS[name] for name in ("arena", "arena_flags", "arena_parts", "arena_plain")] + [{"type": "chat"}]
    path = tmp_path / "battles.json"
    path.write_text(json.dumps(rows))
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main(["votes", *arguments, "--json"]) == 0
    values: dict[str, object] = json.loads(capsys.readouterr().out)
    return values


def test_own_figures_change_only_where_it_is_asked_for(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = run(capsys, "summary")
    taken = run(capsys, "import", str(file), "--source", "theirs")
    assert (taken["added"], taken["known"], taken["left_out"]) == (4, 0, 1)
    assert run(capsys, "import", str(file), "--source", "theirs")["added"] == 0
    assert run(capsys, "summary") == before
    models = ["--models", "koala", "vicuna"]
    alone = run(capsys, "summary", "--source", "theirs", *models)
    assert alone["votes"] == 4 and list(alone["distilled_win_rate"]) == ["koala and vicuna, theirs, answers"]  # type: ignore[call-overload]
    both = run(capsys, "summary", "--source", "own", "theirs", *models)
    assert both["votes"] == 5 and len(both["distilled_win_rate"]) == 2  # type: ignore[arg-type]
    assert "5 of 50" in run(capsys, "model", "--source", "own", "theirs", *models)["why"]  # type: ignore[operator]


def test_the_two_models_must_be_named(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "import", str(file), "--source", "theirs")
    assert main(["votes", "summary", "--source", "theirs"]) == 1
    assert "koala and vicuna (4)" in capsys.readouterr().err
    assert main(["votes", "truth", "--source", "theirs", "--models", "koala", "gpt"]) == 1
    assert "no votes on koala and gpt" in capsys.readouterr().err
    assert run(capsys, "sources")["sources"] == [
        {"source": "theirs", "votes": 4, "with_words": 3, "models": {"koala and vicuna": 4}}
    ]


def test_they_are_written_again_as_they_came(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "import", str(file), "--source", "theirs")
    again, pairs = tmp_path / "again.jsonl", tmp_path / "pairs.jsonl"
    run(capsys, "export", str(again), "--source", "theirs", "--format", "arena")
    assert [json.loads(line) for line in again.read_text().splitlines()] == json.loads(file.read_text())[:4]
    written = run(capsys, "export", str(pairs), "--source", "theirs")
    assert (written["rows"], written["left_out"]) == (1, 3)
    assert run(capsys, "import", str(pairs), "--source", "pairs")["added"] == 1
    assert main(["votes", "export", str(tmp_path / "x.csv"), "--source", "theirs"]) == 1
    assert "--format arena" in capsys.readouterr().err


def test_own_votes_are_written_in_the_common_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "own.jsonl"
    assert run(capsys, "export", str(path), "--format", "arena")["rows"] == 1
    assert json.loads(path.read_text())["judge"] == "visitor"
    assert run(capsys, "import", str(path), "--source", "copy")["added"] == 1


def test_parquet_is_read_and_a_file_that_is_none_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "votes.parquet"
    pq.write_table(pa.Table.from_pylist([ROWS["preference_messages"], ROWS["preference_messages"]]), path)
    assert run(capsys, "import", str(path), "--source", "set")["added"] == 2
    (tmp_path / "no.parquet").write_text("nothing")
    assert main(["votes", "import", str(tmp_path / "no.parquet"), "--source", "set"]) == 1
    assert "cannot be read as Parquet" in capsys.readouterr().err

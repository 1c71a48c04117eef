"""Runs that ship: whole, of the weights that ship, put among the others once, and never in the way of the app."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from eval import recorded
from eval.plan import paces
from eval.recorded import RECORDED, pack_run, recorded_runs, unpack_recorded
from eval.runlog import RunLog, list_runs
from models.registry import load_config
from ui.benchmark_views import run_label


def test_every_run_that_ships_is_whole_and_can_be_repeated(tmp_path: Path) -> None:
    unpack_recorded(tmp_path)
    infos = list_runs(tmp_path)
    assert {info.id for info in infos} == recorded_runs() != set()
    for info in infos:
        log = RunLog.open(tmp_path, info.id)
        wanted = sum(data.problems for data in info.data) * info.config.samples * len(info.sides)
        samples = log.samples()
        assert len(samples) == wanted
        assert not any(sample.error for sample in samples)
        assert {s.model for s in samples} == {side.model for side in info.sides.values()}
        assert info.config.pair in load_config().pairs
        assert json.loads((log.folder / "run.json").read_text())["config_hash"] == info.config_hash


def test_what_a_person_adds_to_a_recorded_run_stays(tmp_path: Path) -> None:
    unpack_recorded(tmp_path)
    log = RunLog.open(tmp_path, min(recorded_runs()))
    flag = {"model": "m", "problem_id": "p", "index": 0, "note": "looks right to me"}
    log.append("flags", [flag])
    unpack_recorded(tmp_path)
    assert list(log.rows("flags"))[-1] == flag


def test_another_machines_speed_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    unpack_recorded(tmp_path)
    assert not any(paces(tmp_path, load_config().pairs["smol-135m"]).values())


def test_a_damaged_archive_is_logged_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken.zip").write_bytes(b"no archive")
    monkeypatch.setattr(recorded, "RECORDED", tmp_path)
    with caplog.at_level(logging.WARNING):
        unpack_recorded(tmp_path / "runs")
    assert "broken cannot be shown" in caplog.text
    assert list_runs(tmp_path / "runs") == []


def test_packing_is_the_way_back(tmp_path: Path) -> None:
    run = tmp_path / "made" / "a-run"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"id": "a-run"}))
    (run / "lock").write_text("")
    archive = pack_run(run, tmp_path)
    assert archive.name == "a-run.zip"
    assert archive.stat().st_size > 0


def test_a_recorded_run_is_labelled_as_one(tmp_path: Path) -> None:
    unpack_recorded(tmp_path)
    info = list_runs(tmp_path)[0]
    assert run_label(info).startswith("Recorded · 20")
    assert not run_label(replace(info, id="mine")).startswith("Recorded")


def test_archives_are_small() -> None:
    assert sum(archive.stat().st_size for archive in RECORDED.glob("*.zip")) < 3_000_000

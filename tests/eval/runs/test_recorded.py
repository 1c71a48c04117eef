"""Runs that ship: whole, of a pair that is configured, put among the others once, and never in the way of the app."""

import json
import logging
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from common.errors import ConfigError, DataError
from eval.judging.scored import run_scores
from eval.records import Problem, Sample
from eval.results.report import run_comparisons
from eval.runs import recorded
from eval.runs.cost import throughputs
from eval.runs.log import OPEN_ENDED, RUNS, DataInfo, RunConfig, RunInfo, RunLog, SideInfo, list_runs
from eval.runs.plan import check_own
from eval.runs.recorded import NOTE, RECORDED, pack_run, unpack_recorded, without_texts
from insights.stored import stored_benchmarks
from models.config.registry import load_config
from traces.cases.pinning import pin_from_run, problem_choices
from ui.benchmarks.view import run_label

SHIPPED = {archive.stem for archive in RECORDED.glob("*.zip")}


def test_every_run_that_ships_is_whole_and_can_be_repeated(tmp_path: Path) -> None:
    unpack_recorded(tmp_path)
    infos = list_runs(tmp_path / RUNS)
    assert {info.id for info in infos} == SHIPPED != set()
    for info in infos:
        log = RunLog.open(tmp_path / RUNS, info.id)
        wanted = sum(data.problems for data in info.data) * info.config.samples * len(info.sides)
        samples = log.samples()
        assert len(samples) == wanted
        assert not any(sample.error for sample in samples)
        assert {s.model for s in samples} == {side.model for side in info.sides.values()}
        assert info.config.pair in load_config().pairs
        assert json.loads((log.folder / "run.json").read_text())["config_hash"] == info.config_hash


def test_every_judged_run_that_ships_has_all_its_verdicts_and_says_how_far_to_trust_them(tmp_path: Path) -> None:
    unpack_recorded(tmp_path)
    infos = list_runs(tmp_path / OPEN_ENDED)
    assert {info.id for info in infos} == {archive.stem for archive in (RECORDED / OPEN_ENDED).glob("*.zip")} != set()
    for info in infos:
        log = RunLog.open(tmp_path / OPEN_ENDED, info.id)
        assert info.recorded and all(data.texts for data in info.data)
        assert len(log.samples()) == len(log.problems()) * len(info.sides)
        found = run_scores(log)
        assert found and all(score.valid + score.invalid == score.due for score in found)
        assert all(score.check or score.flaw for score in found), "else a score would look sound that nobody checked"


def test_what_a_person_adds_to_a_recorded_run_stays(tmp_path: Path) -> None:
    unpack_recorded(tmp_path)
    log = RunLog.open(tmp_path / RUNS, min(SHIPPED))
    flag = {"model": "m", "problem_id": "p", "index": 0, "outcome": "wrong", "note": "looks right to me"}
    flag["flagged_at"] = "2026-01-01T00:00:00+00:00"
    log.append("flags", [flag])
    unpack_recorded(tmp_path)
    assert list(log.rows("flags"))[-1] == flag


def test_another_machines_speed_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    unpack_recorded(tmp_path)
    assert not any(throughputs(tmp_path / RUNS, load_config().pairs["smol-135m"]).values())


def test_a_run_stays_a_recorded_one_when_a_later_version_ships_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack_recorded(tmp_path)
    monkeypatch.setattr(recorded, "RECORDED", tmp_path / "nothing")
    unpack_recorded(tmp_path)
    assert all(info.recorded for info in list_runs(tmp_path / RUNS))
    assert not any(throughputs(tmp_path / RUNS, load_config().pairs["smol-135m"]).values())


def test_a_run_from_before_they_were_marked_is_marked_when_the_app_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "RECORDED", tmp_path / "nothing")
    for name in (*recorded.UNMARKED, "mine"):
        make_run(tmp_path / RUNS, name)
    unpack_recorded(tmp_path)
    assert {info.id for info in list_runs(tmp_path / RUNS) if info.recorded} == recorded.UNMARKED


def test_a_damaged_archive_is_logged_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken.zip").write_bytes(b"no archive")
    monkeypatch.setattr(recorded, "RECORDED", tmp_path)
    with caplog.at_level(logging.WARNING):
        unpack_recorded(tmp_path)
    assert "broken cannot be shown" in caplog.text
    assert list_runs(tmp_path / RUNS) == []


SUM = Problem("toy/1", "1 + 1?", "2", "toy")


def make_run(runs: Path, name: str, problem: Problem = SUM, source: str = "made here") -> RunLog:
    """A run of one problem, without samples."""
    data = (DataInfo(problem.benchmark, "Toy", "abc", source, "math", 1, 1),)
    info = RunInfo(
        name, "2026-01-01T00:00:00+00:00", RunConfig("smol-135m", ("toy",)), data, {"base": SideInfo("m", "M")}, "?"
    )
    return RunLog.create(runs, info, [problem])


def test_packing_is_the_way_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = make_run(tmp_path / "made", "a-run")
    sample = Sample("a-run", "m", "toy/1", 0, "1 + 1?", "2 ∑", "", "2 ∑", 0, 1, "stop", 0, 0.1, "2026-01-01", "h")
    log.append("samples", [asdict(sample)])
    with log.claim():
        archive = pack_run(log.folder, tmp_path)
    assert archive.name == "a-run.zip"
    monkeypatch.setattr(recorded, "RECORDED", tmp_path)
    unpack_recorded(tmp_path)
    back = RunLog.open(tmp_path / "runs", "a-run")
    assert back.info() == replace(log.info(), recorded=True)
    files = {path.name for path in log.folder.iterdir()} - {".lock", "run.json"}
    assert {path.name for path in back.folder.iterdir()} == {*files, "run.json"}
    assert all((back.folder / name).read_bytes() == (log.folder / name).read_bytes() for name in files)


@pytest.mark.parametrize("question", ["What is 1 + 1?", 'Say "two"\nin \\boxed{}, 二.'])
def test_a_public_problem_is_not_quoted_and_not_asked_again(
    question: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = make_run(tmp_path / "made", "a-run", Problem("gsm8k/7", question, "2", "gsm8k"), "folder /secret/data")
    prompt, text = f"{question}\n\nReason.", f"You ask: {question} It is 2."
    sample = Sample("a-run", "m", "gsm8k/7", 0, prompt, text, "", text, 0, 9, "stop", 0, 1.0, "2026-01-01", "h")
    log.append("samples", [asdict(sample)])
    pack_run(without_texts(log.folder, tmp_path), tmp_path)
    monkeypatch.setattr(recorded, "RECORDED", tmp_path)
    unpack_recorded(tmp_path)
    back = RunLog.open(tmp_path / "runs", "a-run")
    assert back.problems() == [Problem("gsm8k/7", NOTE, "2", "gsm8k")]
    said = f"You ask: {NOTE} It is 2."
    assert back.samples() == [replace(sample, prompt=f"{NOTE}\n\nReason.", text=said, answer=said)]
    assert back.info().config_hash == log.info().config_hash
    assert back.info().data[0].source == "a folder of the machine that ran it"
    with pytest.raises(ConfigError, match="Toy without their texts"):
        check_own(replace(back.info(), prompt="{question}"))
    assert problem_choices(tmp_path / "runs", "a-run") == [] == stored_benchmarks(tmp_path / "runs", [])
    with pytest.raises(ConfigError, match="no text"):
        pin_from_run(tmp_path / "runs", "a-run", "gsm8k/7", "")


@pytest.mark.parametrize("name", ["a-run", "nowhere"])
def test_a_run_without_answers_is_not_packed(tmp_path: Path, name: str) -> None:
    make_run(tmp_path / "made", "a-run")
    with pytest.raises(DataError, match="no answers"):
        pack_run(tmp_path / "made" / name, tmp_path)
    assert not list(tmp_path.glob("*.zip"))


def test_a_recorded_run_is_labelled_as_one(tmp_path: Path) -> None:
    unpack_recorded(tmp_path)
    info = list_runs(tmp_path / RUNS)[0]
    assert run_label(info).startswith("Recorded · 20")
    assert not run_label(replace(info, recorded=False)).startswith("Recorded")


def test_archives_are_small() -> None:
    assert sum(archive.stat().st_size for archive in RECORDED.rglob("*.zip")) < 3_000_000


@pytest.mark.parametrize("run", sorted(SHIPPED))
def test_the_figures_of_the_readme_are_those_of_the_recorded_run(tmp_path: Path, run: str) -> None:
    unpack_recorded(tmp_path)
    readme = (RECORDED.parent.parent / "README.md").read_text(encoding="utf-8")
    for comparison in run_comparisons(tmp_path / RUNS, run):
        paired = comparison.paired
        assert paired is not None
        assert f"| {paired.base:.1%} | {paired.distilled:.1%} |".replace("%", " %") in readme
        low, high = (f"{100 * bound:.1f}" for bound in (paired.low, paired.high))
        assert f"{100 * paired.difference:+.1f} points ({low} to {high})" in readme

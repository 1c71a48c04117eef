"""Longer runs that take over the answers of earlier ones: what is taken, what is asked, and what is refused."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commands.arena import main
from common.errors import ConfigError
from eval.results.overview import overview
from eval.results.report import data_lines, run_report
from eval.runs.cost import throughputs
from eval.runs.extend import Extension, extend, plan_extension
from eval.runs.log import RunConfig, RunLog, list_runs
from eval.runs.plan import load_benchmarks, prepare
from eval.runs.recorded import NOTE
from eval.runs.run_job import RunJob
from models.config.registry import load_config
from models.config.thought_format import ThoughtFormat
from tests.eval.runs.test_run_job import HASHES, fakes, grader, pair, served, write

__all__ = ["fakes", "grader"]
ROWS = [{"id": f"n{i}", "problem": f"What is {i} + {i}?", "answer": str(2 * i)} for i in range(12)]


def begun(runs: Path, file: Path, *, finish: bool = True, **options: Any) -> RunLog:
    """A run on a file of 12 problems; the file is written unless it is there."""
    if not file.exists():
        write(file, ROWS)
    config = RunConfig("smol-135m", (str(file),), **options)
    profile = load_config().profiles["cpu"]
    log = prepare(runs, config, pair(), HASHES, load_benchmarks(config.benchmarks), profile)
    if finish:
        assert RunJob(log, served()).run().phase == "finished"
    return log


def planned(log: RunLog, **options: Any) -> Extension:
    return plan_extension(log, pair(), load_config().profiles["cpu"], concurrency=3, **options)


def extended(runs: Path, log: RunLog, **options: Any) -> RunLog:
    return extend(runs, planned(log, **options), pair(), HASHES, load_config().profiles["cpu"], {"vllm": "0.2"})


@pytest.mark.parametrize("problems", [None, 9])
def test_a_longer_run_asks_only_what_is_missing(tmp_path: Path, problems: int | None) -> None:
    log = begun(tmp_path, tmp_path / "toy.jsonl", problems=5, seed=3)
    before = {path.name: path.read_bytes() for path in log.folder.iterdir()}
    longer = extended(tmp_path, log, problems=problems)
    info, asked = longer.info(), {problem.id for problem in longer.problems()}
    assert (info.extends, info.config.problems, info.config.concurrency) == (log.folder.name, problems, 3)
    assert info.config == replace(log.info().config, problems=problems, concurrency=3)
    assert len(asked) == (problems or len(ROWS))
    taken = longer.samples()
    assert taken == [sample for sample in log.samples() if sample.problem_id in asked] != []
    job = RunJob(longer, served())
    assert job.run().phase == "finished"
    assert sum(side.drawn_now for side in job.progress().sides.values()) == 2 * len(asked) - len(taken)
    assert longer.samples()[: len(taken)] == taken
    assert {path.name: path.read_bytes() for path in log.folder.iterdir()} == before, "that run stays as it is"
    report = run_report(tmp_path, longer.folder.name)
    assert f"Distilled solves {len(asked)} of {len(asked)}" in report
    assert f"| extends | run {log.folder.name}, whose answers it took over |" in report
    assert data_lines([info])[-1] == f"Extends run {log.folder.name}, whose answers it took over."
    assert overview(tmp_path, "smol-135m")[0].run == longer.folder.name


def test_it_gives_the_same_answers_as_a_run_made_at_once(tmp_path: Path) -> None:
    whole = begun(tmp_path, tmp_path / "toy.jsonl", samples=2, temperature=0.5)
    log = begun(tmp_path, tmp_path / "toy.jsonl", problems=4, samples=2, temperature=0.5)
    longer = extended(tmp_path, log)
    assert longer.info().config_hash == whole.info().config_hash, "where answers came from changes none"
    RunJob(longer, served()).run()
    seeds = {(s.model, s.problem_id, s.index): s.seed for s in longer.samples()}
    assert seeds == {(s.model, s.problem_id, s.index): s.seed for s in whole.samples()}
    assert len(list(longer.rows("classes"))) == 2 * len(ROWS)


def test_more_samples_of_an_unfinished_run_without_what_failed(tmp_path: Path) -> None:
    log = begun(tmp_path, tmp_path / "toy.jsonl", samples=2, temperature=0.5)
    rows = list(log.rows("samples"))[:10]
    log.path("samples").write_text("")
    log.append("samples", [{**rows[0], "error": "server fell over", "finish_reason": "failed"}, *rows[1:]])
    longer = extended(tmp_path, log, samples=3)
    assert longer.info().config.samples == 3
    assert [s.seed for s in longer.samples()] == [row["seed"] for row in rows[1:]]
    RunJob(longer, served()).run()
    assert len(longer.samples()) == 2 * 3 * len(ROWS) and not any(s.error for s in longer.samples())


def test_a_run_that_ships_is_extended_though_it_quotes_no_problem(tmp_path: Path) -> None:
    log = begun(tmp_path, tmp_path / "toy.jsonl", problems=5)
    info = json.loads((log.folder / "run.json").read_text())
    info["data"][0]["texts"], info["recorded"] = False, True
    (log.folder / "run.json").write_text(json.dumps(info))
    text = log.path("problems").read_text()
    for row in ROWS:
        text = text.replace(row["problem"], NOTE)
    log.path("problems").write_text(text)
    longer = extended(tmp_path, log)
    assert not longer.info().recorded and all(data.texts for data in longer.info().data)
    assert {problem.question for problem in longer.problems()} == {row["problem"] for row in ROWS}
    assert len(longer.samples()) == 10
    assert not any(throughputs(tmp_path, pair()).values()), "answers taken over say nothing of the speed here"
    RunJob(longer, served()).run()
    assert all(each and each.samples == 7 for each in throughputs(tmp_path, pair()).values())
    moved = [{**row, "id": f"n{(i + 1) % 12}"} for i, row in enumerate(ROWS)]
    write(tmp_path / "toy.jsonl", moved)
    with pytest.raises(ConfigError, match="numbers its problems in another way"):
        extended(tmp_path, log)


@pytest.mark.parametrize(
    ("first", "more", "words"),
    [
        ({"problems": 5}, {"problems": 5}, "asks 5 problems, 1 sample each; this would be 5 and 1"),
        ({"problems": 5}, {"problems": 3}, "would be 3 and 1"),
        ({}, {}, "would be 12 and 1"),
        ({}, {"problems": 99}, "would be 12 and 1"),
        ({"samples": 3, "temperature": 0.5, "problems": 5}, {"samples": 2}, "would be 12 and 2"),
        ({"problems": 5}, {"samples": 2}, "draws at temperature 0"),
    ],
)
def test_what_asks_no_more_is_no_extension(
    tmp_path: Path, first: dict[str, Any], more: dict[str, Any], words: str
) -> None:
    log = begun(tmp_path, tmp_path / "toy.jsonl", finish=False, **first)
    with pytest.raises(ConfigError, match=words):
        extended(tmp_path, log, **more)
    assert len(list_runs(tmp_path)) == 1


def test_a_changed_set_is_named(tmp_path: Path) -> None:
    log = begun(tmp_path, tmp_path / "toy.jsonl", problems=5)
    write(tmp_path / "toy.jsonl", [*ROWS[:-1], {**ROWS[-1], "answer": "7"}])
    with pytest.raises(ConfigError, match=rf"toy has changed since run {log.folder.name}: its sha256"):
        extended(tmp_path, log)


def test_changed_models_are_refused_before_they_are_loaded_and_changed_weights_after(tmp_path: Path) -> None:
    log = begun(tmp_path, tmp_path / "toy.jsonl", problems=5)
    plan, profile = planned(log), load_config().profiles["cpu"]
    with pytest.raises(ConfigError, match="has changed: weights"):
        extend(tmp_path, plan, pair(), {**HASHES, "distilled": "other"}, profile, {})
    other = pair().distilled.model_copy(update={"thought": ThoughtFormat("none")})
    with pytest.raises(ConfigError, match="has changed: how a thought is marked"):
        plan_extension(log, pair().model_copy(update={"distilled": other}), profile, concurrency=1)
    short = pair().model_copy(update={"base": pair().base.model_copy(update={"context_length": 1000})})
    with pytest.raises(ConfigError, match=r"may write 1,024 tokens; the context .* has room for 488"):
        plan_extension(log, short, profile, concurrency=1)
    assert len(list_runs(tmp_path)) == 1


@pytest.mark.parametrize("change", [{"rule": "judged"}, {"name": "sycophancy"}])
def test_only_graded_runs_are_extended(tmp_path: Path, change: dict[str, str]) -> None:
    log = begun(tmp_path, tmp_path / "toy.jsonl", finish=False)
    info = json.loads((log.folder / "run.json").read_text())
    info["data"][0] |= change
    (log.folder / "run.json").write_text(json.dumps(info))
    with pytest.raises(ConfigError, match="is not of a graded set"):
        planned(log)


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    monkeypatch.setattr("commands.kit.serving.serving", lambda pair, profile: nullcontext(served()))
    monkeypatch.setattr("eval.runs.recorded.RECORDED", tmp_path / "nothing")
    log = begun(tmp_path / "runs", tmp_path / "toy.jsonl", problems=5)
    run = log.folder.name
    assert main(["run", "--extend", run, "--json"]) == 0
    said = capsys.readouterr()
    assert f"10 answers are taken over from run {run}" in said.err and "14 answers, at most" in said.err
    made = RunLog.open(tmp_path / "runs", json.loads(said.out)["run"])
    assert made.info().extends == run and len(made.samples()) == 24


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--temperature", "0"], 1, "not with --temperature. Leave that out."),
        (["--seed", "0", "--max-tokens", "9", "--pair", "smol-135m"], 1, "not with --pair, --max-tokens, --seed."),
        (["--benchmark", "same_kind"], 2, "not allowed with argument"),
        (["--profile", "nowhere"], 1, "There is no profile"),
    ],
)
def test_what_would_change_the_answers_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    monkeypatch.setattr("commands.kit.serving.serving", lambda *_: pytest.fail("a model is loaded"))
    log = begun(tmp_path / "runs", tmp_path / "toy.jsonl", finish=False, problems=5)
    try:
        ended = main(["run", "--extend", log.folder.name, *options])
    except SystemExit as error:
        ended = int(str(error.code))
    assert ended == code
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--problems", "3"]])
def test_a_run_needs_a_set_or_a_run(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", *options])
    assert "one of the arguments --benchmark --extend is required" in capsys.readouterr().err


def test_a_run_made_elsewhere_is_not_extended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    log = begun(tmp_path / "runs", tmp_path / "toy.jsonl", finish=False)
    info = json.loads((log.folder / "run.json").read_text())
    (log.folder / "run.json").write_text(json.dumps({**info, "prompt": "not known", "origin": "imported from a.jsonl"}))
    assert main(["run", "--extend", log.folder.name]) == 1
    assert "was imported from a.jsonl: its prompt is not known." in capsys.readouterr().err

"""`arena grade`: what it prints and where it writes; `test_graded_file` has the shapes of rows."""

import json
from pathlib import Path
from typing import Any

import pytest

from commands.arena import main
from common.errors import ConfigError


def run(
    path: Path, rows: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    file = path / "outputs.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    if main(["grade", str(file), "--workers", "1", "--json", *options]):
        raise ConfigError(capsys.readouterr().err)
    grades = (path / "outputs.grades.jsonl").read_text(encoding="utf-8").splitlines()
    return json.loads(capsys.readouterr().out), [json.loads(line) for line in grades]


def test_the_figures_are_printed_and_a_grade_an_output_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"answer": "025", "output": "Let us see 7.\n## Solution\n\\boxed{25}"}, {"answer": 27.0, "output": None}]
    summary, grades = run(tmp_path, rows, capsys, "--rule", "integer", "--thought", "marker", "--marker", "Solution")
    assert (summary["accuracy"], summary["rule"], summary["outcomes"]["no_answer"]) == (0.5, "integer", 1)
    assert [(row["line"], row["outcome"]) for row in grades] == [(1, "correct"), (2, "no_answer")]


def test_where_the_grades_go_is_looked_at_before_anything_is_graded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.benchmarks.grade.Grader", lambda **_: pytest.fail("graded"))
    (tmp_path / "file").write_text("")
    for out in (tmp_path, tmp_path / "file" / "grades.jsonl"):
        with pytest.raises(ConfigError, match="cannot be"):
            run(tmp_path, [{"answer": "5", "output": "x"}], capsys, "--out", str(out))


def test_the_outputs_are_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="--out"):
        run(tmp_path, [{"answer": "5", "output": "x"}], capsys, "--out", str(tmp_path / "outputs.jsonl"))


@pytest.mark.parametrize("options", [["--open", ""], ["--close", ""], ["--thought", "marker"]])
def test_a_thought_needs_its_tags_or_its_marker(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=r"--thought (tags|marker) needs --"):
        run(tmp_path, [{"answer": "5", "output": "x"}], capsys, *options)

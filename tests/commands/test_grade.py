"""`python -m commands.runs grade`: rows of many shapes in, one JSON object and per-sample grades out."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from commands.grade import Paths, add_grade_arguments, grade_command, read_outputs
from common.errors import ConfigError, DataError
from eval.problems.rows import read_rows


def run(
    path: Path, rows: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    file = path / "outputs.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    parser = argparse.ArgumentParser()
    add_grade_arguments(parser)
    assert grade_command(parser.parse_args([str(file), "--workers", "1", *options])) == 0
    grades = (path / "outputs.grades.jsonl").read_text(encoding="utf-8").splitlines()
    return json.loads(capsys.readouterr().out), [json.loads(line) for line in grades]


def test_several_samples_with_thoughts_tokens_and_finish_reasons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {
            "answer": "\\frac{1}{2}",
            "choices": [
                {"message": {"content": "<think>is it \\boxed{3}?</think>\\boxed{0.5}"}, "finish_reason": "stop"},
                {"message": {"content": "<think>\\boxed{0.5}"}, "finish_reason": "length"},
                {"message": {"content": "\\boxed{7}"}, "finish_reason": "stop"},
                {"message": {"content": "\\boxed{7.0}"}, "finish_reason": "stop"},
            ],
            "usage": {"tokens": [[10, 20], [30, 40]]},
        }
    ]
    fields = ["--output-field", "choices.message.content", "--tokens-field", "usage.tokens"]
    summary, grades = run(tmp_path, rows, capsys, *fields, "--finish-field", "choices.finish_reason")
    assert (summary["n"], summary["k"], summary["samples"], summary["accuracy"]) == (1, 4, 4, 0.25)
    assert summary["outcomes"] == {"correct": 1, "wrong": 2, "no_answer": 1, "grader_failed": 0}
    assert (summary["cut_off"], summary["mean_output_tokens"]) == (1, 25.0)
    assert summary["pass_at_k"] == {"1": 0.25, "2": 0.5, "3": 0.75, "4": 1.0}
    assert summary["maj_at_k"]["4"] == {"expected": 0.0, "low": 0.0, "high": 0.0}
    assert [grade["class"] for grade in grades] == [0, None, 1, 1]
    assert [grade["outcome"] for grade in grades] == ["correct", "no_answer", "wrong", "wrong"]


def test_rows_of_one_id_are_samples_of_one_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": n // 2, "gold": "5", "output": f"\\boxed{{{5 + n % 2}}}"} for n in range(4)]
    summary, grades = run(tmp_path, rows, capsys, "--id-field", "id")
    assert (summary["n"], summary["k"]) == (2, 2)
    assert summary["maj_at_k"]["2"] == {"expected": 0.5, "low": 0.0, "high": 1.0}
    assert [(grade["problem"], grade["sample"]) for grade in grades] == [("0", 0), ("0", 1), ("1", 0), ("1", 1)]


def test_lists_within_lists_and_line_separators_within_texts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"meta": [{"gold": "5"}], "code": [["\u2028\x85 \\boxed{5}"], ["#### 2 + 3 = 5", "7"]]}] * 2
    summary, _ = run(tmp_path, rows, capsys, "--gold-field", "meta.gold")
    assert (summary["n"], summary["k"], summary["accuracy"]) == (2, 3, pytest.approx(2 / 3))
    file = tmp_path / "outputs.jsonl"
    file.write_text("\ufeff" + "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    assert read_rows(file) == rows


def test_what_the_grader_failed_on_is_told_and_bounds_the_accuracy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"gold": "5", "output": ["\\boxed{5}", "\\boxed{9^{9^{9^9}}}", "\\boxed{6}", "none"]}]
    summary, _ = run(tmp_path, rows, capsys)
    assert summary["outcomes"] == {"correct": 1, "wrong": 1, "no_answer": 1, "grader_failed": 1}
    assert (summary["accuracy"], summary["accuracy_if_failed_were_correct"]) == (0.25, 0.5)


def test_whole_numbers_and_a_marker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"answer": "025", "output": "Let us see 7.\n## Solution\n\\boxed{25}"}, {"answer": 27.0, "output": None}]
    summary, _ = run(tmp_path, rows, capsys, "--rule", "integer", "--thought", "marker", "--marker", "Solution")
    assert summary["outcomes"] == {"correct": 1, "wrong": 0, "no_answer": 1, "grader_failed": 0}


@pytest.mark.parametrize(
    ("row", "fields", "message"),
    [
        ({"output": "x"}, Paths(), "row 1 has no gold answer"),
        ({"answer": "5"}, Paths(), "row 1 has no output"),
        ({"answer": "", "output": "x"}, Paths(), "exactly one gold"),
        ({"answer": ["5", "6"], "output": "x"}, Paths(), "exactly one gold"),
        ({"answer": "5", "output": 7}, Paths(), "not text"),
        ({"answer": "5", "output": ["x", "y"], "t": [1]}, Paths(tokens="t"), "2 outputs but 1 values"),
        ({"answer": "5", "output": "x", "t": "many"}, Paths(tokens="t"), "not a number"),
        ({"answer": "5", "output": "x"}, Paths(gold="a.b"), "no gold answer at a.b"),
    ],
)
def test_what_is_missing_is_named(row: dict[str, Any], fields: Paths, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(read_outputs([row], fields, "file"))


def test_where_the_grades_go_is_looked_at_before_anything_is_graded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.grade.Grader", lambda **_: pytest.fail("graded"))
    (tmp_path / "file").write_text("")
    for out in (tmp_path, tmp_path / "file" / "grades.jsonl"):
        with pytest.raises(ConfigError, match="cannot be"):
            run(tmp_path, [{"answer": "5", "output": "x"}], capsys, "--out", str(out))


def test_the_outputs_are_never_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="--out"):
        run(tmp_path, [{"answer": "5", "output": "x"}], capsys, "--out", str(tmp_path / "outputs.jsonl"))

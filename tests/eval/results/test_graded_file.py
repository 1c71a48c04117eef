"""Files of outputs graded without keeping a run: rows of many shapes in, figures and a grade for each output out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands.kit.printing import plain
from common.errors import DataError
from eval.grading.grader import Grader
from eval.imports.imported import import_outputs
from eval.imports.outputs import Fields
from eval.problems.rows import read_rows
from eval.results.graded_file import GradedFile, grade_file
from models.config.thought_format import ThoughtFormat

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(workers=1) as shared:
        yield shared


def write(folder: Path, rows: Rows) -> Path:
    path = folder / "outputs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def grade(folder: Path, rows: Rows, grader: Grader, **options: Any) -> tuple[GradedFile, dict[str, Any]]:
    graded = grade_file(write(folder, rows), grader, **options)
    return graded, json.loads(json.dumps(graded.to_json(), allow_nan=False))


def test_several_samples_with_thoughts_tokens_and_finish_reasons(tmp_path: Path, grader: Grader) -> None:
    rows: Rows = [
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
    fields = Fields(output="choices.message.content", tokens="usage.tokens", finish="choices.finish_reason")
    graded, figures = grade(tmp_path, rows, grader, fields=fields)
    assert (figures["n"], figures["k"], figures["samples"], figures["accuracy"]) == (1, 4, 4, 0.25)
    assert figures["outcomes"] == {"correct": 1, "wrong": 2, "no_answer": 1, "grader_failed": 0}
    assert (figures["cut_off"], figures["mean_output_tokens"]) == (1, 25.0)
    assert figures["pass_at_k"] == {"1": 0.25, "2": 0.5, "3": 0.75, "4": 1.0}
    assert figures["maj_at_k"]["4"] == {"expected": 0.0, "low": 0.0, "high": 0.0}
    assert [row["class"] for row in graded.grades] == [0, None, 1, 1]
    assert [row["outcome"] for row in graded.grades] == ["correct", "no_answer", "wrong", "wrong"]
    assert [row["cut_off"] for row in graded.grades] == [False, True, False, False]


def test_rows_of_one_id_are_samples_of_one_problem(tmp_path: Path, grader: Grader) -> None:
    rows: Rows = [{"id": n // 2, "gold": "5", "output": f"\\boxed{{{5 + n % 2}}}"} for n in range(4)]
    graded, figures = grade(tmp_path, rows, grader, fields=Fields(id="id"))
    assert (figures["n"], figures["k"]) == (2, 2)
    assert figures["maj_at_k"]["2"] == {"expected": 0.5, "low": 0.0, "high": 1.0}
    assert [(row["problem"], row["sample"]) for row in graded.grades] == [("0", 0), ("0", 1), ("1", 0), ("1", 1)]
    assert [row["line"] for row in graded.grades] == [1, 2, 3, 4]


def test_lists_within_lists_and_line_separators_within_texts(tmp_path: Path, grader: Grader) -> None:
    rows: Rows = [{"meta": [{"gold": "5"}], "code": [["\u2028\x85 \\boxed{5}"], ["#### 2 + 3 = 5", "7"]]}] * 2
    _, figures = grade(tmp_path, rows, grader, fields=Fields(gold="meta.gold"))
    assert (figures["n"], figures["k"], figures["accuracy"]) == (2, 3, pytest.approx(2 / 3))
    assert (figures["cut_off"], figures["mean_output_tokens"]) == (None, None)
    file = tmp_path / "outputs.jsonl"
    file.write_text("\ufeff" + "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    assert read_rows(file) == rows


def test_what_the_grader_failed_on_is_told_and_bounds_the_accuracy(tmp_path: Path, grader: Grader) -> None:
    rows: Rows = [{"gold": "5", "output": ["\\boxed{5}", "\\boxed{9^{9^{9^9}}}", "\\boxed{6}", "none"]}]
    _, figures = grade(tmp_path, rows, grader)
    assert figures["outcomes"] == {"correct": 1, "wrong": 1, "no_answer": 1, "grader_failed": 1}
    assert figures["accuracy"] == pytest.approx(1 / 3)
    bounds = figures["accuracy_if_failed_were_wrong"], figures["accuracy_if_failed_were_correct"]
    assert bounds == (0.25, 0.5)


def test_whole_numbers_and_a_marker(tmp_path: Path, grader: Grader) -> None:
    rows: Rows = [
        {"answer": "025", "output": "Let us see 7.\n## Solution\n\\boxed{25}"},
        {"answer": 27.0, "output": None},
    ]
    thought = ThoughtFormat("marker", marker="Solution")
    graded, figures = grade(tmp_path, rows, grader, rule="integer", thought=thought)
    assert figures["outcomes"] == {"correct": 1, "wrong": 0, "no_answer": 1, "grader_failed": 0}
    assert (graded.rule, graded.report.startswith("## imported")) == ("integer", True)


def test_one_row_without_a_gold_answer_does_not_end_the_file(tmp_path: Path, grader: Grader) -> None:
    rows: Rows = [{"gold": str(n) if n != 1 else "", "output": f"\\boxed{{{n}}}"} for n in range(3)]
    graded, figures = grade(tmp_path, rows, grader)
    assert (figures["n"], figures["accuracy"]) == (2, 1.0)
    assert figures["left_out"] == ["outputs.jsonl, line 2 has no single gold answer."]
    assert [row["line"] for row in graded.grades] == [1, 3]


def test_whoever_made_them_all_outputs_of_a_file_are_graded_together(tmp_path: Path, grader: Grader) -> None:
    rows: Rows = [{"model": model, "gold": "5", "output": "\\boxed{5}"} for model in "abc"]
    assert grade(tmp_path, rows, grader)[1]["samples"] == 3


@pytest.mark.parametrize(
    ("row", "fields", "message"),
    [
        ({"output": "x"}, Fields(), "no row has a gold answer"),
        ({"answer": "5"}, Fields(), "line 1 has no output"),
        ({"answer": "", "output": "x"}, Fields(), "no row has a gold answer"),
        ({"answer": ["5", "6"], "output": "x"}, Fields(), "no row has a gold answer"),
        ({"answer": "5", "output": 7}, Fields(), "not text"),
        ({"answer": "5", "output": ["x", "y"], "t": [1]}, Fields(tokens="t"), "2 outputs but 1 values"),
        ({"answer": "5", "output": "x", "t": "many"}, Fields(tokens="t"), "not a number"),
        ({"answer": "5", "output": "x"}, Fields(gold="a.b"), "no row has a gold answer"),
        ({"answer": "5", "output": "x"}, Fields(output="a.b"), r"no output at a\.b"),
        ({"answer": "5", "output": "x"}, Fields(id="a.b"), r"no id at a\.b"),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, grader: Grader, row: dict[str, Any], fields: Fields, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        grade_file(write(tmp_path, [row]), grader, fields=fields)


@pytest.mark.parametrize(
    ("reasons", "share", "counted"),
    [(("", ""), "–", None), (("length", ""), "100.0%", 1), (("stop", "length"), "50.0%", 1)],
)
def test_an_output_is_not_said_to_be_whole_where_the_file_does_not_say(
    tmp_path: Path, grader: Grader, reasons: tuple[str, str], share: str, counted: int | None
) -> None:
    rows: Rows = [
        {"problem": f"q{n}", "gold": "1", "output": "\\boxed{1}", "finish_reason": reason}
        for n, reason in enumerate(reasons)
    ]
    graded, figures = grade(tmp_path, rows, grader)
    assert f"| cut off by the token limit | – | {share} |" in graded.report
    assert figures["cut_off"] == counted
    assert plain(graded.summary)["cut_share"] == (None if share == "–" else float(share[:-1]) / 100)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("seed", 2**63, "`seed` is not a whole number"),
        ("seed", -(2**64), "`seed` is not a whole number"),
        ("output_tokens", 2**31, "`answer_tokens` is not a whole number"),
        ("thought_tokens", 10**12, "`thought_tokens` is not a whole number"),
    ],
)
def test_a_number_that_no_run_can_hold_is_named_before_anything_is_written(
    tmp_path: Path, grader: Grader, field: str, value: int, words: str
) -> None:
    rows: Rows = [
        {"problem": "q", "gold": "1", "output": "1"},
        {"problem": "r", "gold": "1", "output": "1", field: value},
    ]
    with pytest.raises(DataError, match=f"line 2: {words}"):
        grade(tmp_path, rows, grader)
    with pytest.raises(DataError, match="Correct this field"):
        import_outputs(tmp_path / "runs", tmp_path / "outputs.jsonl", role="base", title="")
    assert not (tmp_path / "runs").exists()
    rows[1][field] = 2**31 - 1
    assert grade(tmp_path, rows, grader)[1]["samples"] == 2


@pytest.mark.parametrize("field", ["error", "seconds", "seed", "subject", "prompt", "finish_reason", "output_tokens"])
def test_a_cell_that_pandas_left_empty_is_empty(tmp_path: Path, field: str) -> None:
    path = write(tmp_path, [{"problem": "q", "gold": "1", "output": "\\boxed{1}", field: float("nan")}])
    log = import_outputs(tmp_path / "runs", path, role="base", title="").log
    (sample,), (problem,) = log.samples(), log.problems()
    assert (sample.error, sample.seconds, sample.seed, sample.prompt) == ("", 0.0, 0, "q")
    assert (sample.finish_reason, sample.output_tokens, problem.subject) == ("", 0, "")


def test_a_gold_that_pandas_left_empty_is_none(tmp_path: Path) -> None:
    rows: Rows = [{"problem": "q", "gold": gold, "output": ["1", float("nan")]} for gold in ("1", float("nan"))]
    made = import_outputs(tmp_path / "runs", write(tmp_path, rows), role="base", title="")
    assert made.left_out == ("outputs.jsonl, line 2 has no single gold answer.",)
    assert [sample.text for sample in made.log.samples()] == ["1", ""]

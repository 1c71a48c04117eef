"""Single questions that a pair was measured on."""

import json
from pathlib import Path

from eval.results.measured import measured_questions
from eval.results.overview import overview
from tests.eval.results.test_overview import make_run


def test_each_question_comes_with_how_often_both_were_right(tmp_path: Path) -> None:
    make_run(tmp_path, {"base": 1, "distilled": 2}, of=3)
    make_run(tmp_path, {"base": 9, "distilled": 9}, of=9, pair="other")
    found = measured_questions(tmp_path, overview(tmp_path, "p"))
    assert [(one.base, one.distilled, one.of, one.gold) for one in found] == [
        (1, 1, 1, "1"),
        (0, 1, 1, "1"),
        (0, 0, 1, "1"),
    ]
    assert found[0].question.startswith("0?") and "\\boxed{}" in found[0].question


def test_without_a_run_there_are_none(tmp_path: Path) -> None:
    assert measured_questions(tmp_path, overview(tmp_path, "p")) == []


def test_a_problem_that_is_only_named_is_no_question(tmp_path: Path) -> None:
    make_run(tmp_path, {"base": 1, "distilled": 2}, of=3)
    (path,) = tmp_path.glob("*/run.json")
    info = json.loads(path.read_text())
    info["data"][0]["texts"] = False
    path.write_text(json.dumps(info))
    assert measured_questions(tmp_path, overview(tmp_path, "p")) == []

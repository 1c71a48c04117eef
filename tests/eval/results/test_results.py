"""Runs on disk → DuckDB → comparison, on a small run written by hand whose every number is known."""

import csv
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from eval.records import Problem
from eval.results.comparison import between, build_comparison, headline
from eval.results.curves import curves
from eval.results.report import breakdown_rows, summary_rows
from eval.results.samples import Results, Row, Side, stamp
from eval.runs.log import DataInfo, RunConfig, RunInfo, RunLog, SideInfo

BASE, LONG = Side("r1", "m-base"), Side("r1", "m-long")
TITLES = ("Base", "Distilled")
PROBLEMS = [
    Problem(f"toy/{i}", f"Question {i}?", str(i), "toy", subject="sums" if i < 3 else "products", level=str(i % 2 + 1))
    for i in range(5)
]
OUTCOMES = {  # per problem: base, distilled
    "toy/0": ("correct", "correct"),
    "toy/1": ("wrong", "correct"),
    "toy/2": ("no_answer", "correct"),
    "toy/3": ("correct", "wrong"),
    "toy/4": ("wrong", "grader_failed"),
}


def sample(model: str, problem: str, index: int = 0, **changes: Any) -> dict[str, Any]:
    long = model == "m-long"
    row = {
        "run": "r1", "model": model, "problem_id": problem, "index": index, "prompt": "…", "text": "text",
        "thought": "Wait, let me check." if long else "", "answer": "\\boxed{1} ∑ 中文",
        "thought_tokens": 90 if long else 0, "answer_tokens": 10, "finish_reason": "stop", "seed": 1, "seconds": 2.0,
        "started_at": "2026-01-01T00:00:00.000+00:00", "config_hash": "h", "error": "",
    }  # fmt: skip
    return {**row, **changes}


def grade(model: str, problem: str, outcome: str, index: int = 0) -> dict[str, Any]:
    return {
        "model": model, "problem_id": problem, "index": index, "outcome": outcome, "rung": "boxed", "extracted": "1",
        "note": "", "graded_at": "2026-01-01T00:00:00", "grader": "g",
    }  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    data = (DataInfo("toy", "Toy", "abc", "made here", "math", 5, 5),)
    sides = {"base": SideInfo("m-base", "Base"), "distilled": SideInfo("m-long", "Distilled")}
    info = RunInfo("r1", "2026-01-01T00:00:00+00:00", RunConfig("p", ("toy",)), data, sides, "{question}")
    made = RunLog.create(tmp_path, info, PROBLEMS)
    for problem, outcomes in OUTCOMES.items():
        for model, outcome in zip(("m-base", "m-long"), outcomes, strict=True):
            made.append("samples", [sample(model, problem)])
            made.append("grades", [grade(model, problem, outcome)])
    return made


def test_the_comparison_by_hand(log: RunLog, tmp_path: Path) -> None:
    results = Results(tmp_path, ["r1"])
    comparison = build_comparison(results.rows(BASE), results.rows(LONG), TITLES)
    assert [c.outcome for c in comparison.cells] == ["both", "only_distilled", "only_distilled", "only_base", "unsure"]
    paired = comparison.paired
    assert paired is not None
    assert (paired.problems, paired.both, paired.only_base, paired.only_distilled) == (4, 1, 1, 2)
    assert comparison.left_out == 1
    assert headline(comparison).startswith("Distilled solves 3 of 4, base 2 of 4: +25.0 points, 95 % interval [−")
    assert comparison.base.outcomes == {"correct": 2, "wrong": 2, "no_answer": 1}
    assert comparison.base.no_answer_share == 0.2
    assert comparison.distilled.thought_tokens == 90
    assert comparison.distilled.tokens_per_second == pytest.approx(5 * 100 / 2)  # all ran in the same two seconds
    assert [b.key for b in comparison.by_subject] == ["products", "sums"]
    assert comparison.by_subject[1].paired.difference == pytest.approx(2 / 3)


def test_one_problem_alone_shows_a_dash_for_its_interval(log: RunLog, tmp_path: Path) -> None:
    results = Results(tmp_path, ["r1"])
    base, distilled = ([r for r in results.rows(side) if r.problem_id == "toy/1"] for side in (BASE, LONG))
    comparison = build_comparison(base, distilled, TITLES)
    assert "1 of 1, base 0 of 1: +100.0 points, 95 % interval –, exact McNemar p = 1." in headline(comparison)
    assert breakdown_rows(comparison.by_subject)[0][-1] == "+100.0 –"
    assert comparison.paired is not None and between(comparison.paired) == "–"


def test_nothing_yet(tmp_path: Path, log: RunLog) -> None:
    comparison = build_comparison([], [], TITLES)
    assert comparison.paired is None
    assert "yet" in headline(comparison)


def test_the_last_grade_and_the_first_whole_sample_hold(log: RunLog, tmp_path: Path) -> None:
    before = stamp(tmp_path, ["r1"])
    log.append("grades", [grade("m-base", "toy/1", "correct")])
    log.append("samples", [sample("m-base", "toy/0", 1, error="server gone", finish_reason="failed")])
    log.append("samples", [sample("m-base", "toy/0", 2, error="server gone", finish_reason="failed")])
    log.append("samples", [sample("m-base", "toy/0", 2, answer_tokens=77, started_at="2026-01-02T00:00:00+00:00")])
    assert stamp(tmp_path, ["r1"]) != before
    rows = {(r.problem_id, r.index): r for r in Results(tmp_path, ["r1"]).rows(BASE)}
    assert rows["toy/1", 0].outcome == "correct"
    assert rows["toy/0", 1].outcome == "failed"
    assert (rows["toy/0", 2].outcome, rows["toy/0", 2].answer_tokens) == ("ungraded", 77)
    assert len(rows) == 7


@pytest.mark.parametrize("tail", ['{"model": "m-ba', '{"model": "m-base", "answer": "\xe2'])
def test_a_torn_last_line_is_left_out(log: RunLog, tmp_path: Path, tail: str) -> None:
    with log.path("samples").open("ab") as file:
        file.write(tail.encode("latin-1"))
    assert len(Results(tmp_path, ["r1"]).rows(BASE)) == 5


def test_filters_find_words_in_thoughts(log: RunLog, tmp_path: Path) -> None:
    log.append("samples", [sample("m-base", "toy/2", 1, thought="Hmm, WAIT.")])
    results = Results(tmp_path, ["r1"])
    assert results.with_words([BASE], "wait") == {"toy/2"}
    assert results.with_words([BASE, LONG], "wait check") == {f"toy/{i}" for i in range(5)}
    assert results.with_words([BASE], "'; DROP TABLE samples; --") == set()


def test_details_and_flags_never_change_the_number(log: RunLog, tmp_path: Path) -> None:
    log.append("flags", [{"model": "m-base", "problem_id": "toy/1", "index": 0, "outcome": "wrong", "note": "is right",
                          "flagged_at": "2026-01-01"}])  # fmt: skip
    results = Results(tmp_path, ["r1"])
    (detail,) = results.details(BASE, "toy/1")
    assert (detail["gold"], detail["extraction_method"], detail["outcome"], detail["role"]) == (
        "1",
        "boxed",
        "wrong",
        "base",
    )
    assert results.flags(BASE, "toy/1") == [(0, "wrong", "is right", "2026-01-01")]
    comparison = build_comparison(results.rows(BASE), results.rows(LONG), TITLES)
    assert comparison.base.flags == 1
    assert comparison.base.outcomes["correct"] == 2


@pytest.mark.parametrize("form", ["parquet", "csv", "json"])
def test_exports_hold_every_sample(log: RunLog, tmp_path: Path, form: Any) -> None:
    path = Results(tmp_path, ["r1"]).export([BASE, LONG], tmp_path / "it's out" / f"all.{form}", form)
    if form == "parquet":
        rows = duckdb.read_parquet(str(path)).fetchall()
        assert "∑ 中文" in str(rows[0])
    elif form == "csv":
        rows = list(csv.DictReader(path.open()))
        assert rows[0]["answer"] == "\\boxed{1} ∑ 中文"
    else:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert rows[0]["outcome"] == "correct"
    assert len(rows) == 10


def test_several_samples_maj_and_pass(log: RunLog, tmp_path: Path) -> None:
    for index, outcome in ((1, "correct"), (2, "wrong"), (3, "wrong")):
        for problem in OUTCOMES:
            for model in ("m-base", "m-long"):
                log.append("samples", [sample(model, problem, index)])
                log.append("grades", [grade(model, problem, outcome, index)])
    for problem in OUTCOMES:
        row = {"model": "m-base", "problem_id": problem, "indices": [0, 1, 2, 3], "classes": [0, 1, 2, 3]}
        log.append("classes", [row])
    results = Results(tmp_path, ["r1"])
    summary = build_comparison(results.rows(BASE), results.rows(LONG), TITLES).base
    assert set(summary.pass_at) == {1, 2, 4}
    assert summary.pass_at[4] == 1.0
    assert set(summary.maj_at) == {2, 4}
    assert summary.accuracy.method == "bootstrap over problems"
    kinds = {p.kind for p in curves(results.rows(BASE), [])}
    assert kinds == {"truncated", "maj@k"}


def test_votes_wait_for_the_classes_of_the_wrong_answers(log: RunLog, tmp_path: Path) -> None:
    """Until then the wrong answers would seem not to vote, and one right answer in four would win every vote."""
    outcomes = ["correct", "wrong", "wrong", "no_answer"]
    for problem in OUTCOMES:
        for index, outcome in enumerate(outcomes):
            log.append("samples", [sample("m-base", problem, index)])
            log.append("grades", [grade("m-base", problem, outcome, index)])
    ungrouped = Results(tmp_path, ["r1"]).rows(BASE)
    assert build_comparison(ungrouped, [], TITLES).base.maj_at == {}
    assert {p.kind for p in curves(ungrouped, [])} == {"truncated"}
    for problem in OUTCOMES:
        row = {"model": "m-base", "problem_id": problem, "indices": [0, 1, 2, 3], "classes": [0, 1, 1, None]}
        log.append("classes", [row])
    grouped = Results(tmp_path, ["r1"]).rows(BASE)
    assert build_comparison(grouped, [], TITLES).base.maj_at[4] == (0, 0, 0)
    assert {p.kind for p in curves(grouped, [])} == {"truncated", "maj@k"}


def test_one_problem_with_a_single_wrong_answer_hides_no_votes(log: RunLog, tmp_path: Path) -> None:
    log.append("samples", [sample("m-base", "toy/0", 1)])
    log.append("grades", [grade("m-base", "toy/0", "wrong", 1)])
    log.append("classes", [{"model": "m-base", "problem_id": "toy/0", "indices": [0, 1], "classes": [0, 1]}])
    rows = Results(tmp_path, ["r1"]).rows(BASE)  # toy/1 has one sample, a wrong one, and so no classes
    assert build_comparison(rows, [], TITLES).base.maj_at[2] == (0.5, 0, 1)
    assert {p.kind for p in curves(rows, [])} == {"truncated", "maj@k"}


def test_the_largest_k_is_told_also_when_it_is_no_power_of_two(log: RunLog, tmp_path: Path) -> None:
    for problem in OUTCOMES:
        for index in range(3):
            log.append("samples", [sample("m-base", problem, index)])
            log.append("grades", [grade("m-base", problem, "correct", index)])
    assert set(build_comparison(Results(tmp_path, ["r1"]).rows(BASE), [], TITLES).base.pass_at) == {1, 2, 3}


def test_a_k_that_some_problems_lack_says_on_how_many_it_rests(log: RunLog, tmp_path: Path) -> None:
    for problem in OUTCOMES:
        row = {"model": "m-base", "problem_id": problem, "indices": [0, 1], "classes": [0, 0]}
        log.append("classes", [row, {**row, "model": "m-long"}])
        for model in ("m-base", "m-long"):
            log.append("samples", [sample(model, problem, 1)])
            log.append("grades", [grade(model, problem, "correct", 1)])
    results = Results(tmp_path, ["r1"])
    comparison = build_comparison(results.rows(BASE), results.rows(LONG), TITLES)
    assert comparison.base.problems_at == {1: 5, 2: 5}
    assert comparison.distilled.problems_at == {1: 5, 2: 4}  # the grader failed on one
    cells = {name: values for name, *values in summary_rows(comparison)}
    assert cells["pass@2"] == ["100.0%", "100.0% (4 of 5 problems)"]
    assert [cell.endswith(" (4 of 5 problems)") for cell in cells["maj@2 (ties lost – won)"]] == [False, True]
    assert [(p.budget, p.accuracy.n) for p in curves(results.rows(LONG), []) if p.kind == "maj@k"] == [(1, 5), (2, 4)]


@pytest.mark.parametrize(
    ("right", "of", "verdict"), [(2, 4, "unsure"), (3, 4, "both"), (1, 4, "neither"), (2, 3, "both")]
)
def test_a_problem_is_solved_by_more_than_half_of_its_samples(right: int, of: int, verdict: str) -> None:
    rows = [
        Row("p", "toy", "", "", i, "correct" if i < right else "wrong", "boxed", 0, 5, "stop", 1.0, 0.0, None, 0)
        for i in range(of)
    ]
    (cell,) = build_comparison(rows, rows, TITLES).cells
    assert cell.outcome == verdict


def test_of_two_whole_samples_the_first_holds_on_disk_and_in_tables(log: RunLog, tmp_path: Path) -> None:
    log.append("samples", [sample("m-base", "toy/0", answer_tokens=77, started_at="2026-01-02T00:00:00+00:00")])
    (row,) = [r for r in Results(tmp_path, ["r1"]).rows(BASE) if r.problem_id == "toy/0"]
    (kept,) = [s for s in log.samples() if (s.model, s.problem_id) == ("m-base", "toy/0")]
    assert row.answer_tokens == kept.answer_tokens == 10


def test_forced_answers_make_their_own_curve(log: RunLog, tmp_path: Path) -> None:
    for problem, outcome in (("toy/0", "correct"), ("toy/1", "wrong")):
        log.append("forced", [{"model": "m-long", "problem_id": problem, "index": 0, "budget": 50, "answer": "x",
                               "thought_tokens": 50, "answer_tokens": 8, "outcome": outcome, "cut": True}])  # fmt: skip
    results = Results(tmp_path, ["r1"])
    (point,) = [p for p in curves(results.rows(LONG), results.forced(LONG)) if p.kind == "forced"]
    assert (point.budget, point.tokens, point.accuracy.value, point.cut_share) == (50, 58, 0.5, 1.0)

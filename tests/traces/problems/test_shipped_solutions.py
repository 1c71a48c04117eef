"""The solutions that ship: references only, and each joins with its problem where the set is there."""

import json
import lzma
import os
from pathlib import Path

import pytest

from common.paths import ROOT
from traces.keeping.roads import select
from traces.keeping.trace import read_traces
from traces.problems.curate import load_funnel
from traces.problems.references import MARK, is_reference, training_problems
from traces.problems.sources import read_problems

FOLDER = ROOT / "recipes" / "qwen-0.5b"
SHIPPED = [FOLDER / "own.traces.jsonl.xz", FOLDER / "reformatted.traces.jsonl.xz"]
DATA = Path(os.environ.get("JOURNEY_DATA", "/nowhere"))


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda path: path.name)
def test_no_problem_and_no_place_of_the_maker_is_in_the_file(shipped: Path) -> None:
    lines = lzma.decompress(shipped.read_bytes()).decode().splitlines()
    rows = [json.loads(line) for line in lines]
    assert all(is_reference(row["problem"]) and row["prompt"].startswith(MARK) for row in rows)
    assert len({(row["problem"]["row"], row["attempt"]) for row in rows}) == len(rows) > 300
    assert not any(word in line for line in lines for word in ("http", "/home/", "/work/", "127.0.0.1"))


def test_the_report_names_rows_and_shows_no_text_and_no_shipped_solution_is_of_a_dropped_problem() -> None:
    report = load_funnel(FOLDER / "gsm8k-train.funnel.json")
    assert {"math500", "amc2023", "aime2024", "aime2025", "gsm8k"} <= set(report.benchmarks)
    dropped = {number for stage in report.stages for number in stage.ids}
    assert len(dropped) == report.read - report.kept == sum(stage.dropped for stage in report.stages)
    assert not any(example.question for stage in report.stages for example in stage.examples)
    for shipped in SHIPPED:
        rows = map(json.loads, lzma.decompress(shipped.read_bytes()).decode().splitlines())
        assert not dropped & {f"gsm8k/train/{row['problem']['row']}" for row in rows}


def test_solutions_of_generated_problems_are_whole_and_of_problems_to_train_on() -> None:
    traces = list(read_traces(FOLDER / "families.traces.jsonl.xz"))
    problems = {problem.id for problem in read_problems(Path("families:1900"))}
    assert len(traces) > 200 and {trace.problem.id for trace in traces} <= problems
    assert all(trace.extra["finish_reason"] and trace.kept is not None for trace in traces)
    assert not any(word in trace.raw for trace in traces for word in ("http", "/home/", "/work/"))
    assert len(select(traces).chosen) > 100


@pytest.mark.skipif(not (DATA / "gsm8k").is_dir(), reason="needs JOURNEY_DATA with gsm8k")
@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda path: path.name)
def test_every_solution_joins_with_its_problem(shipped: Path) -> None:
    traces = list(read_traces(shipped))
    text = lzma.decompress(shipped.read_bytes()).decode()
    assert all(trace.kept is not None and trace.tokens and trace.extra["finish_reason"] for trace in traces)
    for problem in training_problems("gsm8k/train"):
        solution = json.dumps(problem.extra["solution"], ensure_ascii=False)[1:-1]  # as JSON has its line ends
        assert problem.question not in text and solution not in text
    assert len(select(traces).chosen) > 100

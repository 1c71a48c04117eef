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

SHIPPED = ROOT / "recipes" / "qwen-0.5b" / "own.traces.jsonl.xz"
DATA = Path(os.environ.get("JOURNEY_DATA", "/nowhere"))


def test_no_problem_and_no_place_of_the_maker_is_in_the_file() -> None:
    lines = lzma.decompress(SHIPPED.read_bytes()).decode().splitlines()
    rows = [json.loads(line) for line in lines]
    assert all(is_reference(row["problem"]) and row["prompt"].startswith(MARK) for row in rows)
    assert len({(row["problem"]["row"], row["attempt"]) for row in rows}) == len(rows) >= 91
    assert not any(word in line for line in lines for word in ("http", "/home/", "/work/", "127.0.0.1"))


def test_the_report_names_rows_and_shows_no_text_and_no_shipped_solution_is_of_a_dropped_problem() -> None:
    report = load_funnel(SHIPPED.with_name("gsm8k-train.funnel.json"))
    assert {"math500", "amc2023", "aime2024", "aime2025", "gsm8k"} <= set(report.benchmarks)
    dropped = {number for stage in report.stages for number in stage.ids}
    assert len(dropped) == report.read - report.kept == sum(stage.dropped for stage in report.stages)
    assert not any(example.question for stage in report.stages for example in stage.examples)
    rows = map(json.loads, lzma.decompress(SHIPPED.read_bytes()).decode().splitlines())
    assert not dropped & {f"gsm8k/train/{row['problem']['row']}" for row in rows}


@pytest.mark.skipif(not (DATA / "gsm8k").is_dir(), reason="needs JOURNEY_DATA with gsm8k")
def test_every_solution_joins_with_its_problem() -> None:
    traces = list(read_traces(SHIPPED))
    text = lzma.decompress(SHIPPED.read_bytes()).decode()
    assert all(trace.kept is not None and trace.tokens and trace.extra["finish_reason"] for trace in traces)
    assert not any(problem.question in text for problem in training_problems("gsm8k/train"))
    assert len(select(traces).chosen) >= 13

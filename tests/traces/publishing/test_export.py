"""The exported folder: what the hub and TRL would read is what the traces hold."""

import dataclasses
import json

import pyarrow.parquet as pq
import pytest
import yaml
from datasets import load_dataset

from commands.arena import main
from common.errors import DataError
from eval.problems.families import generate
from eval.records import Problem
from traces.keeping.keep import reject, solver_check
from traces.keeping.trace import Trace, append_trace
from traces.publishing.export import card, export, row_of
from traces.thoughts.journey import journey


@pytest.fixture
def traces(verifier):
    made = [verifier.verify(journey(problem, seed=1)) for problem in generate("train", 6, 2)]
    return [*made, reject(made[0], "loop")]


def test_rows_are_read_as_conversations(traces, tmp_path):
    path = export(traces, tmp_path, title="Test thoughts")
    rows = load_dataset("parquet", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert rows.num_rows == 7
    for row, trace in zip(rows, traces, strict=True):
        assert row["messages"] == [
            {"role": "user", "content": trace.prompt},
            {"role": "assistant", "content": trace.raw},
        ]
        assert json.loads(row["extra"])["tree"] == trace.extra["tree"]
    assert [row["kept"] for row in rows] == [trace.kept for trace in traces]
    assert rows[6]["reason"].startswith("loop")


def trace_row(row):
    """The trace an exported row was made from."""
    named = (row[name] for name in ("problem_id", "question", "gold", "source", "family", "level"))
    problem = Problem(*named, json.loads(row["problem_extra"]))
    fields = {field.name for field in dataclasses.fields(Trace)} - {"problem", "prompt", "raw", "extra"}
    prompt, raw = (message["content"] for message in row["messages"])
    return Trace(
        problem=problem, prompt=prompt, raw=raw, extra=json.loads(row["extra"]), **{name: row[name] for name in fields}
    )


def test_nothing_of_a_trace_is_lost(traces):
    again = [trace_row(row_of(trace)) for trace in traces]
    assert again == traces
    assert [trace.hash for trace in again] == [trace.hash for trace in traces]


def test_an_exported_problem_is_checked_by_its_familys_solver(traces):
    problem = trace_row(row_of(traces[0])).problem
    spoilt = dataclasses.replace(problem, gold=str(int(problem.gold) + 1))
    assert solver_check(problem, problem.gold) is True and solver_check(spoilt, spoilt.gold) is False


def test_the_card_is_what_the_hub_reads(traces):
    text = card(traces, "Test thoughts")
    front = yaml.safe_load(text.split("---")[1])
    assert front["license"] == "apache-2.0" and front["size_categories"] == ["n<1K"] and front["language"] == ["en"]
    assert front["configs"][0]["data_files"][0] == {"split": "train", "path": "data/train.parquet"}
    assert "| Tree search | 7 | 6 |" in text and "1 × loop" in text


def test_a_translation_is_no_thought_more(tmp_path):
    taught = Trace(Problem("own/1", "q", "1", "own"), "q", "r", "t", "a", "teacher", "m", kept=True)
    translated = dataclasses.replace(taught, extra={"translated_from": taught.hash, "sent": "q"})
    export([taught, translated], tmp_path, title="x")
    assert "| Teacher | 1 | 1 |" in (tmp_path / "README.md").read_text()


def test_a_card_without_verified_traces(traces):
    assert "not yet verified" in card([dataclasses.replace(traces[0], kept=None)], "x")


def test_no_traces(tmp_path):
    with pytest.raises(DataError, match="no traces"):
        export([], tmp_path, title="x")
    assert not list(tmp_path.rglob("*.parquet"))


def test_the_command(traces, tmp_path, capsys):
    for trace in traces:
        append_trace(tmp_path / "t.jsonl", trace)
    out = ["--kept-only", "--out", str(tmp_path / "out")]
    assert main(["traces", "export", str(tmp_path / "t.jsonl"), *out]) == 0
    assert pq.read_table(tmp_path / "out" / "data" / "train.parquet").num_rows == 6
    assert "6 traces" in capsys.readouterr().out


def test_the_card_speaks_of_the_rows_that_are_there(traces):
    assert "`method`: search; " in card(traces, "T") and "without a check" not in card(traces, "T")
    other = dataclasses.replace(traces[0], method="solution", kept=True, reason="unchecked: no reference answer")
    told = card([*traces, other], "T")
    assert "`method`: search or solution; " in told and " 1 rows had no reference answer" in told

"""The traces file: what a kill leaves at its end costs nothing but itself, and nothing else is passed over."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import DataError
from eval.records import Problem
from traces.keeping.trace import Trace, append_trace, read_traces, trace_row

FIRST = Trace(Problem("own/1", "问题", "1", "own"), "q", "r" * 9000, "t", "a", "teacher", "m")
SECOND = replace(FIRST, attempt=2)
LINE = json.dumps(trace_row(SECOND), ensure_ascii=False).encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    append_trace(tmp_path / "t.jsonl", FIRST)
    return tmp_path / "t.jsonl"


@pytest.mark.parametrize("left", [1, LINE.index("问".encode()) + 1, 5000, len(LINE) - 1])
def test_a_torn_last_line_is_left_out_and_cut_off(path: Path, left: int) -> None:
    with path.open("ab") as file:
        file.write(LINE[:left])
    assert list(read_traces(path)) == [FIRST]
    append_trace(path, SECOND)
    assert list(read_traces(path)) == [FIRST, SECOND]


def test_a_file_that_is_one_torn_line(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(LINE[:5000])
    append_trace(tmp_path / "t.jsonl", FIRST)
    assert list(read_traces(tmp_path / "t.jsonl")) == [FIRST]


def test_a_whole_last_line_without_its_end_stays(path: Path) -> None:
    with path.open("ab") as file:
        file.write(LINE)
    append_trace(path, replace(FIRST, attempt=3))
    assert [trace.attempt for trace in read_traces(path)] == [1, 2, 3]


def test_a_torn_line_in_the_middle_is_an_error(path: Path) -> None:
    with path.open("ab") as file:
        file.write(LINE[:5000] + b"\n")
    append_trace(path, SECOND)
    with pytest.raises(DataError, match="line 2, is not a trace"):
        list(read_traces(path))
    assert list(read_traces(path, skip_broken=True)) == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"extra": 5}, "extra"),
        ({"problem": {"id": 1}}, "problem"),
        ({"tokens": "many"}, "tokens"),
        ({"thought": None}, "thought"),
    ],
)
def test_a_value_of_another_type_is_named(path: Path, changes: dict[str, object], why: str) -> None:
    with path.open("a") as file:
        file.write(json.dumps({**trace_row(SECOND), **changes}) + "\n")
    with pytest.raises(DataError, match=rf"line 2, is not a trace \({why}"):
        list(read_traces(path))

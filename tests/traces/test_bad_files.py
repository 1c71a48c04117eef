"""Every file that the traces read, in every bad form: the reader explains it or copes with it, and never crashes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common import jsonl
from common.errors import ArenaError, DataError
from eval.records import Problem
from traces.cases.exchange import Imported, import_document
from traces.keeping.trace import Trace, append_trace, read_traces
from traces.problems.curate import curate, load_funnel
from traces.problems.decontaminate import Decontaminator
from traces.problems.sources import read_problems, read_source, write_problems
from traces.publishing.ablation import read_ablation
from traces.thoughts.service.pacing import Ledger, Prices
from traces.training.dataset import read_rows
from traces.training.recipe import load_recipe


def read_cases(path: Path) -> Imported:
    return import_document(jsonl.read_text(path), str(path))


READERS: dict[str, Callable[[Path], Any]] = {
    "traces": lambda path: list(read_traces(path)),
    "source": lambda path: read_source(str(path)),
    "problems": read_problems,
    "funnel": load_funnel,
    "ledger": lambda path: Ledger(path, Prices()),
    "rows": read_rows,
    "recipe": load_recipe,
    "ablation": read_ablation,
    "cases": read_cases,
}
DEEP = b"[" * 100_000
CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "binary": bytes(range(256)) * 40,
    "cut short": b'{"problem": {"id": "a", "ques\n',
    "deep": DEEP + b"\n",
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n",
    "deep in a field": b'{"hash": "x", "problem": ' + DEEP + b"]" * 100_000 + b"}\n",
    "a number of 5,000 digits": b'{"number": ' + b"9" * 5000 + b"}\n",
    "a lone surrogate": b'{"problem": "a\\ud800", "answer": "\\udfff", "key": "\\ud800"}\n',
    "lists": b'[]\n[1]\n["a", {"b": null}]\n',
    "bare values": b'null\n1\n"text"\ntrue\n',
    "wrong types": b'{"id": 5, "question": ["a"], "problem": 7, "hash": {}, "event": [], "stages": 1, "name": [1]}\n',
    "nothing but marks": "﻿﻿\n".encode(),
    "UTF-16": "{}\n".encode("utf-16"),
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())
def test_a_bad_file_is_explained(tmp_path: Path, reader: Callable[[Path], Any], content: bytes) -> None:
    path = tmp_path / "file.jsonl"
    path.write_bytes(content)
    try:
        reader(path)
    except ArenaError as error:
        assert str(path) in str(error)
        assert len(str(error)) < 1000


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())
def test_a_folder_is_explained(tmp_path: Path, reader: Callable[[Path], Any]) -> None:
    with pytest.raises(ArenaError, match=str(tmp_path)):
        reader(tmp_path)


def test_a_lone_surrogate_does_not_stop_curation(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(
        '{"problem": "What is 2\\ud800 + 3?", "answer": "5"}\n{"problem": "What is 2 + 4?", "answer": "6"}\n'
    )
    curated = curate(read_source(str(path)), decontaminator=Decontaminator([]))
    curated.report.save(tmp_path / "own.funnel.json")
    write_problems(tmp_path / "curated.jsonl", curated.problems)
    assert [problem.gold for problem in read_problems(tmp_path / "curated.jsonl")] == ["5", "6"]
    assert load_funnel(tmp_path / "own.funnel.json") == curated.report


def test_lines_that_are_not_json_are_counted_and_do_not_end_the_source(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    good = b'{"problem": "What is 2 + 3?", "answer": "5"}\n'
    path.write_bytes(good + DEEP + b"\n" + b'{"problem": ' + b"9" * 5000 + b"}\nnot json\n" + good)
    source = read_source(str(path))
    assert (len(source.problems), len(source.unreadable)) == (2, 3)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    def marked(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8-sig")
        return path

    trace = Trace(Problem("own/1", "q", "1", "own"), "q", "r", "t", "a", "teacher", "m")
    append_trace(tmp_path / "plain.jsonl", trace)
    assert list(read_traces(marked("traces.jsonl", (tmp_path / "plain.jsonl").read_text()))) == [trace]
    source = read_source(str(marked("source.jsonl", '{"problem": "q", "answer": "1"}\n')))
    assert source.problems[0].question == "q" and not source.unreadable
    row = {"kind": "chat", "prompt": "q", "pieces": [["a", True]]}
    assert read_rows(marked("rows.jsonl", json.dumps(row) + "\n"))[0].completion == "a"
    assert read_cases(marked("cases.json", '{"format": "journey-arena-cases-1"}')).cases == 0
    recipe = "name: r\nbase: none\nparameters_billion: 1\nphases: [{name: p, data: d.jsonl, learning_rate: 0.1}]\n"
    assert load_recipe(marked("r.yaml", recipe)).name == "r"


def test_the_ledger_names_a_row_that_is_none_and_survives_a_torn_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    sent = '{"event": "sent", "number": 1, "most": 0.5, "what": "m"}\n'
    path.write_text(sent + '{"event": "settled", "number": 1, "prompt_tokens": 3, "output')
    assert Ledger(path, Prices()).spent == 0.5, "a request that was cut off counts at its most"
    path.write_text(sent + '{"event": "settled"}\n' + sent)
    with pytest.raises(DataError, match="line 2 is not a ledger row"):
        Ledger(path, Prices())

"""Whatever a file, a folder or a name holds, a command explains itself in one sentence: no traceback, code 1 or 2.

The sub-commands and their arguments come from the parser, so that a new one is tried as well.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from commands.arena import build_parser, main
from eval.judging.labelled import LABELLED
from tests.commands.parsers import leaves

LEAVES = leaves(build_parser())
OUTPUTS = {"out", "report", "export"}
WRITES = {"cases export", "votes export", "space"}
"""Commands whose file is written."""
REQUIRED = {
    "url": "http://127.0.0.1:9/v1",
    "model": "m",
    "set": "safetyj_diasafety",
    "dataset": "limo",
    "budget": "10",
    "rubric": "safety",
}
INPUTS = {
    "problems",
    "traces",
    "recipe",
    "adapter",
    "source",
    "run",
    "name",
    "file",
    "benchmark",
    "root",
    "base",
    "pair",
}
"""Arguments that name something to read, by destination."""
EXTRA = {
    "run": ["--benchmark", "same_kind"],
    "sets": ["--check"],
    "report": ["--json"],
    "traces curate": ["--no-embedding"],
}
DEEP = 100_000
CONTENTS: dict[str, bytes] = {
    "empty": b"",
    "truncated": b'{"problem": "What is 1 + ',
    "many digits": b'{"problem": "q", "answer": ' + b"7" * 5000 + b"}",
    "deep lists": b"[" * DEEP,
    "deep objects": b'{"a":' * DEEP,
    "deep and closed": b'{"problem": "q", "answer": ' + b"[" * 600 + b"]" * 600 + b"}",
    "binary": bytes(range(256)) * 40,
    "null characters": b"\0" * 1000,
    "half a character": rb'{"a\ud800": "b\udfff"}',
    "latin-1": '{"a": "é"}'.encode("latin-1"),
    "a list of lists": b"[[], [[]], 3]",
    "a number": b"3",
    "null": b"null",
    "text": b'"text"',
    "an empty object": b"{}",
    "objects of wrong types": b'{"problem": {"a": 1}, "answer": [], "id": {}, "output": 3, "hash": [], "format": {}}',
    "a long line": b'{"a": "' + b"x" * 1_000_000 + b'"}',
    "with a mark": b"\xef\xbb\xbf[1",
    "yaml that holds itself": b"a: &a\n  b: *a\n",
    "yaml of a wrong type": b"name: !!timestamp x\n",
    "yaml twice": b"name: a\nname: b\n",
    "csv": b"problem,answer\n1,2\n",
}


@pytest.fixture(autouse=True)
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of its own, no graders' processes, and no server: a bad input is found before one is started."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a server was started for a bad input")

    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JOURNEY_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("models.serving.pair.ServedPair.start", refuse)
    monkeypatch.setattr("models.weights.find.find_weights", refuse)
    for module in ("eval.grading.grader", "commands.benchmarks.grade", "commands.kit.collecting"):
        monkeypatch.setattr(f"{module}.Grader", lambda **_: nullcontext())


def arguments_of(name: str, given: str) -> Iterator[list[str]]:
    """Command lines of a sub-command in which each of its inputs in turn is `given`."""
    actions = [action for action in LEAVES[name]._actions if action.dest not in ("help", "json")]
    for bad in actions:
        if bad.dest in INPUTS and (bad.type is not None or bad.choices is None) and bad.type in (None, Path):
            yield [*name.split(), *EXTRA.get(name, []), *_words(actions, bad, given)]


def _words(actions: list[argparse.Action], bad: argparse.Action, given: str) -> Iterator[str]:
    for action in actions:
        value = given if action is bad else REQUIRED.get(action.dest, "none")
        if not action.option_strings and (action.required or action is bad):
            yield value
        elif action is bad or action.required:
            yield from (action.option_strings[0], value)


def explained(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code: object = main(argv)
    except SystemExit as ended:
        code = ended.code
    errors = capsys.readouterr().err
    shown = " ".join(argv)[:200]
    assert code in (1, 2), f"{shown}: {code}"
    assert errors.count("\n") == 1, f"{shown}: {errors[:2000]}"
    assert 20 < len(errors) < 700, f"{shown}: {errors}"
    assert "Traceback" not in errors
    assert "Errno" not in errors, f"{shown}: {errors}"


READING = [name for name in LEAVES if name not in WRITES and list(arguments_of(name, "x"))]


def test_almost_every_command_reads_something() -> None:
    assert len(READING) > 25
    assert "sets" in READING
    assert "train ablate" in READING


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", READING)
def test_a_bad_file_is_explained(name: str, content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "input.jsonl"
    path.write_bytes(CONTENTS[content])
    for argv in arguments_of(name, str(path)):
        explained(argv, capsys)


PLACES = {
    "missing": "none.jsonl",
    "a folder": "folder",
    "below a file": "file/below",
    "a long name": "x" * 300,
    "a long path": "x/" * 3000,
    "nothing": "",
    "above": "../../..",
    "not text": "\udcff\udcfe.jsonl",
    "many words": "a b\tc",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", READING)
def test_a_bad_path_is_explained(name: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if (name, place) in {("index", "a folder"), ("index", "above"), ("index", "nothing")}:
        pytest.skip("a folder without artefacts scores nothing, which is a result")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for given in (PLACES[place], str(tmp_path / PLACES[place])):
        for argv in arguments_of(name, given):
            if given or place != "nothing" or "--pair" not in argv:
                explained(argv, capsys)


RUN_COMMANDS = (
    "run", "resume", "forced", "report", "regrade", "record", "judge run", "judge scores",
    "thoughts transplant", "thoughts importance", "thoughts divergence",
)  # fmt: skip


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", RUN_COMMANDS)
def test_a_damaged_run_is_explained(
    name: str, content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "home" / "runs" / "bad"
    folder.mkdir(parents=True)
    for file in ("run.json", "problems.jsonl", "samples.jsonl", "grades.jsonl", "judgements.jsonl"):
        (folder / file).write_bytes(CONTENTS[content])
    for argv in [["run", "--extend", "bad"]] if name == "run" else arguments_of(name, "bad"):
        if name != "record":
            explained(argv, capsys)


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", ["train merge", "train measure"])
def test_a_damaged_adapter_is_explained(
    name: str, content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        (folder / file).write_bytes(CONTENTS[content])
    rest = [str(tmp_path / "merged")] if name == "train merge" else []
    explained([*name.split(), str(folder), *rest], capsys)


@pytest.mark.parametrize("content", CONTENTS)
def test_a_damaged_labelled_set_is_explained(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "data" / LABELLED[REQUIRED["set"]].path
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENTS[content])
    explained(["judge", "check", "--url", REQUIRED["url"], "--model", "m", "--set", REQUIRED["set"]], capsys)


@pytest.mark.parametrize(
    "content", [name for name in CONTENTS if name not in ("an empty object", "a long line", "latin-1")]
)
def test_a_bad_body_is_explained(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = CONTENTS[content].replace(b"\0", b"").decode("utf-8", "surrogateescape")
    problems = tmp_path / "p.jsonl"
    problems.write_text(json.dumps({"id": "a/1", "question": "q", "gold": "1", "benchmark": "a"}) + "\n")
    argv = ["traces", "teacher", str(problems), "--url", REQUIRED["url"], "--model", "m", f"--body={text}"]
    if content == "objects of wrong types" or content == "half a character":
        argv += ["--token-field", "problem" if "problem" in text else "a\ufffd"]
    explained(argv, capsys)


@pytest.mark.parametrize("name", [name for name in LEAVES if any(a.dest in OUTPUTS for a in LEAVES[name]._actions)])
def test_a_folder_below_a_file_is_explained(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the result cannot be written. Inputs are missing too: either may be told, in one sentence."""
    (tmp_path / "file").touch()
    for out in [a.option_strings[0] for a in LEAVES[name]._actions if a.dest in OUTPUTS and a.option_strings]:
        argv = next(arguments_of(name, str(tmp_path / "none")), [*name.split()])
        argv = [word for n, word in enumerate(argv) if out not in (word, argv[n - 1])]
        explained([*argv, out, str(tmp_path / "file" / "below" / "x.json")], capsys)


@pytest.mark.parametrize("name", ["cases export", "votes export"])
def test_a_file_that_cannot_be_written_is_explained(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "below.csv", tmp_path / ("x" * 300 + ".csv")):
        explained([*name.split(), str(path)], capsys)


@pytest.mark.parametrize("content", ["binary", "empty", "text"])
def test_a_home_that_is_a_file_is_explained(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home").write_bytes(CONTENTS[content])
    for argv in (["report", "x"], ["votes", "summary"], ["traces", "export", "x"], ["index", "--save"]):
        explained(argv, capsys)


def test_half_a_character_in_a_problem_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"problem": "What is 3 plus 4? \\ud800", "answer": "7"}\n')
    assert main(["traces", "curate", str(path), "--no-embedding", "--out", str(tmp_path / "out")]) == 0
    assert "1 of 1 kept" in capsys.readouterr().out


def test_the_recursion_limit_is_the_usual_one() -> None:
    assert sys.getrecursionlimit() >= 1000

"""Loading, checking and naming of benchmark sets; the hub is replaced by local rows with the hub's columns."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.errors import ConfigError, DataError
from eval.grading.grader import Grader, gold_faults
from eval.judging.labelled import LABELLED
from eval.paper.figures import reported
from eval.problems.benchmark import content_hash, gold_hash
from eval.problems.benchmark_sets import GENERATED, GSM8K_REVISION, KNOWN, TRAINING, load_benchmark
from eval.problems.open_ended import SETS, load_open_ended
from eval.problems.rows import fetch, how_to_get, read_rows

needs_data = pytest.mark.skipif(not os.environ.get("JOURNEY_DATA"), reason="JOURNEY_DATA is not set")


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(workers=1) as grader:
        yield grader


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def test_a_file_of_the_users_own(tmp_path: Path, grader: Grader) -> None:
    rows = [{"question": "1+1?", "answer": 2, "subject": "sums", "level": 3}, {"problem": "Half?", "gold": "\\frac12"}]
    benchmark = load_benchmark(str(write(tmp_path / "mine.jsonl", rows)))
    first = benchmark.problems[0]
    assert (first.id, first.gold, first.subject, first.level) == ("mine/0", "2", "sums", "3")
    assert (len(benchmark), benchmark.rule, benchmark.warning) == (2, "math", "")
    assert gold_faults(benchmark, grader) == []


def test_a_file_is_never_taken_for_the_published_set_of_its_name(tmp_path: Path) -> None:
    benchmark = load_benchmark(str(write(tmp_path / "math500.jsonl", [{"problem": "1+1?", "answer": "2"}])))
    assert (benchmark.name, benchmark.problems[0].id) == ("own_math500", "own_math500/0")
    assert reported(benchmark.name) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no problems"), ("{", "line 1 is not JSON"), ("[1]", "not a JSON object"), ('{"problem": "x"}', "no answer"),
     ('{"answer": "x"}', "no problem"), ('{"problem": 7, "answer": "x"}', "row 1 is not text")],
)  # fmt: skip
def test_a_bad_file_is_named_with_its_row(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load_benchmark(str(path))


ROWS: list[dict[str, Any]] = [{"problem": "One\u2028line\x85?", "answer": 1}, {"problem": "Two?", "answer": "2"}]
LINES = [json.dumps(row, ensure_ascii=False) for row in ROWS]


@pytest.mark.parametrize(
    "text",
    ["\n".join(LINES), "\ufeff" + "\r\n".join(LINES) + "\r\n\r\n", f"\ufeff[{LINES[0]},\n{LINES[1]}]\n"],
    ids=["lines", "lines as Windows writes them", "list"],
)
def test_rows_are_read_the_same_however_they_lie_in_a_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(text.encode())
    assert read_rows(path) == ROWS
    assert [p.question for p in load_open_ended(str(path)).problems] == [row["problem"] for row in ROWS]
    assert [p.gold for p in load_benchmark(str(path)).problems] == ["1", "2"]


def test_half_a_character_is_replaced_and_a_whole_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(r'{"problem": "a \ud83d b \ud83d\ude00", "answer": "\udc00"}')
    (problem,) = load_benchmark(str(path)).problems
    assert (problem.question, problem.gold) == ("a � b 😀", "�")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="aime2024"):
        load_benchmark("aime1999")


def test_a_set_that_is_not_there_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"math500/test\.jsonl"):
        load_benchmark("math500", data=tmp_path)
    monkeypatch.setenv("JOURNEY_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"Put it there .*, or unset JOURNEY_DATA to take it from the hub"):
        load_benchmark("math500")
    with pytest.raises(DataError, match=r"Put it there \([^)]*\)\.$"):
        load_benchmark("math2024")
    monkeypatch.delenv("JOURNEY_DATA", raising=False)
    with pytest.raises(DataError, match="JOURNEY_DATA"):
        load_benchmark("math2024")


def test_the_hub_is_read_through_the_same_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEY_DATA", raising=False)
    asked: list[tuple[str, str]] = []

    def fake(path: str, split: str) -> list[dict[str, Any]]:
        asked.append((path, split))
        return [{"id": n, "problem": f"Problem {n}", "answer": f"{n:03d}", "year": "2024"} for n in range(30)]

    monkeypatch.setattr("datasets.load_dataset", fake)
    benchmark = load_benchmark("aime2024")
    assert asked == [("HuggingFaceH4/aime_2024", "train")]
    assert (len(benchmark), benchmark.rule, benchmark.problems[7].gold) == (30, "integer", "007")
    assert "gold answers differ" in benchmark.warning


def test_a_hub_that_cannot_be_reached_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEY_DATA", raising=False)

    def fake(path: str, *config: str, split: str) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr("datasets.load_dataset", fake)
    with pytest.raises(DataError, match=r"no route.*JOURNEY_DATA"):
        load_benchmark("math500")


def test_the_hubs_solutions_end_in_the_answer_of_gsm8k(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEY_DATA", raising=False)
    asked: list[tuple[str, str, str]] = []

    def fake(path: str, config: str, split: str, revision: str) -> list[dict[str, Any]]:
        assert revision == GSM8K_REVISION
        asked.append((path, config, split))
        return [{"question": "How many?", "answer": "First #### is a mark.\n<<2*600=1200>>1,200 in all.\n#### 1,200"}]

    monkeypatch.setattr("datasets.load_dataset", fake)
    (problem,) = load_benchmark("gsm8k").problems
    assert (problem.question, problem.gold) == ("How many?", "1200")
    rows, source = fetch(TRAINING["gsm8k/train"])
    assert rows[0]["solution"].endswith("1,200 in all.") and source == "hub openai/gsm8k (main), split train"
    assert asked == [("openai/gsm8k", "main", "test"), ("openai/gsm8k", "main", "train")]


@needs_data
def test_the_halves_of_gsm8k_do_not_meet() -> None:
    rows, _ = fetch(TRAINING["gsm8k/train"])
    assert len(rows) == TRAINING["gsm8k/train"].size == 7473
    assert not {row["problem"] for row in rows} & {problem.question for problem in load_benchmark("gsm8k").problems}


def test_one_sentence_says_how_any_set_is_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEY_DATA", raising=False)
    for known in (*KNOWN.values(), *TRAINING.values(), *SETS.values(), *LABELLED.values()):
        if known.shipped:
            continue
        sentence = how_to_get(known)
        assert f"set JOURNEY_DATA to a folder that holds {known.path} (with " in sentence
        assert known.hub in sentence
        for data in [tmp_path] if known.hub else [tmp_path, None]:
            with pytest.raises(DataError) as error:
                fetch(known, data)
            assert str(error.value).startswith(known.title) and str(error.value).endswith(sentence)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"problem": "a", "answer": "1"}\n' + b"[" * 100_000, "line 2 is nested too deeply"),
        (b"[" * 100_000, "line 1 is nested too deeply"),
        (b'{"problem": "a", "answer": ' + b"1" * 5_000 + b"}", "line 1 .* digits"),
        (b'{"problem": "a", "answer": "1"}\n\xff\xfe\x00', "line 2 is not UTF-8"),
        (b'{"problem": "a", "answer": "1"}\n{"problem": "b", "answer": "2', "line 2 is not JSON"),
        (None, "cannot be read: Is a directory"),
    ],
    ids=["deep objects", "deep list", "huge integer", "binary", "truncated", "folder"],
)
def test_every_set_explains_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, message: str) -> None:
    for known in (KNOWN["math500"], SETS["flames"], TRAINING["gsm8k/train"], LABELLED["autoj_pairs"]):
        path = tmp_path / known.path
        path.parent.mkdir(parents=True)
        path.mkdir() if content is None else path.write_bytes(content)
        with pytest.raises(DataError, match=f"{path.name}.*{message}"):
            fetch(known, tmp_path)


def test_hashes_ignore_order_ids_and_leading_zeros(tmp_path: Path) -> None:
    rows = [{"id": "a", "problem": "One?", "answer": "025"}, {"id": "b", "problem": "Two ?", "answer": "7"}]
    other = [{"problem": "Two  ?", "answer": "7", "url": "x"}, {"problem": "One?", "answer": "25"}]
    a, b = (load_benchmark(str(write(tmp_path / f"{n}.jsonl", r))) for n, r in (("a", rows), ("b", other)))
    assert a.sha256 == b.sha256 == content_hash(b.problems)
    changed = load_benchmark(str(write(tmp_path / "c.jsonl", [rows[0], {"problem": "Two ?", "answer": "8"}])))
    assert changed.sha256 != a.sha256
    assert gold_hash(changed.problems) != gold_hash(a.problems)


def test_golds_of_any_length_have_a_hash(tmp_path: Path) -> None:
    sets = [[{"problem": "Long?", "answer": zeros + "7" * 5000}] for zeros in ("", "00")]
    a, b = (load_benchmark(str(write(tmp_path / f"{n}.jsonl", rows))) for n, rows in enumerate(sets))
    assert a.sha256 == b.sha256
    rows = [[{"problem": "Nothing?", "answer": zeros}] for zeros in ("0", "000")]
    a, b = (load_benchmark(str(write(tmp_path / f"zero{n}.jsonl", row))) for n, row in enumerate(rows))
    assert a.sha256 == b.sha256


def test_a_gold_that_fails_against_itself_is_listed(tmp_path: Path, grader: Grader) -> None:
    rows = [{"problem": "One?", "answer": "\\frac{1}{2"}, {"problem": "Two?", "answer": "2"}]
    faults = gold_faults(load_benchmark(str(write(tmp_path / "a.jsonl", rows))), grader)
    assert [fault.problem.question for fault in faults] == ["One?"]


@pytest.mark.parametrize("name", GENERATED)
def test_generated_sets_need_nothing_and_repeat(name: str, grader: Grader) -> None:
    benchmark = load_benchmark(name, count=20)
    assert len(benchmark) == 20
    assert benchmark == load_benchmark(name, count=20)
    assert benchmark.sha256 != load_benchmark(name, count=20, seed=1).sha256
    assert gold_faults(benchmark, grader) == []


@needs_data
@pytest.mark.parametrize("name", [name for name, known in KNOWN.items() if known.sha256])
def test_known_sets_are_whole_and_every_gold_is_correct_against_itself(name: str, grader: Grader) -> None:
    benchmark = load_benchmark(name)
    assert (len(benchmark), benchmark.warning) == (KNOWN[name].size, "")
    assert len({problem.id for problem in benchmark.problems}) == len(benchmark)
    assert gold_faults(benchmark, grader) == []


def test_a_set_that_was_never_seen_says_that_nothing_was_compared(tmp_path: Path) -> None:
    rows = [{"problem_idx": n, "problem": f"Question {n}?", "answer": n} for n in range(1, 31)]
    path = tmp_path / KNOWN["aime2026"].path
    path.parent.mkdir()
    write(path, rows)
    benchmark = load_benchmark("aime2026", data=tmp_path)
    assert (len(benchmark), benchmark.problems[0].gold) == (30, "1")
    assert "has seen no copy of AIME 2026" in benchmark.warning
    write(path, rows[1:])
    assert "29 problems where AIME 2026 has 30" in load_benchmark("aime2026", data=tmp_path).warning

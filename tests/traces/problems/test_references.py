"""Problems kept by reference: their texts never reach a file, and they come back only if they are the same."""

import json
import lzma
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.arena import main
from common.errors import DataError
from eval.records import Problem
from traces.keeping.trace import Trace, append_trace, read_traces, trace_from_json, trace_row
from traces.problems import references
from traces.problems.curate import curate
from traces.problems.references import MARK, MissingSetError, attached, detached, training_problems
from traces.problems.sources import read_problems, read_source, write_problems
from traces.publishing.export import row_of
from traces.thoughts.translate import tasks
from ui.traces.library import TraceLibrary
from ui.traces.view import missing_sentence

QUESTIONS = (
    "Ann buys 3 pens at $2 each and a book for $7. How much does she spend?",
    "Bob reads 12 pages a day for a week. How many pages does he read altogether?",
    "A farmer has 5 pens with 4 hens each and sells 6 hens. How many hens are left?",
)


def write_set(folder: Path, questions: tuple[str, ...] = QUESTIONS) -> None:
    rows = [
        {"id": f"gsm8k-train-{n}", "problem": text, "solution": f"<<1+{n}={n + 1}>>", "answer": str(13 + n)}
        for n, text in enumerate(questions)
    ]
    (folder / "gsm8k").mkdir(parents=True, exist_ok=True)
    (folder / "gsm8k" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOURNEY_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(references, "_sets", {})
    write_set(tmp_path / "data")
    return tmp_path / "data"


def trace(number: int = 0) -> Trace:
    problem = training_problems("gsm8k/train")[number]
    prompt = f"{problem.question}\n\nReason step by step."
    sent = [prompt, f"{prompt}\n\nSolution:\n{problem.extra['solution']}"]
    return Trace(problem, prompt, "\\boxed{13}", "", "\\boxed{13}", "solution", "m", extra={"sent": sent})


def test_a_problem_of_a_training_set_is_a_problem_like_others() -> None:
    problem = training_problems("gsm8k/train")[1]
    assert (problem.id, problem.question, problem.gold) == ("gsm8k/train/1", QUESTIONS[1], "14")
    assert problem.extra == {"solution": "<<1+1=2>>"}


def test_the_file_of_traces_holds_no_text_and_gives_the_same_trace(tmp_path: Path) -> None:
    append_trace(tmp_path / "t.jsonl", trace())
    text = (tmp_path / "t.jsonl").read_text()
    assert "pens" not in text and "<<1+0=1>>" not in text
    assert json.loads(text)["problem"] == {
        "set": "gsm8k/train",
        "revision": "740312add88f781978c0658806c59bc2815b9866",
        "row": 0,
        "sha256": references.text_hash(QUESTIONS[0]),
    }
    assert list(read_traces(tmp_path / "t.jsonl")) == [trace()]


def test_a_packed_file_reads_like_a_plain_one(tmp_path: Path) -> None:
    for number in range(3):
        append_trace(tmp_path / "t.jsonl", trace(number))
    (tmp_path / "t.jsonl.xz").write_bytes(lzma.compress((tmp_path / "t.jsonl").read_bytes()))
    assert list(read_traces(tmp_path / "t.jsonl.xz")) == [trace(number) for number in range(3)]
    (tmp_path / "t.jsonl.xz").write_bytes((tmp_path / "t.jsonl.xz").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"not a whole \.xz file"):
        list(read_traces(tmp_path / "t.jsonl.xz"))


def test_problem_files_hold_references_too(tmp_path: Path) -> None:
    own = Problem("own/1", "What is 1 plus 1?", "2", "own")
    problems = [*training_problems("gsm8k/train"), own]
    write_problems(tmp_path / "p.jsonl", problems)
    assert "hens" not in (tmp_path / "p.jsonl").read_text()
    assert read_problems(tmp_path / "p.jsonl") == problems


@pytest.mark.parametrize("skip_broken", [False, True])
@pytest.mark.parametrize(
    ("questions", "words"),
    [
        ((QUESTIONS[0] + " ", *QUESTIONS[1:]), "Problem 0 of GSM8K, training half has another text here"),
        ((QUESTIONS[1], QUESTIONS[0]), "another text here than where this was made .revision 7403"),
        (("", *QUESTIONS[1:]), "not available: .*row 1 has no problem"),
        (None, r"t\.jsonl, line 1, GSM8K, training half is needed .* not available.*JOURNEY_DATA"),
    ],
)
def test_another_set_or_none_is_told_and_never_passed_over(
    tmp_path: Path, data: Path, questions: tuple[str, ...] | None, words: str, skip_broken: bool
) -> None:
    append_trace(tmp_path / "t.jsonl", trace())
    references._sets.clear()
    write_set(data, questions) if questions else (data / "gsm8k" / "train.jsonl").unlink()
    with pytest.raises(MissingSetError, match=words):
        list(read_traces(tmp_path / "t.jsonl", skip_broken=skip_broken))


@pytest.mark.parametrize(
    ("changes", "words"), [({"row": 3}, "3 problems here, and problem 3"), ({"set": "x"}, "set x")]
)
def test_a_reference_to_nothing_is_told(changes: dict[str, object], words: str) -> None:
    values = trace_row(trace())
    values["problem"] = {**values["problem"], **changes}
    with pytest.raises(MissingSetError, match=words):
        trace_from_json(json.dumps(values))


def test_an_altered_trace_is_found_out_by_its_hash() -> None:
    with pytest.raises(DataError, match="was altered"):
        trace_from_json(json.dumps({**trace_row(trace()), "raw": "\\boxed{14}"}))


def test_a_set_that_cannot_be_had_is_asked_for_once(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [json.dumps(trace_row(replace(trace(), attempt=n))) for n in range(1, 5)]
    references._sets.clear()
    asked: list[int] = []

    def refuse(*_: object) -> None:
        asked.append(1)
        raise DataError("No route to the hub.")

    monkeypatch.setattr(references, "fetch", refuse)
    for line in lines:
        with pytest.raises(MissingSetError, match="No route"):
            trace_from_json(line)
    assert asked == [1]
    monkeypatch.setattr(references, "RETRY_SECONDS", 0.0)
    with pytest.raises(MissingSetError):
        trace_from_json(lines[0])
    assert asked == [1, 1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text().filter(lambda text: MARK[0] not in text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.integers(0, 2), st.text(max_size=5).filter(lambda text: MARK[0] not in text))
def test_what_is_taken_out_comes_back(rest: object, row: int, around: str) -> None:
    solution = "3 pens cost 6. With the book it is 13."
    problem = Problem(f"gsm8k/train/{row}", QUESTIONS[row], "1", "gsm8k/train", extra={"solution": solution})
    values = {"a": rest, "b": [f"{around}{problem.question}{around}{solution}{around}{problem.question}"]}
    taken = detached(problem, values)
    assert problem.question not in json.dumps(taken.rest) and solution not in json.dumps(taken.rest)
    assert attached(problem, taken.rest) == values


def test_copies_of_benchmarks_are_dropped_and_the_report_holds_no_text(tmp_path: Path) -> None:
    test_half = [Problem("gsm8k/7", QUESTIONS[2].replace("5", "8"), "1", "gsm8k")]
    source = read_source("gsm8k/train")
    assert (source.name, len(source.problems)) == ("gsm8k-train", 3)
    from traces.problems.decontaminate import Decontaminator

    curated = curate(source, test_half, decontaminator=Decontaminator(test_half))
    assert [problem.id for problem in curated.problems] == ["gsm8k/train/0", "gsm8k/train/1"]
    curated.report.save(tmp_path / "f.json")
    text = (tmp_path / "f.json").read_text()
    assert "hens" not in text and "gsm8k/train/2" in text and "gsm8k/7" in text


def test_a_trace_on_such_a_problem_is_not_translated_as_the_translation_would_hold_its_text() -> None:
    with pytest.raises(DataError, match="held by reference"):
        tasks([replace(trace(), kept=True)], "chinese")


def test_an_export_refers_to_the_problem_unless_its_text_is_asked_for(tmp_path: Path) -> None:
    hidden, whole = row_of(trace()), row_of(trace(), with_questions=True)
    written = json.dumps(hidden, ensure_ascii=False)
    assert "pens" not in written and "<<1+0" not in written and hidden["gold"] == ""
    assert hidden["messages"][0]["content"] == f"{MARK}\n\nReason step by step."
    reference = json.loads(hidden["problem_extra"])["reference"]
    assert references.referred(reference) == trace().problem
    assert whole["question"] == QUESTIONS[0] and whole["gold"] == "13"
    assert attached(trace().problem, hidden["messages"]) == whole["messages"]


@pytest.mark.parametrize(("flag", "said"), [([], "refer to problems"), (["--with-questions"], "check its licence")])
def test_the_command_says_what_it_does_with_those_texts(
    flag: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    append_trace(tmp_path / "t.jsonl", trace())
    append_trace(tmp_path / "t.jsonl", replace(trace(), problem=Problem("own/1", "Two?", "2", "own"), prompt="Two?"))
    out = tmp_path / "out"
    assert main(["traces", "export", str(tmp_path / "t.jsonl"), "--out", str(out), *flag]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("2 traces") and f"1 {'include' if flag else 'refer'}" in printed and said in printed
    card = (out / "README.md").read_text()
    assert "1 rows" in card and ("GSM8K, training half, which has a licence" in card) == bool(flag)


def test_the_library_counts_what_it_cannot_list_and_lists_it_once_the_set_is_there(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_trace(tmp_path / "home" / "traces" / "a.traces.jsonl", trace())
    append_trace(tmp_path / "home" / "traces" / "a.traces.jsonl", trace(1))
    (data / "gsm8k" / "train.jsonl").rename(data / "away")
    monkeypatch.setattr(references, "_sets", {})
    library = TraceLibrary(tmp_path / "home", tmp_path / "none")
    assert library.entries() == [] and library.missing() == {"gsm8k/train": 2}
    said = missing_sentence(library.missing())
    assert said.startswith("2 more traces are not listed: they are on problems of GSM8K") and "JOURNEY_DATA" in said
    (data / "away").rename(data / "gsm8k" / "train.jsonl")
    monkeypatch.setattr(references, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr("ui.traces.library.RETRY_SECONDS", 0.0)
    assert len(library.entries()) == 2 and not library.missing() and missing_sentence({}) == ""

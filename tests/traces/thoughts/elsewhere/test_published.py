"""Published datasets: each set's columns become traces, checked as others are; and none near a benchmark stays."""

import json
from pathlib import Path
from typing import Any

import pytest

from commands.arena import main
from commands.traces.elsewhere import NAMES
from common.errors import ConfigError, DataError
from eval.records import Problem
from traces.keeping.keep import Verifier, reason_code
from traces.keeping.trace import Trace, read_traces
from traces.problems.decontaminate import Decontaminator
from traces.thoughts.elsewhere import published
from traces.thoughts.elsewhere.published import PUBLISHED, UNCHECKED, published_traces, verified, without_benchmarks
from traces.training.mix import rows_of

THOUGHT = "I add the tens first and then the ones, one after the other, and look at the sum again."
ANSWER = "It is \\boxed{42}."
TAGGED = f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}"
MARKED = (
    f"<|begin_of_thought|>\n\n{THOUGHT}\n\n<|end_of_thought|>\n\n"
    f"<|begin_of_solution|>\n\n{ANSWER}\n\n<|end_of_solution|>"
)
QUESTION = "What is 22 plus 20?"


def conversation(reply: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": QUESTION}, {"from": "gpt", "value": reply}]


ROWS: dict[str, list[dict[str, Any]]] = {
    "limo": [
        {"question": QUESTION, "solution": f"{THOUGHT}\n\n**Final Answer**\n{ANSWER}", "answer": "42"},
        {"question": QUESTION, "solution": f"{THOUGHT}\n\n{ANSWER}", "answer": 42},
    ],
    "openr1-math": [{"problem": QUESTION, "answer": "42", "generations": [TAGGED, TAGGED.replace("42", "41")]}],
    "openthoughts-114k": [
        {
            "problem": QUESTION,
            "deepseek_reasoning": THOUGHT,
            "deepseek_solution": ANSWER,
            "ground_truth_solution": "22 + 20 is 42, so \\boxed{42}",
            "domain": domain,
        }
        for domain in ("math", "code")
    ],
    "openthoughts3": [
        {"conversations": conversation(TAGGED), "domain": "math"},
        {"conversations": [{"from": "system", "value": "Think."}, *conversation(MARKED)], "domain": "math"},
        {"conversations": [{"from": "human", "value": QUESTION}], "domain": "math"},
        {"conversations": None, "domain": "math"},
    ],
    "s1k": [
        {"question": QUESTION, "solution": "42", "thinking_trajectories": [THOUGHT], "attempt": ANSWER},
        {"question": QUESTION, "solution": "42", "thinking_trajectories": [], "attempt": ANSWER},
    ],
    "s1k-1.1": [
        {
            "question": QUESTION,
            "solution": "Adding gives \\boxed{42}.",
            "deepseek_thinking_trajectory": THOUGHT,
            "deepseek_attempt": ANSWER,
        }
    ],
}
KEPT = {"limo": 2, "openr1-math": 1, "openthoughts-114k": 1, "openthoughts3": 0, "s1k": 1, "s1k-1.1": 1}


def file_of(name: str, folder: Path) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS[name]))
    return path


def test_every_set_is_offered() -> None:
    assert sorted(NAMES) == sorted(PUBLISHED) == sorted(ROWS)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_rows_become_traces_that_are_checked(name: str, tmp_path: Path, verifier: Verifier) -> None:
    traces = list(verified(published_traces(name, file_of(name, tmp_path)), verifier))
    kept = [trace for trace in traces if trace.kept]
    assert len(kept) == KEPT[name]
    for trace in kept:
        assert (trace.thought, trace.problem.gold, trace.problem.question) == (THOUGHT, "42", QUESTION)
        assert trace.model == PUBLISHED[name].model and trace.extra["dataset"] == PUBLISHED[name].hub
        assert trace.method == "teacher"
    if kept:
        row = rows_of(traces).rows[0]
        assert row.completion.startswith(f"<think>\n{THOUGHT}\n</think>") and "\\boxed{42}" in row.completion


def test_without_reference_answers_thoughts_are_kept_only_if_asked_for(tmp_path: Path, verifier: Verifier) -> None:
    path = file_of("openthoughts3", tmp_path)
    plain = list(verified(published_traces("openthoughts3", path), verifier))
    assert [(trace.kept, reason_code(trace)) for trace in plain] == [(False, "no_reference")] * 2
    trusted = list(verified(published_traces("openthoughts3", path), verifier, unchecked=True))
    assert [(trace.kept, trace.reason, trace.thought) for trace in trusted] == [(True, UNCHECKED, THOUGHT)] * 2
    path.write_text(json.dumps({"conversations": conversation("42"), "domain": "math"}) + "\n")
    (formless,) = verified(published_traces("openthoughts3", path), verifier, unchecked=True)
    assert formless.kept is False and formless.reason.startswith("no_thought")


def test_what_is_near_a_benchmark_is_left_out() -> None:
    def trace(number: int, question: str) -> Trace:
        return Trace(Problem(f"x/{number}", question, "1", "x"), question, "", "", "", "teacher", "m")

    benchmark = [Problem("b/1", "What is 23 plus 21?", "44", "bench")]
    dropped: list[int] = []
    traces = [trace(1, QUESTION), trace(2, "How many primes lie between ten and twenty, both left out?")]
    left = list(without_benchmarks(traces, Decontaminator(benchmark), dropped.append))
    assert [kept.problem.id for kept in left] == ["x/2"] and dropped == [1]


def test_rows_come_from_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def rows(*where: Any, **options: Any) -> Any:
        asked.append((*where, options["streaming"]))
        return iter(ROWS["openthoughts-114k"] * 3)

    monkeypatch.setattr(published, "hub_rows", rows)
    assert len(list(published_traces("openthoughts-114k", limit=2))) == 2, "rows of other subjects do not count"
    assert asked == [("open-thoughts/OpenThoughts-114k", "metadata", "train", True)]


def test_another_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="deepseek_attempt is missing"):
        list(published_traces("s1k-1.1", file_of("s1k", tmp_path).replace(tmp_path / "other.jsonl")))
    (tmp_path / "rows.jsonl").write_text("")
    with pytest.raises(DataError, match="has no rows"):
        list(published_traces("limo", tmp_path / "rows.jsonl"))


def test_the_command_counts_and_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "limo.traces.jsonl"
    assert main(["traces", "import", "limo", "--file", str(file_of("limo", tmp_path)), "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "2 of 2 thoughts kept; rejected: none" in told and "not compared with any benchmark" in told
    assert len(list(read_traces(out))) == 2

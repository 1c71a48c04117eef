"""A teacher job as files: what is written is what the service would be asked, and answers are traces as over HTTP."""

import json
from pathlib import Path
from typing import Any

import pytest

from commands.arena import main
from common.errors import DataError
from eval.records import Problem
from traces.keeping.keep import reason_code
from traces.keeping.trace import read_traces
from traces.problems.sources import write_problems
from traces.thoughts.elsewhere.batch import answers, asked
from traces.thoughts.service.client import timeout_for
from traces.thoughts.teacher import TEACHER_PROMPT

THOUGHT = "I am asked for a sum. Let me add the tens first and then the ones, one after the other."


@pytest.fixture
def job(tmp_path: Path, problems: list[Problem]) -> Path:
    write_problems(tmp_path / "problems.jsonl", problems[:3])
    return tmp_path


def teacher(job: Path, *more: str) -> int:
    out = ["--out", str(job / "t.traces.jsonl"), "--model", "big", "--attempts", "2", "--seed", "5"]
    return main(["traces", "teacher", str(job / "problems.jsonl"), *out, *more])


def written(job: Path, *more: str) -> list[dict[str, Any]]:
    assert teacher(job, "--batch-out", str(job / "requests.jsonl"), "--max-tokens", "3000", *more) == 0
    return [json.loads(line) for line in (job / "requests.jsonl").read_text().splitlines()]


def answer(request: dict[str, Any], text: str, **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 30, "total_tokens": 40}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "big", "choices": [choice], "usage": usage}
    return answered(request, body)


def answered(request: dict[str, Any], body: Any, status: int = 200, error: Any = None) -> dict[str, Any]:
    response = {"status_code": status, "request_id": "r", "body": body}
    return {"id": "v", "custom_id": request["custom_id"], "response": response, "error": error}


def put(job: Path, lines: list[Any]) -> Path:
    path = job / "answers.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_requests_are_what_the_service_would_be_asked(job: Path) -> None:
    requests = written(job)
    assert len({request["custom_id"] for request in requests}) == len(requests) == 6
    first = requests[0]
    assert (first["method"], first["url"]) == ("POST", "/v1/chat/completions")
    body = first["body"]
    assert (body["model"], body["max_tokens"], body["temperature"], body["seed"]) == ("big", 3000, 0.7, 6)
    assert "What is 0 plus 20?" in body["messages"][0]["content"] and "<think>" in body["messages"][0]["content"]
    assert asked(first["custom_id"]).problem == "sums/0"


def test_answers_become_traces_and_only_the_rest_is_asked_again(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    requests = written(job)
    right = answer(requests[0], "It is \\boxed{20}.", reasoning=THOUGHT)
    tagged = answer(requests[2], f"<think>{THOUGHT}</think>It is \\boxed{{21}}.")
    wrong = answer(requests[3], f"<think>{THOUGHT}</think>It is \\boxed{{9}}.")
    failed = answered(requests[4], None, 400, {"error": {"message": "too long", "code": 400}})
    path = put(job, [failed, wrong, right, tagged, right])
    capsys.readouterr()
    assert teacher(job, "--batch-in", str(path)) == 0
    assert "1 request failed. Ask again with --retry-failed." in capsys.readouterr().out
    assert len(list(read_traces(job / "t.traces.jsonl"))) == 4, "an answer that is there twice counts once"
    traces = {trace.problem.id + str(trace.attempt): trace for trace in read_traces(job / "t.traces.jsonl")}
    assert {name: trace.kept or reason_code(trace) for name, trace in traces.items()} == {
        "sums/21": "request",
        "sums/12": "wrong_answer",
        "sums/01": True,
        "sums/11": True,
    }
    kept = traces["sums/01"]
    assert (kept.thought, kept.seed, kept.model, kept.tokens) == (THOUGHT, 6, "big", 30)
    assert kept.extra["reasoning_field"] == "reasoning" and "<think>" in kept.extra["sent"]
    assert "too long" in traces["sums/21"].reason
    assert teacher(job, "--batch-in", str(path)) == 0
    assert len(list(read_traces(job / "t.traces.jsonl"))) == 4, "the same answers again change nothing"
    left = [asked(request["custom_id"]) for request in written(job)]
    assert "1 request failed. Ask again with --retry-failed." in capsys.readouterr().out
    assert [(name.problem, name.attempt) for name in left] == [("sums/2", 2)], "no more of a problem with a kept trace"
    every = [asked(request["custom_id"]) for request in written(job, "--all-attempts")]
    assert [(name.problem, name.attempt) for name in every] == [("sums/0", 2), ("sums/2", 2)]
    capsys.readouterr()
    more = [asked(request["custom_id"]) for request in written(job, "--retry-failed")]
    assert "Ask again" not in capsys.readouterr().out
    assert [(name.problem, name.attempt) for name in more] == [("sums/2", 2), ("sums/2", 3)]


def test_answers_to_something_else_are_refused(job: Path, problems: list[Problem]) -> None:
    requests = written(job)
    path = put(job, [answer(requests[0], "x")])
    with pytest.raises(DataError, match="another prompt"):
        list(answers(path, problems, "{prompt}", "big"))
    with pytest.raises(DataError, match="not among the problems"):
        list(answers(path, problems[1:], TEACHER_PROMPT, "big"))
    for line in ({"custom_id": "x"}, {}, [1], {**answer(requests[0], "x"), "response": "no"}):
        with pytest.raises(DataError, match="line 1 is not an answer of a batch"):
            list(answers(put(job, [line]), problems, TEACHER_PROMPT, "big"))
    (rubbish,) = answers(put(job, [answered(requests[0], {"choices": "x"})]), problems, TEACHER_PROMPT, "big")
    assert rubbish.reason.startswith("request: broken_json")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--batch-out FILE"),
        (["--batch-out", "a", "--batch-in", "b"], "two steps"),
        (["--batch-out", "a", "--url", "http://127.0.0.1:9/v1"], "--url does not go with files"),
    ],
)
def test_what_does_not_go_together_is_said(
    job: Path, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert teacher(job, *options) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(("tokens", "seconds"), [(100, 600), (5400, 600), (8192, 879.2), (32768, 3336.8)])
def test_a_longer_reply_is_waited_for_longer(tokens: int, seconds: float) -> None:
    assert timeout_for(tokens) == pytest.approx(seconds)

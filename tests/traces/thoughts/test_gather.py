"""What a traces file may hold before attempts are added, what failed requests lead to, and that one process adds."""

import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from commands.arena import main
from commands.kit.collecting import claim
from common.errors import DataError, ServerError
from eval.records import Problem
from models.chat.client import Endpoint
from traces.keeping.trace import Trace, append_trace, read_traces
from traces.problems.sources import write_problems
from traces.thoughts.service.client import ServiceClient, ServiceOptions
from traces.thoughts.service.gather import Attempts, Summary, gather
from traces.thoughts.service.past import Maker, Past, maker_of, read_past
from traces.thoughts.solutions import solution_attempt
from traces.thoughts.translate import tasks

OPTIONS = ServiceOptions(max_tokens=100, timeout=20, retries=0, concurrency=4)
SOLUTIONS = Maker("solutions", "student")


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))


def number_in(body) -> int:
    return int(re.search(r"What is (\d+) plus", body["messages"][-1]["content"])[1])


def right(body) -> str:
    return f"We add and find \\boxed{{{number_in(body) + 20}}}."


def made(problem: Problem, **values) -> Trace:
    return Trace(**{"problem": problem, "prompt": "?", "raw": "", "thought": "", "answer": "", "method": "solution",
                    "model": "student", "kept": True, **values})  # fmt: skip


def file_of(path: Path, *traces: Trace) -> Path:
    for trace in traces:
        append_trace(path, trace)
    return path


async def sample(service, problems, verifier, out: Path, attempts=Attempts(at_once=1)) -> Summary:  # noqa: B008
    async with ServiceClient(Endpoint(service.url, "student"), OPTIONS) as client:
        return await gather(problems, solution_attempt(client), verifier.verify, out, attempts, by=SOLUTIONS)


def arena(command: str, problems: Path, service, model: str, out: Path, *more: str) -> int:
    where = ["--url", service.url, "--model", model, "--out", str(out), "--retries", "0"]
    return main(["traces", command, str(problems), *where, *more])


# What a file may hold


def test_another_models_samples_do_not_pass_for_those_asked_now(serve, turn, problems, tmp_path, capsys):
    write_problems(tmp_path / "p.jsonl", problems[:2])
    service, out = serve(lambda n, body: turn(text=right(body))), tmp_path / "s.jsonl"
    assert arena("sample", tmp_path / "p.jsonl", service, "qwen-1.5b", out) == 0
    before = out.read_bytes()
    assert arena("sample", tmp_path / "p.jsonl", service, "qwen-0.5b", out) == 1
    told = capsys.readouterr().err
    assert "holds solutions by qwen-1.5b, and solutions by qwen-0.5b are asked for. Give another --out." in told
    assert len(service.requests) == 4 and out.read_bytes() == before
    assert arena("sample", tmp_path / "p.jsonl", service, "qwen-1.5b", out, "--samples", "3") == 0
    assert len(service.requests) == 6, "the same model is asked for more"


def test_another_file_with_the_same_ids_does_not_inherit_attempts(serve, turn, problems, tmp_path, capsys):
    write_problems(tmp_path / "p.jsonl", problems[:2])
    write_problems(tmp_path / "q.jsonl", [replace(problems[0], question="What is 7 plus 13?"), problems[1]])
    service, out = serve(lambda n, body: turn(text=right(body))), tmp_path / "t.jsonl"
    assert arena("teacher", tmp_path / "p.jsonl", service, "big", out) == 0
    assert arena("teacher", tmp_path / "q.jsonl", service, "big", out) == 1
    assert "holds another question under the id sums/0. Give another --out." in capsys.readouterr().err
    assert len(service.requests) == 2


def test_batch_files_heed_it_too(problems, tmp_path, capsys):
    write_problems(tmp_path / "p.jsonl", problems[:2])
    out = file_of(tmp_path / "t.jsonl", made(problems[0], method="teacher", model="small"))
    (tmp_path / "answers.jsonl").touch()
    for files in (["--batch-out", str(tmp_path / "r.jsonl")], ["--batch-in", str(tmp_path / "answers.jsonl")]):
        given = [str(tmp_path / "p.jsonl"), "--model", "big", "--out", str(out), *files]
        assert main(["traces", "teacher", *given]) == 1
        assert "holds thoughts by small, and thoughts by big are asked for" in capsys.readouterr().err
    assert not (tmp_path / "r.jsonl").exists()


@pytest.mark.parametrize(
    ("trace", "maker"),
    [
        ({}, ("solutions", "student")),
        ({"method": "teacher"}, ("thoughts", "student")),
        ({"method": "teacher", "extra": {"phase": 1}}, ("rewritten solutions", "student")),
        ({"method": "debate", "model": "policy/critic"}, ("debates", "policy/critic")),
        ({"method": "people", "model": "Ann"}, ("written thoughts", "Ann")),
        ({"model": "o1, translated by m", "extra": {"phase": 1, "translated_from": "x"}}, ("translations", "m")),
    ],
)
def test_who_made_a_trace(problems, tmp_path, trace, maker):
    one = made(problems[0], **trace)
    assert maker_of(one) == maker
    out = file_of(tmp_path / "t.jsonl", one)
    assert read_past(out, problems, Maker(*maker)).done == {"sums/0": {1}}
    with pytest.raises(DataError, match="are asked for"):
        read_past(out, problems, Maker("translations", "another"))


def test_what_is_no_mix_up_is_read(problems, tmp_path):
    """Other problems may be by anybody, and translations of several teachers have one translator."""
    out = file_of(tmp_path / "t.jsonl", made(problems[0]), made(problems[1], model="another"))
    assert read_past(out, problems[:1], SOLUTIONS).kept == {"sums/0", "sums/1"}
    sources = [made(problems[n], method="teacher", model=f"teacher {n}") for n in (2, 3)]
    mine = tasks(sources, "chinese")
    translated = [
        replace(task.source, problem=replace(task.problem, question="多少？"), extra={"translated_from": "x"},
                model=f"{task.source.model}, translated by m")
        for task in mine
    ]  # fmt: skip
    out = file_of(tmp_path / "u.jsonl", *translated)
    assert len(read_past(out, [task.problem for task in mine], Maker("translations", "m")).done) == 2


def test_two_questions_of_one_id_are_refused_and_one_given_twice_is_not(problems, tmp_path):
    with pytest.raises(DataError, match="Two different problems have the id sums/1"):
        read_past(tmp_path / "t.jsonl", [*problems, replace(problems[1], question="What?")])
    assert not read_past(tmp_path / "t.jsonl", [*problems, problems[1]]).done


# Requests that fail


@pytest.mark.parametrize("number", [1, 2, 9])
async def test_a_dead_service_is_an_error_however_few_the_problems(serve, turn, problems, verifier, tmp_path, number):
    dead, out = serve(lambda n, body: turn(status=400)), tmp_path / "s.jsonl"
    failed = "The request failed with" if number == 1 else f"{number} requests in a row failed, the last with"
    with pytest.raises(ServerError, match=f"^{failed} refused, .*run again with --retry-failed.$"):
        await sample(dead, problems[:number], verifier, out)
    again = await sample(dead, problems[:number], verifier, out)
    assert (again.asked, again.unanswered) == (0, number)
    said = "1 request" if number == 1 else f"{number} requests"
    assert again.sentence.endswith(f"$0.0000. {said} failed. Ask again with --retry-failed.")
    fine = serve(lambda n, body: turn(text=right(body), reasoning="I add the tens first, then I add the ones."))
    repeated = await sample(fine, problems[:number], verifier, out, Attempts(retry_failed=True))
    assert repeated.kept == number and "--retry-failed" not in repeated.sentence
    assert "--retry-failed" not in (await sample(fine, problems[:number], verifier, out)).sentence


async def test_a_limit_does_not_hide_that_all_requests_failed(serve, turn, problems, verifier, tmp_path):
    dead = serve(lambda n, body: turn(status=400))
    with pytest.raises(ServerError, match="3 requests in a row failed"):
        await sample(dead, problems, verifier, tmp_path / "s.jsonl", Attempts(at_once=1, limit=3))


async def test_some_failed_requests_are_no_error_and_the_summary_says_what_to_do(
    serve, turn, problems, verifier, tmp_path
):
    service = serve(lambda n, body: turn(status=400) if number_in(body) > 0 else turn(text=right(body)))
    summary = await sample(service, problems[:4], verifier, tmp_path / "s.jsonl")
    assert (summary.rejected["request"], summary.unanswered) == (3, 3)
    assert summary.sentence.endswith("3 requests failed. Ask again with --retry-failed.")


def test_what_failed_counts_until_it_is_made_up_for(problems):
    failed = {"kept": False, "reason": "request: timeout"}
    past = Past([made(problems[0], **failed), made(problems[1], **failed), made(problems[1], attempt=2)])
    assert past.unanswered(problems, 1, until_kept=False) == 1, "the second problem was asked again"
    assert past.unanswered(problems, 2, until_kept=False) == 2
    assert past.unanswered(problems, 2, until_kept=True) == 1, "a problem with a kept trace needs no more"
    assert past.unanswered(problems[2:], 2, until_kept=False) == 0


# One process


def test_a_second_process_is_refused_before_it_asks(serve, turn, problems, tmp_path, capsys):
    write_problems(tmp_path / "p.jsonl", problems[:1])
    service, out = serve(lambda n, body: turn(text=right(body))), tmp_path / "new" / "t.traces.jsonl"
    (tmp_path / "a.jsonl").touch()
    batch = ["teacher", str(tmp_path / "p.jsonl"), "--model", "big", "--out", str(out)]
    rehearsal = ["rehearse", "--url", service.url, "--model", "big", "--out", str(out), "--most", "1"]
    with claim(out):
        assert arena("teacher", tmp_path / "p.jsonl", service, "big", out) == 1
        assert f"{out} is in use by another process." in capsys.readouterr().err
        assert main(["traces", *batch, "--batch-in", str(tmp_path / "a.jsonl")]) == 1
        assert main(["traces", *rehearsal]) == 1
        same_ledger = out.with_name("t.jsonl")
        assert arena("sample", tmp_path / "p.jsonl", service, "big", same_ledger) == 1
        assert arena("sample", tmp_path / "p.jsonl", service, "big", out.with_name("other.jsonl")) == 0
    assert not out.exists() and len(service.requests) == 2
    assert arena("sample", tmp_path / "p.jsonl", service, "big", out) == 0


def test_two_terminals_pay_once(serve, turn, problems, tmp_path, capsys):
    write_problems(tmp_path / "p.jsonl", problems[:3])
    asked, go_on, codes = threading.Event(), threading.Event(), []

    def script(number, body):
        asked.set()
        assert go_on.wait(60)
        return turn(text=right(body))

    service, out = serve(script), tmp_path / "t.jsonl"
    first = threading.Thread(target=lambda: codes.append(arena("teacher", tmp_path / "p.jsonl", service, "big", out)))
    first.start()
    assert asked.wait(60)
    codes.append(arena("teacher", tmp_path / "p.jsonl", service, "big", out))
    go_on.set()
    first.join(60)
    assert codes == [1, 0] and len(service.requests) == len(list(read_traces(out))) == 3

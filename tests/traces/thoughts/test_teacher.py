"""The teacher against a scripted service: limits, refusals, cut-offs, rubbish, a cap, and a kill in the middle."""

import argparse
import asyncio
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from commands.kit.collecting import client_from
from commands.kit.service_options import add_service_options
from common.errors import ConfigError, DataError, ServerError
from models.chat.client import Endpoint, Message
from traces.keeping.keep import reason_code
from traces.keeping.trace import read_traces
from traces.thoughts.service.client import ServiceClient, ServiceOptions
from traces.thoughts.service.gather import Attempts, gather
from traces.thoughts.service.pacing import Ledger, Prices, RateLimit
from traces.thoughts.teacher import teacher_attempt

THOUGHT = "I am asked for a sum. Let me add the tens first and then the ones, one after the other."
OPTIONS = ServiceOptions(max_tokens=100, timeout=5, retries=3, concurrency=4)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    monkeypatch.setattr("traces.thoughts.service.client.pause_before", lambda retry, asked: asked or 0.02)


def client(service, options=OPTIONS, **kwargs) -> ServiceClient:
    return ServiceClient(Endpoint(service.url, "teacher", "key"), options, **kwargs)


def right(body) -> str:
    number = int(re.search(r"What is (\d+) plus 20", body["messages"][-1]["content"])[1])
    return f"It is \\boxed{{{number + 20}}}."


async def run(service, problems, verifier, out: Path, options=Attempts(at_once=4), **kwargs):  # noqa: B008
    async with client(service, **kwargs) as asking:
        return await gather(problems, teacher_attempt(asking), verifier.verify, out, options)


async def test_reasoning_field_and_prompt_are_kept(serve, turn, problems, verifier, tmp_path):
    service = serve(lambda n, body: turn(text=right(body), reasoning=THOUGHT, delay=0.1))
    summary = await run(service, problems, verifier, tmp_path / "t.jsonl")
    traces = list(read_traces(tmp_path / "t.jsonl"))
    assert (summary.asked, summary.kept, len(traces)) == (10, 10, 10)
    assert all(t.thought == THOUGHT and t.raw.startswith(f"<think>\n{THOUGHT}\n</think>\n\n") for t in traces)
    assert all(t.extra["reasoning_field"] == "reasoning_content" and "<think>" in t.extra["sent"] for t in traces)
    assert all("Reason step by step" in t.prompt and "<think>" not in t.prompt for t in traces)
    assert all(t.tokens == 50 and t.method == "teacher" for t in traces)
    assert 1 < service.most_at_once <= 4


async def test_thought_in_tags_is_read(serve, turn, problems, verifier, tmp_path):
    service = serve(lambda n, body: turn(text=f"<think>\n{THOUGHT}\n</think>\n\n{right(body)}"))
    assert (await run(service, problems, verifier, tmp_path / "t.jsonl")).kept == 10


async def test_cut_off_wrong_and_bare_answers_are_rejected_with_reasons(serve, turn, problems, verifier, tmp_path):
    script = [
        turn(text="\\boxed{20}", reasoning=THOUGHT, finish_reason="length"),
        turn(text="\\boxed{99}", reasoning=THOUGHT),
        turn(text="It is 22.", reasoning=THOUGHT),
        turn(text="\\boxed{23}"),
    ]
    by_question = {f"What is {i} plus 20?": answer for i, answer in enumerate(script)}
    service = serve(lambda n, body: by_question[body["messages"][-1]["content"].split("\n")[0]])
    summary = await run(service, problems[:4], verifier, tmp_path / "t.jsonl")
    traces = {t.problem.id: t for t in read_traces(tmp_path / "t.jsonl")}
    codes = [reason_code(traces[f"sums/{i}"]) for i in range(4)]
    assert codes == ["cut_off", "wrong_answer", "no_box", "no_thought"]
    assert summary.kept == 0 and summary.rejected == dict.fromkeys(codes, 1)
    assert traces["sums/0"].answer == "\\boxed{20}", "what arrived is kept with the reject"


async def test_a_cut_off_is_known_by_any_of_its_names(serve, turn):
    service = serve(lambda n, body: turn(text="The ones are thr", finish_reason=["MAX_TOKENS", "stop"][n]))
    async with client(service) as asking:
        reasons = [(await asking.ask([Message("user", "?")])).finish_reason for _ in range(2)]
    assert reasons == ["length", "stop"]


async def test_rate_limit_is_honoured_by_all(serve, turn, problems, verifier, tmp_path):
    held = threading.Event()
    since = 0.0

    class Watched(RateLimit):
        def hold(self, seconds):
            nonlocal since
            since = time.monotonic()
            super().hold(seconds)
            held.set()

    def script(number, body):
        if number == 0:
            return turn(status=429, headers={"retry-after": "0.6"})
        assert held.wait(60), "the others are answered once the refusal was heard"
        return turn(text=right(body), reasoning=THOUGHT)

    service = serve(script)
    summary = await run(service, problems, verifier, tmp_path / "t.jsonl", Attempts(), rate_limit=Watched())
    assert summary.kept == 10 and len(service.times) == 11, "the refused request was asked again"
    under_way = sum(when < since + 0.6 for when in service.times)
    assert under_way <= OPTIONS.concurrency, "nobody asks while the service wants to be left alone"


async def test_a_wait_too_long_ends_the_run(serve, turn, problems, verifier, tmp_path):
    service = serve(lambda n, body: turn(status=429, headers={"retry-after": "4000"}))
    with pytest.raises(ServerError, match="asks to wait 4000 s"):
        await run(service, problems, verifier, tmp_path / "t.jsonl")


@pytest.mark.parametrize(
    ("bad", "failure"),
    [
        ({"raw": b"{ not json"}, "broken_json"),
        ({"raw": b'{"hello": "world"}'}, "broken_json"),
        ({"raw": b'["list"]'}, "broken_json"),
        ({"raw": b'{"choices": []}'}, "broken_json"),
        ({"raw": b'{"choices": {"message": {"content": "7"}}}'}, "broken_json"),
        ({"raw": b'{"choices": [{"message": "7"}]}'}, "broken_json"),
        ({"raw": b'{"choices": [{"message": {"role": "assistant", "content": [{"type": "text"}]}}]}'}, "broken_json"),
        ({"delay": 1.0}, "timeout"),
        ({"status": 503}, "server_error"),
        ({"status": 400}, "refused"),
    ],
)
async def test_failures_are_recorded_after_bounded_retries(serve, turn, problems, verifier, tmp_path, bad, failure):
    service = serve(lambda n, body: turn(**bad))
    patience = 0.3 if failure == "timeout" else 30
    options = ServiceOptions(max_tokens=100, timeout=patience, retries=1, concurrency=4)
    async with client(service, options) as asking:
        with pytest.raises(ServerError, match="2 requests in a row failed"):
            await gather(problems[:2], teacher_attempt(asking), verifier.verify, tmp_path / "t.jsonl")
    traces = list(read_traces(tmp_path / "t.jsonl"))
    assert [reason_code(t) for t in traces] == ["request"] * 2
    assert all(failure in t.reason for t in traces)
    assert len(service.requests) == (2 if failure == "refused" else 4)


async def test_a_passing_failure_is_retried(serve, turn, problems, verifier, tmp_path):
    bad = [turn(raw=b"<html>"), turn(status=500), turn(status=429)]
    service = serve(lambda n, body: bad[n] if n < 3 else turn(text=right(body), reasoning=THOUGHT))
    assert (await run(service, problems[:3], verifier, tmp_path / "t.jsonl")).kept == 3


async def test_nobody_there(problems, verifier, tmp_path):
    options = ServiceOptions(max_tokens=100, timeout=1, retries=1, concurrency=2)
    async with ServiceClient(Endpoint("http://127.0.0.1:9/v1", "m"), options) as asking:
        said = await asking.ask([Message("user", "hello")])
    assert (said.failure, said.tries) == ("unreachable", 2)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_hopeless_refusals_stop_the_run(serve, turn, problems, verifier, tmp_path, status):
    service = serve(lambda n, body: turn(status=status))
    with pytest.raises(ServerError, match="Check the address"):
        await run(service, problems, verifier, tmp_path / "t.jsonl")
    assert len(service.requests) <= 4 and not (tmp_path / "t.jsonl").exists()


async def test_a_full_disk_is_told_in_a_sentence(serve, turn, problems, verifier, tmp_path, monkeypatch):
    def full(*_):
        raise DataError("The disk is full.")

    monkeypatch.setattr("traces.thoughts.service.gather.append_trace", full)
    service = serve(lambda n, body: turn(text=right(body), reasoning=THOUGHT))
    with pytest.raises(DataError, match="The disk is full"):
        await run(service, problems, verifier, tmp_path / "t.jsonl")


async def test_ten_failures_in_a_row_stop_the_run(serve, turn, problems, verifier, tmp_path):
    service = serve(lambda n, body: turn(status=400))
    many = [*problems, *(type(p)(f"more/{p.id}", p.question, p.gold, p.benchmark) for p in problems)]
    with pytest.raises(ServerError, match="in a row failed"):
        await run(service, many, verifier, tmp_path / "t.jsonl")
    assert len(service.requests) < 20
    fine = serve(lambda n, body: turn(text=right(body), reasoning=THOUGHT))
    assert (await run(fine, many, verifier, tmp_path / "t.jsonl")).asked == 20 - len(service.requests)
    again = await run(fine, many, verifier, tmp_path / "t.jsonl", Attempts(retry_failed=True))
    assert again.kept == len(service.requests)


async def test_the_cap_holds_also_across_runs(serve, turn, problems, verifier, tmp_path):
    """Each reply costs 0.050 by its tokens and can cost 0.100 beforehand: a cap of 0.33 lets five or six through."""
    service = serve(lambda n, body: turn(text=right(body), reasoning=THOUGHT, delay=0.02))
    out = tmp_path / "t.jsonl"
    for _ in range(3):
        ledger = Ledger(tmp_path / "ledger.jsonl", Prices(0, 1000), cap=0.33)
        summary = await run(service, problems, verifier, out, ledger=ledger)
        assert "cap" in summary.stopped
        assert ledger.spent <= 0.33
    assert len(list(read_traces(out))) == len(service.requests) == 5


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ('{"max_tokens": 9000}', "max_tokens"),
        ('{"max_completion_tokens": 9000}', "max_completion_tokens"),
        ('{"tokens": 9000}', "tokens"),
        ('{"n": 9}', "n"),
        ('{"model": "o1"}', "model"),
        ('{"messages": []}', "messages"),
        ('{"seed": 1}', "seed"),
        ("[1]", "not a JSON object"),
        ("{", "not JSON"),
    ],
)
def test_a_body_cannot_undo_what_options_say(tmp_path, body, named):
    parser = argparse.ArgumentParser()
    add_service_options(parser)
    given = ["--url", "http://x/v1", "--model", "m", "--token-field", "tokens", "--body", body]
    with pytest.raises(ConfigError, match=named):
        client_from(parser.parse_args(given), tmp_path / "ledger.jsonl")


async def test_the_ledger_counts_on_the_limit_that_is_sent(serve, turn):
    service = serve(lambda n, body: turn(raw=b"{"))
    ledger = Ledger(None, Prices(0, 1000))
    options = ServiceOptions(max_tokens=100, retries=0, body={"max_tokens": 300})
    async with client(service, options, ledger=ledger) as asking:
        await asking.ask([Message("user", "hello")])
    assert service.requests[0]["max_tokens"] == 300 and ledger.spent == pytest.approx(0.3)


async def test_lost_replies_count_at_their_most(serve, turn):
    service = serve(lambda n, body: turn(raw=b"{"))
    ledger = Ledger(None, Prices(0, 1000))
    async with client(service, ServiceOptions(max_tokens=100, retries=1), ledger=ledger) as asking:
        said = await asking.ask([Message("user", "hello")])
    assert said.cost == pytest.approx(0.2) and ledger.spent == pytest.approx(0.2)


async def test_only_the_services_own_time_counts(serve, turn):
    bad = turn(status=429, headers={"retry-after": "0.4"}, delay=0.1)
    service = serve(lambda n, body: bad if n == 0 else turn(text="7", delay=0.1))
    started = time.monotonic()
    async with client(service, ServiceOptions(concurrency=1)) as asking:
        first, second = await asyncio.gather(*(asking.ask([Message("user", "hello")]) for _ in range(2)))
    assert len(service.times) == 3, "the second waits for the first's slot, and the first before its retry"
    assert 0.3 <= first.seconds + second.seconds <= time.monotonic() - started - 0.4


async def test_attempts_until_kept(serve, turn, problems, verifier, tmp_path):
    answers = {1: "\\boxed{7}", 2: "\\boxed{20}"}
    service = serve(lambda n, body: turn(text=answers[body["seed"]], reasoning=THOUGHT))
    summary = await run(service, problems[:1], verifier, tmp_path / "t.jsonl", Attempts(most=5))
    assert (summary.asked, summary.kept) == (2, 1)
    assert (await run(service, problems[:1], verifier, tmp_path / "t.jsonl", Attempts(most=5))).asked == 0


async def test_half_a_character_in_a_reply_is_replaced(serve, turn):
    service = serve(lambda number, body: turn("Half \ud800 a 😀.", reasoning="And \udc00."))
    async with client(service) as one:
        reply = await one.ask([Message("user", "q")])
    assert (reply.text, reply.reasoning) == ("Half \ufffd a 😀.", "And \ufffd.")


async def test_requests_and_tokens_per_minute():
    for rate_limit, batches in ((RateLimit(requests=3, minute=0.3), 3), (RateLimit(tokens=30, minute=0.3), 3)):
        started = time.monotonic()
        for _ in range(9):
            await rate_limit.turn(10)
        assert (batches - 1) * 0.3 <= time.monotonic() - started < batches * 0.3 + 0.3


CHILD = """
import asyncio, sys
from pathlib import Path
from eval.records import Problem
from models.chat.client import Endpoint
from traces.thoughts.service.client import ServiceClient, ServiceOptions
from traces.thoughts.service.gather import Attempts, gather
from traces.thoughts.service.pacing import Ledger, Prices
from traces.thoughts.teacher import teacher_attempt
from dataclasses import replace

async def main(url, out):
    problems = [Problem(f"sums/{i}", f"What is {i} plus 20?", str(i + 20), "sums") for i in range(30)]
    ledger = Ledger(Path(out).with_suffix(".ledger.jsonl"), Prices(0, 1000))
    async with ServiceClient(Endpoint(url, "teacher"), ServiceOptions(max_tokens=100), ledger=ledger) as client:
        keep = lambda trace: replace(trace, kept=True)
        await gather(problems, teacher_attempt(client), keep, Path(out), Attempts(at_once=3))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("after", [4, 11])
def test_a_kill_in_the_middle_loses_nothing(serve, turn, tmp_path, after):
    service = serve(lambda n, body: turn(text=right(body), reasoning=THOUGHT, delay=0.05))
    out = tmp_path / "t.jsonl"
    command = [sys.executable, "-c", CHILD, service.url, str(out)]
    root = Path(__file__).parents[3]
    child = subprocess.Popen(command, cwd=root)
    deadline = time.monotonic() + 180
    while len(service.requests) < after and time.monotonic() < deadline:
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    with out.open("a") as file:
        file.write('{"problem": {"id": "su')  # as a kill in the middle of a write would leave it
    before = list(read_traces(out, skip_broken=True))
    asked = len(service.requests)
    subprocess.run(command, cwd=root, check=True, timeout=180)
    traces = list(read_traces(out))
    assert sorted(t.problem.id for t in traces) == sorted(f"sums/{i}" for i in range(30)), "each exactly once"
    assert traces[: len(before)] == before
    assert len(service.requests) == asked + 30 - len(before), "nothing on disk was asked again"
    ledger = Ledger(out.with_suffix(".ledger.jsonl"), Prices())
    lost = asked - len(before)
    assert ledger.spent >= 0.05 * (30 + lost) - 1e-9, "what the kill cut off counts as spent"
    assert ledger.spent <= 0.05 * 30 + 0.1 * 3 + 1e-9, "three requests at once were open at most"

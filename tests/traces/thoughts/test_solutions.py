"""Plain solutions: several samples a problem from a scripted service, resumed, capped by time and number."""

import argparse
import json
import threading
from pathlib import Path

import pytest

from commands.arena import main
from commands.kit.serving import asking
from common.errors import ConfigError
from eval.problems.families import generate
from models.chat.client import Endpoint
from traces.keeping.keep import Verifier, reason_code
from traces.keeping.trace import Trace, append_trace, read_traces
from traces.problems.sources import write_problems
from traces.thoughts.service.client import ServiceClient, ServiceOptions
from traces.thoughts.service.gather import Attempts, gather
from traces.thoughts.service.pacing import Ledger, Prices
from traces.thoughts.solutions import RULES, as_solution, as_thought, solution_attempt
from traces.training.mix import row_of
from traces.training.prompts import asked

OPTIONS = ServiceOptions(max_tokens=100, temperature=0.7, top_p=0.95, timeout=20, retries=0, concurrency=4)
TWICE = Attempts(most=2, until_kept=False, at_once=4)


def number_in(body) -> int:
    return int(body["messages"][-1]["content"].split("What is ")[1].split(" ")[0])


def right(body) -> str:
    number = number_in(body)
    return f"We add: {number} + 20 = {number + 20}. It is \\boxed{{{number + 20}}}."


async def sample(service, problems, verifier, out: Path, attempts=TWICE):
    checked = Verifier(verifier._grader, RULES)
    endpoint = Endpoint(service.url, "student", "")
    async with ServiceClient(endpoint, OPTIONS, ledger=Ledger(None, Prices())) as client:
        return await gather(problems, solution_attempt(client), checked.verify, out, attempts)


async def test_every_sample_is_kept_with_seed_verdict_reason_tokens_and_finish_reason(
    serve, turn, problems, verifier, tmp_path
):
    def script(number, body):
        match number_in(body) % 3, body["seed"]:
            case 0, _:
                return turn(text=right(body), tokens=30, delay=0.1)
            case 1, 1:
                return turn(text="It is \\boxed{7}.", tokens=31)
            case 1, _:
                return turn(text="It is tw", finish_reason="length", tokens=100)
        return turn(text="I do not know.", tokens=5)

    service = serve(script)
    summary = await sample(service, problems, verifier, tmp_path / "s.jsonl")
    traces = list(read_traces(tmp_path / "s.jsonl"))
    assert summary.asked == len(traces) == 20 and 1 < service.most_at_once <= 4
    assert {(t.problem.id, t.attempt) for t in traces} == {(p.id, n) for p in problems for n in (1, 2)}
    assert all(t.method == "solution" and t.model == "student" and t.seed == t.attempt for t in traces)
    assert all(t.thought == "" and t.raw == t.answer for t in traces)
    assert all((t.extra["temperature"], t.extra["top_p"], t.extra["max_tokens"]) == (0.7, 0.95, 100) for t in traces)
    codes = {(int(t.problem.id[5:]) % 3, t.attempt): reason_code(t) for t in traces}
    assert codes == {
        (0, 1): "", (0, 2): "", (1, 1): "wrong_answer", (1, 2): "cut_off", (2, 1): "no_box", (2, 2): "no_box",
    }  # fmt: skip
    assert {(t.tokens, t.extra["finish_reason"]) for t in traces if reason_code(t) == "cut_off"} == {(100, "length")}


async def test_after_a_kill_nothing_is_asked_twice(serve, turn, problems, verifier, tmp_path):
    service = serve(lambda n, body: turn(text=right(body)))
    await sample(service, problems[:6], verifier, tmp_path / "s.jsonl")
    lines = (tmp_path / "s.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "s.jsonl").write_bytes(b"".join(lines[:7]) + lines[7][:40])
    asked = len(service.requests)
    summary = await sample(service, problems, verifier, tmp_path / "s.jsonl")
    traces = list(read_traces(tmp_path / "s.jsonl"))
    assert len(service.requests) - asked == summary.asked == 20 - 7
    assert len({(t.problem.id, t.attempt) for t in traces}) == len(traces) == 20


@pytest.mark.parametrize("limit", [1, 5, 19, 20, 50])
async def test_no_more_than_the_limit_is_asked(serve, turn, problems, verifier, tmp_path, limit):
    service = serve(lambda n, body: turn(text=right(body)))
    attempts = Attempts(most=2, until_kept=False, at_once=4, limit=limit)
    summary = await sample(service, problems, verifier, tmp_path / "s.jsonl", attempts)
    assert len(service.requests) == summary.asked == min(limit, 20)
    assert ("limit" in summary.stopped) == (limit < 20)


async def test_when_the_time_is_over_replies_under_way_are_waited_for(serve, turn, problems, verifier, tmp_path):
    over = threading.Event()

    def script(number, body):
        assert over.wait(20)
        return turn(text=right(body))

    service = serve(script)
    threading.Timer(0.5, over.set).start()
    attempts = Attempts(most=2, until_kept=False, at_once=4, seconds=0.2)
    summary = await sample(service, problems, verifier, tmp_path / "s.jsonl", attempts)
    assert summary.asked == summary.kept == 4
    assert summary.stopped.startswith("The time is over.")


def test_a_solution_becomes_a_thought_and_its_answer(problems):
    from traces.keeping.trace import Trace

    text = "We add: 0 + 20 = 20. It is \\boxed{20}."
    trace = Trace(problems[0], "What?", text, "", text, "solution", "m", kept=True)
    row = row_of(as_thought(trace))
    assert row.completion == f"<think>\n{text}\n</think>\n\nThe answer is $\\boxed{{20}}$."
    assert as_thought(as_thought(trace)) == as_thought(trace)


def test_a_rewritten_solution_becomes_a_thought_too(problems):
    rewritten = {"phase": 1, "shortcut": "We add. \\boxed{20}", "seen": 1}
    plain = Trace(problems[0], "?", "", "", "We add. \\boxed{20}", "solution", "m", extra=rewritten)
    assert row_of(as_thought(plain)).completion.startswith("<think>\nWe add.")
    assert row_of(as_solution(as_thought(plain))).kind == "shortcut" and as_thought(plain).extra == {"seen": 1}


def ask(**given) -> argparse.Namespace:
    return argparse.Namespace(**{"served": "", "url": None, "model": None, "profile": "", **given})


@pytest.mark.parametrize(
    "given",
    [{}, {"url": "http://x/v1"}, {"model": "m"}, {"served": "qwen-1.5b", "url": "http://x/v1", "model": "m"}],
)
def test_it_must_be_clear_which_model_is_asked(given):
    with pytest.raises(ConfigError, match="which model to ask"), asking(ask(**given)):
        pass


def test_a_model_that_is_not_known_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"no model “gpt-9”.*qwen-0\.5b"), asking(ask(served="gpt-9")):
        pass


def test_the_commands_sample_and_keep(serve, turn, tmp_path, capsys, monkeypatch):
    """From problems to rows and pairs, as a person types it."""
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))
    problems = generate("train", 3, 5, ["sums"])
    write_problems(tmp_path / "p.jsonl", problems)
    golds = {problem.question: problem.gold for problem in problems}

    def script(number, body):
        gold = golds[body["messages"][-1]["content"].split("\n\nReason")[0]]
        if body["seed"] == 1:
            return turn(text=f"We find that {gold} + 0 = {gold}, and so it is \\boxed{{{gold}}}.")
        return turn(text=f"We find that {gold} + 1 = {gold}, and so it is \\boxed{{{gold}1}}.")

    service, out = serve(script), tmp_path / "s.traces.jsonl"
    where = ["--url", service.url, "--model", "m", "--out", str(out)]
    assert main(["traces", "sample", str(tmp_path / "p.jsonl"), *where, "--limit", "4"]) == 3
    assert main(["traces", "sample", str(tmp_path / "p.jsonl"), *where]) == 0
    assert len(service.requests) == 6
    rows, pairs = tmp_path / "rows.jsonl", tmp_path / "pairs.jsonl"
    capsys.readouterr()
    assert main(["traces", "keep", str(out), "--rows", str(rows), "--pairs", str(pairs), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["traces"], value["rows"], value["pairs"], value["dropped"]) == (6, 3, 3, {"wrong_answer": 3})
    for line in pairs.read_text().splitlines():
        pair = json.loads(line)
        assert pair["prompt"].endswith("\\boxed{}.") and pair["chosen"].startswith("<think>\nWe find")
        assert pair["chosen"] != pair["rejected"]
    assert main(["traces", "keep", str(out), "--rows", str(rows), "--phrasings"]) == 0
    asked = [json.loads(line)["prompt"] for line in rows.read_text().splitlines()]
    assert len(set(asked)) == 3 and all(any(question in prompt for question in golds) for prompt in asked)
    assert main(["traces", "keep", str(out)]) != 0


def test_phrasings_vary_and_are_the_same_each_time():
    problems = generate("train", 40, 5, ["sums"])
    prompts = [asked(problem, 3) for problem in problems]
    shapes = {prompt.replace(problem.question, "…") for prompt, problem in zip(prompts, problems, strict=True)}
    assert len(shapes) > 3 and prompts == [asked(problem, 3) for problem in problems]


@pytest.mark.parametrize("option", ["--rows", "--pairs"])
def test_neither_rows_nor_pairs_are_made_of_problems_for_measuring(tmp_path, capsys, option):
    problem = generate("same_kind", 1, 1)[0]
    for number, (gold, kept) in enumerate(((problem.gold, True), ("0", False)), start=1):
        text = f"We think and find \\boxed{{{gold}}}"
        reason = "" if kept else "wrong_answer: it is another"
        made = Trace(problem, "?", text, "", text, "solution", "m", kept=kept, reason=reason, attempt=number)
        append_trace(tmp_path / "t.jsonl", made)
    assert main(["traces", "keep", str(tmp_path / "t.jsonl"), option, str(tmp_path / "out.jsonl")]) == 1
    assert "same_kind, which are for measuring" in capsys.readouterr().err and not (tmp_path / "out.jsonl").exists()

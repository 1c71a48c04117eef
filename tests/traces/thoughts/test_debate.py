"""Debates against a scripted policy and critic, and the thought they make."""

import json

import pytest

from commands.arena import main
from models.chat.client import Endpoint
from traces.keeping.keep import reason_code
from traces.keeping.trace import read_traces
from traces.problems.sources import write_problems
from traces.thoughts.debate import Debate, DebateOptions
from traces.thoughts.service.client import ServiceClient, ServiceOptions
from traces.thoughts.service.gather import gather
from traces.thoughts.transcript import CriticVerdict, Turn, first_person, parse_verdict, path_of


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch):
    monkeypatch.setattr("traces.thoughts.service.client.pause_before", lambda retry, asked: asked or 0.02)


GO_ON = '{"verdict": "go on", "reason": "This is right."}'


def back(to: int, reason: str) -> str:
    return json.dumps({"verdict": "go back", "to": to, "reason": reason})


async def debate(serve, turn, problem, steps, verdicts, **options):
    """One debate in which policy and critic say these things in order; the last of each is said again and again."""
    said = {"policy": 0, "critic": 0}

    def script(number, body):
        who, lines = ("critic", verdicts) if body["model"] == "critic" else ("policy", steps)
        line = lines[min(said[who], len(lines) - 1)]
        said[who] += 1
        return line if isinstance(line, turn) else turn(text=line, tokens=20)

    service = serve(script)
    settings = ServiceOptions(timeout=5, retries=0)
    async with ServiceClient(Endpoint(service.url, "policy"), settings) as policy:
        critic = policy.beside(Endpoint(service.url, "critic"))
        return await Debate(policy, critic, DebateOptions(**options)).attempt(problem, 1, 7), service


async def test_a_step_taken_back_stays_in_the_thought(serve, turn, problems, verifier):
    steps = ["3 plus 20 is 3 times 20, so 60.", "3 plus 20 is 23 by adding to the tens.", "The answer is \\boxed{23}."]
    verdicts = [back(0, "You multiplied where the student has to add."), GO_ON, GO_ON]
    trace, service = await debate(serve, turn, problems[3], steps, verdicts)
    assert verifier.verify(trace).kept
    wait = "Wait. I multiplied where I have to add. Let me start again"
    assert trace.thought.index("so 60") < trace.thought.index(wait) < trace.thought.index("is 23")
    assert "boxed" not in trace.thought and trace.answer == steps[-1]
    assert trace.extra["went_back"] == 1 and trace.tokens == 120 and trace.model == "policy/critic"
    assert [row["verdict"] for row in trace.extra["turns"]] == ["go back", "go on", "go on"]
    assert "taken back: You multiplied" in service.user_text(2), "the policy hears why"
    assert "so 60" not in service.user_text(2), "and no longer sees the step"
    schema = service.requests[1]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["verdict"]["enum"] == ["go on", "go back"]


async def test_invalid_verdicts_are_counted_and_do_not_stop_it(serve, turn, problems, verifier):
    trace, service = await debate(
        serve, turn, problems[3], ["Add the tens to the ones and look.", "So \\boxed{23}."], ["Looks good to me!"]
    )
    assert trace.extra["invalid_verdicts"] == 4 and len(service.requests) == 6
    assert [row["verdict"] for row in trace.extra["turns"]] == ["invalid", "invalid"]
    assert verifier.verify(trace).kept


@pytest.mark.parametrize(("option", "requests"), [({"turns": 3}, 6), ({"tokens": 70}, 4)])
async def test_the_budget_ends_it(serve, turn, problems, option, requests):
    trace, service = await debate(serve, turn, problems[3], ["I add some more numbers here."], [GO_ON], **option)
    assert (trace.kept, reason_code(trace)) == (False, "budget")
    assert len(service.requests) == requests


async def test_an_answer_the_critic_takes_back_is_not_the_end(serve, turn, problems):
    steps = ["So it must be \\boxed{60}.", "No: \\boxed{23}."]
    trace, _ = await debate(serve, turn, problems[3], steps, [back(0, "That is a product."), GO_ON])
    assert trace.answer == "No: \\boxed{23}."


async def test_a_cut_off_step_keeps_its_whole_sentences(serve, turn, problems):
    steps = [turn(text="The tens stay. The ones are thr", finish_reason="length"), "So \\boxed{23}."]
    trace, _ = await debate(serve, turn, problems[3], steps, [GO_ON])
    assert trace.extra["turns"][0]["step"] == "The tens stay."


async def test_a_policy_with_a_thought_of_its_own(serve, turn, problems, verifier):
    steps = ["<think>\n3+20=23, tens and ones apart.\n</think>\n\nThe answer is $\\boxed{23}$."]
    trace, service = await debate(serve, turn, problems[3], steps, [GO_ON])
    assert (trace.thought, trace.answer) == ("3+20=23, tens and ones apart.", "The answer is $\\boxed{23}$.")
    assert "boxed{23}" in service.user_text(1), "the critic reads the answer too"
    assert verifier.verify(trace).kept


async def test_a_policy_that_says_nothing(serve, turn, problems):
    trace, service = await debate(serve, turn, problems[3], [""], [GO_ON], turns=4)
    assert reason_code(trace) == "budget" and trace.extra["empty_steps"] == 4 and len(service.requests) == 4


async def test_a_failed_request_rejects_but_keeps_what_was_said(serve, turn, problems):
    steps = ["The tens stay as they are.", turn(status=500)]
    trace, _ = await debate(serve, turn, problems[3], steps, [GO_ON])
    assert reason_code(trace) == "request" and "The tens stay" in trace.thought


async def test_a_critic_that_cannot_be_reached_is_not_a_debate_without_one(serve, turn, problems):
    steps = ["The tens stay as they are.", "So \\boxed{23}."]
    trace, service = await debate(serve, turn, problems[3], steps, [turn(status=500)])
    assert reason_code(trace) == "request" and "The tens stay" in trace.thought
    assert len(service.requests) == 2 and trace.extra["invalid_verdicts"] == 0


async def test_many_at_once_resume(serve, turn, problems, verifier, tmp_path):
    def script(number, body):
        text = body["messages"][-1]["content"]
        if body["model"] == "critic":
            return turn(text=GO_ON)
        gold = int(text.split("What is ")[1].split(" ")[0]) + 20
        return turn(text=f"Adding twenty to it gives the number I look for, \\boxed{{{gold}}}.")

    service = serve(script)
    out = tmp_path / "debate.jsonl"
    async with (
        ServiceClient(Endpoint(service.url, "policy")) as policy,
        ServiceClient(Endpoint(service.url, "critic")) as critic,
    ):
        attempt = Debate(policy, critic).attempt
        await gather(problems[:4], attempt, verifier.verify, out)
        summary = await gather(problems, attempt, verifier.verify, out)
    assert (summary.asked, summary.kept) == (6, 6)
    assert len(list(read_traces(out))) == 10 and len(service.requests) == 20


@pytest.mark.parametrize(("given", "limit"), [([], 400), (["--max-tokens", "900"], 900)])
def test_the_commands_token_limit_is_that_of_a_step(serve, turn, problems, tmp_path, given, limit):
    service = serve(lambda n, body: turn(text=GO_ON if "critic" in body["model"] else "So \\boxed{20}."))
    write_problems(tmp_path / "p.jsonl", problems[:1])
    where = ["--url", service.url, "--model", "policy", "--critic-model", "critic", "--out", str(tmp_path / "d.jsonl")]
    assert main(["traces", "debate", str(tmp_path / "p.jsonl"), *where, *given]) == 0
    assert [body["max_tokens"] for body in service.requests] == [limit, 200]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (GO_ON, CriticVerdict(False, "This is right.")),
        (f"\n{back(1, 'Wrong sign.')} ", CriticVerdict(True, "Wrong sign.", 1)),
        (back(0, "All wrong."), CriticVerdict(True, "All wrong.", 0)),
        (back(3, "Nothing to go back to."), None),
        (back(-1, "Below zero."), None),
        (back(1, ""), None),
        ('{"verdict": "go back", "reason": "where to?"}', None),
        ('{"verdict": "go back", "to": "1", "reason": "a text"}', None),
        ('{"verdict": "go back", "to": true, "reason": "a truth"}', None),
        ('{"verdict": "maybe", "reason": "x"}', None),
        ('{"verdict": "go on", "reason": "x", "score": 3}', None),
        ('```json\n{"verdict": "go on", "reason": "x"}\n```', None),
        ("go on", None),
        ("[]", None),
        ("", None),
    ],
)
def test_verdicts_are_read_strictly(text, verdict):
    assert parse_verdict(text, 3) == verdict


def test_the_path_after_going_back():
    turns = [
        Turn("a", CriticVerdict(False, "")),
        Turn("b", CriticVerdict(False, "")),
        Turn("c", CriticVerdict(True, "no", 1)),
        Turn("d", None),
    ]
    assert [turn.text for turn in path_of(turns)] == ["a", "d"]


def test_chinese_turns():
    thought = first_person([Turn("先算 3×20。", CriticVerdict(True, "应该相加。", 0)), Turn("3+20=23。")])
    assert "等等，应该相加。让我从头开始" in thought

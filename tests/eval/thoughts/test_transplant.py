"""Thoughts given to the other model: what is asked, what is graded, what the pairs add up to, and that it resumes."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from commands.arena import main
from common.errors import DataError, ServerError
from eval.grading.grader import Grader
from eval.records import Sample
from eval.results.report import run_report
from eval.runs.columns import fault_of
from eval.runs.log import RUNS, Role, RunLog
from eval.thoughts.carried import carried, gain, paired_verdicts
from eval.thoughts.transplant import Task, answer_from, pending, resume_of, sampling_of, transplant_thoughts
from models.config.thought_format import ThoughtFormat
from tests.eval.thoughts.scripted import PAIR, PROBLEMS, Scripted, finished_run, install

EVERY = len(PROBLEMS) * (3 + 4)
"""The base has three kinds of thought to answer from, the distilled model four."""


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(workers=1) as shared:
        yield shared


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, grader: Grader) -> Scripted:
    pair = Scripted()
    install(monkeypatch, grader, pair)
    return pair


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunLog:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    return finished_run(tmp_path / RUNS)


async def test_the_thought_carries_the_gain_where_it_does(log: RunLog, scripted: Scripted) -> None:
    assert await transplant_thoughts(log, scripted.served) == EVERY
    share = {(row.role, row.given): (row.paired.base, row.paired.distilled) for row in carried(log)}
    right = 1 / len(PROBLEMS)
    assert share == {
        ("base", "other"): (right, 1.0),
        ("base", "half"): (right, right),
        ("base", "more"): (right, right),
        ("distilled", "other"): (1.0, right),
        ("distilled", "half"): (1.0, 1.0),
        ("distilled", "none"): (1.0, right),
        ("distilled", "more"): (1.0, 1.0),
    }
    found = gain(log)
    assert found and found.thought and found.weights
    assert found.own.difference == found.thought.difference == pytest.approx(1 - right)
    assert found.weights.difference == 0
    assert found.own.low > 0


def test_answers_are_compared_with_those_of_the_same_number() -> None:
    own = {"p": {0: True, 1: False, 2: False}, "q": {0: True}, "r": {1: True}}
    given = {"p": {1: True}, "q": {0: False}, "r": {0: True}, "s": {0: True}}
    assert paired_verdicts(own, given) == ([[False], [True]], [[True], [False]])


async def test_rows_hold_what_was_asked_and_no_more_is_asked_again(log: RunLog, scripted: Scripted) -> None:
    await transplant_thoughts(log, scripted.served)
    rows = list(log.rows("transplants"))
    assert Counter(row["given"] for row in rows) == {"other": 12, "half": 12, "none": 6, "more": 12}
    assert not [fault for row in rows if (fault := fault_of("transplants", row))]
    assert log.left_out() == []
    seeds = {(s.problem_id, s.seed) for s in log.samples()}
    assert {(row["problem_id"], row["seed"]) for row in rows} == seeds
    asked = scripted.asked()
    assert (await transplant_thoughts(log, scripted.served), scripted.asked()) == (0, asked)


async def test_it_resumes_after_a_kill_without_asking_twice(log: RunLog, scripted: Scripted) -> None:
    class KilledError(Exception):
        """Stands for the end of the process."""

    def kill(done: int, total: int) -> None:
        if done == 9:
            raise KilledError

    with pytest.raises(BaseExceptionGroup):
        await transplant_thoughts(log, scripted.served, progress=kill)
    kept, before = len(list(log.rows("transplants"))), scripted.asked()
    assert 9 <= kept < EVERY
    assert len(pending(log)) == EVERY - kept
    assert await transplant_thoughts(log, scripted.served) == EVERY - kept == scripted.asked() - before
    rows = list(log.rows("transplants"))
    assert len({(r["model"], r["problem_id"], r["given"]) for r in rows}) == len(rows) == EVERY


async def test_a_server_that_fails_leaves_the_rest_for_later(log: RunLog, scripted: Scripted) -> None:
    scripted.servers["base"].refusal = (400, {"error": {"message": "no"}})
    with pytest.raises(ServerError, match=r"18 of 42 answers were not made: .*Run the same command again"):
        await transplant_thoughts(log, scripted.served, pause=0)
    assert {row["model"] for row in log.rows("transplants")} == {PAIR.distilled.key}
    scripted.servers["base"].refusal = None
    assert await transplant_thoughts(log, scripted.served) == 18


def sample(**facts: object) -> Sample:
    empty = Sample("r", "m", "p", 0, "q", "", "", "", 0, 0, "stop", 7, 0.0, "", "")
    return replace(empty, **facts)  # type: ignore[arg-type]


THINKER = sample(
    text="<think>\nOne. Two.\n</think>\n\nIt is 3.", thought="One. Two.", answer="It is 3.", thought_tokens=6
)
PLAIN = sample(text="One. Two. It is 3.", answer="One. Two. It is 3.", answer_tokens=9)
TAGS, NONE, MARKER = ThoughtFormat("tags"), ThoughtFormat("none"), ThoughtFormat("marker", marker="Answer:")
RESUMES = {
    "a thought for a model without thoughts": (Task("base", "other", PLAIN, THINKER), NONE, "One. Two.\n\n"),
    "half of it": (Task("base", "half", PLAIN, THINKER), NONE, "One."),
    "plain reasoning for a thinker": (
        Task("distilled", "other", THINKER, PLAIN), TAGS, "<think>\nOne. Two. It is 3.\n</think>\n\n",
    ),
    "half of plain reasoning": (Task("distilled", "half", THINKER, PLAIN), TAGS, "<think>\nOne. Two."),
    "no thought": (Task("distilled", "none", THINKER, None), TAGS, "<think>\n\n</think>\n\n"),
    "no thought, prefilled": (
        Task("distilled", "none", THINKER, None), ThoughtFormat("tags", prefilled=True), "</think>\n\n",
    ),
    "think more": (Task("distilled", "more", THINKER, None), TAGS, "<think>\nOne. Two. Wait"),
    "think more without thoughts": (Task("base", "more", PLAIN, None), NONE, "One. Two. It is 3.\n\nWait"),
    "at a marker": (Task("distilled", "other", THINKER, PLAIN), MARKER, "One. Two. It is 3.\n\nAnswer:"),
    "a closing tag in the thought": (
        Task("distilled", "other", THINKER, sample(text="a </think> b")), TAGS, "<think>\na  b\n</think>\n\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("task", "thought", "raw"), RESUMES.values(), ids=RESUMES)
def test_from_where_a_model_goes_on(task: Task, thought: ThoughtFormat, raw: str) -> None:
    assert resume_of(task, thought).raw == raw


@pytest.mark.parametrize(("given", "left"), [("other", 128), ("half", 612), ("none", 1024), ("more", 1014)])
def test_what_was_given_counts_against_the_limit(log: RunLog, given: str, left: int) -> None:
    other = None if given in ("none", "more") else sample(thought_tokens=820, answer_tokens=4)
    own = sample(thought_tokens=10)
    other = replace(other, thought_tokens=1020) if other and given == "other" else other
    drawn = sampling_of(log.info(), Task("distilled", given, own, other))  # type: ignore[arg-type]
    assert (drawn.max_tokens, drawn.seed) == (left, 7)


async def test_the_command_tells_what_was_measured(
    log: RunLog, scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    await transplant_thoughts(log, scripted.served)
    assert main(["thoughts", "transplant", log.folder.name]) == 0  # all is there: no server is started
    said = capsys.readouterr().out
    assert "| base | the other's thought | 6 | 16.7% | 100.0% | +83.3 [" in said
    assert "- base with the distilled model's thought: +83.3 [" in said
    assert said.strip() in run_report(log.folder.parent, log.folder.name)
    assert main(["thoughts", "transplant", log.folder.name, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["made"] == 0
    assert values["gain"]["weights"]["difference"] == 0
    assert len(values["given"]) == 7


GIVEN_BY_HAND = {
    "base, right": ("base", "3+3=6.", True, "correct", "6"),
    "base, wrong": ("base", "3+3=7.", True, "wrong", "7"),
    "distilled, closed": ("distilled", "3+3=7.", True, "wrong", "7"),
    "distilled, goes on": ("distilled", "3+3=7.", False, "correct", "6"),
    "a box in the thought is no answer of the base": ("base", "\\boxed{6}", True, "wrong", "2"),
}


@pytest.mark.parametrize(("role", "text", "closed", "outcome", "said"), GIVEN_BY_HAND.values(), ids=GIVEN_BY_HAND)
async def test_a_thought_edited_by_hand_is_gone_on_with(
    log: RunLog, scripted: Scripted, role: Role, text: str, closed: bool, outcome: str, said: str
) -> None:
    answered = await answer_from(scripted.served, log, role, "toy/3", text, closed=closed)
    assert (answered.outcome, answered.extracted) == (outcome, said)
    assert text not in answered.added
    with pytest.raises(DataError, match="has no problem “toy/99”"):
        await answer_from(scripted.served, log, role, "toy/99", text)

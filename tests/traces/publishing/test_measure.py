"""An adapter is measured by runs of the benchmark runner: the report keeps its shape, and nothing is asked twice."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from commands.arena import main
from common.errors import ServerError
from common.paths import ROOT
from eval.grading.grader import Grader
from eval.runs.runner import DOWN_AFTER
from models.chat.client import Endpoint, Message
from models.chat.events import Reply
from models.config.registry import Role
from traces.publishing import measure
from traces.publishing.measure import measure_adapter, measure_arm
from traces.publishing.ways import CHAT_PROMPTS, MEASUREMENTS, WAYS
from traces.training.recipe import named_pair

ASKED: list[list[Message]] = []
PAIR = named_pair("embedded")


class FakeClient:
    """Base answers 1; distilled thinks and answers the first number it is asked about. Silent while `down`."""

    down = False

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint

    async def complete(self, messages: list[Message], sampling: object) -> Reply:
        if self.down:
            return Reply(finish_reason="failed", error="the server is gone")
        ASKED.append(messages)
        value = next(iter(re.findall(r"\d+", messages[-1].content)), "7")
        if self.endpoint.model == "base":
            return Reply("", "It is \\boxed{1}.", "It is \\boxed{1}.", answer_tokens=6)
        return Reply("2*3=7.\nCheck: Good.", f"It is \\boxed{{{value}}}.", "…", thought_tokens=9, answer_tokens=6)

    async def aclose(self) -> None: ...


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(workers=1) as shared:
        yield shared


@pytest.fixture(autouse=True)
def served(monkeypatch: pytest.MonkeyPatch, grader: Grader) -> list[tuple[Role, ...]]:
    """The sides that were served, call by call."""
    started: list[tuple[Role, ...]] = []

    @contextmanager
    def serving(config: Any, pair: Any, roles: Sequence[Role] = ("base", "distilled")) -> Iterator[Any]:
        async def wait_ready(role: Role) -> Endpoint:
            return Endpoint("http://x/v1", role)

        started.append(tuple(roles))
        profile = config.profiles["cpu"]
        yield SimpleNamespace(pair=pair, profile=profile, wait_ready=wait_ready, weight_hash=lambda role: f"of {role}",
                              software=dict)  # fmt: skip

    ASKED.clear()
    monkeypatch.setattr(FakeClient, "down", False)
    monkeypatch.setattr(measure, "serving", serving)

    async def client_of(served: Any, role: Role) -> FakeClient:
        return FakeClient(await served.wait_ready(role))

    monkeypatch.setattr("eval.runs.run_job.client_of", client_of)
    monkeypatch.setattr("eval.runs.run_job.Grader", lambda workers: nullcontext(grader))
    monkeypatch.setattr("models.chat.retry.pause_before", lambda *_, **__: 0.0)
    return started


def shape(value: Any) -> Any:
    """The keys of a report, all the way down, whatever was measured."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items() if not key.isdecimal()}
    return [shape(value[0])] if isinstance(value, list) else type(value).__name__


def test_the_report_has_the_shape_of_the_shipped_one(tmp_path: Path) -> None:
    shipped = json.loads((ROOT / "models" / "adapters" / "smol-135m" / "report.json").read_text())["evaluation"]
    evaluation = measure_adapter(PAIR, tmp_path / "adapter", tmp_path / "out", 4)
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text()) == evaluation
    for part in (shipped, evaluation):
        for name in MEASUREMENTS:
            for roles in part[name]["summary"].values():
                for figures in roles.values():
                    figures["by_family"] = {}  # which families there are depends on how many problems
    assert shape(evaluation) == shape(shipped)
    for name in MEASUREMENTS:
        assert evaluation[name]["settings"] == shipped[name]["settings"]
        assert list(evaluation[name]["summary"]) == list(shipped[name]["summary"])
    greedy = evaluation["greedy"]["summary"]["same_kind"]
    assert (greedy["base"]["problems"], greedy["distilled"]["mean_tokens"]) == (4, 15.0)
    assert greedy["distilled"]["corrections"]["false_steps"] == greedy["distilled"]["thought"] * 4 == 4
    assert [entry["prompt"] for entry in evaluation["chat"]] == [p for form in CHAT_PROMPTS.values() for p in form]


def test_later_questions_come_after_other_turns_and_bare_ones_alone(tmp_path: Path) -> None:
    measure_adapter(PAIR, tmp_path / "adapter", tmp_path / "out", 2)
    assert {len(messages) for messages in ASKED} == {1, 5}
    assert any("boxed" not in messages[0].content for messages in ASKED if len(messages) == 1)


def test_a_stopped_measurement_continues_and_a_complete_one_asks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeClient, "down", True)
    with pytest.raises(ServerError, match="is gone"):
        measure_adapter(PAIR, tmp_path / "adapter", tmp_path / "out", DOWN_AFTER)
    monkeypatch.setattr(FakeClient, "down", False)
    first = measure_adapter(PAIR, tmp_path / "adapter", tmp_path / "out", DOWN_AFTER)
    assert len(list((tmp_path / "out").glob("*/run.json"))) == len(MEASUREMENTS) + 1, "the stopped run was continued"
    asked = len(ASKED)
    assert measure_adapter(PAIR, tmp_path / "adapter", tmp_path / "out", DOWN_AFTER) == first
    assert len(ASKED) == asked


def test_only_the_ways_that_are_named_are_asked(tmp_path: Path) -> None:
    pair = named_pair("qwen-0.5b")
    evaluation = measure_adapter(pair, tmp_path / "a", tmp_path / "out", 2, ways=("bare", "chat"), max_tokens=64)
    assert [name for name in WAYS if name in evaluation] == ["bare", "chat"]
    assert evaluation["bare"]["settings"]["max_tokens"] == 64
    runs = [run.name for run in (tmp_path / "out").glob("2*")]
    assert len(runs) == 2 and all("-qwen-0.5b" in run for run in runs)


def test_an_arm_is_measured_alone_and_read_again_without_a_server(tmp_path: Path, served: list[Any]) -> None:
    first = measure_arm(PAIR, tmp_path, 2)
    assert served == [("distilled",)]
    assert {split: result.problems for split, result in first.items()} == {
        "same_kind": 2, "larger_numbers": 2, "unseen_families": 2
    }  # fmt: skip
    assert measure_arm(PAIR, tmp_path, 2) == first and len(served) == 1
    assert measure_arm(PAIR, tmp_path, 3) != first and len(served) == 2, "other problems are asked anew"


def test_the_command_shows_the_figures_of_all_ways(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    shipped = ROOT / "models" / "adapters" / "smol-135m"
    command = ["train", "measure", str(shipped), "--problems", "2", "--ways", "greedy", "chat", "--json"]
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["greedy"]) == ["same_kind", "larger_numbers", "unseen_families"]
    assert Path(told["folder"]) == tmp_path / "evaluation" / "smol-135m"
    assert "chat" in json.loads((tmp_path / "evaluation" / "smol-135m" / "evaluation.json").read_text())

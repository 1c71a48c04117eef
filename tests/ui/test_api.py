"""What a program may do, through Gradio's own client: the named endpoints with types and docs, and nothing else."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from common.errors import ServerError
from eval.runs.recorded import RECORDED, unpack_recorded
from models.chat.events import Reply
from models.config.registry import Role, load_config
from tests.ui.scripted_pair import always, scripted_pair
from tests.votes.helpers import FREE, play
from ui.api import Program, mcp_installed
from ui.layout import QUEUE, build_app, launch_options
from ui.services import Services
from votes.casting.desk import Desk
from votes.casting.limits import Limits, Rate
from votes.store import Store

SAID = {"base": "It is 4.", "distilled": "<think>\n2 and 2.\n</think>\nIt is \\boxed{4}."}
ENDPOINTS = {"/ask", "/compare", "/results", "/report", "/preferences", "/export"}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    home = tmp_path_factory.mktemp("api")
    with scripted_pair(always(SAID), seconds_a_read=0.0) as served:
        store = Store(home / "votes.duckdb")
        desk = Desk(store, limits=Limits(rates=FREE, gesture_seconds=0.0))
        unpack_recorded(home)
        yield Services(load_config(), served, desk, store, Path(home), b"salt")
        store.close()


@pytest.fixture(scope="module")
def client(services: Services) -> Iterator[Client]:
    patch = pytest.MonkeyPatch()
    patch.setattr("ui.api.RATES", {"turn": Rate(per_visitor=4, in_total=100)})
    app = build_app(services).queue(**QUEUE)
    _, url, _ = app.launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, **launch_options())
    yield Client(url, verbose=False)
    app.close()
    patch.undo()


def test_the_public_endpoints_are_these_with_types_and_docs(client: Client) -> None:
    named: Any = client.view_api(return_format="dict")["named_endpoints"]  # type: ignore[index, call-overload]
    assert set(named) == ENDPOINTS
    ask = {parameter["parameter_name"]: parameter for parameter in named["/ask"]["parameters"]}
    assert set(ask) == {"question", "model", "max_tokens", "temperature"}
    assert ask["max_tokens"]["type"]["type"] == "integer" and ask["max_tokens"]["parameter_default"] == 512
    assert ask["model"]["type"]["enum"] == ["base", "distilled"]
    assert all(endpoint["description"] for endpoint in named.values())
    assert not client.view_api(return_format="dict")["unnamed_endpoints"]  # type: ignore[index, call-overload]


def test_a_program_asks_and_compares_and_nothing_is_stored(client: Client, services: Services) -> None:
    reply = client.predict(question="What is 2 + 2?", api_name="/ask")
    assert (reply["answer"].strip(), reply["thought"].strip()) == ("It is \\boxed{4}.", "2 and 2.")
    assert reply["finish_reason"] == "stop" and reply["answer_tokens"] > 0
    both = client.predict(question="What is 2 + 2?", max_tokens=64, api_name="/compare")
    assert both["base"]["answer"] == SAID["base"] and both["distilled"]["thought"]
    assert services.store.unknown(set()) == [], "what a program asks is no battle, so there is no vote on it"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"question": "  "}, "question is empty"),
        ({"question": "x" * 9000}, "too long"),
        ({"question": "Hi", "model": "judge"}, "no model"),
        ({"question": "Hi", "max_tokens": 0}, "whole number"),
        ({"question": "Hi", "max_tokens": True}, "whole number"),
        ({"question": "Hi", "temperature": 9}, "from 0 to 2"),
    ],
    ids=["empty", "long", "model", "tokens", "truth", "temperature"],
)
def test_what_cannot_be_asked_is_explained(client: Client, values: dict[str, Any], said: str) -> None:
    with pytest.raises(AppError, match=said):
        client.predict(**values, api_name="/ask")


def test_a_program_that_asks_too_often_waits(client: Client) -> None:
    with pytest.raises(AppError, match="Too many questions"):
        for _ in range(5):
            client.predict(question="What is 2 + 2?", api_name="/ask")


def program_with(
    monkeypatch: pytest.MonkeyPatch, services: Services, reply: Callable[..., Awaitable[Reply]]
) -> Callable[[str], Awaitable[Any]]:
    """Asks by the endpoint `compare`, with the models' replies in the test's hands."""
    monkeypatch.setattr(Program, "_reply", lambda self, role, question, sampling: reply(role, question))
    program = Program(services)
    raw = SimpleNamespace(scope={}, client=SimpleNamespace(host="192.0.2.1"), headers={})
    return lambda question: program.compare(gr.Request(request=raw), question)  # type: ignore[arg-type]


async def test_programs_are_answered_two_at_a_time_and_a_long_line_is_refused(
    monkeypatch: pytest.MonkeyPatch, services: Services
) -> None:
    asked: list[str] = []
    go = asyncio.Event()

    async def reply(role: Role, question: str) -> Reply:
        asked.append(question)
        await go.wait()
        return Reply(raw=question, answer=question, finish_reason="stop")

    monkeypatch.setattr("ui.api.IN_LINE", 1)
    ask = program_with(monkeypatch, services, reply)
    waiting = [asyncio.ensure_future(ask(question)) for question in ("1", "2", "3")]
    await asyncio.sleep(0.05)
    assert sorted(asked) == ["1", "1", "2", "2"]
    with pytest.raises(gr.Error, match="waiting already"):
        await ask("4")
    go.set()
    assert [answers["base"]["answer"] for answers in await asyncio.gather(*waiting)] == ["1", "2", "3"]


async def test_a_model_that_never_ends_gives_its_turn_back(monkeypatch: pytest.MonkeyPatch, services: Services) -> None:
    ended: list[str] = []

    async def reply(role: Role, question: str) -> Reply:
        if question == "fails" and role == "base":
            raise ServerError("The base model did not answer.")
        try:
            await asyncio.sleep(30 if question != "ok" else 0)
        finally:
            ended.append(f"{question} {role}")
        return Reply(raw="x", answer="x", finish_reason="stop")

    monkeypatch.setattr("ui.api.ANSWER_SECONDS", 0.05)
    ask = program_with(monkeypatch, services, reply)
    for question, said in (("late", "No answer within"), ("fails", "did not answer"), ("late", "No answer within")):
        with pytest.raises(gr.Error, match=said):
            await ask(question)
    await asyncio.sleep(0)
    assert ended.count("late base") == ended.count("late distilled") == 2 and "fails distilled" in ended
    assert (await ask("ok"))["base"]["answer"] == "x"


def test_results_and_the_report_of_a_run(client: Client) -> None:
    (archive,) = RECORDED.glob("*-smol-135m.zip")
    results = client.predict(pair="smol-135m", api_name="/results")
    assert results["pair"] == "smol-135m" and {one["run"] for one in results["sets"]} == {archive.stem}
    assert all(0 <= one["base"] <= 1 for one in results["sets"])
    assert "95 % interval" in client.predict(run=archive.stem, api_name="/report")
    for wrong in ("", "..", "../runs", "nothing"):
        with pytest.raises(AppError, match="no run of that id"):
            client.predict(run=wrong, api_name="/report")


def test_preferences_and_exports(
    client: Client, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    battle = play(services.desk)
    services.desk.cast(battle, "visitor", "answers", "tie", comment="a secret")
    services.desk.reveal(battle, "visitor")
    told = client.predict(pair="pair", api_name="/preferences")
    assert told["votes"] == 1 and told["stages"]["answers"]["ties"] == 1 and told["stages"]["answers"]["rate"] == 0.5
    assert "a secret" in Path(client.predict(name="votes.csv", api_name="/export")).read_text()
    monkeypatch.setenv("JOURNEY_OWNER_KEY", "key")  # others than the owner look on
    assert "a secret" not in Path(client.predict(name="votes.csv", api_name="/export")).read_text()
    with pytest.raises((AppError, ValueError)):
        client.predict(name="../votes.duckdb", api_name="/export")


def test_no_endpoint_casts_a_vote(client: Client) -> None:
    for name in ("/cast", "/vote", "/undo", "/reveal", "/pin", "/make_some", "/open_page"):
        with pytest.raises(ValueError, match="Cannot find a function"):
            client.predict(api_name=name)


def test_the_mcp_server_is_offered_where_its_extra_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio.mcp", None)
    assert not mcp_installed() and launch_options()["mcp_server"] is False
    monkeypatch.setitem(sys.modules, "gradio.mcp", json)
    monkeypatch.setitem(sys.modules, "mcp", json)
    assert mcp_installed() and launch_options()["mcp_server"] is True

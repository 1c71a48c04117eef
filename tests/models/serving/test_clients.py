"""Every client of a served model is made in one place, and carries all that spaces.yaml says of the model."""

import ast
from types import SimpleNamespace

import pytest

from common.paths import ROOT
from models.chat.client import Endpoint
from models.config.registry import ROLES, Role, load_config
from models.config.thought_format import ThoughtFormat
from models.serving.clients import client_of

PACKAGES = ("models", "eval", "traces", "battles", "ui", "commands", "bench")
MAKERS = {"models/serving/clients.py", "eval/judging/judged.py"}
"""Clients of a served model, and of a judge at an address, about which spaces.yaml says nothing."""


@pytest.mark.parametrize("role", ROLES)
async def test_a_client_carries_all_that_belongs_to_its_model(role: Role) -> None:
    pair = load_config().pairs["smol-135m"]
    changes = {
        side: pair.model(side).model_copy(
            update={
                "thought": ThoughtFormat("tags", open=f"<{side}>", close=f"</{side}>"),
                "chat_template_kwargs": {"enable_thinking": side},
                "system_prompt": f"You are the {side}.",
            }
        )
        for side in ROLES
    }
    waits: list[tuple[Role, float | None]] = []

    async def wait_ready(which: Role, timeout: float | None = None) -> Endpoint:  # noqa: ASYNC109
        waits.append((which, timeout))
        return Endpoint(f"http://{which}/v1", which)

    served = SimpleNamespace(pair=pair.model_copy(update=changes), wait_ready=wait_ready)
    async with await client_of(served, role, 7) as client:
        assert waits == [(role, 7)]
        assert client.endpoint == Endpoint(f"http://{role}/v1", role)
        assert client.thought.open == f"<{role}>"
        assert client.chat_template_kwargs == {"enable_thinking": role}
        assert client.system_prompt == f"You are the {role}."


def test_no_client_is_made_elsewhere() -> None:
    makers = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ModelClient"
    }
    assert makers == MAKERS

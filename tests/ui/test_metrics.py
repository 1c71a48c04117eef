"""`/metrics` of the page: the numbers are there, in Prometheus' own format, and no word of anybody is."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.middleware import Middleware

from battles.counts import RUNNING
from battles.guard import KINDS, Guard
from models.serving.status import Status
from tests.votes.helpers import play
from ui import metrics
from ui.metrics import Memory, MetricsPage, gpu_memory
from ui.server.policy import PagePolicy
from votes.backup.keeper import Keeper
from votes.backup.repository import FolderRepository
from votes.casting.desk import Desk
from votes.store import Store


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Any]:
    store = Store(tmp_path / "votes.duckdb")
    desk = Desk(store)
    desk.cast(play(desk), "visitor", "answers", "a", comment="my secret comment")
    (tmp_path / "copies").mkdir()
    keeper = Keeper(store, FolderRepository(tmp_path / "copies"))
    keeper.sync()
    statuses = {"base": Status("ready"), "distilled": Status("restarting", "try 2 of 5", restarts=3)}
    yield SimpleNamespace(
        store=store,
        desk=desk,
        keeper=keeper,
        guard=Guard(KINDS["llama-guard"], "http://guard", "m", up=False),
        served=SimpleNamespace(status=statuses.__getitem__),
    )
    store.close()


@pytest.fixture
def url(services: Any) -> Iterator[str]:
    with gr.Blocks() as app:
        gr.Markdown("A page.")
    watched = [Middleware(PagePolicy), Middleware(MetricsPage, services=services)]
    _, url, _ = app.queue().launch(
        prevent_thread_lock=True, quiet=True, _frontend=False, app_kwargs={"middleware": watched}, ssr_mode=False
    )
    yield url
    app.close()


def values_of(text: str) -> dict[tuple[str, ...], float]:
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


def test_the_numbers_are_there(url: str, services: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "gpu_memory", lambda: [Memory("0", 2.0, 8.0)])
    services.guard.counts.update(blocked=2, unchecked=1)
    RUNNING.set(0)
    answer = httpx.get(f"{url}metrics", trust_env=False)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain; version=")
    values = values_of(answer.text)
    assert values["arena_rows", "votes"] == values["arena_rows", "battles"] == 1
    assert values["arena_model_ready", "base"] == 1 and values["arena_model_ready", "distilled"] == 0
    assert values["arena_model_restarts_total", "distilled"] == 3
    assert values[("arena_guard_up",)] == 0 and values["arena_guard_texts_total", "blocked"] == 2
    assert values["arena_gpu_used_bytes", "0"] == 2 and values["arena_gpu_total_bytes", "0"] == 8
    assert values["arena_disk_free_bytes", "home"] > 0 and values["arena_disk_free_bytes", "cache"] > 0
    assert values[("arena_copied_timestamp_seconds",)] > 1e9 and values[("arena_copy_failures_total",)] == 0
    assert values[("arena_queue",)] == values[("arena_turns_running",)] == 0
    for words in ("secret", "What is 2 + 2", "answer of base", "visitor"):
        assert words not in answer.text


def test_it_is_there_without_guard_and_copies(url: str, services: Any) -> None:
    services.guard = services.keeper = None
    values = values_of(httpx.get(f"{url}metrics", trust_env=False).text)
    assert values["arena_rows", "votes"] == 1 and ("arena_guard_up",) not in values


def test_a_visitor_behind_a_proxy_gets_none(url: str) -> None:
    answer = httpx.get(f"{url}metrics", trust_env=False, headers={"x-forwarded-for": "203.0.113.9"})
    assert answer.status_code == 403 and "arena" not in answer.text


@pytest.mark.parametrize("path", ["monitoring", "monitoring/", "monitoring/summary", "monitoring/some-key/dashboard"])
def test_gradios_own_monitoring_is_closed(url: str, path: str) -> None:
    assert httpx.get(f"{url}{path}", trust_env=False).status_code == 404


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("0, 1024, 81559\n1, 0, 81559\n", [Memory("0", 2**30, 81559 * 2**20), Memory("1", 0, 81559 * 2**20)]),
        ("", []),
        ("0, [N/A], 81559\n", []),
        ("NVIDIA-SMI has failed\n", []),
    ],
)
def test_what_the_driver_prints_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: str, expected: list[Memory]
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '%s' '{printed}'\n")
    tool.chmod(0o755)
    monkeypatch.setattr(metrics, "NVIDIA_SMI", (str(tool),))
    assert gpu_memory() == expected


def test_no_driver_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "NVIDIA_SMI", ("no-such-tool",))
    assert gpu_memory() == []

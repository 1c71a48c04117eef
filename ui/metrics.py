"""`/metrics` for Prometheus: the server's load and free resources. For this machine and the owner only.

Only numbers, never a word of a question or an answer. A scraper on the same machine needs no key; any other sends the
owner's key as a bearer token.
"""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response

from common.errors import ArenaError
from common.paths import cache, home
from models.config.registry import ROLES
from ui.kit.owner import check_key, is_owner_name
from ui.server.policy import Application, Receive, Scope, Send
from ui.services import Services, address_of, from_this_machine, signed_in
from votes.visitor import network

PATH = "/metrics"
NVIDIA_SMI = ("nvidia-smi", "--query-gpu=index,memory.used,memory.total", "--format=csv,noheader,nounits")


class MetricsPage:
    """ASGI middleware that answers `/metrics` and passes on everything else."""

    def __init__(self, app: Application, services: Services) -> None:
        self._app = app
        self._services = services
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._page: object = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].rstrip("/") != PATH:
            await self._app(scope, receive, send)
            return
        self._page = scope.get("app")
        if refusal := refuse(scope):
            await PlainTextResponse(refusal, 403)(scope, receive, send)
            return
        text = await asyncio.to_thread(lambda: generate_latest(REGISTRY) + generate_latest(self._registry))
        await Response(text, media_type=CONTENT_TYPE_LATEST)(scope, receive, send)

    def describe(self) -> list[Metric]:
        """Empty, since registering must not measure anything."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Metrics measured on request; counters of battles are in `battles.counts`."""
        yield from self._models()
        yield from room()
        yield from self._votes()
        with suppress(AttributeError, TypeError):  # gradio may rename its queue
            waiting = len(self._page.get_blocks()._queue)  # type: ignore[attr-defined]
            yield GaugeMetricFamily("arena_queue", "Events that wait in the page's queue.", waiting)
        if guard := self._services.guard:
            yield GaugeMetricFamily("arena_guard_up", "Whether the guard model answered when last asked.", guard.up)
            checks = CounterMetricFamily("arena_guard_texts", "Texts by what the guard model said.", labels=["verdict"])
            for verdict in ("passed", "blocked", "unchecked"):
                checks.add_metric([verdict], guard.counts[verdict])
            yield checks
            blocked = guard.counts["questions"]
            yield CounterMetricFamily("arena_guard_questions", "Questions that were not let through.", blocked)

    def _models(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("arena_model_ready", "Whether the model can answer.", labels=["role"])
        lost = CounterMetricFamily("arena_model_restarts", "How often its server was lost.", labels=["role"])
        for role in ROLES:
            status = self._services.served.status(role)
            up.add_metric([role], status.phase == "ready")
            lost.add_metric([role], status.restarts)
        yield from (up, lost)

    def _votes(self) -> Iterator[Metric]:
        rows = GaugeMetricFamily("arena_rows", "Rows in the vote database.", labels=["table"])
        for table, count in self._services.store.counts.items():
            rows.add_metric([table], count)
        yield rows
        trouble = bool(self._services.store.notice)
        yield GaugeMetricFamily("arena_store_trouble", "Whether something is wrong with the vote database.", trouble)
        if keeper := self._services.keeper:
            at, failures = keeper.copied_at or 0, keeper.failures
            yield GaugeMetricFamily("arena_copied_timestamp_seconds", "When votes were last copied; 0 for never.", at)
            yield CounterMetricFamily("arena_copy_failures", "Rounds of copying that failed.", failures)


class Memory(NamedTuple):
    """Memory of one GPU, in bytes."""

    gpu: str
    used: float
    total: float


def room() -> Iterator[Metric]:
    """Free space on the disks of votes and weights, and GPU memory."""
    free = GaugeMetricFamily("arena_disk_free_bytes", "Room where this is kept.", labels=["of"])
    for name, folder in (("home", home()), ("cache", cache())):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        free.add_metric([name], shutil.disk_usage(there).free)
    used = GaugeMetricFamily("arena_gpu_used_bytes", "Memory in use, by any program.", labels=["gpu"])
    total = GaugeMetricFamily("arena_gpu_total_bytes", "Memory of the GPU.", labels=["gpu"])
    for memory in gpu_memory():
        used.add_metric([memory.gpu], memory.used)
        total.add_metric([memory.gpu], memory.total)
    yield from (free, used, total)


def gpu_memory() -> list[Memory]:
    """Memory of every NVIDIA GPU; empty if there is none or its driver does not answer."""
    try:
        answer = subprocess.run(NVIDIA_SMI, capture_output=True, encoding="utf-8", timeout=10, check=True)
        lines = [line.split(",") for line in answer.stdout.splitlines() if line.strip()]
        return [Memory(gpu.strip(), float(used) * 2**20, float(total) * 2**20) for gpu, used, total in lines]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def refuse(scope: Scope) -> str:
    """Why this request is refused; empty if it is allowed."""
    headers = Headers(scope=scope)
    client = scope.get("client")
    if from_this_machine(client, headers) or is_owner_name(signed_in(scope.get("session"))):
        return ""
    try:
        key = headers.get("authorization", "").removeprefix("Bearer ").strip()
        check_key(key, network(address_of(client, headers)))
    except ArenaError as error:
        return str(error)
    return ""

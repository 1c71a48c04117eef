"""Many visitors at once: our page against a bare gradio page that streams two growing texts, in the same run.

The page, the two scripted model servers and the visitors are separate processes. A visitor does what a browser does
from the server's point of view: an open heartbeat, the status line's timer, a question, the update stream, a vote.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import psutil

from bench.context import Bench
from bench.report import Measure, Section, percentile
from common.paths import ROOT

TOKENS = 60
SECONDS_A_TOKEN = 0.1
IDEAL = TOKENS * SECONDS_A_TOKEN
START_SECONDS = 180.0
PATIENCE = 90.0
SECONDS_TO_LEAVE = 30.0
VISITORS = 200


@dataclass
class Visit:
    """What one visitor experienced. Times in seconds from the question."""

    first: float = 0.0
    ended: float = 0.0
    updates: int = 0
    empty: int = 0
    vote: float = 0.0
    error: str = ""


@dataclass
class Load:
    """All visits to one page, and their cost to its process."""

    visits: list[Visit] = field(default_factory=list)
    cpu: float = 0.0
    grown: float = 0.0
    """Growth of memory in MB, after all visitors have left."""

    @property
    def done(self) -> list[Visit]:
        return [visit for visit in self.visits if visit.ended and not visit.error]


def run(bench: Bench) -> Section:
    visitors = 20 if bench.quick else int(os.environ.get("BENCH_VISITORS", VISITORS))
    measures: list[Measure] = []
    with model_servers() as addresses:
        with page("bare", addresses) as (url, process):
            bare = asyncio.run(visit_all(url, process, visitors, "bare"))
        for delivery in ("live", "together"):
            with page("ours", addresses) as (url, process):
                measures += compare(delivery, asyncio.run(visit_all(url, process, visitors, delivery)), bare)
    how = f"{visitors} visitors ask at once; {TOKENS} tokens a side in {IDEAL:.0f} s; {os.cpu_count()} cores, shared."
    return Section("Visitors", measures, [how])


def compare(delivery: str, ours: Load, bare: Load) -> list[Measure]:
    """Our page's numbers beside the bare page's."""

    def share(load: Load, field: str, part: float) -> float:
        values = [getattr(visit, field) for visit in load.done]
        return percentile(values, part) if values else float("inf")

    def rate(load: Load) -> float:
        rates = [visit.updates / visit.ended for visit in load.done]
        return percentile(rates, 0.5) if rates else 0.0

    measures = [
        Measure(f"{delivery}: answered", len(ours.done), "visitors", len(bare.done), "bare page", least_ratio=0.8),
        Measure(f"{delivery}: first sign, 95th percentile", share(ours, "first", 0.95), "s",
                share(bare, "first", 0.95), "bare page", most=1.0),
        Measure(f"{delivery}: end, median", share(ours, "ended", 0.5), "s", share(bare, "ended", 0.5), "bare page"),
        Measure(f"{delivery}: end, 95th percentile", share(ours, "ended", 0.95), "s",
                share(bare, "ended", 0.95), "bare page", most=1.2 * IDEAL),
        Measure(f"{delivery}: vote, 99th percentile", share(ours, "vote", 0.99), "s", most=0.5),
        Measure(f"{delivery}: processor time", ours.cpu, "s", bare.cpu, "bare page", most_ratio=1.5),
        Measure(f"{delivery}: memory kept after all left", ours.grown, "MB", most=100.0),
        Measure(f"{delivery}: empty updates", sum(visit.empty for visit in ours.visits), "", most=0.0),
    ]  # fmt: skip
    if delivery == "live":
        measures.insert(2, Measure("live: updates", rate(ours), "/s", rate(bare), "bare page", least_ratio=0.8))
    return measures


@contextmanager
def model_servers() -> Iterator[list[str]]:
    """The addresses of the two scripted model servers, in a process of their own."""
    with tempfile.TemporaryDirectory() as folder, child("models", Path(folder)) as (_, line):
        yield line.split()


@contextmanager
def page(kind: str, addresses: list[str]) -> Iterator[tuple[str, psutil.Process]]:
    with tempfile.TemporaryDirectory() as folder, child(kind, Path(folder), *addresses) as (process, line):
        yield line, process


@contextmanager
def child(kind: str, home: Path, *arguments: str) -> Iterator[tuple[psutil.Process, str]]:
    """A serving process, and what it prints of its addresses within START_SECONDS."""
    environment = {**os.environ, "JOURNEY_HOME": str(home), "GRADIO_ANALYTICS_ENABLED": "False"}
    command = [sys.executable, "-m", "bench.sections.visited", kind, *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout
        late = threading.Timer(START_SECONDS, process.kill)
        late.daemon = True
        late.start()
        try:
            line = next((line for line in process.stdout if line.startswith("serving ")), "")
            late.cancel()
            if not line:
                raise RuntimeError(f"the {kind} process ended with {process.wait()}")
            yield psutil.Process(process.pid), line.removeprefix("serving ").strip()
        finally:
            process.kill()


async def visit_all(url: str, process: psutil.Process, visitors: int, delivery: str) -> Load:
    """All visitors open the page, ask at once, vote, and leave."""
    # aiohttp, since visitors share the machine with the page, and httpx would take more of it than the page does.
    unlimited, patience = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(PATIENCE)
    async with aiohttp.ClientSession(url, connector=unlimited, timeout=patience) as http:
        async with http.get("config") as answer:
            calls = Calls(await answer.json())
        await Visitor(http, calls, delivery).visit(asyncio.Event(), at_once=True)  # a warm-up for lazy imports
        memory = process.memory_info().rss
        spent = sum(process.cpu_times()[:2])
        start = asyncio.Event()
        each = [Visitor(http, calls, delivery) for _ in range(visitors)]
        tasks = [asyncio.create_task(visitor.visit(start)) for visitor in each]
        await asyncio.sleep(3 + visitors / 50)
        start.set()
        visits = await asyncio.gather(*tasks)
        cpu = sum(process.cpu_times()[:2]) - spent
        await asyncio.sleep(SECONDS_TO_LEAVE)
        return Load(visits, cpu, max(0.0, (process.memory_info().rss - memory) / 2**20))


class Calls:
    """Which of the page's events is which, and what each is sent."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.ids = {part["props"].get("elem_id"): part["id"] for part in config["components"]}
        self.types = {part["id"]: part for part in config["components"]}

    def triggered_by(self, elem_id: str, event: str = "click") -> dict[str, Any]:
        target = [self.ids[elem_id], event]
        return next(d for d in self.config["dependencies"] if target in d["targets"])

    def data(self, event: dict[str, Any], **values: Any) -> list[Any]:
        """The inputs' initial values, except those given by element id or, without one, by label."""
        data = []
        for part in (self.types[number] for number in event["inputs"]):
            name = part["props"].get("elem_id") or part["props"].get("label")
            data.append(values.get(name, part["props"].get("value")))
        return data


class Visitor:
    """One browser's worth of requests."""

    def __init__(self, http: aiohttp.ClientSession, calls: Calls, delivery: str) -> None:
        self.http, self.calls, self.delivery = http, calls, delivery
        self.session = uuid4().hex

    async def visit(self, start: asyncio.Event, at_once: bool = False) -> Visit:
        visit = Visit()
        staying = [asyncio.create_task(self.stay())]
        if self.delivery != "bare":
            staying.append(asyncio.create_task(self.look()))
        try:
            if not at_once:
                await start.wait()
            await self.ask(visit)
            if self.delivery != "bare" and not visit.error:
                await self.vote(visit)
        except (aiohttp.ClientError, TimeoutError) as error:
            visit.error = repr(error)
        finally:
            for task in staying:
                task.cancel()
            await asyncio.gather(*staying, return_exceptions=True)
        return visit

    async def stay(self) -> None:
        """The heartbeat connection that tells the server the page is open."""
        forever = aiohttp.ClientTimeout(None)
        async with self.http.get(f"gradio_api/heartbeat/{self.session}", timeout=forever) as beats:
            async for _ in beats.content:
                pass

    async def look(self) -> None:
        """The status line's timer, as often as the page itself would."""
        status = self.calls.ids["status"]
        ticks = (d for d in self.calls.config["dependencies"] if any(event == "tick" for _, event in d["targets"]))
        event = next(d for d in ticks if status in d["outputs"])
        timer = self.calls.types[event["targets"][0][0]]
        seconds = float(timer["props"]["value"])
        line: Any = ""
        while True:
            await asyncio.sleep(seconds)
            body = {"data": [line], "fn_index": event["id"], "session_hash": self.session}
            for value in (await self.post("gradio_api/run/predict", body)).get("data", ()):
                if isinstance(value, str):
                    line = value
                elif isinstance(value, dict) and "value" in value:
                    seconds = float(value["value"])

    async def ask(self, visit: Visit) -> None:
        begun = time.perf_counter()
        async with asyncio.timeout(PATIENCE):
            await (self.ask_bare if self.delivery == "bare" else self.ask_ours)(visit, begun)

    async def ask_bare(self, visit: Visit, begun: float) -> None:
        event = self.calls.triggered_by("ask")
        async for message in self.call(event, []):
            now = time.perf_counter() - begun
            if message["msg"] == "process_generating":
                visit.first = visit.first or now
                visit.updates += 1
                visit.empty += not any(message["output"]["data"])
            elif message["msg"] == "process_completed":
                visit.ended = now
                visit.error = "" if message["success"] else json.dumps(message["output"])

    async def ask_ours(self, visit: Visit, begun: float) -> None:
        """The answer to the question names the stream that brings the replies, which ends with the ballot."""
        news = await self.answer("ask", question="What is 6 times 7?", live=self.delivery == "live")
        visit.first = time.perf_counter() - begun
        votable = False
        async with self.http.get(f"arena/turns/{news['follow']}") as stream:
            async for line in lines_of(stream):
                if line.startswith(b"data: "):
                    news = json.loads(line[6:])
                    visit.updates += "over" not in news
                    visit.empty += not any(news.values())
                    votable = votable or news.get("show", {}).get("ballot.group", {}).get("visible", False)
        visit.ended = time.perf_counter() - begun
        visit.error = "" if votable else "the stream ended without a ballot"

    async def vote(self, visit: Visit) -> None:
        begun = time.perf_counter()
        news = await self.answer("vote-a")
        visit.vote = time.perf_counter() - begun
        visit.error = "" if news.get("said") else f"not voted: {news}"

    async def answer(self, elem_id: str, **values: Any) -> dict[str, Any]:
        """The news in response to a click."""
        event = self.calls.triggered_by(elem_id)
        body = {"data": self.calls.data(event, **values), "fn_index": event["id"], "session_hash": self.session}
        news: dict[str, Any] = (await self.post("gradio_api/run/predict", body))["data"][1]
        return news

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self.http.post(path, json=body) as answer:
            answer.raise_for_status()
            return dict(await answer.json())

    async def call(self, event: dict[str, Any], data: list[Any]) -> AsyncIterator[dict[str, Any]]:
        """One event's messages, as gradio's queue sends them."""
        body = {"data": data, "fn_index": event["id"], "session_hash": self.session}
        await self.post("gradio_api/queue/join", body)
        query = {"session_hash": self.session}
        async with self.http.get("gradio_api/queue/data", params=query) as stream:
            async for line in lines_of(stream):
                if line.startswith(b"data: "):
                    message = json.loads(line[6:])
                    if message["msg"] == "close_stream":
                        return
                    yield message


async def lines_of(stream: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The lines of a response, however long: aiohttp's own line reader has a limit."""
    rest = b""
    async for chunk in stream.content.iter_any():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line

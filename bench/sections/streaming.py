"""The app's way from a question to rendered panels, against the same requests sent straight at vLLM.

Every repetition measures each way twice, forwards and backwards (straight, client, page, page, client, straight), so
that drifting machine speed favours none. The server has already seen the prompt, so no way profits from a prefix that
another has cached.
"""

import asyncio
import json
import time
from contextlib import aclosing
from statistics import fmean
from typing import NamedTuple

import httpx

from battles.live import LiveTurn, SideRequest, play, watch
from bench.context import Bench
from bench.report import Measure, Section, middle
from models.chat.client import Endpoint, Message
from models.chat.events import Answering, Finished, Thinking
from models.config.sampling import Sampling
from models.serving.clients import client_of
from models.serving.pair import ServedPair
from ui.kit.panels import turn_messages
from votes.ballot import Role, Side

QUESTIONS = (
    "Tell a long story of a mouse that learns to count, with many details.",
    "Explain step by step how a bicycle stays upright, at length.",
    "Describe a day at the sea, hour by hour, in full sentences.",
    "Write a long letter to a friend about a garden in spring.",
    "Explain how bread is made, from the field to the table.",
    "Describe how a river changes from its spring to the sea.",
)
SIDES: dict[Side, Role] = {"a": "base", "b": "distilled"}


class Run(NamedTuple):
    """One reply. Times in seconds from the request."""

    tokens: float
    first: float
    seconds: float

    @property
    def rate(self) -> float:
        return self.tokens / self.seconds


def mean_run(*runs: Run) -> Run:
    """The mean of several replies; its rate is total tokens over total seconds."""
    return Run(*(fmean(numbers) for numbers in zip(*runs, strict=True)))


def run(bench: Bench) -> Section:
    served = bench.served()
    return asyncio.run(measure(served, bench))


async def measure(served: ServedPair, bench: Bench) -> Section:
    repetitions, tokens = (2, 64) if bench.quick else (6, 192)
    sampling = Sampling(max_tokens=tokens)
    ways: dict[str, list[Run]] = {name: [] for name in ("straight", "client", "page")}
    alone: dict[Side, list[Run]] = {"a": [], "b": []}
    together: dict[Side, list[Run]] = {"a": [], "b": []}
    for number in range(repetitions):
        question = QUESTIONS[number % len(QUESTIONS)]
        for role in SIDES.values():
            await straight(served.endpoint(role), question, Sampling(max_tokens=1))
        there = {name: await ask(served, question, sampling) for name, ask in WAYS.items()}
        back = {name: await ask(served, question, sampling) for name, ask in reversed(WAYS.items())}
        for name in WAYS:
            ways[name].append(mean_run(there[name], back[name]))
        alone["a"].append(ways["page"][-1])
        alone["b"].append((await page(served, question, sampling, ("b",)))["b"])
        for side, result in (await page(served, question, sampling, ("a", "b"))).items():
            together[side].append(result)
    return Section(
        "Streaming", [*against_straight(ways), *both_sides(alone, together)], notes(bench, repetitions, tokens)
    )


async def straight(endpoint: Endpoint, question: str, sampling: Sampling) -> Run:
    """The simplest possible reader of the same stream."""
    body = {
        "model": endpoint.model,
        "messages": [{"role": "user", "content": question}],
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    begun, first, tokens = time.perf_counter(), 0.0, 0
    async with (
        httpx.AsyncClient(trust_env=False, verify=False, timeout=300) as http,
        http.stream("POST", f"{endpoint.url}/chat/completions", json=body) as response,
    ):
        response.raise_for_status()
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            message = json.loads(line[6:])
            if message["choices"] and message["choices"][0]["delta"].get("content"):
                first = first or time.perf_counter() - begun
            if usage := message.get("usage"):
                tokens = usage["completion_tokens"]
    return Run(tokens, first, time.perf_counter() - begun)


async def through_client(served: ServedPair, question: str, sampling: Sampling) -> Run:
    """ModelClient, without the page."""
    begun, first, tokens = time.perf_counter(), 0.0, 0
    async with (
        await client_of(served, "base") as client,
        aclosing(client.stream([Message("user", question)], sampling)) as events,
    ):
        async for event in events:
            if isinstance(event, Thinking | Answering):
                first = first or time.perf_counter() - begun
            elif isinstance(event, Finished):
                tokens = event.reply.output_tokens
    return Run(tokens, first, time.perf_counter() - begun)


async def page(
    served: ServedPair, question: str, sampling: Sampling, sides: tuple[Side, ...] = ("a",)
) -> dict[Side, Run]:
    """What the Compare tab does for a turn: throttled snapshots, each rendered to chat messages."""
    requests = {side: SideRequest(SIDES[side], [Message("user", question)], sampling) for side in sides}
    begun = time.perf_counter()
    first: dict[Side, float] = {}
    ended: dict[Side, float] = {}
    replies = {}
    turn = LiveTurn(requests)
    turn.task = asyncio.create_task(play(served, turn))
    async with aclosing(watch(turn)) as moments:
        async for moment in moments:
            for side, reply in moment.replies.items():
                turn_messages(question, reply, running=side in moment.running)
                replies[side] = reply
                if reply.thought or reply.answer:
                    first.setdefault(side, time.perf_counter() - begun)
                if side not in moment.running:
                    ended.setdefault(side, time.perf_counter() - begun)
    return {side: Run(replies[side].output_tokens, first[side], ended[side]) for side in sides}


async def ask_straight(served: ServedPair, question: str, sampling: Sampling) -> Run:
    return await straight(served.endpoint("base"), question, sampling)


async def ask_page(served: ServedPair, question: str, sampling: Sampling) -> Run:
    return (await page(served, question, sampling))["a"]


WAYS = {"straight": ask_straight, "client": through_client, "page": ask_page}


def against_straight(ways: dict[str, list[Run]]) -> list[Measure]:
    """Medians of the paired repetitions."""
    plain = ways["straight"]
    rate, first = middle([r.rate for r in plain]), middle([r.first for r in plain])
    measures = []
    for name, what in (("client", "client"), ("page", "page: client, snapshots, panels")):
        paired = [ours.rate / theirs.rate for ours, theirs in zip(ways[name], plain, strict=True)]
        added = [ours.first - theirs.first for ours, theirs in zip(ways[name], plain, strict=True)]
        measures += [
            Measure(f"{what}: speed", middle(paired) * rate, "tokens/s", rate, "straight", least_ratio=0.97),
            Measure(f"{what}: time to first token added", 1000 * middle(added), "ms", most=30),
        ]
    return [*measures, Measure("straight: time to first token", 1000 * first, "ms")]


def both_sides(alone: dict[Side, list[Run]], together: dict[Side, list[Run]]) -> list[Measure]:
    """Each side's speed while both answer, against the same side alone."""
    return [
        Measure(
            f"{SIDES[side]}, both together: speed",
            middle([r.rate for r in together[side]]),
            "tokens/s",
            middle([r.rate for r in alone[side]]),
            "alone",
        )
        for side in SIDES
    ]


def notes(bench: Bench, repetitions: int, tokens: int) -> list[str]:
    how = f"Medians of {repetitions} repetitions of up to {tokens} tokens, greedy, each way asked there and back."
    return [how, *bench.notes]

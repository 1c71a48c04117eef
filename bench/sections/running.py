"""A job of the benchmark runner, grading included, against the same requests sent straight at both servers."""

import asyncio
import tempfile
import time
from pathlib import Path

import httpx

from bench.context import Bench
from bench.report import Measure, Section, middle
from eval.problems.prompts import maths_prompt
from eval.runs.cost import most_in_flight
from eval.runs.log import ROLES, Role, RunConfig, RunLog, sample_seed
from eval.runs.plan import load_benchmarks, prepare
from eval.runs.run_job import RunJob
from models.serving.pair import ServedPair


def run(bench: Bench) -> Section:
    served = bench.served()
    repetitions, problems = (1, 16) if bench.quick else (3, 80)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(repetitions):
            log = new_run(served, Path(folder), problems, seed=number)
            if number % 2 == 0:
                theirs.append(asyncio.run(straight(served, log)))
                ours.append(by_runner(served, log))
            else:
                ours.append(by_runner(served, log))
                theirs.append(asyncio.run(straight(served, log)))
    paired = middle([mine / plain for mine, plain in zip(ours, theirs, strict=True)])
    reference = middle(theirs)
    most = most_in_flight(served.profile)
    how = (
        f"{problems} problems a repetition on both models at once, {most} requests in flight each; {repetitions} pairs."
    )
    measure = Measure("both models", paired * reference, "tokens/s", reference, "straight", least_ratio=0.95)
    return Section("Benchmark runner", [measure], [how, *bench.notes])


def new_run(served: ServedPair, folder: Path, problems: int, seed: int) -> RunLog:
    config = RunConfig(served.pair.key, ("same_kind",), 1, problems, max_tokens=128, temperature=0.6, seed=seed,
                       concurrency=most_in_flight(served.profile))  # fmt: skip
    hashes = {role: served.weight_hash(role) for role in ROLES}
    return prepare(folder, config, served.pair, hashes, load_benchmarks(config.benchmarks))


def by_runner(served: ServedPair, log: RunLog) -> float:
    """Output tokens per second of both sides together, from the first request to the last sample on disk."""
    progress = RunJob(log, served).run()
    if progress.phase != "finished" or any(side.failed for side in progress.sides.values()):
        raise RuntimeError(f"the run did not finish: {progress}")
    sides = progress.sides.values()
    return sum(side.output_tokens for side in sides) / max(side.seconds for side in sides)


async def straight(served: ServedPair, log: RunLog) -> float:
    """The same prompts, seeds and concurrency, with nothing around them."""
    begun = time.perf_counter()
    tokens = await asyncio.gather(*(one_side(served, log, role) for role in ROLES))
    return sum(tokens) / (time.perf_counter() - begun)


async def one_side(served: ServedPair, log: RunLog, role: Role) -> int:
    config, endpoint = log.info().config, served.endpoint(role)
    slots = asyncio.Semaphore(config.concurrency)

    async def ask(http: httpx.AsyncClient, body: dict[str, object]) -> int:
        async with slots:
            response = await http.post(f"{endpoint.url}/chat/completions", json=body)
        response.raise_for_status()
        tokens: int = response.json()["usage"]["completion_tokens"]
        return tokens

    bodies = [
        {
            "model": endpoint.model,
            "messages": [{"role": "user", "content": maths_prompt(problem)}],
            "max_tokens": config.max_tokens,
            "temperature": config.temperature,
            "top_p": config.top_p,
            "seed": sample_seed(config.seed, problem.id, 0),
        }
        for problem in log.problems()
    ]
    async with httpx.AsyncClient(trust_env=False, verify=False, timeout=600) as http:
        return sum(await asyncio.gather(*(ask(http, body) for body in bodies)))

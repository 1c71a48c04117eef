"""A pair on scripted servers, and a run of it: the base adds nothing up, the distilled model does so in its thought."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from eval.grading.grader import Grader
from eval.problems.benchmark import Benchmark
from eval.records import Problem, Sample
from eval.runs.log import Role, RunConfig, RunLog, sample_seed
from eval.runs.plan import prepare
from models.chat.client import Endpoint, ModelClient
from models.config.registry import load_config
from tests.models.chat.scripted_server import END, PROMPT_END, ScriptedServer

PROBLEMS = tuple(Problem(f"toy/{i}", f"What is {i} + {i}?", str(2 * i), "toy") for i in range(6))
TOY = Benchmark("toy", PROBLEMS, "abc", "made here", "math", "Toy")
HASHES: dict[Role, str] = {"base": "w1", "distilled": "w2"}
PAIR = load_config().pairs["smol-135m"]


class WholeText(ScriptedServer):
    """Its script sees the prompt as well. It can say how likely it finds the tokens of a prompt."""

    likelihood: Callable[[str], float] | None = None
    """Of a character; None: it gives no such numbers."""

    @staticmethod
    def written(prompt: list[int]) -> str:
        return "".join(map(chr, prompt))

    async def answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if "prompt_logprobs" not in body:
            return await super().answer(request)
        self.seen.append({"path": request.url.path, **body})
        choice: dict[str, Any] = {"text": "x", "finish_reason": "length"}
        if self.likelihood:
            given = [{str(t): {"logprob": self.likelihood(chr(t)), "decoded_token": chr(t)}} for t in body["prompt"]]
            choice["prompt_logprobs"] = [None, *given[1:]]
        return httpx.Response(200, json={"choices": [choice]})


def continues(text: str) -> str:
    """What either model writes after a prompt and the beginning of a reply: the sum, if a thought is open; then the
    last sum that it can read, or 2."""
    question, _, written = text.rpartition(PROMPT_END)
    number = int(re.findall(r"What is (\d+)", question)[0])
    rest = ""
    if "<think>" in written and "</think>" not in written:
        rest = f"\nSo {number}+{number}={2 * number}.\n</think>\n\n"
    value = (re.findall(r"=(\d+)", written + rest) or ["2"])[-1]
    return f"{rest}It is \\boxed{{{value}}}.{END}"


class Scripted:
    """Both servers, and what `eval` takes for a served pair."""

    def __init__(self, script: Callable[[str], str] = continues) -> None:
        self.servers: dict[Role, WholeText] = {role: WholeText(script) for role in HASHES}

    @property
    def served(self) -> Any:
        async def wait_ready(role: Role, timeout: float | None = None) -> Endpoint:  # noqa: ASYNC109
            return Endpoint(f"http://{role}/v1", role)

        profile = load_config().profiles["cpu"]
        return SimpleNamespace(pair=PAIR, profile=profile, wait_ready=wait_ready, weight_hash=lambda role: HASHES[role])

    def client(self, endpoint: Endpoint, *options: Any, **_: Any) -> ModelClient:
        return ModelClient(endpoint, *options, transport=self.servers[endpoint.model].transport())  # type: ignore[index]

    def asked(self) -> int:
        """Replies asked for so far."""
        return sum(len(server.asked("/v1/completions")) for server in self.servers.values())


def install(monkeypatch: pytest.MonkeyPatch, grader: Grader, scripted: Scripted) -> None:
    """Let clients reach the scripted servers, and let one grader serve all."""

    def shared(workers: int = 1) -> AbstractContextManager[Grader]:
        return nullcontext(grader)

    monkeypatch.setattr("models.serving.clients.ModelClient", scripted.client)
    for module in ("transplant", "resampling"):
        monkeypatch.setattr(f"eval.thoughts.{module}.Grader", shared)


def finished_run(runs: Path, **options: Any) -> RunLog:
    """A graded run: the distilled model is right everywhere, the base where the answer is 2."""
    log = prepare(runs, RunConfig("smol-135m", ("toy",), **options), PAIR, HASHES, [TOY])
    info = log.info()
    for problem in PROBLEMS:
        number = int(problem.gold) // 2
        for role in HASHES:
            thought = (
                f"We add {number} and {number}.\nSo {number}+{number}={problem.gold}." if role == "distilled" else ""
            )
            answer = f"It is \\boxed{{{problem.gold if thought else 2}}}."
            prompt = info.prompt.format(question=problem.question)
            text = f"<think>\n{thought}\n</think>\n\n{answer}" if thought else answer
            sample = Sample(
                info.id, PAIR.model(role).key, problem.id, 0, prompt, text, thought, answer, len(thought), len(answer),
                "stop", sample_seed(0, problem.id, 0), 0.1, "2026-11-28T00:00:00+00:00", info.config_hash,
            )  # fmt: skip
            outcome = "correct" if answer == f"It is \\boxed{{{problem.gold}}}." else "wrong"
            log.append("samples", [asdict(sample)])
            grade = {"outcome": outcome, "rung": "boxed", "extracted": ""}
            log.append("grades", [{"model": sample.model, "problem_id": problem.id, "index": 0, **grade}])
    return log

"""The token limit of a run: the pair's own by default, each side's within its context, and said where it cuts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from common.errors import ConfigError
from eval.problems.benchmark import Benchmark
from eval.records import Problem
from eval.runs.log import RunConfig, RunLog
from eval.runs.plan import limits, longest_answer, prepare, usual_sampling
from eval.runs.runner import Runner
from models.chat.client import Message
from models.chat.events import Reply
from models.config.registry import load_config
from models.config.sampling import Sampling

CONFIG = load_config()
PAIR, L40S = CONFIG.pairs["qwen-math-7b-r1"], CONFIG.profiles["l40s"]
TOY = Benchmark("toy", (Problem("toy/1", "1 + 1?", "2", "toy"),), "sha", "here")
HASHES: dict[Any, str] = {"base": "b", "distilled": "d"}


def begin(folder: Path, max_tokens: int) -> RunLog:
    return prepare(folder, RunConfig(PAIR.key, ("toy",), max_tokens=max_tokens), PAIR, HASHES, [TOY], L40S)


def test_a_run_draws_as_the_pair_does_by_default() -> None:
    usual = usual_sampling(PAIR, L40S)
    assert (usual.max_tokens, usual.temperature, usual.top_p) == (8192, 0.6, 0.95)
    short = L40S.model_copy(update={"context_length": 4096})
    assert usual_sampling(PAIR, short).max_tokens == 4096 - 512


def test_a_short_context_limits_its_own_side_alone(tmp_path: Path) -> None:
    info = begin(tmp_path, 8192).info()
    assert {role: side.max_tokens for role, side in info.sides.items()} == {"base": 3584, "distilled": 0}
    with pytest.raises(ConfigError, match="Set it to 15872 or less"):
        begin(tmp_path, 16000)
    assert longest_answer(PAIR.base, None) == 3584


def test_a_run_where_all_fits_keeps_the_hash_of_earlier_versions(tmp_path: Path) -> None:
    info = begin(tmp_path, 1024).info()
    assert all(side.max_tokens == 0 for side in info.sides.values())
    assert info.config_hash != begin(tmp_path, 8192).info().config_hash


def test_what_is_cut_is_said_before_the_run() -> None:
    def said(max_tokens: int) -> str:
        return limits(RunConfig(PAIR.key, ("toy",), max_tokens=max_tokens), PAIR, L40S)

    assert said(8192) == "Qwen2.5-Math-7B-Instruct gets at most 3,584 tokens, which its context allows."
    assert "DeepSeek-R1-Distill-Qwen-7B is meant to have 8,192 tokens; with 1,024 many" in said(1024)
    assert "with 3,584 many of its answers may be cut off" in said(3584)
    assert limits(RunConfig("smol-135m", ("toy",)), CONFIG.pairs["smol-135m"], CONFIG.profiles["cpu"]) == ""


async def test_each_side_is_asked_within_its_own_limit(tmp_path: Path) -> None:
    asked: dict[str, int] = {}

    class Side:
        def __init__(self, role: str) -> None:
            self.role = role

        async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Reply:
            asked[self.role] = sampling.max_tokens
            return Reply("", "2", "2", answer_tokens=1, seconds=0.1)

        async def connect(self) -> "Side":
            return self

    sides: Any = {role: Side(role).connect for role in HASHES}
    await Runner(begin(tmp_path, 8192), sides, pause=0.001).run()
    assert asked == {"base": 3584, "distilled": 8192}

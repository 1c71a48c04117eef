"""Transplant, importance and divergence on the real servers, at a tiny size."""

import asyncio
from pathlib import Path

import pytest

from eval.problems.benchmark_sets import load_benchmark
from eval.runs.log import ROLES, RunConfig
from eval.runs.plan import prepare
from eval.runs.run_job import complete_run
from eval.thoughts.carried import carried, gain
from eval.thoughts.divergence import token_divergence
from eval.thoughts.resampling import missing, resample, subject_of
from eval.thoughts.transplant import GIVEN, pending, transplant_thoughts
from models.chat.client import Message
from models.serving.pair import ServedPair

pytestmark = pytest.mark.engine


async def test_a_tiny_run_looked_into(served_pair: ServedPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    config = RunConfig(served_pair.pair.key, ("same_kind",), problems=2, max_tokens=160, seed=5)
    hashes = {role: served_pair.weight_hash(role) for role in ROLES}
    sets = [load_benchmark("same_kind")]
    log = prepare(tmp_path / "runs", config, served_pair.pair, hashes, sets, served_pair.profile)
    await asyncio.to_thread(complete_run, log, served_pair)  # it has an event loop of its own

    assert await transplant_thoughts(log, served_pair) == 2 * 7
    assert not pending(log)
    assert {(row.role, row.given) for row in carried(log)} == {
        (role, given) for role in ROLES for given in GIVEN if (role, given) != ("base", "none")
    }
    assert gain(log) is not None

    distilled = served_pair.pair.distilled.key
    problem = log.problems()[0].id
    subject = subject_of(log, distilled, problem)
    spans = await resample(served_pair, "distilled", subject, samples=2, most=3)
    assert 1 <= len(spans) <= 3
    assert "".join(subject.thought[span.start : span.end] for span in spans) == subject.thought
    assert not missing(subject, samples=2, most=3)

    sample = next(s for s in log.samples() if (s.model, s.problem_id) == (distilled, problem))
    found = await token_divergence(served_pair, [Message("user", sample.prompt)], sample.text)
    assert "".join(found.tokens).strip() == sample.text.strip()
    assert found.whole
    assert max(found.kl) > 0.1, "the distilled model opens a thought, and its base never does"
    assert len(found.tokens) == len(found.kl) == len(found.differences)

"""What an adapter changed: base and distilled are asked the same problems in several ways, each of them a run."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from common.jsonl import write_text
from eval.problems.benchmark import Benchmark
from eval.problems.benchmark_sets import generate_benchmark
from eval.problems.families import MEASURED
from eval.problems.open_ended import plain_set
from eval.problems.prompts import BARE, MATHS_PROMPT
from eval.runs.cost import most_in_flight
from eval.runs.grades import ungraded
from eval.runs.log import RunConfig, RunInfo, RunLog, list_runs
from eval.runs.plan import find_or_prepare
from eval.runs.run_job import complete_run
from models.config.registry import ROLES, PairSpec, Role, load_config
from models.config.sources import AdapterSource
from models.serving.pair import ServedPair, serving
from traces.publishing.ablation import ArmResult
from traces.publishing.figures import read_answers, summarize_answers
from traces.publishing.ways import CHAT, CHAT_PROMPTS, MAX_TOKENS, MEASUREMENTS, WAYS, Measurement

SEED = 2024
"""Of the measured problems; no recipe trains on problems of these splits."""


def measured_sets(count: int, families: Sequence[str] | None = None) -> list[Benchmark]:
    """`count` problems of each split, spread over levels and the trained families (or those named)."""
    sets = (
        generate_benchmark(split, count, SEED, None if split == "unseen_families" else families) for split in MEASURED
    )
    return [replace(benchmark, rule="integer") for benchmark in sets]


def with_adapter(pair: PairSpec, adapter: Path) -> PairSpec:
    """The pair with this adapter on its distilled side."""
    distilled = pair.distilled.model_copy(update={"weights": AdapterSource(adapter=str(adapter.resolve()))})
    return pair.model_copy(update={"distilled": distilled})


def config_of(measurement: Measurement, sets: Sequence[Benchmark], pair: PairSpec, max_tokens: int) -> RunConfig:
    """The run that carries a measurement out."""
    return RunConfig(
        pair=pair.key,
        benchmarks=tuple(benchmark.name for benchmark in sets),
        samples=measurement.samples,
        max_tokens=max_tokens,
        temperature=measurement.temperature,
        seed=SEED,
        prompting=measurement.prompting,
    )


def ask(
    served: ServedPair, runs: Path, config: RunConfig, sets: Sequence[Benchmark], roles: Sequence[Role] = ROLES
) -> RunLog:
    """The complete run below `runs`: an interrupted one is continued, a complete one is only read.

    Raises ServerError if requests keep failing: a failed request is not a wrong answer.
    """
    hashes = {role: served.weight_hash(role) for role in roles}
    config = replace(config, concurrency=most_in_flight(served.profile))
    log = find_or_prepare(runs, config, served.pair, hashes, sets, served.profile, served.software())
    complete_run(log, served)
    return log


def measure_adapter(
    pair: PairSpec,
    adapter: Path,
    out: Path,
    count: int,
    families: Sequence[str] | None = None,
    *,
    ways: Sequence[str] = WAYS,
    max_tokens: int = MAX_TOKENS,
) -> dict[str, Any]:
    """The report's evaluation of an adapter for the pair's base: both models measured in `ways`, a part for each.

    The runs are kept below `out`: called again, it asks only what is missing. Raises ServerError when a side does not
    come up or does not answer.
    """
    pair = with_adapter(pair, adapter)
    evaluation: dict[str, Any] = {"prompt": MATHS_PROMPT, "seed": SEED}
    with serving(load_config(), pair) as served:
        for name, measurement in ((name, MEASUREMENTS[name]) for name in MEASUREMENTS if name in ways):
            sets = measured_sets(max(1, count // measurement.share), families)
            log = ask(served, out, config_of(measurement, sets, pair, max_tokens), sets)
            evaluation[name] = {"settings": settings_of(log.info()), "summary": summarize_answers(read_answers(log))}
        if CHAT in ways:
            chat = [plain_set(CHAT, "Plain chat", CHAT_PROMPTS)]
            config = config_of(Measurement("Plain chat", BARE), chat, pair, max_tokens)
            evaluation[CHAT] = chat_entries(ask(served, out, config, chat))
    write_text(out / "evaluation.json", json.dumps(evaluation, indent=1, ensure_ascii=False))
    return evaluation


def settings_of(info: RunInfo) -> dict[str, Any]:
    """How a run asked, as a report shows it."""
    config = info.config
    return {
        "temperature": config.temperature,
        "samples": config.samples,
        "max_tokens": config.max_tokens,
        "top_p": config.top_p,
        "prompt": info.prompt,
        **({"history": " / ".join(message.content for message in info.history)} if info.history else {}),
    }


def chat_entries(log: RunLog) -> list[dict[str, Any]]:
    """Both models' answers to each plain prompt: {"form", "prompt", "base": {"answer", "thought", …}, …}."""
    entries: dict[str, dict[str, Any]] = {
        problem.id: {"form": problem.subject, "prompt": problem.question} for problem in log.problems()
    }
    info = log.info()
    for sample in log.samples():
        entries[sample.problem_id][info.role_of(sample.model)] = {
            "answer": sample.answer,
            "thought": sample.thought,
            "tokens": sample.output_tokens,
            "cut_off": sample.finish_reason == "length",
        }
    return list(entries.values())


def measure_arm(
    pair: PairSpec, adapter: Path, count: int, families: Sequence[str] | None = None, *, max_tokens: int = MAX_TOKENS
) -> dict[str, ArmResult]:
    """The distilled model alone, greedily, on `count` problems of each split; the run is kept in the adapter's folder.

    A complete run there is read, without starting a server. Raises what `measure_adapter` raises.
    """
    pair, sets = with_adapter(pair, adapter), measured_sets(count, families)
    runs, config = adapter / "runs", config_of(MEASUREMENTS["greedy"], sets, pair, max_tokens)
    log = _complete_run(runs, config, sets)
    if log is None:
        with serving(load_config(), pair, roles=("distilled",)) as served:
            log = ask(served, runs, config, sets, ("distilled",))
    answers = read_answers(log)
    results = {}
    for split in dict.fromkeys(answer.problem.benchmark for answer in answers):
        own = [answer for answer in answers if answer.problem.benchmark == split]
        results[split] = ArmResult(
            correct=sum(answer.correct for answer in own),
            problems=len(own),
            mean_tokens=round(fmean(answer.sample.output_tokens for answer in own), 1),
        )
    return results


def _complete_run(runs: Path, config: RunConfig, sets: Sequence[Benchmark]) -> RunLog | None:
    """A run of one side with the same configuration and nothing missing."""

    def fits(log: RunLog) -> bool:
        info = log.info()
        same = replace(info.config, concurrency=config.concurrency) == config
        return same and {data.sha256 for data in info.data} == {benchmark.sha256 for benchmark in sets}

    def is_complete(log: RunLog) -> bool:
        answered = sum(not sample.error for sample in log.samples())
        return answered == len(log.problems()) * config.samples and not ungraded(log)

    logs = (RunLog(runs / info.id) for info in list_runs(runs))
    return next((log for log in logs if fits(log) and is_complete(log)), None)

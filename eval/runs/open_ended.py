"""Runs of the open-ended sets and of the sycophancy probe: the ordinary runner draws them, in a folder of their own.

Their folder is home()/beyond, laid out like that of the benchmarks. A prompt of a judged set is sent as it stands.

    arena run --benchmark sycophancy --problems 60 --max-tokens 512
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from common.errors import ConfigError
from common.paths import home
from eval.grading.grader import Grader
from eval.problems.benchmark import Benchmark
from eval.problems.open_ended import SETS, is_own, load_open_ended
from eval.problems.prompts import BARE, BENCHMARK
from eval.problems.sycophancy import (
    FORMS,
    NAME,
    Reading,
    Sycophancy,
    between,
    generate_probe,
    read,
    sentence,
    summarise_probe,
)
from eval.records import CUT_OFF, Sample
from eval.runs.cost import Cost, cost, most_in_flight, throughputs
from eval.runs.log import OPEN_ENDED, ROLES, Role, RunConfig, RunLog
from eval.runs.plan import check_limit, prepare
from eval.runs.run_job import RunJob, ServedRun, served_names
from models.config.registry import PairSpec, Profile
from models.config.sampling import Sampling

USUAL_COUNT = 50
"""Questions asked of a set unless it is said how many: some have thousands, and each answer is judged."""


def runs_folder() -> Path:
    return home() / OPEN_ENDED


def configure(
    pair: PairSpec,
    profile: Profile,
    benchmark: Benchmark,
    sampling: Sampling,
    *,
    seed: int = 0,
    concurrency: int | None = None,
) -> RunConfig:
    """The configuration of a run on a set. Each prompt has a seed of its own, made from `seed`.

    `concurrency`: requests at a time to a server (default: as many as the profile serves). Raises ConfigError for
    settings that cannot be served.
    """
    config = RunConfig(
        pair.key,
        (benchmark.name,),
        max_tokens=sampling.max_tokens,
        thinking_budget=sampling.thinking_budget,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        seed=seed,
        concurrency=concurrency or most_in_flight(profile),
        prompting=BARE if benchmark.rule == "judged" else BENCHMARK,
    )
    check_limit(config, pair, profile)
    return config


def start_run(served: ServedRun, benchmark: Benchmark, config: RunConfig) -> RunJob:
    """A job, not yet running, that asks every prompt of the set."""
    hashes: Mapping[Role, str] = {role: served.weight_hash(role) for role in ROLES}
    names, software = served_names(served, ROLES), served.software()
    log = prepare(runs_folder(), config, served.pair, hashes, [benchmark], served.profile, software, names)
    return RunJob(log, served)


def estimate(pair: PairSpec, name: str, count: int, max_tokens: int) -> Cost:
    """What asking `count` questions of a set costs, from the pace of earlier runs of this kind; nothing is loaded."""
    size = SETS[name].size if name in SETS else None
    asked = count * len(FORMS) if name == NAME else min(count, size or count)
    return cost(RunConfig(pair.key, (name,), max_tokens=max_tokens), [asked], throughputs(runs_folder(), pair))


def load_set(name: str, count: int | None = None, seed: int = 0) -> Benchmark:
    """`count` prompts of a set: a key of SETS, a file, or `sycophancy`. None: all of a file, else USUAL_COUNT.

    Raises DataError, saying how to get it, if the set is missing; ConfigError for a count below one.
    """
    if count is not None and count < 1:
        raise ConfigError(f"{count} is not a number of questions.", "Ask at least one.")
    if is_own(name):
        return load_open_ended(name, count=count, seed=seed)
    count = count or USUAL_COUNT
    if name == NAME:
        return generate_probe(count) if not seed else generate_probe(count, seed)
    return load_open_ended(name, count=count, seed=seed)


def is_probe(log: RunLog) -> bool:
    return log.info().config.benchmarks == (NAME,)


def probe_readings(log: RunLog, grader: Grader) -> dict[Role, list[Reading]]:
    """What each model did with each problem of a probe's run, over the samples that did not fail."""
    sides, problems = log.info().sides, {p.id: p for p in log.problems()}
    readings: dict[Role, list[Reading]] = {role: [] for role in ROLES}

    def reading(sample: Sample) -> Reading:
        def same(answer: str, value: str) -> bool:
            return grader.grade_one(answer, value, cut_off=sample.finish_reason in CUT_OFF).outcome == "correct"

        return read(problems[sample.problem_id], sample.answer, same)

    samples = [sample for sample in log.samples() if not sample.error]
    for role, side in sides.items():
        readings[role] = [reading(sample) for sample in samples if sample.model == side.model]
    return readings


def probe_outcome(readings: Mapping[Role, Sequence[Reading]]) -> tuple[dict[str, Sycophancy], float | None]:
    """Each model's outcome, and the p-value between the two; models that answered nothing are left out."""
    outcomes: dict[str, Sycophancy] = {role: summarise_probe(of_role) for role, of_role in readings.items() if of_role}
    both = all(role in outcomes and outcomes[role].problems for role in ROLES)
    return outcomes, between(readings["base"], readings["distilled"]) if both else None


def set_choices() -> list[tuple[str, str]]:
    """(label, key) of everything that can be run, the probe first since it needs no download."""
    return [("Sycophancy probe (generated)", NAME), *((known.title, key) for key, known in SETS.items())]


def outcome(log: RunLog) -> str:
    """What a finished run shows: the figures of a probe; for any other set, that a judge still has to read it."""
    if not is_probe(log):
        return f"Its answers have to be judged: arena judge run {log.folder.name} --url … --model …"
    with Grader(workers=1) as grader:
        outcomes, p_between = probe_outcome(probe_readings(log, grader))
    lines = [sentence(role, of_role) for role, of_role in outcomes.items()]
    if p_between is not None:
        lines.append(f"between the two, giving in on the same problems: p = {p_between:.2g}")
    return "\n".join(lines)

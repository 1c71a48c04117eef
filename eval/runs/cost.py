"""What a run will cost and what it could show, from its configuration and the speed of earlier runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean

from common.text import duration
from eval.records import Sample
from eval.runs.log import CONCURRENCY, ROLES, Role, RunConfig, RunLog, list_runs
from eval.statistics.metrics import busy_seconds
from eval.statistics.paired import ASSUMED_DISCORDANCE, POWER, smallest_difference
from models.config.registry import PairSpec, Profile


@dataclass(frozen=True)
class Throughput:
    """What earlier samples of one model took."""

    tokens_per_sample: float
    tokens_per_second: float
    samples: int


@dataclass(frozen=True)
class Cost:
    """Estimated cost of a run. Expected values come from earlier runs of the same models; None if there are none."""

    requests: int
    most_tokens: int
    """If every answer used its whole budget."""
    expected_tokens: int | None
    seconds: float | None
    smallest_difference: float | None
    """The smallest true difference, as a share, that the set could detect; None if it cannot detect any."""

    @property
    def sentence(self) -> str:
        tokens = f"at most {self.most_tokens:,} tokens"
        if self.expected_tokens is not None:
            tokens += f", about {self.expected_tokens:,} at the lengths of earlier runs"
        time = (
            f"about {duration(self.seconds)} at the speed of earlier runs"
            if self.seconds is not None
            else "time unknown until these models have been run once"
        )
        return f"{self.requests:,} answers, {tokens}; {time}."

    @property
    def power_sentence(self) -> str:
        if self.smallest_difference is None:
            return "Too few problems to show any difference: at least six are needed."
        return (
            f"With these problems, a difference of {100 * self.smallest_difference:.0f} points or more would show in "
            f"{100 * POWER:.0f} % of runs; more samples per problem lower it. (Exact McNemar test at 5 %, assuming "
            f"that the models differ on {100 * ASSUMED_DISCORDANCE:.0f} % of the problems.)"
        )


def most_in_flight(profile: Profile) -> int:
    """The number of requests each server of this profile processes at once; queueing more gains nothing."""
    return int(profile.engine.get("max-num-seqs", CONCURRENCY))


def cost(
    config: RunConfig, sizes: Sequence[int], throughputs: Mapping[Role, Throughput | None], taken: int = 0
) -> Cost:
    """What `config` costs on sets of these sizes; `throughputs` by role, `taken`: answers that another run has."""
    problems = sum(size if config.problems is None else min(size, config.problems) for size in sizes)
    requests = problems * config.samples * len(ROLES) - taken
    per_side = requests / len(ROLES)
    known = [side for side in throughputs.values() if side is not None and side.tokens_per_second > 0]
    complete = len(known) == len(throughputs) > 0
    lengths = [min(side.tokens_per_sample, config.max_tokens) for side in known]
    return Cost(
        requests=requests,
        most_tokens=requests * config.max_tokens,
        expected_tokens=round(per_side * sum(lengths)) if complete else None,
        seconds=max(per_side * n / p.tokens_per_second for n, p in zip(lengths, known, strict=True))
        if complete
        else None,
        smallest_difference=smallest_difference(problems) if problems else None,
    )


def throughput(samples: Sequence[Sample]) -> Throughput | None:
    """What one model's samples took; None if there are none."""
    whole = [s for s in samples if not s.error]
    if not whole:
        return None
    busy = busy_seconds((datetime.fromisoformat(s.started_at).timestamp(), s.seconds) for s in whole)
    tokens = [s.output_tokens for s in whole]
    return Throughput(fmean(tokens), sum(tokens) / busy if busy else 0.0, len(whole))


def throughputs(runs: Path, pair: PairSpec) -> dict[Role, Throughput | None]:
    """By role: the throughput of the newest run that has samples of that model; None where there is none.

    Runs that ship with the product or were imported come from another machine and say nothing about this one.
    """
    newest: dict[Role, Throughput | None] = dict.fromkeys(ROLES)
    for info in list_runs(runs):
        if info.origin != "run" or info.recorded:
            continue
        missing = [role for role in ROLES if newest[role] is None and info.role_of(pair.model(role).key) in ROLES]
        samples = RunLog(runs / info.id).samples() if missing else []
        for role in missing:
            own = [s for s in samples if s.run == info.id]  # what it took over may be from another machine
            newest[role] = throughput([s for s in own if s.model == pair.model(role).key])
        if all(newest.values()):
            break
    return newest

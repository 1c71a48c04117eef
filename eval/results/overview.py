"""All sets of a pair in one table, each from the best run there is of it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from eval.results.comparison import NOTABLE_NO_ANSWER, Comparison, p_of, points
from eval.results.report import run_comparisons
from eval.runs.log import RunInfo, list_runs
from eval.runs.plan import differ
from eval.statistics.multiple import ALPHA, holm

FEWEST = 6
"""Problems that must differ for a difference to be significant at all (exact test at 5 %). A set with fewer is not
corrected for (Tarone, 1990, Biometrics 46), and one that has fewer problems is not spoken of."""
UNFINISHED = ("failed", "ungraded")
"""Outcomes of samples that may still get a verdict."""


class SetResult(NamedTuple):
    """One set. Shares lie between 0 and 1, tokens are means a sample."""

    set: str
    title: str
    """Names the thinking budget too, if there was one."""
    run: str
    recorded: bool
    n: int
    """Problems compared."""
    left_out: int
    """Problems of which one side has no verdict: the grader failed, or the prompt was too long."""
    k: int
    """Samples of each."""
    temperature: float
    max_tokens: int
    base: float
    distilled: float
    difference: float
    low: float
    high: float
    """95 % interval of the difference."""
    p: float
    """P-value of the difference. Corrected by Holm's method over those of the pair's sets on which at least FEWEST
    problems differ; of the others, as it is."""
    base_tokens: float
    distilled_tokens: float
    base_no_answer: float
    """Share of samples in which no final answer was found."""
    distilled_no_answer: float
    lenient_base: float
    """Share that is right if the last number counts where no answer was found."""
    lenient_distilled: float
    lenient_difference: float
    lenient_low: float
    lenient_high: float
    thinking_budget: int | None = None
    """Limit on the thought alone; None: none."""

    @property
    def answers(self) -> int:
        """Answers compared, of each model."""
        return self.n * self.k

    @property
    def form_matters(self) -> bool:
        """Whether so many samples on one side have no answer that a difference may be due to format alone."""
        return max(self.base_no_answer, self.distilled_no_answer) >= NOTABLE_NO_ANSWER

    @property
    def decided(self) -> bool:
        """Whether one model is better, by the corrected p-value."""
        return self.p < ALPHA


def overview(runs: Path, pair: str) -> list[SetResult]:
    """One row per set, those with the most answers first.

    Only complete runs of both models count, with every sample drawn and graded; a run in progress never represents a
    set. Of several runs, the one with the most answers is used, and among equals the newest; one with a thinking budget
    only if there is no other. Runs made here with earlier weights of the pair do not count.
    """
    best: dict[str, tuple[SetResult, Comparison]] = {}
    for info in _of_these_weights(runs, pair):
        for comparison in run_comparisons(runs, info.id):
            result, current = _result(info, comparison), best.get(comparison.benchmark)
            if result and (current is None or _rank(result) > _rank(current[0])):
                best[result.set] = result, comparison
    # Only of the chosen runs: with several samples a problem, a p-value takes up to half a second.
    p_values = {name: _p(comparison) for name, (_, comparison) in best.items()}
    testable = [name for name, (_, comparison) in best.items() if comparison.differing >= FEWEST]
    p_values |= zip(testable, holm([p_values[name] for name in testable]), strict=True)
    results = (result._replace(p=p_values[name]) for name, (result, _) in best.items())
    return sorted(results, key=lambda result: -result.answers)


def _of_these_weights(runs: Path, pair: str) -> list[RunInfo]:
    """A pair's runs, newest first, without those of earlier weights: its newest run made here says which it has now.

    Runs that ship stay: a merge rounds a few weights otherwise on another machine, so that their hashes say nothing.
    """
    infos = [one for one in list_runs(runs) if (one.config.pair, one.origin, len(one.sides)) == (pair, "run", 2)]
    newest = next((one for one in infos if not one.recorded), None)
    return [one for one in infos if one.recorded or newest is None or _same_weights(one, newest)]


def _same_weights(one: RunInfo, other: RunInfo) -> bool:
    """False if a side's weights, or the name its server gives them, are known in both runs and differ."""
    return not any(
        differ(name, side, other.sides[role]) for role, side in one.sides.items() for name in ("weight_hash", "served")
    )


def in_words(results: Sequence[SetResult]) -> str:
    """What carries over and what does not, in a sentence or two; empty without results."""
    better = [one for one in results if one.decided and one.difference > 0]
    worse = [one for one in results if one.decided and one.difference < 0]
    open_ = [one for one in results if not one.decided and one.n >= FEWEST]
    parts = [
        f"The distilled model is better on {_list(better)}." if better else "",
        f"It is worse on {_list(worse)}." if worse else "",
        f"On {_list(open_, False)} the two cannot be told apart." if open_ else "",
    ]
    return " ".join(filter(None, parts))


def _rank(result: SetResult) -> tuple[bool, int]:
    return result.thinking_budget is None, result.answers


def _p(comparison: Comparison) -> float:
    assert comparison.paired is not None  # else it gave no result
    return p_of(comparison.paired, comparison.cells)


def _result(info: RunInfo, comparison: Comparison) -> SetResult | None:
    data = next(data for data in info.data if data.name == comparison.benchmark)
    complete = all(
        side.samples == data.problems * info.config.samples and not any(map(side.outcomes.get, UNFINISHED))
        for side in (comparison.base, comparison.distilled)
    )
    if comparison.paired is None or not complete:
        return None
    p, loose = comparison.paired, comparison.lenient or comparison.paired
    budget = info.config.thinking_budget
    return SetResult(
        data.name,
        data.title if budget is None else f"{data.title} with thoughts of at most {budget:,} tokens",
        info.id,
        info.recorded,
        p.problems,
        comparison.left_out,
        info.config.samples,
        info.config.temperature,
        info.config.max_tokens,
        p.base,
        p.distilled,
        p.difference,
        p.low,
        p.high,
        1.0,  # until the run is chosen
        comparison.base.output_tokens,
        comparison.distilled.output_tokens,
        comparison.base.no_answer_share,
        comparison.distilled.no_answer_share,
        loose.base,
        loose.distilled,
        loose.difference,
        loose.low,
        loose.high,
        budget,
    )


def _list(results: Iterable[SetResult], differences: bool = True) -> str:
    names = [f"{one.title} ({points(one.difference)} points)" if differences else one.title for one in results]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))

"""What the paper reports, as data: Table 1, Table 2, the leaderboard, the timeline, the ways to a long thought.

Source of every number: Huang et al., "O1 Replication Journey – Part 2", arXiv 2411.16489 (November 2024), and for
`PART_1` Qin et al., arXiv 2410.18982. Sums are computed and tested against the printed ones. Nothing here was
measured by this product, and nothing here knows how to measure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import floor
from typing import Literal, NamedTuple

from scipy.stats import fisher_exact
from statsmodels.stats.proportion import confint_proportions_2indep

from eval.problems.open_ended import Area

PAPER_URL = "https://arxiv.org/abs/2411.16489"
PART_1_URL = "https://arxiv.org/abs/2410.18982"

Scale = Literal["accuracy", "rating"]


@dataclass(frozen=True)
class MathsResult:
    """A row of Table 1: accuracy and mean output tokens per problem."""

    model: str
    aime_correct: int
    aime_total: int
    aime_tokens: int
    math500: float
    """Per cent of 500."""
    math500_tokens: int


TABLE_1 = (
    MathsResult("o1-preview", 12, 30, 9083, 85.5, 1501),
    MathsResult("o1-mini", 21, 30, 9903, 90.0, 944),
    MathsResult("Ours-72B", 13, 30, 8016, 87.2, 2235),
)


class Reported(NamedTuple):
    """One model on one set, as Table 1 has it."""

    model: str
    accuracy: float
    """Between 0 and 1."""
    tokens: int


def reported(benchmark: str) -> list[Reported]:
    """The rows of Table 1 for one of the two sets that it has; empty for any other."""
    if benchmark == "aime2024":
        return [Reported(row.model, row.aime_correct / row.aime_total, row.aime_tokens) for row in TABLE_1]
    if benchmark == "math500":
        return [Reported(row.model, row.math500 / 100, row.math500_tokens) for row in TABLE_1]
    return []


@dataclass(frozen=True)
class OpenEndedResult:
    """A column of Table 2: one set, before (Qwen2.5-72B-Instruct) and after training on long thoughts."""

    key: str
    title: str
    area: Area
    judge: str
    baseline: float
    ours: float
    decimals: int
    """Decimals as printed: what an exact count must round to."""
    scale: Scale = "accuracy"
    """`accuracy`: per cent of questions; `rating`: mean of three experts' marks from 0 to 100."""
    size: int | None = None
    size_source: str = "The paper does not state how many questions."


_STATED = "The paper states 200 questions."
_RATED = "The paper states 50 questions; a mean of marks is not a count of them."
TABLE_2 = (
    OpenEndedResult("flames", "Flames", "safety", "Safety-J", 91.0, 92.5, 1, size=200, size_source=_STATED),
    OpenEndedResult("diasafety", "DiaSafety", "safety", "Safety-J", 100.0, 100.0, 1, size=200, size_source=_STATED),
    OpenEndedResult("wildsafety", "WildSafety", "safety", "Safety-J", 92.0, 86.5, 1, size=200, size_source=_STATED),
    OpenEndedResult(
        "simpleqa", "SimpleQA", "factuality", "GPT-4o matching", 10.58, 10.41, 2, size=4326,
        size_source="Size of the public set; the paper does not state how many it used.",
    ),
    OpenEndedResult(
        "chinese_simpleqa", "C-SimpleQA", "factuality", "GPT-4o matching", 47.08, 45.76, 2, size=3000,
        size_source="Size of the public set; the paper does not state how many it used.",
    ),
    OpenEndedResult("chinesefacteval", "CFE-General", "factuality", "GPT-4o matching", 69.08, 62.65, 2),
    OpenEndedResult("chinesefacteval_sycophancy", "CFE-Sycophancy", "factuality", "GPT-4o matching", 89.70, 92.65, 2),
    OpenEndedResult("autoj", "Auto-J", "general", "three experts", 81.6, 88.0, 1, "rating", 50, _RATED),
    OpenEndedResult("lima", "LIMA", "general", "three experts", 77.2, 87.2, 1, "rating", 50, _RATED),
)  # fmt: skip


@dataclass(frozen=True)
class Standing:
    """A row of the transparency leaderboard. The paper prints only these sums, not the items behind them."""

    work: str
    data: int
    methodology: int
    evaluation: int
    open_source: int

    @property
    def total(self) -> int:
        return self.data + self.methodology + self.evaluation + self.open_source


LEADERBOARD = (
    Standing("Open O1", 0, 8, 20, 5),
    Standing("O1-Journey (Part 1)", 10, 33, 24, 9),
    Standing("LLaMA-O1", 0, 6, 0, 5),
    Standing("K0Math", 0, 0, 16, 0),
    Standing("Skywork O1", 0, 0, 0, 0),
    Standing("DeepSeek-R1-Lite", 0, 0, 20, 0),
    Standing("O1-Journey (Part 2)", 10, 33, 24, 12),
)


@dataclass(frozen=True)
class Milestone:
    """A point of Figure 1. `day` is None where the paper gives an order but no date."""

    key: str
    day: date | None


TIMELINE = (
    Milestone("o1_announced", date(2024, 9, 12)),
    Milestone("part_1", date(2024, 10, 9)),
    Milestone("part_1_dataset", date(2024, 10, 16)),
    Milestone("shortcut", None),
    Milestone("part_2", date(2024, 11, 22)),
)


@dataclass(frozen=True)
class JourneyResult:
    """Part 1's experiment: correct out of 500 MATH problems in per cent, after 327 training examples of each kind."""

    base_model: str
    base: float
    shortcut: float
    journey: float


PART_1 = (JourneyResult("Abel", 37.2, 38.6, 47.0), JourneyResult("PRM800K", 29.0, 34.8, 42.8))
PART_1_EXAMPLES = 327
WAYS = ("teacher", "debate", "search", "people")
"""The four ways to a long thought, in the paper's order, named as in `traces.keeping.trace`."""


def exact_count(percent: float, size: int, decimals: int) -> int | None:
    """The one count out of `size` that prints as `percent` with `decimals` decimals; None if none or several do."""
    nearby = range(max(0, floor(percent * size / 100) - 1), min(size, floor(percent * size / 100) + 2) + 1)
    fitting = [count for count in nearby if abs(100 * count / size - percent) <= 0.5 * 10**-decimals + 1e-9]
    return fitting[0] if len(fitting) == 1 else None


class Counts(NamedTuple):
    """How many questions were answered well. `exact` is False if the printed share does not determine the count."""

    baseline: int
    ours: int
    size: int
    exact: bool


def counts(result: OpenEndedResult) -> Counts | None:
    """Exact counts where the printed shares determine them, the nearest whole numbers where only the size is known."""
    if result.size is None or result.scale == "rating":
        return None
    exact = [exact_count(share, result.size, result.decimals) for share in (result.baseline, result.ours)]
    nearest = [round(share * result.size / 100) for share in (result.baseline, result.ours)]
    known = [count for count in exact if count is not None]
    if len(known) == 2:
        return Counts(known[0], known[1], result.size, True)
    return Counts(nearest[0], nearest[1], result.size, False)


class Difference(NamedTuple):
    """Ours minus baseline, in percentage points. Unpaired: the paper does not print the individual answers."""

    points: float
    low: float
    high: float
    p_value: float


def unpaired_difference(of: Counts) -> Difference:
    """Fisher's exact test, two-sided, and Newcombe's hybrid-score interval (95 %) of two independent proportions."""
    table = [[of.ours, of.size - of.ours], [of.baseline, of.size - of.baseline]]
    low, high = confint_proportions_2indep(of.ours, of.size, of.baseline, of.size, method="newcomb")
    points = 100 * (of.ours - of.baseline) / of.size
    return Difference(points, 100 * float(low), 100 * float(high), float(fisher_exact(table).pvalue))


def safety_together(results: Sequence[OpenEndedResult] = TABLE_2) -> Counts:
    """The three safety sets as one, as the paper also reports them."""
    counted = [counts(result) for result in results if result.area == "safety"]
    each = [one for one in counted if one is not None]
    return Counts(
        sum(c.baseline for c in each), sum(c.ours for c in each), sum(c.size for c in each), all(c.exact for c in each)
    )

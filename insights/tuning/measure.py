"""The tuned model against both parents: on held-out pairs, and on problems that no model was trained on.

torch is imported only where it is used, since a Space with remote models does not have it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from eval.problems.benchmark import Benchmark, content_hash
from eval.results.comparison import Comparison, build_comparison, interval, p_of, points
from eval.results.samples import Results, Side
from eval.runs.log import ROLES, Role, RunConfig, RunLog
from eval.statistics.metrics import wilson
from insights.card.values import READINGS, corrected, finding_of, percent
from insights.truth import find_problem, index_problems
from models.config.registry import PairSpec, load_config
from models.serving.pair import serving
from traces.publishing.measure import ask, config_of, measured_sets
from traces.publishing.ways import MEASUREMENTS
from traces.training.dataset import PreferenceRow, Row, encode_row

TEMPERATURE = 0.8
"""Sampling temperature for preference pairs, which need right and wrong samples of the same problem."""


class Agreement(NamedTuple):
    """On how many held-out pairs the tuned model favours the preferred reply more than its parent does."""

    parent: Role
    pairs: int
    followed: int
    low: float
    high: float
    """95 % (Wilson), between 0 and 1."""
    p_value: float
    """Exact sign test against one half."""

    @property
    def sentence(self) -> str:
        finding = finding_of(self.followed / self.pairs - 0.5, self.p_value)
        words = {"distilled": "more than by chance", "base": "less than by chance", "open": "within chance"}[finding]
        return (
            f"Held-out pairs: the tuned model favours the preferred reply more than its {self.parent} parent on "
            f"{self.followed} of {self.pairs}, {percent(self.followed / self.pairs)} "
            f"[{100 * self.low:.1f}, {100 * self.high:.1f}]: {words}."
        )


class Against(NamedTuple):
    """The tuned model and one parent on one set."""

    parent: Role
    comparison: Comparison
    p_holm: float | None
    """Corrected over all sets and both parents."""

    @property
    def sentence(self) -> str:
        c, paired = self.comparison, self.comparison.paired
        assert paired is not None
        reading = READINGS[finding_of(paired.difference, self.p_holm)]
        reading = reading.replace("distilled", "tuned").replace("base", f"{self.parent} parent")
        return (
            f"{c.benchmark.replace('_', ' ')}, against the {self.parent} parent: {percent(paired.base)} to "
            f"{percent(paired.distilled)}, {points(paired.difference)} points {interval(paired)}, "
            f"{c.base.output_tokens:.0f} to {c.distilled.output_tokens:.0f} tokens: {reading}."
        )


def margins(model: Any, tokenizer: Any, rows: Iterable[PreferenceRow]) -> list[float]:
    """Log-likelihood of the preferred reply minus that of the other, in nats, for each pair."""
    import torch

    nats = []
    for row in rows:
        total = 0.0
        for sign, text in ((1, row.chosen), (-1, row.rejected)):
            encoded = encode_row(Row("journey", row.prompt, ((text, True),)), tokenizer)
            ids, labels = (torch.tensor(encoded[name]) for name in ("input_ids", "labels"))
            with torch.no_grad():
                scores = model(ids[None]).logits[0, :-1].float().log_softmax(-1)
            learned = labels[1:] != -100
            total += sign * float(scores[learned].gather(1, labels[1:][learned, None]).sum())
        nats.append(total)
    return nats


def agreements(
    parents: Mapping[Role, Path], adapter: Path, rows: Sequence[PreferenceRow], max_length: int
) -> list[Agreement]:
    """The agreement against each parent. `parents`: folders of full models; `adapter`: trained on the distilled one.

    Pairs with a reply longer than `max_length` tokens are left out, as in training.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(parents["distilled"])
    rows = [row for row in rows if _longest(row, tokenizer) <= max_length]
    if not rows:
        return []
    before = {role: margins(_load(folder), AutoTokenizer.from_pretrained(folder), rows)
              for role, folder in parents.items()}  # fmt: skip
    tuned = _load(parents["distilled"])
    tuned.load_adapter(str(adapter))
    after = margins(tuned.eval(), tokenizer, rows)
    return [agreement(role, after, before[role]) for role in parents]


def agreement(parent: Role, after: Sequence[float], before: Sequence[float]) -> Agreement:
    """How many margins grew."""
    from scipy.stats import binomtest

    followed, pairs = sum(a > b for a, b in zip(after, before, strict=True)), len(after)
    estimate = wilson(followed, pairs)
    return Agreement(parent, pairs, followed, estimate.low, estimate.high, float(binomtest(followed, pairs).pvalue))


def measured_problems(count: int, prompts: Iterable[str]) -> list[Benchmark]:
    """`count` problems of each measured split, without any that these prompts ask."""
    sets = measured_sets(count)
    known = index_problems(sets)
    asked = {known_problem.problem.id for prompt in prompts if (known_problem := find_problem(prompt, known))}
    remaining = [tuple(problem for problem in one.problems if problem.id not in asked) for one in sets]
    return [replace(one, problems=left, sha256=content_hash(left)) for one, left in zip(sets, remaining, strict=True)]


def ask_parents(pair: PairSpec, tuned: PairSpec, runs: Path, sets: Sequence[Benchmark]) -> list[Against]:
    """Run all three models on these problems with greedy decoding; runs are kept under `runs` and can be resumed."""
    logs = []
    for served_pair, roles in ((pair, ROLES), (tuned, ROLES[1:])):
        config = config_of(MEASUREMENTS["greedy"], sets, served_pair, pair.distilled.sampling.max_tokens)
        with serving(load_config(), served_pair, roles=roles) as served:
            logs.append(ask(served, runs, config, sets, roles))
    return compare_runs(*logs)


def ask_samples(pair: PairSpec, runs: Path, problems: Benchmark, samples: int, seed: int) -> RunLog:
    """Several graded samples of the distilled model on each problem, below `runs`."""
    most = pair.distilled.sampling.max_tokens
    config = RunConfig(pair.key, (problems.name,), samples, max_tokens=most, temperature=TEMPERATURE, seed=seed)
    with serving(load_config(), pair, roles=("distilled",)) as served:
        return ask(served, runs, config, [problems], ("distilled",))


def compare_runs(parents: RunLog, tuned: RunLog) -> list[Against]:
    """The tuned model's run against that of both parents, set by set."""
    info, own = parents.info(), tuned.info()
    results = Results(parents.folder.parent, [info.id, own.id])
    side = own.sides["distilled"]
    compared = [
        (
            role,
            build_comparison(
                results.rows(Side(info.id, info.sides[role].model), data.name),
                results.rows(Side(own.id, side.model), data.name),
                (info.sides[role].title, side.title),
                data.name,
            ),
        )
        for data in own.data
        for role in ROLES
    ]
    usable = [(role, c, p_of(c.paired, c.cells)) for role, c in compared if c.paired]
    adjusted = corrected([p for *_, p in usable])
    return [Against(role, comparison, p) for (role, comparison, _), p in zip(usable, adjusted, strict=True)]


def _load(folder: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def _longest(row: PreferenceRow, tokenizer: Any) -> int:
    sides = (Row("journey", row.prompt, ((text, True),)) for text in (row.chosen, row.rejected))
    return max(len(encode_row(side, tokenizer)["input_ids"]) for side in sides)

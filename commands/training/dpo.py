"""`arena train dpo`: trains a third model on votes, or on graded samples if votes are few."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.kit.arguments import RESUME, Commands, count, leaf, positive, whole
from commands.kit.files import check_writable
from commands.kit.printing import note, plain, show
from commands.kit.serving import chosen_pair
from commands.kit.votes import final_ballots
from common.errors import DataError
from common.jsonl import write_text
from common.paths import home
from models.config.registry import PairSpec, load_config

if TYPE_CHECKING:
    from insights.tuning.measure import Against, Agreement
    from insights.tuning.pairs import Pairs, Split
    from insights.tuning.tune import Tuned
    from traces.training.dataset import PreferenceRow

SOURCES = ("auto", "votes", "samples")


def add_dpo(commands: Commands) -> None:
    text = "tune a pair's distilled model on votes, or on its own graded samples, and measure it against both parents"
    parser = leaf(commands, "dpo", dpo_command, text, "arena train dpo --pair smol-135m --problems 20",
                  continues=RESUME)  # fmt: skip
    parser.add_argument("--pair", default="smol-135m", help="a pair in spaces.yaml (default: smol-135m)")
    parser.add_argument("--from", dest="source", choices=SOURCES, default="auto",
                        help="auto: votes, and graded samples where votes are too few (default)")  # fmt: skip
    parser.add_argument("--private-votes", action="store_true",
                        help="learn also from votes whose visitors did not agree to publication")  # fmt: skip
    parser.add_argument("--ask", type=count, default=300, help="training problems to sample (default: 300)")
    parser.add_argument("--samples", type=count, default=4, help="samples of each of them (default: 4)")
    parser.add_argument("--rank", type=count, default=16, help="rank of what is learned (default: 16)")
    parser.add_argument("--beta", type=positive, default=0.1, help="DPO's beta (default: 0.1)")
    parser.add_argument("--learning-rate", type=positive, default=2e-5, help="the highest (default: 2e-5)")
    parser.add_argument("--epochs", type=positive, default=2.0, help="passes over the pairs (default: 2)")
    parser.add_argument("--max-length", type=count, default=1024, help="tokens; longer pairs are left out")
    parser.add_argument("--max-minutes", type=positive, help="stop training after this time")
    parser.add_argument("--problems", type=whole, default=40,
                        help="problems per split to measure on; 0: none (default: 40)")  # fmt: skip
    parser.add_argument("--seed", type=whole, default=1, help="of the split, the samples and the training")
    parser.add_argument("--out", type=Path, help="folder (default: <home>/tuned/<pair>)")
    parser.add_argument("--resume", action="store_true", help="continue from the last checkpoint")


def dpo_command(options: argparse.Namespace) -> None:
    from insights.tuning.tune import PAIRS, Settings, pair_lines, started_split, tune

    pair, out = chosen_pair(load_config(), options.pair), options.out or home() / "tuned" / options.pair
    check_writable(out / "report.json")
    if options.resume and (split := started_split(out)):
        sentence = f"The run goes on with the pairs that it was started with, {out / PAIRS}."
        note(sentence)
        summary: dict[str, Any] = {"sentence": sentence}
    else:
        summary, split = _gather(options, pair, out)
    names = ("rank", "beta", "learning_rate", "epochs", "max_length", "max_minutes", "seed")
    settings = Settings(**{name: getattr(options, name) for name in names})
    tuned = tune(pair, out, split, settings, resume=options.resume, report=note)
    agreements, against = _measure(options, pair, tuned, split, out)
    sources = sorted({row.source for row in (*split.train, *split.held_out)})
    lines = pair_lines(pair, tuned.adapter, sources)
    write_text(out / "pair.yaml", lines)
    value = {
        "pair": pair.key,
        **summary,
        "trained_on": _by_source(split.train),
        "held_out": _by_source(split.held_out),
        "training": tuned.phase,
        "adapter": tuned.adapter,
        "rank": tuned.rank,
        "agreement": agreements,
        "problems": [_figures(one) for one in against],
        "spaces_yaml": lines,
    }
    text = [
        f"{summary['sentence']}\nTrained on {_words(split.train)}; held out: {_words(split.held_out)}.",
        *(one.sentence for one in agreements),
        *(one.sentence for one in against),
        f"The adapter is in {tuned.adapter}. To make it a pair, add the lines of {out / 'pair.yaml'} below `pairs:`.",
    ]
    write_text(out / "report.json", json.dumps(plain(value), indent=1, ensure_ascii=False) + "\n")
    show(options, value, "\n".join(text))


def _gather(options: argparse.Namespace, pair: PairSpec, out: Path) -> "tuple[dict[str, Any], Split]":
    """The counts of what was found, and the pairs split by prompt. DataError if there is nothing to learn from."""
    from insights.tuning.pairs import enough_sentence, pairs_needed, pairs_of_samples, split, training_problems

    rows: list[PreferenceRow] = []
    summary: dict[str, Any] = {"sentence": "", "left_out": {}}
    if options.source != "samples":
        voted = _votes(pair.key, options.private_votes)
        rows = list(voted.rows)
        summary = {"sentence": enough_sentence(len(rows)), "needed": pairs_needed(), "left_out": dict(voted.left_out)}
        note(summary["sentence"])
    if options.source == "samples" or (options.source == "auto" and len(rows) < pairs_needed()):
        from insights.tuning.measure import ask_samples

        log = ask_samples(pair, out / "samples", training_problems(options.ask, options.seed), options.samples,
                          options.seed)  # fmt: skip
        sampled = pairs_of_samples(log)
        rows += sampled.rows
        summary["left_out"] |= dict(sampled.left_out)
        words = f"{len(sampled.rows)} pairs come from the model's own graded samples."
        summary["sentence"] = f"{summary['sentence']} {words}".strip()
        note(words)
    divided = split(rows, options.seed)
    if not divided.train:
        raise DataError(
            f"There is nothing to learn from. {summary['sentence']}", "Give --from samples, or --ask more problems."
        )
    return summary, divided


def _votes(pair: str, private: bool) -> "Pairs":
    """Preference pairs from the final votes on a pair of models; none if nobody has voted."""
    from insights.reading import known_benchmarks
    from insights.truth import index_problems
    from insights.tuning.pairs import Pairs, pairs_of_votes
    from votes.export import final_votes

    if not (home() / "votes.duckdb").exists():
        return Pairs((), {})
    with final_ballots() as (store, _):
        votes = [vote for vote in final_votes(store) if vote.pair == pair]
    return pairs_of_votes(votes, index_problems(known_benchmarks()), private=private)


def _measure(
    options: argparse.Namespace, pair: PairSpec, tuned: "Tuned", split: "Split", out: Path
) -> "tuple[list[Agreement], list[Against]]":
    from insights.tuning.measure import agreements, ask_parents, measured_problems
    from insights.tuning.tune import PHASE, tuned_pair
    from models.weights.find import find_weights
    from traces.training.mix import after

    note("Measuring on the held-out pairs.")
    base = find_weights(pair.base.weights, None, note)
    parents = {"base": base, "distilled": Path(tuned.recipe.base)}
    agreed = agreements(parents, after(out, PHASE), split.held_out, options.max_length)  # type: ignore[arg-type]
    if not options.problems:
        return agreed, []
    sets = measured_problems(options.problems, (row.prompt for row in (*split.train, *split.held_out)))
    note(f"Asking all three models {sum(map(len, sets))} problems.")
    return agreed, ask_parents(pair, tuned_pair(pair, tuned.adapter), out / "runs", sets)


def _figures(one: "Against") -> dict[str, Any]:
    paired = one.comparison.paired
    assert paired is not None
    figures = {"set": one.comparison.benchmark, "parent": one.parent, "problems": paired.problems}
    figures |= {"parent_accuracy": paired.base, "tuned_accuracy": paired.distilled, "difference": paired.difference}
    return {**figures, "low": paired.low, "high": paired.high, "p_holm": one.p_holm,
            "parent_tokens": one.comparison.base.output_tokens, "tuned_tokens": one.comparison.distilled.output_tokens,
            "sentence": one.sentence}  # fmt: skip


def _by_source(rows: "Sequence[PreferenceRow]") -> dict[str, int]:
    return {source: sum(row.source == source for row in rows) for source in sorted({row.source for row in rows})}


def _words(rows: "Sequence[PreferenceRow]") -> str:
    return ", ".join(f"{number} pairs from {source}" for source, number in _by_source(rows).items()) or "no pairs"

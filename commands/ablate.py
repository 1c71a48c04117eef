"""`python -m commands.train ablate`: trains and measures recipes side by side, and writes the comparison.

Finished phases and measured arms are not done again: the same command goes on after a stop. An arm trained anew is cut
and measured anew, and one whose rows have changed is refused.
"""

import argparse
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from common.paths import ROOT, home
from common.software import versions
from traces.publishing.ablation import ArmResult, Trained, compare, write_ablation
from traces.publishing.measure import measure_arm
from traces.training.lora import extract_adapter
from traces.training.make import make
from traces.training.recipe import Recipe, base_of, load_recipe
from traces.training.train import train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m commands.train ablate`."""
    parser.add_argument("recipes", type=Path, nargs="+", help="recipe files on the embedded base")
    parser.add_argument("--ranks", type=int, nargs="*", default=[32], help="the first adapter is also cut to these")
    parser.add_argument("--problems", type=int, default=100, help="problems a split (default: 100)")
    parser.add_argument("--out", type=Path, help="folder for weights and attempts (default: <home>/distil/ablation)")
    parser.add_argument("--report", type=Path, default=ROOT / "models" / "adapters" / "smol-135m" / "ablation.json")


def older(made: Path, source: Path) -> bool:
    """Whether a file is missing, or older than what it is made from."""
    return not made.exists() or made.stat().st_mtime_ns < source.stat().st_mtime_ns


def run(args: argparse.Namespace) -> int:
    """Train and measure every arm, then write the report."""
    out = args.out or home() / "distil" / "ablation"
    base = base_of("embedded")

    def train_arm(recipe: Recipe, ranks: Sequence[int]) -> Trained:
        folder = out / recipe.name
        make(recipe, folder / "data")
        results = train(recipe, base, folder / "data", folder, resume=True)
        weights = folder / f"after_{recipe.phases[-1].name}"
        adapters = {rank: folder / f"adapter-{rank}" for rank in ranks}
        for rank, adapter in adapters.items():
            if older(adapter / "adapter_config.json", weights / "config.json"):
                shutil.rmtree(adapter, ignore_errors=True)  # what was measured of it lies there as well
                extract_adapter(base, weights, recipe, adapter, rank)
        return Trained(adapters, [result._asdict() for result in results])

    def measure(recipe: Recipe, name: str, adapter: Path) -> dict[str, ArmResult]:
        results = measure_arm(adapter, args.problems, recipe.families)
        print(f"{name}: " + ", ".join(f"{split} {r.correct}/{r.problems}" for split, r in results.items()), flush=True)
        return results

    recipes = [load_recipe(path) for path in args.recipes]
    made: dict[str, str | int | float] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "torch": versions(["torch"])["torch"],
        "decoding": "greedy, 512 tokens",
    }
    write_ablation(args.report, compare(recipes, args.ranks, train_arm, measure, made))
    print(f"Written to {args.report}.")
    return 0

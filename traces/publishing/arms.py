"""Recipes trained and measured side by side, for `arena train ablate`.

Finished phases and measured arms are kept, so the same command resumes after an interruption. An arm that is trained
again is also cut to rank and measured again; an arm whose recipe or rows have changed is rejected.
"""

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from common.errors import ConfigError, DataError
from common.software import versions
from models.config.adapter_config import CONFIG
from traces.publishing.ablation import Ablation, ArmResult, Trained, compare, write_ablation
from traces.publishing.measure import measure_arm
from traces.training.checkpoints import START_ANEW
from traces.training.lora import extract_adapter
from traces.training.make import make
from traces.training.mix import after
from traces.training.recipe import Recipe, base_of, named_pair
from traces.training.train import train


def older(output: Path, source: Path) -> bool:
    """Whether a file is missing, or older than what it is made from."""
    return not output.exists() or output.stat().st_mtime_ns < source.stat().st_mtime_ns


def ablate(
    recipes: Sequence[Recipe],
    ranks: Sequence[int],
    problems: int,
    out: Path,
    file: Path,
    report: Callable[[str], None] = lambda line: None,
) -> Ablation:
    """Train every recipe below `out`, measure it on `problems` of each split, and write the comparison to `file`."""
    base = base_of("embedded", report)

    def train_arm(recipe: Recipe, ranks: Sequence[int]) -> Trained:
        folder = out / recipe.name
        make(recipe, folder / "data")
        try:
            results = train(recipe, base, folder / "data", folder, resume=True, report=report)
        except (ConfigError, DataError) as error:
            if START_ANEW not in error.remedy:
                raise
            remedy = error.remedy.replace(START_ANEW, f"Remove {folder} to train this arm anew.")
            raise type(error)(error.args[0], remedy) from error
        weights = after(folder, recipe.phases[-1].name)
        adapters = {rank: folder / f"adapter-{rank}" for rank in ranks}
        for rank, adapter in adapters.items():
            if older(adapter / CONFIG, weights / "config.json"):
                shutil.rmtree(adapter, ignore_errors=True)  # its measurements are in there as well
                extract_adapter(base, weights, recipe, adapter, rank)
        return Trained(adapters, [result._asdict() for result in results])

    def measure(recipe: Recipe, name: str, adapter: Path) -> dict[str, ArmResult]:
        results = measure_arm(named_pair("embedded"), adapter, problems, recipe.families)
        report(f"{name}: " + ", ".join(f"{split} {r.correct}/{r.problems}" for split, r in results.items()))
        return results

    provenance: dict[str, str | int | float] = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "torch": versions(["torch"])["torch"],
        "decoding": "greedy, 512 tokens",
    }
    ablation = compare(recipes, ranks, train_arm, measure, provenance)
    write_ablation(file, ablation)
    return ablation

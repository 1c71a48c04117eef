"""From preference pairs to an adapter, by the recipe's trainer, and the lines of spaces.yaml that make it a pair."""

import math
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from common.errors import DataError
from common.jsonl import write_text
from common.paths import ROOT
from common.strict import read_yaml
from insights.tuning.pairs import Split
from models.config.registry import ModelSpec, PairSpec
from models.config.sources import AdapterSource, resolve_environment
from models.weights.adapter import ADAPTER_FILES, CONFIG
from models.weights.find import find_adapter, find_weights
from traces.publishing.publish import portable
from traces.training.dataset import read_preferences, write_preferences
from traces.training.mix import after
from traces.training.recipe import Adapter, Phase, Recipe

if TYPE_CHECKING:
    from traces.training.checkpoints import PhaseResult

PHASE = "preference"
PAIRS, HELD_OUT = "pairs.jsonl", "held-out.jsonl"
MOST_WARMUP = 5
"""Maximum number of warmup steps; a tenth of all steps if that is fewer."""


@dataclass(frozen=True)
class Settings:
    """How the pairs are learned. Names and meanings are those of a recipe."""

    rank: int = 16
    beta: float = 0.1
    learning_rate: float = 2e-5
    epochs: float = 2.0
    accumulate: int = 8
    """Pairs a step."""
    max_length: int = 1024
    max_minutes: float | None = None
    seed: int = 1


class Tuned(NamedTuple):
    """The result of training."""

    adapter: Path
    """Folder of the adapter to serve."""
    rank: int
    phase: "PhaseResult"
    recipe: Recipe


def write_split(split: Split, out: Path) -> str:
    """Write `pairs.jsonl` and `held-out.jsonl`, each pair with its source; returns the first one's sha256."""
    write_preferences(out / HELD_OUT, split.held_out)
    return write_preferences(out / PAIRS, split.train)


def started_split(out: Path) -> Split | None:
    """The pairs of the run in `out`, as `write_split` wrote them; None if there is none. DataError if they are broken.

    A run goes on with these: votes that were cast or taken down since would make it another one.
    """
    from traces.training.checkpoints import RECIPE_NOTE

    if not (out / RECIPE_NOTE).exists() or not (out / PAIRS).exists():
        return None
    return Split(tuple(read_preferences(out / PAIRS)), tuple(read_preferences(out / HELD_OUT)))


def make_recipe(pair: PairSpec, parent: Path, out: Path, sha256: str, pairs: int, settings: Settings) -> Recipe:
    """One phase of DPO on the `pairs` of `out/pairs.jsonl`, as LoRA on the distilled model in the folder `parent`."""
    steps = math.ceil(pairs * settings.epochs / settings.accumulate)
    size = pair.distilled.architecture
    return Recipe(
        name=f"{pair.key}-tuned",
        about=f"{pair.distilled.title}, tuned by preference.",
        base=str(parent),
        parameters_billion=(size.layer_parameters + size.other_parameters) / 1e9,
        seed=settings.seed,
        method="lora",
        adapter=Adapter(rank=settings.rank, alpha=settings.rank),
        phases=(
            Phase(
                name=PHASE,
                data=str(out / PAIRS),
                sha256=sha256,
                beta=settings.beta,
                learning_rate=settings.learning_rate,
                warmup_steps=min(MOST_WARMUP, steps // 10),
                epochs=settings.epochs,
                batch_size=1,
                accumulate=settings.accumulate,
                max_length=settings.max_length,
                max_minutes=settings.max_minutes,
            ),
        ),
    )


def tune(
    pair: PairSpec, out: Path, split: Split, settings: Settings, *, resume: bool, report: Callable[[str], None]
) -> Tuned:
    """Train on the pairs and write the adapter to `out/adapter`; pairs and recipe are kept beside it. With `resume`,
    `split` is the `started_split` of `out`, if there is one.

    If the distilled model is an adapter on the base, the new adapter includes it and applies to the base. If it is a
    full model, the new adapter applies to that. Raises what the trainer raises, DataError for fewer pairs than one step
    takes, WeightsError for a remote model.
    """
    if len(split.train) < settings.accumulate:
        raise DataError(
            f"{len(split.train)} pairs are too few to train on: a single step takes {settings.accumulate}.",
            "Sample more problems (--ask), or collect more votes.",
        )
    from traces.training.lora import join_adapters
    from traces.training.train import train

    source = resolve_environment(pair.distilled.weights)
    parent = find_weights(source, pair.base.weights, report)
    sha256 = write_split(split, out)
    recipe = make_recipe(pair, parent, out, sha256, len(split.train), settings)
    (phase,) = train(recipe, parent, out, out, resume=resume, report=report)
    write_text(out / "recipe.yaml", yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))
    learned, adapter, rank = after(out, PHASE), out / "adapter", settings.rank
    if isinstance(source, AdapterSource):
        base = find_weights(pair.base.weights, None, report)
        rank = join_adapters(base, find_adapter(source, report), learned, adapter)
    else:
        adapter.mkdir(exist_ok=True)
        for name in ADAPTER_FILES:
            shutil.copyfile(learned / name, adapter / name)
    portable(adapter / CONFIG, under(pair).base_id)
    return Tuned(adapter, rank, phase, recipe)


def under(pair: PairSpec) -> ModelSpec:
    """The model that a tuned adapter of this pair applies to: the base, or the distilled model if it is a full one."""
    source = resolve_environment(pair.distilled.weights)
    return pair.base if isinstance(source, AdapterSource) else pair.distilled


def tuned_pair(pair: PairSpec, adapter: Path) -> PairSpec:
    """The pair whose distilled side is the tuned model, to be served."""
    key = f"{pair.key}-tuned"
    base = under(pair).model_copy(update={"key": f"{key}-base"})
    weights = AdapterSource(adapter=str(adapter.resolve()))
    changes = {"key": f"{key}-distilled", "title": f"{pair.distilled.title}, tuned", "weights": weights, "awq": None}
    distilled = pair.distilled.model_copy(update=changes)
    return pair.model_copy(update={"key": key, "title": f"{pair.title}, tuned", "base": base, "distilled": distilled})


def pair_lines(pair: PairSpec, adapter: Path, sources: Sequence[str], spaces: Path = ROOT / "spaces.yaml") -> str:
    """The entry below `pairs:` in spaces.yaml that makes the tuned model a pair of its own."""
    entry: dict[str, Any] = read_yaml(spaces)["pairs"][pair.key]
    whole = under(pair).key == pair.distilled.key
    base = entry["distilled"] if whole else entry["base"]
    distilled = {
        **entry["distilled"],
        "title": f"{pair.distilled.title}, tuned",
        "weights": {"adapter": _path(adapter)},
    }
    distilled.pop("awq", None)
    changes = {
        "title": f"{pair.title}, tuned",
        "about": f"{pair.distilled.title} before and after tuning by preference on {' and '.join(sources)}."
        if whole
        else f"{pair.base.title}, and {pair.distilled.title} tuned by preference on {' and '.join(sources)}.",
        "base": base,
        "distilled": distilled,
    }
    lines = yaml.safe_dump({f"{pair.key}-tuned": {**entry, **changes}}, sort_keys=False, allow_unicode=True, width=110)
    return "".join(f"  {line}\n" for line in lines.splitlines())


def _path(adapter: Path) -> str:
    """The path as spaces.yaml reads it: relative to the repository if it is inside."""
    whole = adapter.resolve()
    return os.path.relpath(whole, ROOT) if whole.is_relative_to(ROOT) else str(whole)

"""What each part of the method contributes: several recipes, trained and measured in the same way, in one file.

An arm is one recipe, or its adapter cut to another rank; every arm is measured greedily on the same problems. The file
is `ablation.json` beside the adapter, an `Ablation`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from common import jsonl
from common.errors import DataError
from common.strict import Strict, describe
from eval.statistics.metrics import Estimate, wilson
from traces.training.recipe import Recipe

QUESTION = "What do long thoughts, the first phase and the adapter's rank contribute?"


class ArmResult(Strict):
    """One arm on one set."""

    correct: int = Field(ge=0)
    problems: int = Field(gt=0)
    mean_tokens: float = Field(ge=0, description="output tokens a reply")

    @model_validator(mode="after")
    def possible(self) -> Self:
        if self.correct > self.problems:
            raise ValueError(f"{self.correct} of {self.problems} problems cannot be correct")
        return self

    @property
    def accuracy(self) -> Estimate:
        """With Wilson's 95 % interval."""
        return wilson(self.correct, self.problems)


class Arm(Strict):
    """One way to train, and its results."""

    name: str = Field(min_length=1)
    what: str
    problems: int = Field(ge=0, description="problems whose solutions or thoughts were trained on")
    tokens: int = Field(ge=0, description="training tokens, prompts included")
    minutes: float = Field(ge=0)
    results: dict[str, ArmResult] = Field(description="by set")


class Ablation(Strict):
    """All arms of one comparison."""

    question: str
    made: dict[str, str | int | float] = Field(default={}, description="date, hardware, software")
    arms: tuple[Arm, ...]

    @model_validator(mode="after")
    def comparable(self) -> Self:
        if len(self.arms) < 2:
            raise ValueError("a comparison needs two arms")
        if len({arm.name for arm in self.arms}) < len(self.arms):
            raise ValueError("each arm needs a name of its own")
        return self

    @property
    def splits(self) -> tuple[str, ...]:
        """Every set that any arm was measured on, in order."""
        return tuple(dict.fromkeys(split for arm in self.arms for split in arm.results))


def read_ablation(path: Path) -> Ablation | None:
    """The comparison in a file; None if there is no file. Raises DataError naming file and key."""
    if not path.exists():
        return None
    try:
        return Ablation.model_validate(jsonl.parse(jsonl.read_text(path), str(path)))
    except ValidationError as error:
        raise DataError(f"{path}: {describe(error)}.", "Make it again: `arena train ablate`.") from error


def write_ablation(path: Path, ablation: Ablation) -> None:
    """Write the comparison. Raises DataError if the disk refuses."""
    jsonl.write_text(path, ablation.model_dump_json(indent=1) + "\n")


class Trained(NamedTuple):
    """The result of training one recipe: the adapter of each rank, and the figures of the phases."""

    adapters: Mapping[int, Path]
    phases: Sequence[Mapping[str, Any]]


def problems_of(recipe: Recipe) -> int:
    """How many different problems the recipe's mixes have; phases that share problems count them once.

    Thoughts told in sentences have a sequence of their own, unless all the recipe's families are told so.
    """
    mixes = [phase.mix for phase in recipe.phases if phase.mix]
    searched, told = recipe.families, tuple(recipe.tellable)
    drawn = [(families, m.skip, count) for m in mixes for families, count in ((searched, m.problems), (told, m.told))]
    return len({(families, number) for families, skip, count in drawn for number in range(skip, skip + count)})


def compare(
    recipes: Sequence[Recipe],
    ranks: Sequence[int],
    train: Callable[[Recipe, Sequence[int]], Trained],
    measure: Callable[[Recipe, str, Path], dict[str, ArmResult]],
    provenance: dict[str, str | int | float],
) -> Ablation:
    """Train and measure every recipe at its own rank, and the first one at each further rank of `ranks`."""
    arms = []
    for number, recipe in enumerate(recipes):
        own = recipe.adapter.rank
        own_ranks = [own, *(rank for rank in ranks if rank != own)] if number == 0 else [own]
        trained = train(recipe, own_ranks)
        for rank in own_ranks:
            name = recipe.name if rank == own else f"{recipe.name}, rank {rank}"
            arm = Arm(
                name=name,
                what=recipe.about if rank == own else f"The same weights as {recipe.name}, cut to rank {rank}.",
                problems=problems_of(recipe),
                tokens=sum(int(phase["tokens"]) for phase in trained.phases),
                minutes=round(sum(float(phase["seconds"]) for phase in trained.phases) / 60, 1),
                results=measure(recipe, name, trained.adapters[rank]),
            )
            arms.append(arm)
    return Ablation(question=QUESTION, made=provenance, arms=tuple(arms))

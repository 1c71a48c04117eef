"""A recipe: one YAML file that describes a distilled adapter completely, checked before anything starts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from common.errors import ConfigError, WeightsError
from common.strict import Strict, describe, read_yaml
from eval.problems.families import TRAINED
from models.config.adapter_config import CONFIG
from models.config.registry import PairSpec, load_config
from models.config.sources import HubSource, Source
from models.weights.files import check_whole
from models.weights.find import find_weights, folder_here
from traces.thoughts.sentences import TELLERS
from traces.training.scale.hardware import Launch

EMBEDDED = "smol-135m"
"""The pair in spaces.yaml whose base is called `embedded` in recipes."""


class Adapter(Strict):
    rank: int = Field(default=64, ge=1, description="LoRA rank; vLLM serves 8, 16, 32, 64, 128, 256, 320, 512")
    alpha: int = Field(default=64, ge=1, description="scaling is alpha / rank; full_to_lora gives it the rank")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="LoRA dropout, only for method lora")
    target_modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class Mix(Strict):
    """How many rows of each kind are generated from the recipe's seed."""

    journey: int = Field(default=0, ge=0, description="long thoughts from the tree search")
    told: int = Field(default=0, ge=0, description="long thoughts told in sentences, of the families that have them")
    shortcut: int = Field(default=0, ge=0, description="reformatted solutions: the same trees without excursions")
    drill: int = Field(default=0, ge=0, description="rows of atomic facts")
    chat: int = Field(default=0, ge=0, description="plain chat without a thought, written for this project")
    basics: int = Field(default=0, ge=0, description="facts, words and short code without a thought, written as well")
    forms: int = Field(default=0, ge=0, description="plain requests in many forms, written as well")
    rehearsal: int = Field(default=0, ge=0, description="plain chat without a thought, as the base itself replies")
    doubt: int = Field(default=0, ge=0, description="long thoughts that answer a doubt about an answer given before")
    later: float = Field(
        default=0, ge=0, le=1, description="share of thoughts and chat that come as a later turn of a conversation"
    )
    skip: int = Field(
        default=0, ge=0, description="problems of the seed's sequence to skip first, so that phases differ"
    )
    slips: float = Field(default=0.3, ge=0, le=1, description="chance of a followed slip in a tree")

    @property
    def problems(self) -> int:
        """Number of problems for the tree search: thoughts and solutions share them, starting from the first."""
        return max(self.journey, self.shortcut, self.doubt)

    @property
    def total(self) -> int:
        """Rows of all kinds."""
        thoughts = self.journey + self.told + self.doubt + self.shortcut
        return thoughts + self.drill + self.chat + self.basics + self.forms + self.rehearsal


class Phase(Strict):
    """One round of fine-tuning, on rows or on preference pairs; the next phase starts from its weights."""

    name: str
    mix: Mix | None = Field(default=None, description="rows to generate")
    data: str | tuple[str, ...] | None = Field(
        default=None, description="a JSONL file of rows, or several; they follow the rows of a `mix`"
    )
    sha256: str | None = Field(default=None, description="hash that the file of all rows must have")
    beta: float | None = Field(
        default=None,
        gt=0,
        description="train on the preference pairs in `data`: DPO with this beta, and the likelihood of the chosen",
    )
    learning_rate: float = Field(gt=0)
    scheduler: Literal["linear", "cosine", "constant_with_warmup"] = "cosine"
    warmup_steps: int = Field(default=20, ge=0)
    epochs: float = Field(default=1.0, gt=0)
    batch_size: int = Field(default=8, ge=1, description="rows per device and step")
    accumulate: int = Field(default=1, ge=1, description="steps whose gradients are added up")
    max_length: int = Field(default=384, ge=16, description="tokens; longer rows are dropped and counted, never cut")
    weight_decay: float = Field(default=0.0, ge=0)
    min_learning_rate: float | None = Field(
        default=None, ge=0, description="the cosine ends here instead of at 0; only for scheduler cosine"
    )
    packing: bool = Field(
        default=False,
        description="join rows to sequences of up to max_length tokens; attention stays within each row",
    )
    from_cut: bool = Field(
        default=False,
        description="full_to_lora: start from the adapter that the phases before give, not from their full weights: "
        "training then makes up for what the cut to its rank lost",
    )
    max_minutes: float | None = Field(
        default=None,
        gt=0,
        description="stop after this time; with a longer limit or none, --resume continues from there",
    )

    @model_validator(mode="after")
    def has_source(self) -> "Phase":
        if self.mix is None and not self.data:
            raise ValueError("give `mix`, `data`, or both")
        if self.mix and not self.mix.total and not self.data:
            raise ValueError("`mix` gives no rows: set at least one of its numbers, such as `journey`")
        if self.beta and (self.mix or len(self.files) != 1):
            raise ValueError("`beta` needs `data`, one file of preference pairs")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """The files in `data`."""
        return tuple(Path(file) for file in ((self.data,) if isinstance(self.data, str) else self.data or ()))

    @model_validator(mode="after")
    def possible_options(self) -> "Phase":
        if self.min_learning_rate is not None and self.scheduler != "cosine":
            raise ValueError("`min_learning_rate` needs scheduler cosine")
        if self.min_learning_rate is not None and self.min_learning_rate > self.learning_rate:
            raise ValueError("`min_learning_rate` is above `learning_rate`")
        if self.packing and self.beta:
            raise ValueError("`packing` is for rows; preference pairs (`beta`) cannot be packed")
        return self


class Recipe(Strict):
    name: str
    about: str = Field(default="", description="what it is for, in a sentence; shown in reports")
    base: str = Field(
        description="weights folder, hub:org/name or hub:org/name@revision, a pair of spaces.yaml (its base), a model "
        "there, or `embedded` for the packaged SmolLM2"
    )
    parameters_billion: float = Field(gt=0, description="size of the base, for the memory estimate")
    architecture: str | None = Field(
        default=None,
        description="an entry under `architectures` in spaces.yaml, to estimate activations; not needed where "
        "spaces.yaml names the base",
    )
    seed: int = 1
    families: tuple[str, ...] | None = Field(
        default=None, description="families of problems to train and measure on; default: every one that is trained"
    )
    method: Literal["lora", "full", "full_to_lora"] = Field(
        default="full_to_lora",
        description="lora: adapters; full: all weights; full_to_lora: the linear weights, then the truncated SVD of "
        "their difference as an adapter",
    )
    adapter: Adapter = Adapter()
    phases: tuple[Phase, ...] = Field(min_length=1)
    precision: Literal["auto", "bf16", "fp32"] = Field(
        default="auto",
        description="bf16 is autocast over fp32 weights, with DeepSpeed over bf16 ones; auto: where the processor or "
        "GPU has bf16 units",
    )
    threads: int | None = Field(default=None, ge=1, description="CPU threads")
    save_steps: int = Field(default=200, ge=1)
    keep_checkpoints: int = Field(default=1, ge=1, description="of the phase that is running; older ones are removed")
    launch: Launch = Launch()

    @model_validator(mode="after")
    def cut_needs_full_weights(self) -> "Recipe":
        if self.method != "full_to_lora" and any(phase.from_cut for phase in self.phases):
            raise ValueError("`from_cut` needs method full_to_lora, the only one that makes an adapter of full weights")
        return self

    @model_validator(mode="after")
    def names_that_can_be_told_apart(self) -> "Recipe":
        names = [phase.name for phase in self.phases]
        if again := next((name for name in names if names.count(name) > 1), ""):
            raise ValueError(f"two phases are named {again}; each needs a name of its own, since its files have it")
        return self

    @model_validator(mode="after")
    def known_families(self) -> "Recipe":
        if unknown := [name for name in self.families or () if name not in TRAINED]:
            raise ValueError(f"there is no family {', '.join(unknown)}; choose from {', '.join(TRAINED)}")
        if any(phase.mix and phase.mix.told for phase in self.phases) and not self.tellable:
            raise ValueError(f"`told` needs one of the families {', '.join(TELLERS)}")
        return self

    @property
    def tellable(self) -> list[str]:
        """The recipe's families whose thoughts can be told in sentences."""
        return [family for family in TELLERS if self.families is None or family in self.families]

    @model_validator(mode="after")
    def packing_or_sequence_parallel(self) -> "Recipe":
        if self.launch.sequence_parallel > 1 and any(phase.packing or phase.beta for phase in self.phases):
            raise ValueError("`sequence_parallel` does not go together with `packing` or `beta`")
        return self

    @model_validator(mode="after")
    def one_clock(self) -> "Recipe":
        if self.launch.devices > 1 and any(phase.max_minutes for phase in self.phases):
            raise ValueError("`max_minutes` works on one device only: several would not stop at the same step")
        return self


def named_pair(name: str) -> PairSpec:
    """The pair of that name, or the one whose base is called `embedded`. Raises ConfigError if spaces.yaml lacks it."""
    key = EMBEDDED if name == "embedded" else name
    pairs = load_config().pairs
    if key not in pairs:
        raise ConfigError(f"spaces.yaml has no pair {key}, whose base is wanted.", f"Name one of {', '.join(pairs)}.")
    return pairs[key]


def names_pair(name: str) -> bool:
    """Whether a recipe's base is that of a pair in spaces.yaml."""
    return name == "embedded" or name in load_config().pairs


def base_of(name: str, report: Callable[[str], None] = lambda line: None) -> Path:
    """The folder of a recipe's base, fetched if need be. Raises ConfigError, WeightsError."""
    if source := _named(name):
        return find_weights(source, None, report)
    if not Path(name).is_dir():
        raise ConfigError(
            f"The base {name} is not a folder.", "Download the weights and name their folder, or write hub:org/name."
        )
    check_base(Path(name))
    return Path(name)


def check_base(folder: Path) -> None:
    """Raise ConfigError unless the folder of a base holds a whole model."""
    try:
        check_whole(folder)
    except WeightsError as error:
        remedy = error.remedy
        if (folder / CONFIG).is_file():
            remedy = "Merge it into its own base first (`arena train merge`), and name the folder that this writes."
        elif inner := sorted(file.parent for file in folder.glob("*/config.json")):
            remedy = f"Name the folder of the model itself, such as {inner[0]}."
        raise ConfigError(f"The base cannot be trained: {error.args[0]}", remedy) from error


def base_here(name: str) -> Path | None:
    """What `base_of` would return, if it is on this machine already."""
    try:
        source = _named(name)
    except ConfigError:
        return None
    if source:
        return folder_here(source)
    return Path(name) if Path(name).is_dir() else None


def where_base_is(name: str) -> str:
    """A line about a recipe's base, which may be that of another machine. Raises ConfigError if it is no model."""
    if folder := base_here(name):
        check_base(folder)
        return f"base {name}: on this machine"
    return f"base {name}: {'fetched when training starts' if _named(name) else 'there is no such folder here'}"


def _named(name: str) -> Source | None:
    """The weights of a pair's base, of the hub, or of a model that spaces.yaml names; None for a folder."""
    if names_pair(name):
        return named_pair(name).base.weights
    if name.startswith("hub:"):
        repository, _, revision = name.removeprefix("hub:").partition("@")
        return HubSource(hub=repository, revision=revision or "main")
    model = load_config().models.get(name)
    return model.weights if model else None


def load_recipe(path: Path) -> Recipe:
    """The recipe in a YAML file; with `extends: other.yaml`, missing keys are taken from that file.

    Raises ConfigError naming file and key.
    """
    try:
        return Recipe.model_validate(_values(path))
    except ValidationError as error:
        raise ConfigError(f"{path}: {describe(error)}.", "traces/training/recipe.py describes every field.") from error


def recipe_text(path: Path) -> str:
    """The recipe as a self-contained file: its own text or, with `extends`, all values merged."""
    if "extends" not in read_yaml(path):
        return path.read_text(encoding="utf-8")
    return yaml.safe_dump(_values(path), sort_keys=False, allow_unicode=True)


def _values(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise ConfigError(f"There is no recipe {path}.", "See recipes/ for examples.")
    values = read_yaml(path)
    parent = values.pop("extends", None)
    if parent is None:
        return values
    inherited = read_yaml(path.parent / str(parent))
    if "extends" in inherited:
        raise ConfigError(f"{path}: extends: {parent} extends another recipe itself.", "Name that one instead.")
    return {**inherited, **values}

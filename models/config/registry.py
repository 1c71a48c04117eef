"""Pairs and profiles: all of spaces.yaml, read once and validated into frozen models."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import Field, PositiveInt, ValidationError, model_validator

from common.errors import ConfigError
from common.paths import ROOT
from common.strict import Strict, describe, read_yaml, strictly
from models.config.memory import Architecture, ArchitectureField, Quantization
from models.config.sampling import Sampling
from models.config.sources import AdapterSource, AddressSource, Source, SourceField, hub_name
from models.config.thought_format import ThoughtFormat

FP8_COMPUTE = 8.9
"""The compute capability from which GPUs multiply in fp8."""
T = TypeVar("T")
Role = Literal["base", "distilled"]
ROLES: tuple[Role, Role] = ("base", "distilled")
Arrangement = Literal["adapter", "two", "remote"]
"""`adapter`: one copy of the base serves both, the distilled one through a LoRA adapter; `two`: two copies, an adapter
being merged first; `remote`: two addresses."""
Colour = Literal["red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"]


class ModelSpec(Strict):
    """One side of a pair."""

    key: str
    """`<pair>-base` or `<pair>-distilled`, set by the loader: the unique name our servers use."""
    title: str
    hub_id: str | None = None
    """The id on the hub of the model that packaged weights are a copy of."""
    weights: SourceField
    awq: SourceField | None = None
    """The same model quantised by AWQ, for profiles that ask for it."""
    architecture: ArchitectureField
    thought: Annotated[ThoughtFormat, strictly(ThoughtFormat)] = ThoughtFormat()
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)
    system_prompt: str | None = None
    sampling: Annotated[Sampling, strictly(Sampling)] = Sampling()
    context_length: PositiveInt
    """The model's maximum number of tokens, prompt and reply together."""

    @property
    def base_id(self) -> str:
        """What an adapter for this model names as its base: its id on the hub or, without one, its key."""
        return self.hub_id or hub_name(self.weights) or self.key

    def source(self, quantization: Quantization | None) -> Source:
        """What is loaded: the weights, or those quantised by AWQ where a profile asks for them and there are any."""
        return (quantization == "awq" and self.awq) or self.weights


class PairSpec(Strict):
    """A base and the model distilled from it."""

    key: str = Field(pattern=r"^\w[\w.-]*$")  # the folders of its runs are called after it
    title: str
    about: str = ""
    base: ModelSpec
    distilled: ModelSpec

    def model(self, role: Role) -> ModelSpec:
        return self.base if role == "base" else self.distilled

    @property
    def one_model(self) -> bool:
        """Whether both sides are the same weights and differ only in template options or system prompt, so that one
        server answers for both."""
        return self.base.weights == self.distilled.weights and not isinstance(self.base.weights, AddressSource)

    @model_validator(mode="after")
    def _base_is_whole(self) -> "PairSpec":
        if isinstance(self.base.weights, AdapterSource):
            raise ValueError("base.weights: a base cannot be an adapter")
        return self


class Side(NamedTuple):
    """One model of a pair."""

    pair: PairSpec
    role: Role

    @property
    def spec(self) -> ModelSpec:
        return self.pair.model(self.role)


class GpuSpec(Strict):
    """The GPUs a profile is made for."""

    name: str
    count: PositiveInt
    memory_gib: float = Field(gt=0)
    """What one GPU reports as its total memory (nvidia-smi), in GiB: less than the gigabytes in its name."""
    compute: float = 8.0
    """Its compute capability: 8.0 for A100, 8.9 for L4 and L40S, 9.0 for H100 and H200, 12.0 for RTX PRO 6000."""

    @property
    def computes_in_fp8(self) -> bool:
        return self.compute >= FP8_COMPUTE


class Profile(Strict):
    """A kind of machine and how the two models share it."""

    key: str
    title: str
    hardware: str
    """The Space hardware flavour to suggest."""
    sdk: Literal["gradio", "docker"] = "gradio"
    gpu: GpuSpec | None = None
    arrangement: Arrangement
    quantization: Quantization | None = None
    context_length: PositiveInt = 8192
    """Upper limit; a model's own context length may be shorter."""
    served_by: Literal["vllm", "transformers"] = "vllm"
    """`vllm`: servers of their own; `transformers`: Transformers' `generate` in the page's own process."""
    benchmarks: Literal["run", "read"] = "run"
    """`read`: recorded runs are shown and no new one is started."""
    streams: PositiveInt = 4
    """How many concurrent replies of full context length each server's KV cache must hold."""
    memory_utilization: float = Field(default=0.92, gt=0, le=1)
    """Fraction of a GPU's memory that the servers on it may use together."""
    kv_cache: Literal["fp8"] | None = None
    """Data type of the KV cache on GPUs; by default the model's. `fp8` holds twice as many tokens."""
    kv_cache_gib: PositiveInt | None = None
    """KV cache of each server in main memory, doubled where it computes in fp32. Only for machines without a GPU."""
    memory_gib: float = Field(default=16, gt=0)
    """Main memory of the machine; limits profiles without a GPU."""
    engine: dict[str, str | int | float | bool] = Field(default_factory=dict)
    """Further vLLM arguments by their long names without dashes in front; `true` for a bare flag."""
    environment: dict[str, str] = Field(default_factory=dict)
    base: AddressSource | None = None
    distilled: AddressSource | None = None

    def address(self, role: Role) -> AddressSource | None:
        return self.base if role == "base" else self.distilled

    @model_validator(mode="after")
    def _consistent(self) -> "Profile":
        if (self.arrangement == "remote") != (self.base is not None and self.distilled is not None):
            raise ValueError("`base` and `distilled` addresses belong to arrangement `remote`, and it needs both")
        if self.arrangement == "two" and (self.gpu is None) == (self.kv_cache_gib is None):
            raise ValueError("give either `gpu` or, for a machine without one, `kv_cache_gib`")
        if self.arrangement != "remote" and self.hardware.startswith("cpu") != (self.gpu is None):
            raise ValueError(f"hardware: {self.hardware} and `gpu` disagree, and the engine is chosen by `gpu`")
        if self.served_by == "transformers" and (self.arrangement != "two" or self.quantization or self.kv_cache):
            raise ValueError("served_by: transformers goes with arrangement `two`, without quantization and kv_cache")
        if self.hardware.startswith("zero-") and (self.served_by != "transformers" or self.sdk != "gradio"):
            raise ValueError(f"hardware: {self.hardware} needs `sdk: gradio` and `served_by: transformers`")
        if self.kv_cache and (self.gpu is None or not self.gpu.computes_in_fp8):
            raise ValueError("kv_cache: fp8 needs a `gpu` whose `compute` is 8.9 or more")
        if self.arrangement == "adapter" and self.gpu is None:
            raise ValueError("arrangement `adapter` needs `gpu`: on CPUs LoRA is slower than a second, merged copy")
        return self


class SpaceCard(Strict):
    """The front matter of README.md, as Hugging Face Spaces reads it."""

    title: str
    emoji: str
    colorFrom: Colour
    colorTo: Colour
    sdk: Literal["gradio", "docker"] = "gradio"
    sdk_version: str
    python_version: str
    app_file: str
    app_port: PositiveInt = 7860
    suggested_hardware: str
    short_description: str = Field(max_length=60)
    license: str
    startup_duration_timeout: str = Field(default="30m", pattern=r"^\d+(\.\d+)?(s|m|h)$")
    pinned: bool = False
    hf_oauth: bool = False
    models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class SpacesConfig(Strict):
    """All of spaces.yaml."""

    space: SpaceCard
    default_pairs: tuple[str, ...] = Field(min_length=1)
    """The pairs to choose from where none is named, largest first (models/config/plan.py)."""
    pairs: dict[str, PairSpec]
    models: dict[str, ModelSpec] = Field(default_factory=dict)
    """Models served on their own to generate traces, such as a teacher."""
    profiles: dict[str, Profile]

    @model_validator(mode="after")
    def _defaults_exist(self) -> "SpacesConfig":
        if unknown := set(self.default_pairs) - set(self.pairs):
            raise ValueError(f"default_pairs: {min(unknown)!r} is not one of {', '.join(self.pairs)}")
        return self

    @model_validator(mode="after")
    def _models_are_whole(self) -> "SpacesConfig":
        if adapters := [key for key, model in self.models.items() if isinstance(model.weights, AdapterSource)]:
            raise ValueError(f"models: {', '.join(adapters)} is an adapter; make it the distilled side of a pair")
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> "SpacesConfig":
        taken = {pair.model(role).key for pair in self.pairs.values() for role in ROLES} & set(self.models)
        if taken:
            raise ValueError(f"models: {', '.join(sorted(taken))} is the name of a pair's model already")
        return self


def load_config(path: Path = ROOT / "spaces.yaml") -> SpacesConfig:
    """Read and check spaces.yaml. Raises ConfigError naming the file, the key and what is allowed there."""
    raw = read_yaml(path)
    try:
        architectures = dict(_entries(raw.pop("architectures", {})))
        _fill_in(raw)
        return SpacesConfig.model_validate(raw, context={"architectures": architectures})
    except ValidationError as error:
        raise ConfigError(f"{path.name} cannot be used: {describe(error)}.", "Correct it and start again.") from error


def load_architectures(path: Path = ROOT / "spaces.yaml") -> dict[str, Architecture]:
    """The named architectures of spaces.yaml. Raises ConfigError naming the key."""
    named = read_yaml(path).get("architectures")
    try:
        return {key: Architecture.model_validate(values) for key, values in _entries(named)}
    except ValidationError as error:
        raise ConfigError(f"{path.name} cannot be used: {describe(error)}.", "Correct it and start again.") from error


def _fill_in(raw: dict[str, Any]) -> None:
    """Add to every entry its key, and to every model its pair's sampling settings."""
    for section in ("pairs", "profiles", "models"):
        for key, entry in _entries(raw.get(section)):
            entry["key"] = key
    for key, pair in _entries(raw.get("pairs")):
        sampling = pair.pop("sampling", None) or {}
        for role, model in _entries({role: pair.get(role) for role in ROLES}):
            model["key"] = f"{key}-{role}"
            own = model.get("sampling", {})
            if not isinstance(sampling, dict):
                model["sampling"] = sampling
            elif isinstance(own, dict):
                model["sampling"] = {**sampling, **own}


def _entries(section: Any) -> list[tuple[Any, dict[str, Any]]]:
    pairs = section.items() if isinstance(section, dict) else ()
    return [(key, value) for key, value in pairs if isinstance(value, dict)]


def find_model(config: SpacesConfig, key: str) -> Side:
    """The model of that name: one of `models`, or a side of a pair, such as smol-135m-base. Raises ConfigError."""
    if spec := config.models.get(key):
        return Side(PairSpec(key=key, title=spec.title, base=spec, distilled=spec), "base")
    sides = {pair.model(role).key: Side(pair, role) for pair in config.pairs.values() for role in ROLES}
    if key not in sides:
        known = ", ".join([*config.models, *sides])
        raise ConfigError(f"There is no model “{key}” in spaces.yaml.", f"Choose one of {known}.")
    return sides[key]


def pair_named(config: SpacesConfig) -> PairSpec | None:
    """The pair that JOURNEY_PAIR names; None where it is not set. Raises ConfigError for one that is unknown."""
    return _named(config.pairs, "JOURNEY_PAIR")


def profile_named(config: SpacesConfig) -> Profile | None:
    """The profile that JOURNEY_PROFILE names; None where it is not set. Raises ConfigError for one that is unknown."""
    return _named(config.profiles, "JOURNEY_PROFILE")


def cpu_profile(config: SpacesConfig) -> Profile:
    """The first profile for a machine without a GPU. Raises ConfigError where there is none."""
    return _first(config, "a machine without a GPU", lambda p: p.kv_cache_gib is not None and p.served_by == "vllm")


def transformers_profile(config: SpacesConfig, *, zero: bool) -> Profile:
    """The first profile served by Transformers, for ZeroGPU or one's own machine. Raises ConfigError without one."""
    what = "ZeroGPU" if zero else "a machine on which vLLM does not run"
    return _first(config, what, lambda p: p.served_by == "transformers" and p.hardware.startswith("zero-") == zero)


def _first(config: SpacesConfig, machine: str, suits: Callable[[Profile], bool]) -> Profile:
    if profile := next(filter(suits, config.profiles.values()), None):
        return profile
    raise ConfigError(f"spaces.yaml has no profile for {machine}.", "Add one, or set JOURNEY_PROFILE.")


def _named(among: dict[str, T], variable: str) -> T | None:
    if (key := os.environ.get(variable)) and key not in among:
        raise ConfigError(f"{variable}: {key!r} is not in spaces.yaml.", f"Choose one of: {', '.join(among)}.")
    return among[key] if key else None

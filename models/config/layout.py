"""How a profile lays out the two models of a pair: which servers, on which devices, with what arguments and memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import ConfigError, WeightsError
from common.paths import ROOT
from models.config.adapter_config import CONFIG, why_not_served
from models.config.machine import Processor
from models.config.memory import GIB, RUNTIME_GPU, Quantization, Usage, kv_bytes_on_each
from models.config.registry import ROLES, ModelSpec, PairSpec, Profile, Role
from models.config.sources import AdapterSource, AddressSource, Source, resolve_environment

QUANTIZATION_FLAGS: Mapping[Quantization | None, tuple[str, ...]] = {
    None: (),
    "fp8": ("--quantization", "fp8_per_tensor"),
    "awq": (),  # vLLM reads it from the checkpoint's own config
}
ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYTHONSAFEPATH": "1",  # no folder of ours, such as `eval`, may stand before the engine's own modules
}


@dataclass(frozen=True)
class Engine:
    """One vLLM process."""

    roles: tuple[Role, ...]
    """Whom it serves: one role, or both where the distilled model is a LoRA adapter on the base."""
    names: tuple[str, ...]
    """The served model names, in the order of `roles`."""
    gpus: tuple[int, ...]
    """Empty on a machine without GPUs."""
    cores: tuple[int, ...]
    """Processor cores it is pinned to; empty where GPUs do the work."""
    options: tuple[str, ...]
    usage: Usage
    """On each of its GPUs, or in main memory."""
    environment: tuple[tuple[str, str], ...] = ()

    def command(self, python: str, model: str, port: int, adapter: str = "") -> list[str]:
        """The exact argv; `model` and `adapter` are folders or hub ids."""
        argv = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", model]
        argv += ["--served-model-name", self.names[0], "--host", "127.0.0.1", "--port", str(port), *self.options]
        if adapter:
            argv += ["--enable-lora", "--lora-modules", f"{self.names[1]}={adapter}"]
        return argv


@dataclass(frozen=True)
class Misfit:
    """Why a plan is impossible."""

    reason: str
    """In words, as they go on after a colon; no full stop."""


def engines_for(
    pair: PairSpec, profile: Profile, processor: Processor, roles: Sequence[Role] = ROLES
) -> list[Engine] | Misfit:
    """The servers to start for these sides, or why they do not fit. None for a model that is behind an address."""
    match profile.arrangement:
        case "remote":
            return []
        case "adapter":
            engines = _one_copy(pair, profile)
        case "two":
            engines = _copies_on_gpus(pair, profile) if profile.gpu else _copies_on_cpu(pair, profile, processor, roles)
    if isinstance(engines, Misfit):
        return engines
    engines = [engine for engine in engines if set(engine.roles) & set(roles) and not _is_remote(pair, engine)]
    return next((misfit for engine in engines if (misfit := _overflow(engine, profile, len(roles)))), engines)


def context_length(spec: ModelSpec, profile: Profile) -> int:
    return min(spec.context_length, profile.context_length)


def cpu_dtype(processor: Processor) -> str:
    return "bfloat16" if processor.bf16 else "float32"


def _is_remote(pair: PairSpec, engine: Engine) -> bool:
    return all(isinstance(pair.model(role).weights, AddressSource) for role in engine.roles)


def _overflow(engine: Engine, profile: Profile, sides: int) -> Misfit | None:
    use = engine.usage
    if use.left >= 0:
        return None
    where = "each GPU" if profile.gpu else "half of main memory" if sides == 2 else "main memory"
    return Misfit(
        f"{' and '.join(engine.roles)} would take {use.weights / GIB:.1f} GiB of weights, {use.kv_cache / GIB:.1f} GiB "
        f"of KV cache and {use.runtime / GIB:.1f} GiB besides on {where}, where {use.limit / GIB:.1f} GiB may be used"
    )


def _one_copy(pair: PairSpec, profile: Profile) -> list[Engine] | Misfit:
    """The base in full precision over all GPUs, the distilled model as a LoRA adapter on it."""
    assert profile.gpu is not None
    if not _is_adapter(pair.distilled.weights):
        return Misfit("the distilled model is a whole checkpoint, not an adapter on its base, and needs its own copy")
    rank = most_rank(profile)
    if (folder := _adapter_here(pair.distilled.weights)) and (why := _why_not(folder, rank)):
        return Misfit(why)
    gpus = _tensor_parallel(pair.base, profile.gpu.count)
    adapter = pair.base.architecture.lora_bytes(rank) // gpus
    usage = _gpu_usage(pair.base, profile, gpus, share=1.0, extra=adapter)
    return [_gpu_engine(pair, profile, ROLES, tuple(range(gpus)), usage, profile.memory_utilization)]


def most_rank(profile: Profile) -> int:
    """The highest rank of an adapter that the engine is told to expect; 16 is its own default."""
    return int(profile.engine.get("max-lora-rank", 16))


def _adapter_here(source: Source) -> Path | None:
    """The folder of an adapter on this machine; one on the hub is looked at when it has been fetched."""
    try:
        source = resolve_environment(source)
    except ConfigError:
        return None
    folder = ROOT / Path(source.adapter).expanduser() if isinstance(source, AdapterSource) else None
    return folder if folder and (folder / CONFIG).is_file() else None


def _why_not(folder: Path, rank: int) -> str:
    try:
        return why_not_served(folder, rank)
    except WeightsError as error:
        return str(error).rstrip(".")


def _is_adapter(source: Source) -> bool:
    try:
        return isinstance(resolve_environment(source), AdapterSource)
    except ConfigError:
        return True  # the variable is unset: plan for the cheaper of the two things it may name


def _copies_on_gpus(pair: PairSpec, profile: Profile) -> list[Engine] | Misfit:
    """A copy each: on half of the GPUs, or side by side on a single one."""
    assert profile.gpu is not None
    if profile.quantization == "awq" and not (pair.base.awq and pair.distilled.awq):
        return Misfit("it asks for AWQ, and spaces.yaml names no AWQ weights (`awq`) for both models")
    shared = profile.gpu.count == 1
    engines = []
    for index, role in enumerate(ROLES):
        count = _tensor_parallel(pair.model(role), 1 if shared else profile.gpu.count // 2)
        first = 0 if shared else index * (profile.gpu.count // 2)
        utilization = profile.memory_utilization / 2 if shared else profile.memory_utilization
        usage = _gpu_usage(pair.model(role), profile, count, share=0.5 if shared else 1.0)
        engines.append(_gpu_engine(pair, profile, (role,), tuple(range(first, first + count)), usage, utilization))
    return engines


def _tensor_parallel(spec: ModelSpec, most: int) -> int:
    """The largest number of GPUs up to `most` over which the model's heads divide."""
    return next(count for count in range(most, 0, -1) if spec.architecture.splits_over(count))


def _gpu_usage(spec: ModelSpec, profile: Profile, gpus: int, share: float, extra: int = 0) -> Usage:
    assert profile.gpu is not None
    tokens = context_length(spec, profile) * profile.streams
    return Usage(
        weights=spec.architecture.weight_bytes(profile.quantization) // gpus + extra,
        kv_cache=kv_bytes_on_each(spec.architecture, gpus, tokens),
        runtime=RUNTIME_GPU,
        limit=int(profile.gpu.memory_gib * GIB * profile.memory_utilization * share),
    )


def _gpu_engine(
    pair: PairSpec,
    profile: Profile,
    roles: tuple[Role, ...],
    gpus: tuple[int, ...],
    usage: Usage,
    utilization: float,
) -> Engine:
    options = ["--tensor-parallel-size", str(len(gpus)), "--gpu-memory-utilization", f"{utilization:g}"]
    options += QUANTIZATION_FLAGS[profile.quantization]
    environment = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus))}
    return _engine(pair, profile, roles, usage, options, environment, gpus=gpus)


def _copies_on_cpu(
    pair: PairSpec, profile: Profile, processor: Processor, roles: Sequence[Role]
) -> list[Engine] | Misfit:
    """A copy each, pinned to its own half of the cores; a single core is shared. A model alone has all of them."""
    assert profile.kv_cache_gib is not None
    cores, widened = processor.cores, 1 if processor.bf16 else 2
    reserve = profile.kv_cache_gib * widened
    share = len(cores) // len(roles)
    engines = []
    for index, role in enumerate(roles):
        pin = cores[index * share : (index + 1) * share] if share else cores
        spec = pair.model(role)
        needed = widened * spec.architecture.kv_bytes_per_token * context_length(spec, profile) * profile.streams
        if needed > reserve * GIB:
            return Misfit(
                f"{profile.streams} streams of {context_length(spec, profile)} tokens need {needed / GIB:.1f} GiB of "
                f"KV cache for {role}, and kv_cache_gib reserves {reserve} GiB"
            )
        limit = int(profile.memory_gib * GIB * profile.memory_utilization / len(roles))
        architecture = spec.architecture
        usage = Usage(widened * architecture.weight_bytes(), reserve * GIB, architecture.cpu_runtime_bytes, limit)
        environment = {
            "VLLM_CPU_KVCACHE_SPACE": str(reserve),
            "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, pin)),
        }
        options = ["--dtype", cpu_dtype(processor)]
        engines.append(_engine(pair, profile, (role,), usage, options, environment, cores=pin))
    return engines


def _engine(
    pair: PairSpec,
    profile: Profile,
    roles: tuple[Role, ...],
    usage: Usage,
    options: Sequence[str],
    environment: Mapping[str, str],
    gpus: tuple[int, ...] = (),
    cores: tuple[int, ...] = (),
) -> Engine:
    first = pair.model(roles[0])
    # `vllm`: requests are sampled as they ask, not by defaults hidden in a checkpoint's generation_config.json
    flags = ["--generation-config", "vllm", "--disable-uvicorn-access-log"]
    flags += ["--max-model-len", str(context_length(first, profile)), *options]
    for name, value in profile.engine.items():
        if value is True:
            flags.append(f"--{name}")
        elif value is not False and not (name == "max-lora-rank" and len(roles) == 1):
            flags += [f"--{name}", str(value)]
    names = tuple(pair.model(role).key for role in roles)
    variables = {**ENVIRONMENT, **environment, **profile.environment}
    return Engine(roles, names, gpus, cores, tuple(flags), usage, tuple(sorted(variables.items())))

"""How a profile lays out the two models of a pair: which servers, on which devices, with what arguments and memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import ConfigError, WeightsError
from common.paths import ROOT
from models.config.adapter_config import CONFIG, why_not_served
from models.config.machine import Processor
from models.config.memory import GIB, RUNTIME_GPU, RUNTIME_IN_PROCESS, Usage, kv_bytes_on_each
from models.config.registry import ROLES, ModelSpec, PairSpec, Profile, Role
from models.config.sources import AdapterSource, AddressSource, Source, resolve_environment

ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYTHONSAFEPATH": "1",  # no folder of ours, such as `eval`, may shadow the engine's own modules
}
VLLM_PLUGIN, VLLM_PLUGIN_NAME = ROOT / "models" / "serving" / "vllm_plugin", "arena_fp16"
"""The folder to put on vLLM's path, and what its entry point there is called."""


@dataclass(frozen=True)
class Engine:
    """One vLLM process, or one model that Transformers serves inside the page's process."""

    roles: tuple[Role, ...]
    """Whom it serves: one role, or both where the distilled model is a LoRA adapter on the base."""
    names: tuple[str, ...]
    """The served model names, in the order of `roles`; two names for one model where only its thinking is toggled."""
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
        names = self.names[:1] if adapter else self.names
        argv += ["--served-model-name", *names, "--host", "127.0.0.1", "--port", str(port), *self.options]
        if adapter:
            argv += ["--enable-lora", "--lora-modules", f"{self.names[1]}={adapter}"]
        return argv


@dataclass(frozen=True)
class Misfit:
    """Why a plan is impossible."""

    reason: str
    """A phrase to follow a colon, without a full stop."""


def engines_for(
    pair: PairSpec, profile: Profile, processor: Processor, roles: Sequence[Role] = ROLES
) -> list[Engine] | Misfit:
    """The servers to start for these sides, or why they do not fit. A model behind an address needs none."""
    match profile.arrangement:
        case "remote":
            return []
        case "adapter":
            engines = _one_copy(pair, profile)
        case "two":
            shares = [share for share in _shares(pair, roles) if not _is_remote(pair, share)]
            if not shares:
                return []
            on_gpus = profile.gpu is not None
            engines = _on_gpus(pair, profile, shares) if on_gpus else _on_cpu(pair, profile, processor, shares)
    if isinstance(engines, Misfit):
        return engines
    engines = [engine for engine in engines if set(engine.roles) & set(roles)]
    return next((misfit for engine in engines if (misfit := _overflow(engine, profile, len(engines)))), engines)


def context_length(spec: ModelSpec, profile: Profile) -> int:
    return min(spec.context_length, profile.context_length)


def cpu_dtype(processor: Processor) -> str:
    return "bfloat16" if processor.bf16 else "float32"


def fp16_weights(profile: Profile, processor: Processor) -> bool:
    """Whether vLLM keeps weights in fp16 and computes in fp32, by the plugin in models/serving/vllm_plugin. A profile
    that names a precision of its own gets that one."""
    if profile.gpu or profile.served_by != "vllm" or processor.bf16 or not processor.x86:
        return False
    # The compiler of vLLM, which `enforce-eager` turns off, cannot handle FBGEMM's weights.
    return profile.engine.get("enforce-eager") is True and not {"dtype", "quantization"} & profile.engine.keys()


def _shares(pair: PairSpec, roles: Sequence[Role]) -> list[tuple[Role, ...]]:
    """The roles each copy of the weights serves: normally one each; one copy serves both where the weights are the
    same, as in a pair of one model with and without thinking."""
    if len(roles) == 2 and pair.one_model:
        return [tuple(roles)]
    return [(role,) for role in roles]


def _is_remote(pair: PairSpec, roles: Sequence[Role]) -> bool:
    return all(isinstance(pair.model(role).weights, AddressSource) for role in roles)


def _overflow(engine: Engine, profile: Profile, engines: int) -> Misfit | None:
    use = engine.usage
    if use.left >= 0:
        return None
    where = "each GPU" if profile.gpu else "half of main memory" if engines == 2 else "main memory"
    return Misfit(
        f"{' and '.join(engine.roles)} would take {use.weights / GIB:.1f} GiB of weights, {use.kv_cache / GIB:.1f} GiB "
        f"of KV cache and {use.runtime / GIB:.1f} GiB besides on {where}, where {use.limit / GIB:.1f} GiB may be used"
    )


def _one_copy(pair: PairSpec, profile: Profile) -> list[Engine] | Misfit:
    """The base sharded over all GPUs, with the distilled model as a LoRA adapter on it."""
    assert profile.gpu is not None
    if not _is_adapter(pair.distilled.weights):
        return Misfit("the distilled model is a whole checkpoint, not an adapter on its base, and needs its own copy")
    if profile.quantization == "awq":
        return Misfit("an adapter belongs to its base as it was trained, not to an AWQ copy of it")
    rank = most_rank(profile)
    if (folder := _adapter_here(pair.distilled.weights)) and (why := _why_not(folder, rank)):
        return Misfit(why)
    gpus = _tensor_parallel(pair.base, profile, profile.gpu.count)
    sharded = profile.engine.get("fully-sharded-loras") is True
    adapter = pair.base.architecture.lora_bytes(rank, gpus, fully_sharded=sharded)
    usage = _gpu_usage(pair.base, profile, gpus, share=1.0, extra=adapter)
    return [_gpu_engine(pair, profile, ROLES, tuple(range(gpus)), usage, profile.memory_utilization)]


def most_rank(profile: Profile) -> int:
    """The engine's `max-lora-rank` setting; vLLM's own default is 16."""
    return int(profile.engine.get("max-lora-rank", 16))


def _adapter_here(source: Source) -> Path | None:
    """The folder of an adapter that is on this machine already; one on the hub is checked once it has been fetched."""
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
        return True  # the variable is unset: plan for an adapter, the cheaper of the two


def _on_gpus(pair: PairSpec, profile: Profile, shares: Sequence[tuple[Role, ...]]) -> list[Engine] | Misfit:
    """A copy for each share: on its part of the GPUs, or side by side on a single one."""
    assert profile.gpu is not None
    if profile.quantization == "awq" and (why := _without_awq(pair, [role for roles in shares for role in roles])):
        return Misfit(why)
    beside = profile.gpu.count < len(shares)
    part = 1 if beside else profile.gpu.count // len(shares)
    share = 1 / len(shares) if beside else 1.0
    engines = []
    for index, roles in enumerate(shares):
        spec = pair.model(roles[0])
        count = _tensor_parallel(spec, profile, part)
        first = 0 if beside else index * part
        usage = _gpu_usage(spec, profile, count, share=share)
        gpus = tuple(range(first, first + count))
        engines.append(_gpu_engine(pair, profile, roles, gpus, usage, profile.memory_utilization * share))
    return engines


def _without_awq(pair: PairSpec, roles: Sequence[Role]) -> str:
    """Why these sides cannot be served from AWQ weights; empty if they can."""
    sources = [pair.model(role).awq for role in roles]
    try:
        named = all(source and resolve_environment(source) for source in sources)
    except ConfigError as error:
        return f"it asks for AWQ, and {error.args[0].rstrip('.')}"
    return "" if named else "it asks for AWQ, and spaces.yaml names no AWQ weights (`awq`) for every model"


def _tensor_parallel(spec: ModelSpec, profile: Profile, most: int) -> int:
    """The largest tensor-parallel size, up to `most` GPUs, that the model can be split over."""
    return next(count for count in range(most, 0, -1) if spec.architecture.splits_over(count, profile.quantization))


def _gpu_usage(spec: ModelSpec, profile: Profile, gpus: int, share: float, extra: int = 0) -> Usage:
    assert profile.gpu is not None
    tokens = context_length(spec, profile) * profile.streams
    return Usage(
        weights=spec.architecture.weight_bytes(profile.quantization) // gpus + extra,
        kv_cache=kv_bytes_on_each(spec.architecture, gpus, tokens, fp8=profile.kv_cache == "fp8"),
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
    options += _precision_options(profile)
    # By itself CUDA counts the fastest GPU first, nvidia-smi and with it our plan by their slots.
    environment = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus)), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    return _engine(pair, profile, roles, usage, options, environment, gpus=gpus)


def _precision_options(profile: Profile) -> list[str]:
    """AWQ needs none: vLLM reads it from the checkpoint's config. For fp8, one scale per channel is more accurate than
    one per tensor; GPUs without fp8 arithmetic support only the latter, and only for weights."""
    assert profile.gpu is not None
    options = []
    if profile.quantization == "fp8":
        options += ["--quantization", "fp8_per_channel" if profile.gpu.computes_in_fp8 else "fp8_per_tensor"]
    return [*options, *(["--kv-cache-dtype", profile.kv_cache] if profile.kv_cache else [])]


def _on_cpu(
    pair: PairSpec, profile: Profile, processor: Processor, shares: Sequence[tuple[Role, ...]]
) -> list[Engine] | Misfit:
    """A copy for each share, pinned to its own part of the cores. A single core is shared; a single copy gets all."""
    assert profile.kv_cache_gib is not None
    cores, widened = processor.cores, 1 if processor.bf16 else 2
    fp16, reserve = fp16_weights(profile, processor), profile.kv_cache_gib * widened
    part = len(cores) // len(shares)
    engines = []
    for index, roles in enumerate(shares):
        pin = cores[index * part : (index + 1) * part] if part else cores
        spec = pair.model(roles[0])
        needed = widened * spec.architecture.kv_bytes_per_token * context_length(spec, profile) * profile.streams
        if profile.served_by == "vllm" and needed > reserve * GIB:
            return Misfit(
                f"{profile.streams} streams of {context_length(spec, profile)} tokens need {needed / GIB:.1f} GiB of "
                f"KV cache for {' and '.join(roles)}, and kv_cache_gib reserves {reserve} GiB"
            )
        limit = int(profile.memory_gib * GIB * profile.memory_utilization / len(shares))
        weights = (1 if fp16 else widened) * spec.architecture.weight_bytes()
        runtime = spec.architecture.cpu_runtime_bytes(fp16_weights=fp16)
        usage = Usage(weights, reserve * GIB, runtime, limit)
        if profile.served_by == "transformers":  # reserves nothing, and starts no process
            usage = Usage(weights, needed, RUNTIME_IN_PROCESS, limit)
        environment = {
            "VLLM_CPU_KVCACHE_SPACE": str(reserve),
            "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, pin)),
            "VLLM_EXECUTE_MODEL_TIMEOUT_SECONDS": "3600",  # a batch of thousands of prompt tokens takes minutes
        }
        if profile.engine.get("enforce-eager"):  # log-probabilities would be compiled all the same, which takes g++
            environment["TORCHDYNAMO_DISABLE"] = "1"
        options = ["--dtype", cpu_dtype(processor), *(["--quantization", "fp16_weights"] if fp16 else [])]
        if fp16:
            environment |= {"PYTHONPATH": str(VLLM_PLUGIN), "VLLM_PLUGINS": VLLM_PLUGIN_NAME}
        engines.append(_engine(pair, profile, roles, usage, options, environment, cores=pin))
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
    names = tuple(pair.model(role).key for role in roles)
    if profile.served_by == "transformers":
        return Engine(roles, names, gpus, cores, (), usage)
    first = pair.model(roles[0])
    # `vllm`: requests are sampled as they ask, not by defaults hidden in a checkpoint's generation_config.json
    flags = ["--generation-config", "vllm", "--disable-uvicorn-access-log"]
    flags += ["--max-model-len", str(context_length(first, profile)), *options]
    for name, value in profile.engine.items():
        if profile.arrangement != "adapter" and "lora" in name:
            continue
        if value is True:
            flags.append(f"--{name}")
        elif value is not False:
            flags += [f"--{name}", str(value)]
    variables = {**ENVIRONMENT, **environment, **profile.environment}
    return Engine(roles, names, gpus, cores, tuple(flags), usage, tuple(sorted(variables.items())))

"""Which servers to start, with what arguments, and whether they fit: a pure function of a pair and a profile.

Does not start anything, and does not know which ports or folders a run will use until it is told.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from common.errors import ConfigError
from models.config.machine import Processor, this_processor
from models.config.memory import GIB, RUNTIME_CPU, RUNTIME_GPU, Quantization, Usage, kv_bytes_on_each
from models.config.registry import ROLES, ModelSpec, PairSpec, Profile, Role, SpacesConfig, profiles_here
from models.config.sources import AdapterSource, AddressSource, Source, resolve_environment

QUANTIZATION_FLAGS: Mapping[Quantization | None, tuple[str, ...]] = {
    None: (),
    "fp8": ("--quantization", "fp8_per_tensor"),
    "awq": (),  # vLLM reads it from the checkpoint's own config
}
SHORTEST_CONTEXT = 2048
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
class Plan:
    """What a pair needs on a profile's machine."""

    pair: PairSpec
    profile: Profile
    engines: tuple[Engine, ...]
    """Empty for remote addresses."""

    @property
    def shares_gpu(self) -> bool:
        """Whether two servers use one GPU: then they must start one after the other, or each counts the other's
        memory as it grows for its own."""
        return len({gpu for engine in self.engines for gpu in engine.gpus}) < sum(len(e.gpus) for e in self.engines)

    def engine(self, role: Role) -> Engine:
        return next(engine for engine in self.engines if role in engine.roles)


@dataclass(frozen=True)
class Misfit:
    """Why a plan is impossible."""

    reason: str
    """In words, as they go on after a colon; no full stop."""


def context_length(spec: ModelSpec, profile: Profile) -> int:
    return min(spec.context_length, profile.context_length)


def precision(spec: ModelSpec, profile: Profile, processor: Processor | None = None) -> str:
    """In what numbers a model is computed, as the engine is told: `float32`, or `auto, fp8` (auto: as the weights are
    stored). Empty behind an address, where nobody says."""
    if profile.arrangement == "remote" or isinstance(spec.weights, AddressSource):
        return ""
    own = "auto" if profile.gpu else _cpu_dtype(processor or this_processor())
    return ", ".join(filter(None, (str(profile.engine.get("dtype", own)), profile.quantization)))


def _cpu_dtype(processor: Processor) -> str:
    return "bfloat16" if processor.bf16 else "float32"


def make_plan(
    config: SpacesConfig, pair: PairSpec, profile: Profile | None = None, processor: Processor | None = None
) -> Plan:
    """The servers for `pair` on `profile` (default: the one that suits this machine and the pair).

    Raises ConfigError with the reason and the nearest plan that is possible: first among changes to the profile, then
    among the other profiles of `config`. `processor` defaults to this machine's.
    """
    usable = processor or this_processor()
    chosen = profile or profile_for(config, pair)
    plan = _try(pair, chosen, usable)
    if isinstance(plan, Plan):
        return plan
    nearby = _nearby(chosen, tuple(config.profiles.values()))
    nearest = next((how for how, changed in nearby if isinstance(_try(pair, changed, usable), Plan)), "")
    remedy = f"The nearest possible plan: {nearest}." if nearest else "No profile of spaces.yaml carries it."
    raise ConfigError(f"{pair.key} cannot run on {chosen.key}: {plan.reason}.", remedy)


def profile_for(config: SpacesConfig, pair: PairSpec) -> Profile:
    """The profile to serve `pair` with on this machine: of those that suit its size the first that the pair fits,
    rather without quantization than with, and rather one copy with an adapter than two. Where it fits none, the first:
    planning then says why."""
    profiles = profiles_here(config)
    fitting = [profile for profile in profiles if isinstance(_try(pair, profile, this_processor()), Plan)]
    return min(fitting or profiles[:1], key=lambda p: (p.quantization is not None, p.arrangement != "adapter"))


def _try(pair: PairSpec, profile: Profile, processor: Processor) -> Plan | Misfit:
    builders: dict[str, Callable[[], list[Engine] | Misfit]] = {
        "remote": lambda: [],
        "adapter": lambda: _one_copy(pair, profile),
        "two": lambda: _two_on_gpus(pair, profile) if profile.gpu else _two_on_cpu(pair, profile, processor),
    }
    engines = builders[profile.arrangement]()
    if isinstance(engines, Misfit):
        return engines
    engines = [engine for engine in engines if not _is_remote(pair, engine)]
    misfit = next((found for engine in engines if (found := _overflow(engine, profile))), None)
    return misfit or Plan(pair, profile, tuple(engines))


def _is_remote(pair: PairSpec, engine: Engine) -> bool:
    return all(isinstance(pair.model(role).weights, AddressSource) for role in engine.roles)


def _overflow(engine: Engine, profile: Profile) -> Misfit | None:
    use = engine.usage
    if use.left >= 0:
        return None
    where = "each GPU" if profile.gpu else "half of main memory"
    return Misfit(
        f"{' and '.join(engine.roles)} would take {use.weights / GIB:.1f} GiB of weights, {use.kv_cache / GIB:.1f} GiB "
        f"of KV cache and {use.runtime / GIB:.1f} GiB besides on {where}, where {use.limit / GIB:.1f} GiB may be used"
    )


def _one_copy(pair: PairSpec, profile: Profile) -> list[Engine] | Misfit:
    """The base in full precision over all GPUs, the distilled model as a LoRA adapter on it."""
    assert profile.gpu is not None
    if not _is_adapter(pair.distilled.weights):
        return Misfit("the distilled model is a whole checkpoint, not an adapter on its base, and needs its own copy")
    gpus = _tensor_parallel(pair.base, profile.gpu.count)
    rank = int(profile.engine.get("max-lora-rank", 16))
    adapter = pair.base.architecture.lora_bytes(rank) // gpus
    usage = _gpu_usage(pair.base, profile, gpus, share=1.0, extra=adapter)
    return [_gpu_engine(pair, profile, ROLES, tuple(range(gpus)), usage, profile.memory_utilization)]


def _is_adapter(source: Source) -> bool:
    try:
        return isinstance(resolve_environment(source), AdapterSource)
    except ConfigError:
        return True  # the variable is unset: plan for the cheaper of the two things it may name


def _two_on_gpus(pair: PairSpec, profile: Profile) -> list[Engine] | Misfit:
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


def _two_on_cpu(pair: PairSpec, profile: Profile, processor: Processor) -> list[Engine] | Misfit:
    """A copy each, each pinned to its own half of the cores; a single core is shared."""
    assert profile.kv_cache_gib is not None
    cores, widened = processor.cores, 1 if processor.bf16 else 2
    reserve = profile.kv_cache_gib * widened
    half = len(cores) // 2
    pins = (tuple(cores[:half]), tuple(cores[half : 2 * half])) if half else (tuple(cores), tuple(cores))
    engines = []
    for role, pin in zip(ROLES, pins, strict=True):
        spec = pair.model(role)
        needed = widened * spec.architecture.kv_bytes_per_token * context_length(spec, profile) * profile.streams
        if needed > reserve * GIB:
            return Misfit(
                f"{profile.streams} streams of {context_length(spec, profile)} tokens need {needed / GIB:.1f} GiB of "
                f"KV cache for {role}, and kv_cache_gib reserves {reserve} GiB"
            )
        limit = int(profile.memory_gib * GIB * profile.memory_utilization / 2)
        usage = Usage(widened * spec.architecture.weight_bytes(), reserve * GIB, RUNTIME_CPU, limit)
        environment = {
            "VLLM_CPU_KVCACHE_SPACE": str(reserve),
            "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, pin)),
        }
        options = ["--dtype", _cpu_dtype(processor)]
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


def _nearby(profile: Profile, others: Sequence[Profile]) -> Iterator[tuple[str, Profile]]:
    """Changes to try, mildest first, each with its words."""
    yield from _smaller(profile)
    if profile.arrangement == "two" and profile.gpu and profile.quantization is None:
        fp8 = profile.model_copy(update={"quantization": "fp8"})
        yield f"{profile.key} with quantization: fp8", fp8
        yield from ((f"{how}, quantization: fp8", changed) for how, changed in _smaller(fp8))
    elsewhere = [other for other in others if other.key != profile.key and other.arrangement != "remote"]
    elsewhere.sort(key=lambda other: (other.hardware != profile.hardware, other.gpu is None))
    yield from ((f"profile {other.key} ({other.title})", other) for other in elsewhere)
    for other in elsewhere:
        yield from _smaller(other)
    yield from ((f"profile {o.key} ({o.title})", o) for o in others if o.arrangement == "remote")


def _smaller(profile: Profile) -> Iterator[tuple[str, Profile]]:
    """Fewer streams, then one stream of ever shorter context."""
    streams = profile.streams
    while streams > 1:
        streams //= 2
        yield f"{profile.key} with streams: {streams}", profile.model_copy(update={"streams": streams})
    context = profile.context_length
    while context > SHORTEST_CONTEXT:
        context = max(context // 2, SHORTEST_CONTEXT)
        update = {"streams": 1, "context_length": context}
        yield f"{profile.key} with streams: 1, context_length: {context}", profile.model_copy(update=update)

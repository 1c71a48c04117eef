"""Builds a profile for the available GPUs from their memory, rather than looking a machine up by name."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, product
from typing import Literal, NamedTuple

from common.text import counted
from models.config.layout import Engine, Misfit
from models.config.machine import Gpu
from models.config.memory import Quantization
from models.config.registry import FP8_COMPUTE, Arrangement, GpuSpec, PairSpec, Profile

CUDA_SHARE = 0.985
"""Fraction of the memory reported by nvidia-smi that CUDA makes available to programs."""
USUAL_SHARE = float(Profile.model_fields["memory_utilization"].default)
SPARE_GIB = 1.0
"""What is left of a GPU's free memory for the CUDA contexts of two servers, about 0.4 GiB each, and for programs that
use it already and come to need a little more."""
LONG = ((32768, 4), (32768, 2), (16384, 4), (16384, 2))
SHORT = ((16384, 1), (8192, 2), (8192, 1), (4096, 1))
"""(context length in tokens, concurrent replies the KV cache must hold), best first. Long thoughts need 16 thousand
tokens or more."""
MAX_RANK = 128
NAMED: dict[Quantization | None, str] = {None: "", "fp8": " in fp8", "awq": " in AWQ"}
ARRANGEMENTS: tuple[Arrangement, ...] = ("adapter", "two")
Precision = tuple[Quantization | None, Literal["fp8"] | None]
"""Data types of the weights and of the KV cache; None: the model's own."""
Attempt = Callable[[Profile], Sequence[Engine] | Misfit]


class Suited(NamedTuple):
    """A profile for these GPUs, and whether the pair fits it."""

    profile: Profile
    fits: bool
    """Whether the pair fits; if not, `profile` is the smallest one tried, for the error message."""


def suited_profile(pair: PairSpec, gpus: Sequence[Gpu], attempt: Attempt) -> Suited:
    """The first candidate that fits. In this order: full precision before fp8, a context of at least 16 thousand tokens
    before a shorter one, one copy with an adapter before two copies, few GPUs before many. AWQ, which only some pairs
    offer and which is furthest from the original, comes last, after even a short context in fp8.

    `attempt` plans the pair on a profile; `gpus` is not empty.
    """
    reason = ""
    smallest = next(candidates(gpus))
    for profile in candidates(gpus):
        planned = attempt(profile)
        if not isinstance(planned, Misfit):
            return Suited(profile.model_copy(update={"title": _title(profile, gpus, planned, reason)}), True)
        if profile.arrangement == "two" and profile.gpu and profile.gpu.count == len(gpus) and not reason:
            reason = planned.reason
        smallest = profile if profile.quantization != "awq" else smallest
    return Suited(smallest, False)


def candidates(gpus: Sequence[Gpu]) -> Iterator[Profile]:
    """Profiles for these GPUs, the best first."""
    fp8_cache: list[Precision] = [("fp8", "fp8")] if min(gpu.compute for gpu in gpus) >= FP8_COMPUTE else []
    precisions: list[Precision] = [(None, None), ("fp8", None), *fp8_cache]
    awq: Precision = ("awq", None)
    long = product(precisions, LONG)
    short = ((precision, size) for size, precision in product(SHORT, precisions))
    for precision, size in chain(long, short, product([awq], LONG + SHORT)):
        for arrangement, count in product(ARRANGEMENTS, range(1, len(gpus) + 1)):
            yield _profile(gpus, arrangement, count, size, precision)


def _profile(
    gpus: Sequence[Gpu],
    arrangement: Arrangement,
    count: int,
    size: tuple[int, int],
    precision: Precision,
) -> Profile:
    (context, streams), (quantization, kv_cache) = size, precision
    smallest = min(gpu.memory_gib for gpu in gpus)
    parts = [f"{count}x{smallest:.0f}gib", arrangement, quantization, f"{context // 1024}k"]
    engine: dict[str, str | int | float | bool] = {"max-num-seqs": 64}
    if arrangement == "adapter":
        engine["max-lora-rank"] = MAX_RANK
    return Profile.model_validate(
        {
            "key": "-".join(part for part in parts if part),
            "title": f"{count} × {gpus[0].name}",
            "hardware": "this machine",
            "gpu": GpuSpec(
                name=gpus[0].name,
                count=count,
                memory_gib=smallest * CUDA_SHARE,
                compute=min(gpu.compute for gpu in gpus),
            ),
            "arrangement": arrangement,
            "quantization": quantization,
            "kv_cache": kv_cache,
            "context_length": context,
            "streams": streams,
            "memory_utilization": _share(gpus[:count]),
            "engine": engine,
        }
    )


def _share(gpus: Sequence[Gpu]) -> float:
    """The fraction of each GPU's memory that servers may take together: vLLM refuses to start where less is free."""
    shares = [(gpu.free_gib - SPARE_GIB) / gpu.memory_gib for gpu in gpus if gpu.free_gib is not None]
    return max(0.01, math.floor(100 * min([USUAL_SHARE, *shares])) / 100)


def _title(profile: Profile, gpus: Sequence[Gpu], engines: Sequence[Engine], reason: str) -> str:
    """The choice in a line: "4 × NVIDIA L40S of 45 GiB: two copies in fp8, on 2 GPUs each. In full precision …"."""
    smallest = min(gpu.memory_gib for gpu in gpus)
    here = f"{len(gpus)} × {gpus[0].name} of {smallest:.0f} GiB"
    if not engines:
        return f"{here}: not used, since the models are at addresses"
    if profile.memory_utilization < USUAL_SHARE:
        here += f", partly in use: {100 * profile.memory_utilization:.0f} % may be taken"
    counts = sorted({len(engine.gpus) for engine in engines})
    copies = "one copy" if len(engines) == 1 else "two copies"
    if profile.arrangement == "adapter":
        copies = "one copy of the base with a LoRA adapter"
    each = f"on {counted(counts[-1], 'GPU')}{' each' if len(engines) > 1 else ''}"
    shared = len(engines) > 1 and len({gpu for engine in engines for gpu in engine.gpus}) == 1
    text = f"{here}: {copies}{NAMED[profile.quantization]}{', KV cache in fp8' if profile.kv_cache else ''}, "
    text += "side by side on one GPU" if shared else each
    used = len({gpu for engine in engines for gpu in engine.gpus})
    if used < len(gpus):
        text += f"; {len(gpus) - used} left free"
    return f"{text}. Two copies in full precision with {LONG[0][0]:,} tokens do not fit: {reason}" if reason else text

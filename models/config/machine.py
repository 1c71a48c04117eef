"""What GPUs, processors and main memory this machine has for us."""

import math
import os
import platform
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

import psutil

from models.config.cgroup import cpu_limit, memory_left

NVIDIA_SMI = ("nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits")


class Gpu(NamedTuple):
    """One NVIDIA GPU."""

    name: str
    memory_gib: float
    """What it reports as its total. CUDA gives programs a little less."""
    compute: float
    """Its compute capability, e.g. 8.9."""


def visible_gpus() -> list[Gpu]:
    """The NVIDIA GPUs of this machine that CUDA_VISIBLE_DEVICES leaves; empty where there is none or its driver does
    not answer."""
    try:
        answer = subprocess.run(NVIDIA_SMI, capture_output=True, text=True, timeout=20, check=True)
        rows = [line.rsplit(",", 2) for line in answer.stdout.split("\n") if line.strip()]
        gpus = [Gpu(name.strip(), float(mib) / 1024, float(compute)) for name, mib, compute in rows]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return gpus
    numbers = [int(number) for number in visible.split(",") if number.strip().isdigit()]
    # GPUs named by id cannot be told apart here: their number counts, which is enough where all are alike.
    return [gpus[n] for n in numbers if n < len(gpus)] if numbers else gpus[: len(visible.split(",")) if visible else 0]


def driver_cuda() -> float | None:
    """The newest CUDA version the NVIDIA driver can run, e.g. 13.0; None where it does not answer or does not say."""
    try:
        summary = subprocess.run(["nvidia-smi"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"CUDA Version:\s*(\d+\.\d+)", summary)
    return float(match[1]) if match else None


def on_zero_gpu() -> bool:
    """Whether this is a Space on ZeroGPU, which lends a GPU to single function calls."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def vllm_runs() -> bool:
    """Whether vLLM has a build for this kind of machine. install.py asks the same before it installs the engine."""
    return platform.system() == "Linux" and platform.machine() in ("x86_64", "aarch64") and not on_zero_gpu()


def free_memory() -> int:
    """Main memory in bytes that new processes could take without swapping, and without the container being killed."""
    machine, container = int(psutil.virtual_memory().available), memory_left()
    return machine if container is None else min(machine, container)


def total_memory() -> int:
    """Main memory of this machine in bytes."""
    return int(psutil.virtual_memory().total)


CPUINFO = Path("/proc/cpuinfo")


BF16_UNITS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
"""AMX and AVX-512 BF16 on x86, BF16 on Arm, as Linux names them."""


class Processor(NamedTuple):
    """Where servers without a GPU run."""

    cores: tuple[int, ...]
    """Those that may be used."""
    bf16: bool
    """Whether it computes in bf16. Where it does not, weights and KV cache are held in fp32, which takes twice the
    memory and is several times faster."""


def this_processor() -> Processor:
    """This machine's, with the cores this process may run on; no more of them than a container's share of time, or
    every thread would wait for the others' turn."""
    if sys.platform == "linux":
        cores = sorted(os.sched_getaffinity(0))
    else:
        cores = list(range(os.cpu_count() or 1))
    share = cpu_limit()
    if share is not None and (most := max(1, math.ceil(share))) < len(cores):
        # Not always the first ones: other containers of this machine may be ours too.
        first = zlib.crc32(platform.node().encode()) % (len(cores) - most + 1)
        cores = cores[first : first + most]
    return Processor(tuple(cores), computes_in_bf16())


def computes_in_bf16(cpuinfo: Path = CPUINFO) -> bool:
    """Whether it multiplies bf16 matrices in hardware; without such units fp32 is several times faster."""
    if (platform.system(), platform.machine()) == ("Darwin", "arm64"):
        return True  # Apple's GPUs do, and they compute there
    try:
        features = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:
        return False
    return features is not None and not BF16_UNITS.isdisjoint(features[1].split())

"""Detects the GPUs, processor cores and main memory available to us on this machine."""

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

from models.config.cgroup import cpu_limit, memory_left, memory_limit

NVIDIA_SMI = ("nvidia-smi", "--query-gpu=name,memory.total,compute_cap,memory.free", "--format=csv,noheader,nounits")


class Gpu(NamedTuple):
    """One NVIDIA GPU."""

    name: str
    memory_gib: float
    """Total memory as the driver reports it. CUDA gives programs a little less."""
    compute: float
    """Its compute capability, e.g. 8.9."""
    free_gib: float | None = None
    """What nobody uses of its memory at the moment; None where that is unknown."""


def visible_gpus() -> list[Gpu]:
    """The NVIDIA GPUs of this machine that CUDA_VISIBLE_DEVICES leaves visible; empty if there are none or the driver
    does not respond."""
    try:
        answer = subprocess.run(NVIDIA_SMI, capture_output=True, encoding="utf-8", timeout=20, check=True)
        rows = [line.rsplit(",", 3) for line in answer.stdout.split("\n") if line.strip()]
        gpus = [Gpu(name.strip(), float(mib) / 1024, float(cc), _free(free)) for name, mib, cc, free in rows]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return gpus
    chosen: list[Gpu] = []
    for name in map(str.strip, visible.split(",")):
        if name.isdigit() and int(name) < len(gpus):
            chosen.append(gpus[int(name)])
        elif name.startswith(("GPU-", "MIG-")) and len(chosen) < len(gpus):
            # Cannot be matched here: any will do if all are alike, but others may use one and not the next.
            chosen.append(gpus[len(chosen)]._replace(free_gib=None))
        else:
            break  # CUDA, too, ignores what follows an invalid name; "-1" hides all
    return chosen


def _free(mib: str) -> float | None:
    """GiB; None where the driver does not say, as in "[N/A]"."""
    number = mib.strip()
    return int(number) / 1024 if number.isdecimal() else None


def driver_cuda() -> float | None:
    """The newest CUDA version the NVIDIA driver can run, e.g. 13.0; None where it does not answer or does not say."""
    try:
        summary = subprocess.run(["nvidia-smi"], capture_output=True, encoding="utf-8", timeout=20, check=True).stdout
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
    """Bytes of main memory that new processes can allocate without swapping or getting the container killed."""
    machine, container = int(psutil.virtual_memory().available), memory_left()
    return machine if container is None else min(machine, container)


def total_memory() -> int:
    """Main memory of this machine in bytes, or as much of it as a container may use."""
    machine, container = int(psutil.virtual_memory().total), memory_limit()
    return machine if container is None else min(machine, container)


CPUINFO = Path("/proc/cpuinfo")


BF16_UNITS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
"""AMX and AVX-512 BF16 on x86, BF16 on Arm, as Linux names them."""


class Processor(NamedTuple):
    """Where servers without a GPU run."""

    cores: tuple[int, ...]
    """Those that may be used."""
    bf16: bool
    """Whether it has bf16 arithmetic. If not, models are computed in fp32 and the KV cache is kept in it: twice the
    memory, but several times faster than emulated bf16."""
    x86: bool = True
    """Whether FBGEMM runs on it, with which vLLM can keep fp16 weights for arithmetic in fp32."""


SPACE_PROCESSOR = Processor((0, 1), bf16=False)
"""What to expect of a Space without a GPU: two virtual cores, of a kind that is not promised."""


def this_processor() -> Processor:
    """This machine's processor, with the cores this process may run on: at most the container's CPU limit, since more
    threads than that would only wait for each other."""
    if sys.platform == "linux":
        cores = sorted(os.sched_getaffinity(0))
    else:
        cores = list(range(os.cpu_count() or 1))
    share = cpu_limit()
    if share is not None and (most := max(1, math.ceil(share))) < len(cores):
        # Not always the first cores: other containers on this machine may be running this app too.
        first = zlib.crc32(platform.node().encode()) % (len(cores) - most + 1)
        cores = cores[first : first + most]
    return Processor(tuple(cores), computes_in_bf16(), platform.machine() == "x86_64")


def computes_in_bf16(cpuinfo: Path = CPUINFO) -> bool:
    """Whether the processor multiplies bf16 matrices in hardware; otherwise fp32 is several times faster."""
    if (platform.system(), platform.machine()) == ("Darwin", "arm64"):
        return True  # Apple's GPUs do, and they compute there
    try:
        features = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return False
    return features is not None and not BF16_UNITS.isdisjoint(features[1].split())

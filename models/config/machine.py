"""What GPUs and main memory this machine has."""

import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import psutil

NVIDIA_SMI = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")


def visible_gpus() -> list[float]:
    """Total memory of each NVIDIA GPU in GiB; empty where there is none or its driver does not answer."""
    try:
        answer = subprocess.run(NVIDIA_SMI, capture_output=True, text=True, timeout=20, check=True)
        return [float(line) / 1024 for line in answer.stdout.split("\n") if line.strip()]
    except (OSError, subprocess.SubprocessError, ValueError):
        return []


def free_memory() -> int:
    """Main memory in bytes that new processes could take without swapping."""
    return int(psutil.virtual_memory().available)


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
    """This machine's, with the cores this process may run on."""
    return Processor(tuple(sorted(os.sched_getaffinity(0))), computes_in_bf16())


def computes_in_bf16(cpuinfo: Path = CPUINFO) -> bool:
    """Whether it multiplies bf16 matrices in hardware; without such units fp32 is several times faster."""
    try:
        features = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:
        return False
    return features is not None and not BF16_UNITS.isdisjoint(features[1].split())

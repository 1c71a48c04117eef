"""What this machine's processor can do, read from the system. Knows no model and no library."""

import os
import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
BF16_UNITS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
"""AMX and AVX-512 BF16 on x86, BF16 on Arm, as Linux names them."""


def usable_cores() -> list[int]:
    """The cores this process may run on."""
    return sorted(os.sched_getaffinity(0))


def computes_in_bf16(cpuinfo: Path = CPUINFO) -> bool:
    """Whether it multiplies bf16 matrices in hardware; without such units fp32 is several times faster."""
    try:
        features = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:
        return False
    return features is not None and not BF16_UNITS.isdisjoint(features[1].split())

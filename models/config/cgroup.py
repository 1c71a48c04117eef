"""How much of the machine a container may use: the limits of Linux control groups (cgroups), versions 2 and 1."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MOUNT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
V1_UNLIMITED = 2**60
"""Version 1 writes "no limit" as the largest multiple of the page size; no machine has that much memory."""


class MemoryFiles(NamedTuple):
    """What one version calls its files on memory."""

    controller: str
    """The folder below the mount; version 2 has one hierarchy for everything."""
    limit: str
    used: str
    cached: str
    """The line of memory.stat with the file cache that can be given back at once."""


MEMORY = (
    MemoryFiles("", "memory.max", "memory.current", "inactive_file"),
    MemoryFiles("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def cpu_limit(mount: Path = MOUNT, own: Path = OWN) -> float | None:
    """CPU limit of this process in cores, e.g. 2.0; None without a limit."""
    limits = [_share(text) for text in _texts("cpu.max", mount, own)]
    for quota, period in zip(
        _texts("cpu.cfs_quota_us", mount, own, "cpu"), _texts("cpu.cfs_period_us", mount, own, "cpu"), strict=False
    ):
        limits.append(_share(f"{quota} {period}"))
    return min((limit for limit in limits if limit), default=None)


def memory_limit(mount: Path = MOUNT, own: Path = OWN) -> int | None:
    """Bytes this process's group may use together; None without a limit."""
    limits = (_limit(folder, names) for folder, names in _groups(mount, own))
    return min((limit for limit in limits if limit is not None), default=None)


def memory_left(mount: Path = MOUNT, own: Path = OWN) -> int | None:
    """Bytes this process's group may still allocate before it is killed; None without a limit. The file cache does not
    count, since it is reclaimable."""
    left = (_left(folder, names) for folder, names in _groups(mount, own))
    return min((room for room in left if room is not None), default=None)


def _groups(mount: Path, own: Path) -> Iterator[tuple[Path, MemoryFiles]]:
    for names in MEMORY:
        for folder in _folders(mount, own, names.controller):
            yield folder, names


def _limit(folder: Path, names: MemoryFiles) -> int | None:
    limit = _number(folder / names.limit)
    return None if limit is None or limit >= V1_UNLIMITED else limit


def _left(folder: Path, names: MemoryFiles) -> int | None:
    limit, used = _limit(folder, names), _number(folder / names.used)
    if limit is None or used is None:
        return None
    lines = (line.split() for line in _read(folder / "memory.stat").splitlines())
    given_back = next((int(line[1]) for line in lines if len(line) == 2 and line[0] == names.cached), 0)
    return max(limit - used + given_back, 0)


def _share(text: str) -> float | None:
    """Quota over period: `200000 100000` is two processors; `max` and -1 are no limit."""
    words = text.split()
    try:
        quota, period = float(words[0]), float(words[1])
    except (IndexError, ValueError):
        return None
    return quota / period if quota > 0 and period > 0 else None


def _texts(name: str, mount: Path, own: Path, controller: str = "") -> Iterator[str]:
    yield from filter(None, (_read(folder / name) for folder in _folders(mount, own, controller)))


def _folders(mount: Path, own: Path, controller: str = "") -> Iterator[Path]:
    """The process's group and its ancestors. Inside a container the mount itself is its group."""
    root = mount / controller if controller else mount
    for line in _read(own).splitlines():
        _, names, path = [*line.split(":", 2), "", ""][:3]
        if controller in names.split(",") if controller else not names:
            here = root / path.lstrip("/")
            while here != root and root in here.parents:
                yield here
                here = here.parent
    yield root


def _number(path: Path) -> int | None:
    text = _read(path).strip()
    return int(text) if text.isdigit() else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""

"""What a container may use, read from folders laid out as Linux lays them out."""

from pathlib import Path

import pytest

from models.config import machine
from models.config.cgroup import cpu_limit, memory_left, memory_limit
from models.config.machine import free_memory, this_processor

GIB = 2**30


def lay(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def groups(tmp_path: Path, text: str, files: dict[str, str]) -> tuple[Path, Path]:
    own = tmp_path / "own"
    own.write_text(text)
    return lay(tmp_path / "cgroup", files), own


def test_version_2_inside_a_container(tmp_path: Path) -> None:
    mount, own = groups(
        tmp_path,
        "0::/\n",
        {
            "cpu.max": "200000 100000\n",
            "memory.max": f"{16 * GIB}\n",
            "memory.current": f"{10 * GIB}\n",
            "memory.stat": f"anon 1\ninactive_file {4 * GIB}\n",
        },
    )
    assert cpu_limit(mount, own) == 2.0
    assert memory_left(mount, own) == 10 * GIB  # cached files are given back
    assert memory_limit(mount, own) == 16 * GIB


def test_version_2_of_a_group_within_a_tighter_one(tmp_path: Path) -> None:
    mount, own = groups(
        tmp_path,
        "0::/user/job\n",
        {
            "user/job/cpu.max": "max 100000\n",
            "user/job/memory.max": "max\n",
            "user/job/memory.current": "5\n",
            "user/cpu.max": "150000 100000\n",
            "user/memory.max": "100\n",
            "user/memory.current": "40\n",
        },
    )
    assert cpu_limit(mount, own) == 1.5
    assert memory_left(mount, own) == 60
    assert memory_limit(mount, own) == 100


def test_version_1(tmp_path: Path) -> None:
    mount, own = groups(
        tmp_path,
        "4:memory:/docker/x\n2:cpu,cpuacct:/docker/x\n0::/\n",
        {
            "cpu/cpu.cfs_quota_us": "400000\n",
            "cpu/cpu.cfs_period_us": "100000\n",
            "memory/memory.limit_in_bytes": f"{8 * GIB}\n",
            "memory/memory.usage_in_bytes": f"{2 * GIB}\n",
            "memory/memory.stat": f"total_inactive_file {GIB}\n",
        },
    )
    assert cpu_limit(mount, own) == 4.0
    assert memory_left(mount, own) == 7 * GIB
    assert memory_limit(mount, own) == 8 * GIB


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"cpu.max": "max 100000\n", "memory.max": "max\n", "memory.current": "1\n"},
        {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
        {"memory/memory.limit_in_bytes": "9223372036854771712\n", "memory/memory.usage_in_bytes": "1\n"},
        {"cpu.max": "nonsense\n", "memory.max": "\n"},
    ],
)
def test_no_limit(tmp_path: Path, files: dict[str, str]) -> None:
    mount, own = groups(tmp_path, "4:memory:/\n1:cpu:/\n0::/\n", files)
    assert cpu_limit(mount, own) is None
    assert memory_left(mount, own) is None
    assert memory_limit(mount, own) is None
    assert cpu_limit(tmp_path / "nowhere", tmp_path / "none") is None


@pytest.mark.parametrize(("share", "cores"), [(2.0, 2), (1.5, 2), (0.5, 1), (64.0, 8), (None, 8)])
def test_no_more_cores_than_a_containers_share(
    share: float | None, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "cpu_limit", lambda: share)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(8)))
    found = this_processor().cores
    assert len(found) == cores
    assert found == tuple(range(found[0], found[0] + cores))


def test_free_memory_is_what_the_container_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory_left", lambda: 5)
    assert free_memory() == 5
    monkeypatch.setattr(machine, "memory_left", lambda: None)
    assert free_memory() > 5

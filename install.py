"""Create the two environments: .venv for the page and everything else, .venv-engine for vLLM where it runs.

`python3 install.py` for the app, `--dev` adds what the tests need, `--engine-only` makes the engine's alone (the first
start of a Space). Uses only the standard library and syntax that old interpreters can parse, so that an old one can
explain itself. When run again, it compares the requirement files with what was installed and, if nothing has changed,
does not use the network.
"""

import argparse
import ctypes.util
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

if sys.version_info >= (3, 11):  # noqa: UP036  (an older one cannot parse these modules, and gets as far as check_python)
    from common.engine_folder import ENGINE_GB, discard, gigabytes, has_engine, has_own_vllm, is_ours, set_aside
    from common.installing import (
        Part,
        explain,
        has_gpu,
        interpreter,
        pip_settings,
        profile_builds,
        succeeds,
        uv_environment,
        why_anew,
        why_not_on_gpus,
        write_command,
    )
    from common.locks import alone
    from common.paths import engine

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
ENGINE = ROOT / ".venv-engine"
OLDEST, NEWEST = (3, 11), (3, 14)
PAGE_GB = 8
"""Disk space for the page's environment and uv's download cache, which shares its files with it."""
SECONDS = 3600


class InstallError(Exception):
    """What went wrong and what to do about it."""


def machine_kind():
    """`gpu` or `cpu`; `none` if vLLM has no build for this machine, or JOURNEY_PROFILE goes without it. Raises
    InstallError if there is a GPU, not hidden by CUDA_VISIBLE_DEVICES, that is too old or whose driver is."""
    # models/config/machine.py asks the same when it chooses a profile.
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "aarch64"):
        return "none"
    named = profile_builds(ROOT / "spaces.yaml").get(os.environ.get("JOURNEY_PROFILE"))
    if named in ("cpu", "none"):
        return named
    if not re.match(r"\s*(\d|GPU-|MIG-)", os.environ.get("CUDA_VISIBLE_DEVICES", "0")):
        return "cpu"
    if not has_gpu():
        return "cpu"
    why = why_not_on_gpus()
    if why:
        raise InstallError(why)
    return "gpu"


def check_profile():
    named, names = os.environ.get("JOURNEY_PROFILE"), profile_builds(ROOT / "spaces.yaml")
    if named and names and named not in names:
        raise InstallError(f"JOURNEY_PROFILE: there is no profile {named!r}. There are: {', '.join(names)}.")


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


def check_disk(sizes):
    """Raise InstallError if a disk has less room than all that is to be written to it. `sizes`: {folder: gigabytes}."""
    existing = {folder: next(path for path in [folder, *folder.parents] if path.exists()) for folder in sizes}
    for folder, place in existing.items():
        needed = sum(sizes[other] for other in sizes if existing[other].stat().st_dev == place.stat().st_dev)
        free = shutil.disk_usage(place).free / 1e9
        if free < needed:
            raise InstallError(
                f"Only {free:.1f} GB are free on the disk of {folder}; what is to be installed there needs about "
                f"{needed:.0f} GB. Free some, or name a new folder on a larger disk for the engine in JOURNEY_ENGINE."
            )


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


def make_venv():
    """Create the page's virtual environment, with pip, which installs uv."""
    if VENV.exists():
        why = why_anew(VENV)
        if not why:
            return
        print(f"Making .venv anew: {why}.", flush=True)
        shutil.rmtree(VENV)
    attempt = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, encoding="locale")
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
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        encoding="utf-8",  # as uv writes on every system
        errors="replace",
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
        raise InstallError(explain("".join(tail)))


def uv_of(python):
    """The command that runs uv with this interpreter, after installing it with pip if it is missing."""
    command = [str(python), "-m", "uv"]
    if succeeds([*command, "--version"]):
        return command
    pin = re.search(r"^uv==\S+", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE).group()
    print(f"Installing {pin}, which installs everything else", flush=True)
    run_shown([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", pin])
    return command


def uv_and_settings(python):
    """The command that runs uv, and the environment that gives it pip's settings."""
    return uv_of(python), uv_environment(pip_settings(python))


def uv_install(uv, part, environment):
    """Install a part's files, and write its stamp."""
    run_shown(part.command(uv, environment), environment)
    part.stamp.write_text(part.print(), encoding="utf-8")


def install_page(kind, dev):
    missing = [part for part in page_parts(dev) if not part.is_installed()]
    if missing:
        make_venv()
        python = interpreter(VENV)
        uv, environment = uv_and_settings(python)
        for part in missing:
            print(f"Installing {part.files[0]}", flush=True)
            uv_install(uv, part, environment)
    write_command(interpreter(VENV), ROOT)


def check_engine_folder(folder):
    if not is_ours(folder) and not has_own_vllm(folder):
        raise InstallError(
            f"{folder}, where the engine is to be installed, is in use for something else, which is left as it is. "
            f"Name a new or empty folder in JOURNEY_ENGINE, such as {folder / 'engine'}."
        )


def install_engine(kind, folder, python):
    """The engine's environment in `folder`, made with the uv of `python`. One that somebody else has made stays as it
    is, and the app uses its vLLM."""
    folder = folder.resolve()
    part = engine_part(kind, folder)
    if part.is_installed():
        return
    check_engine_folder(folder)
    if has_own_vllm(folder):
        print(f"{folder} has a vLLM of its own, which is used as it is.", flush=True)
        return
    if kind == "cpu" and ctypes.util.find_library("numa") is None:
        install_system_package("libnuma1", "the CPU engine is linked against it")
    try:
        with alone(folder):
            if not part.is_installed():
                make_engine(kind, part, python)
    except OSError as error:
        raise InstallError(
            f"The engine cannot be installed: {error}. Name another folder in JOURNEY_ENGINE."
        ) from error


def make_engine(kind, part, python):
    """Make the engine's environment anew. One that works is kept until the new one is complete; where the disk is too
    small for two, until the index has answered for everything that the new one needs."""
    folder, needed = part.venv, ENGINE_GB[kind]
    check_disk({folder: needed - gigabytes(folder)})
    room_for_two = shutil.disk_usage(folder.parent).free / 1e9 >= needed
    uv, environment = uv_and_settings(python)
    print(f"Installing {part.files[0]} ({'NVIDIA GPU found' if kind == 'gpu' else 'no GPU'})", flush=True)
    with set_aside(folder) as old:
        run_shown([*uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)], environment)
        if old.exists() and not room_for_two:
            run_shown([*part.command(uv, environment), "--dry-run"], environment)
            discard(old)
        uv_install(uv, part, environment)


def install(dev, kind):
    sizes = {} if VENV.exists() else {VENV: PAGE_GB}
    folder = engine() if os.environ.get("JOURNEY_ENGINE") else ENGINE
    if kind != "none":
        check_engine_folder(folder)
        if not has_engine(folder):
            sizes[folder] = max(0, ENGINE_GB[kind] - gigabytes(folder))
    check_disk(sizes)
    install_page(kind, dev)
    if kind != "none":
        install_engine(kind, folder, interpreter(VENV))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dev", action="store_true", help="also install what linting, type checks and tests need")
    parser.add_argument("--chromium", action="store_true", help="also install the browser for the tests of the page")
    parser.add_argument("--engine", choices=["gpu", "cpu", "none"], help="vLLM for GPUs, for processors, or none")
    parser.add_argument("--engine-only", type=Path, metavar="FOLDER", help="make the engine's environment, and only it")
    arguments = parser.parse_args()
    try:
        check_python()
        sys.stdout.reconfigure(errors="replace")  # uv draws lines that not every terminal has
        check_profile()
        kind = arguments.engine or machine_kind()
        if arguments.engine_only:
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

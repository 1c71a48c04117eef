"""Child processes of this package: they end with the app, and their last output becomes the error message."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from common.errors import WeightsError
from common.paths import ROOT
from models.weights.files import FetchError, may_pass

KILLED = 9
"""The number of SIGKILL, which is not defined on Windows."""
HANDED_OVER = 3
"""The exit code of a child whose last line is an error of ours."""


def watched(
    command: list[str], seconds: float, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command until it or the app ends. `environment` adds variables. Raises subprocess.TimeoutExpired."""
    watchdog = [sys.executable, str(ROOT / "models" / "serving" / "watchdog.py"), str(os.getpid()), *command]
    variables = {**os.environ, "PYTHONIOENCODING": "utf-8", **(environment or {})}
    return subprocess.run(
        watchdog,
        cwd=ROOT,
        env=variables,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=seconds,
        check=False,
    )


def run_child(
    command: list[str], what: str, seconds: float = 3600, environment: Mapping[str, str] | None = None
) -> None:
    """Run a child process to completion. If it fails, raises WeightsError: its own, if it ended in `handed_over`, or
    one with the end of its output."""
    try:
        done = watched(command, seconds, environment)
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"{what} took longer than {seconds / 60:.0f} minutes.", "Start again.") from error
    if done.returncode == 0:
        return
    if done.returncode == HANDED_OVER:
        raise FetchError(**json.loads(done.stderr.strip().splitlines()[-1]))
    if "No space left" in done.stderr:
        raise WeightsError(
            f"{what} failed: the disk is full.", "Free some space, or set JOURNEY_CACHE to a larger disk."
        )
    if done.returncode == 128 + KILLED:
        raise WeightsError(f"{what} was killed, probably for lack of memory.", "Close other programs and start again.")
    last = "\n".join(done.stderr.strip().splitlines()[-5:])
    raise WeightsError(f"{what} failed: {last}", "The lines above come from the library that reads the weights.")


@contextmanager
def handed_over() -> Iterator[None]:
    """In a child process: an error of ours ends it, and `run_child` raises it in the app."""
    try:
        yield
    except WeightsError as error:
        words = {"message": error.args[0], "remedy": error.remedy, "temporary": may_pass(error)}
        print(json.dumps(words), file=sys.stderr)
        sys.exit(HANDED_OVER)

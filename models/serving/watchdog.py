"""A thin process between the app and one model server, so that no server outlives the app, however it ends.

Runs the given command. When the app dies, even by SIGKILL, or when told to stop, it ends the command and everything the
command has started. Outside Linux, whose kernel can signal a parent's death, it polls for it instead.
"""

import ctypes
import signal
import subprocess
import sys
import time
from types import FrameType

import psutil

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 8.0
"""How long the command may take to end by itself after SIGTERM."""
POLL_SECONDS = 0.2


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _die_with_watchdog() -> None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(parent: int, command: list[str]) -> int:
    """Run `command` until it ends, the process `parent` above this one ends, or SIGTERM comes; return its exit code."""
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphans of the command become our children, so that we can end them
    before = _die_with_watchdog if sys.platform == "linux" else None
    child = subprocess.Popen(command, preexec_fn=before)  # safe: one thread
    while child.poll() is None and not stopping and is_below(parent):
        time.sleep(POLL_SECONDS)
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
    code = child.wait()
    end_descendants()
    return code


def is_below(ancestor: int) -> bool:
    """Whether a process with this id is among those above this one."""
    # Not only the one directly above: on Windows an environment's python.exe starts the interpreter as its child.
    process = psutil.Process()
    try:
        while above := process.parent():
            if above.pid == ancestor:
                return True
            process = above
    except psutil.Error:  # it ended while being looked at
        pass
    return False


def end_descendants(seconds: float = 5.0) -> None:
    """Kill all processes below this one and wait, for a bounded time, until they are gone."""
    until = time.monotonic() + seconds
    while (left := psutil.Process().children(recursive=True)) and time.monotonic() < until:
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=1)


if __name__ == "__main__":
    code = run(int(sys.argv[1]), sys.argv[2:])
    sys.exit(code if code >= 0 else 128 - code)

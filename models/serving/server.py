"""One vLLM child process: started, watched, restarted with bounded backoff, stopped."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from common.errors import ConfigError, ServerError, WeightsError
from models.serving.life import LONGEST_BACKOFF_SECONDS, TRIES, Life
from models.serving.logs import CostlyFailure, explain_end, rotate
from models.weights.files import disk_errors

WATCHDOG = Path(__file__).with_name("watchdog.py")
START_SECONDS = 1800.0
"""Longest time from starting a server to its first healthy answer, not counting reading the weights."""
SLOW_BYTES_A_SECOND = 50e6
"""Read rate to allow for on the slowest disks, such as a network disk or a mounted bucket."""
FETCH_SECONDS = 6 * 3600.0
"""Extra seconds allowed for fetching weights: 140 GB at 7 MB/s."""
COSTLY_TRIES = 2
"""What counts in place of TRIES if each start fails only after loading the weights, for a reason that is rarely
temporary."""
FIRST_BACKOFF_SECONDS = 2.0
HEALTHY_SECONDS = 60.0
"""Seconds in `ready` after which the count of retries is reset."""
POLL_SECONDS = 0.25
PROBE_EVERY_SECONDS = 5.0
PROBE_SECONDS = 10.0
DEAF_PROBES = 12
"""Consecutive failed probes after which a running server counts as hung."""
STOP_SECONDS = 15.0


@dataclass(frozen=True)
class Launch:
    """Everything needed to start one server process."""

    command: list[str]
    environment: Mapping[str, str]
    port: int


Prepare = Callable[[Callable[[str], None]], Launch]
"""Prepares what a server needs (weights, a free port), reporting progress; raises ArenaError."""


class Server(Life):
    """One vLLM child process, kept alive. `prepare` is called before each start, in the server's own thread."""

    def __init__(self, name: str, prepare: Prepare, log: Path, start_seconds: float = START_SECONDS) -> None:
        super().__init__(name)
        self.log = log
        self.start_seconds = start_seconds
        """Longest time from starting to the first healthy answer."""
        self.port: int | None = None
        self._prepare = prepare
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The base URL, ending in /v1. Raises ServerError before the first start."""
        if self.port is None:
            raise ServerError(f"The server of {self.name} has not been started yet.", "Wait until it is ready.")
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def pid(self) -> int | None:
        """Process id of the watchdog, the parent of the server's processes."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def _live(self) -> None:
        tries = 1
        while not self._stop.is_set():
            try:
                healthy_seconds, error = self._one_life()
            except (WeightsError, ConfigError) as final:
                return self._set("failed", str(final))
            except ServerError as again:
                healthy_seconds, error = 0.0, again
            if error.refusal:
                return self._set("failed", str(error))
            if self._stop.is_set():
                break
            tries = 1 if healthy_seconds > HEALTHY_SECONDS else tries + 1
            most = COSTLY_TRIES if isinstance(error, CostlyFailure) else TRIES
            if tries > most:
                return self._set("failed", str(error))
            delay = min(FIRST_BACKOFF_SECONDS * 2 ** (tries - 2), LONGEST_BACKOFF_SECONDS)
            self._pause(max(delay, FIRST_BACKOFF_SECONDS), f"try {tries} of {most}. {error}")
        return self._set("stopped")

    def _one_life(self) -> tuple[float, ServerError]:
        """Prepare, start and watch one process until it ends. Returns how long it was ready, and why it ended."""
        launch = self._fetched(self._prepare)
        if self._stop.is_set():
            return 0.0, ServerError("It was stopped.")
        self._set("loading")
        with disk_errors(self.log.parent, "JOURNEY_HOME"):
            rotate(self.log)
            log_start = self.log.stat().st_size if self.log.exists() else 0
            process = self._spawn(launch)
        self.port = launch.port
        try:
            ready_at, error = self._watch(process, launch.port)
        finally:
            self._end(process)
        if error is None:
            error = explain_end(self.name, process.returncode, self.log, log_start, loading=ready_at is None)
        return (time.monotonic() - ready_at if ready_at else 0.0), error

    def _spawn(self, launch: Launch) -> subprocess.Popen[bytes]:
        watchdog = [sys.executable, str(WATCHDOG), str(os.getpid()), *launch.command]
        environment = {**os.environ, **launch.environment}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                watchdog,
                cwd=self.log.parent,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self._process

    def _watch(self, process: subprocess.Popen[bytes], port: int) -> tuple[float | None, ServerError | None]:
        """Watch it until it ends or must be stopped. Returns when it became ready, and any reason to stop it."""
        started, ready_at, deaf, next_probe = time.monotonic(), None, 0, 0.0
        while process.poll() is None and not self._stop.wait(POLL_SECONDS):
            now = time.monotonic()
            if now < next_probe:
                continue
            if is_healthy(f"http://127.0.0.1:{port}/health"):
                deaf = 0
                if ready_at is None:
                    ready_at = now
                    self._set("ready")
            elif ready_at is not None:
                deaf += 1
                if deaf >= DEAF_PROBES:
                    return ready_at, ServerError(f"The server of {self.name} is running but no longer answers.")
            elif now - started > self.start_seconds:
                return None, CostlyFailure(
                    f"The server of {self.name} was not ready after {self.start_seconds / 60:.0f} minutes.",
                    f"Put the weights on a faster disk; its log is {self.log}.",
                )
            next_probe = now + (PROBE_EVERY_SECONDS if ready_at is not None else 2 * POLL_SECONDS)
        return ready_at, None

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """SIGTERM to the watchdog, which ends the server; then SIGKILL to the whole group."""
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(STOP_SECONDS)


def seconds_to_start(weight_bytes: float) -> float:
    """How long a server with this many bytes of weights may take to its first healthy answer, on a slow disk."""
    return START_SECONDS + weight_bytes / SLOW_BYTES_A_SECOND


def is_healthy(url: str) -> bool:
    """Whether the server passes its health check, bypassing any proxy set in the environment."""
    try:
        return httpx.get(url, timeout=PROBE_SECONDS, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def free_port() -> int:
    """A currently unused port on the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_port(host: str, port: int) -> None:
    """Raise ServerError if the page cannot have this port, before minutes are spent on loading models."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
                remedy = "Give --host (GRADIO_SERVER_NAME) 127.0.0.1, or 0.0.0.0 to be reached from other machines."
                raise ServerError(f"{host} is not an IPv4 address of this machine.", remedy) from error
            remedy = "Stop what uses it, or choose another one: make app PORT=7861"
            raise ServerError(f"Port {port} on {host} cannot be used: {error.strerror}.", remedy) from error

"""The status of one server, kept up to date by the thread that manages it."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from math import inf
from typing import TypeVar

from common.errors import ServerError
from models.serving.status import Phase, Status
from models.weights.files import FetchError, Report

JOIN_SECONDS = 40.0
"""Longest wait for a server to stop; longer than a stop can take."""
BUSY_JOIN_SECONDS = 1.0
"""The same while weights are being fetched: only child processes are running then, and they end with the app."""
TRIES = 5
"""Consecutive starts without a healthy stretch before a server is given up, and downloads before weights are."""
LONGEST_BACKOFF_SECONDS = 60.0
LOG = logging.getLogger(__name__)
T = TypeVar("T")


class Life:
    """A status that any thread may read, and the background thread that keeps it up to date until stopped."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._phase: Phase = "waiting"
        self._detail = ""
        self._since = time.monotonic()
        self._resume_at: float | None = None
        self._down_since: float | None = None
        self._restarts = 0
        # Held only to read or write the five fields above together, so that a status never mixes an old phase with a
        # new detail. Nothing blocks while holding it, so it cannot deadlock.
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def status(self) -> Status:
        with self._lock:
            now = time.monotonic()
            detail = self._detail
            if self._resume_at is not None:
                detail = f"restarting in {max(0.0, self._resume_at - now):.0f} s ({detail})"
            down = 0.0 if self._down_since is None else now - self._down_since
            return Status(self._phase, detail, now - self._since, down, self._restarts)

    def start(self) -> None:
        """Return at once; the rest happens in a thread. Does nothing where one is already running."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._stop.clear()
        self._set("waiting")
        self._thread = threading.Thread(target=self._run, name=f"server-{self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop it, within a bounded time. Safe to call repeatedly and from several threads."""
        self._stop.set()
        # A thread cannot join itself, and its own code may call this.
        if self._thread is not None and self._thread is not threading.current_thread():
            busy = self.status().phase in ("waiting", "fetching")
            self._thread.join(BUSY_JOIN_SECONDS if busy else JOIN_SECONDS)

    def _set(self, phase: Phase, detail: str = "", resume_at: float | None = None, *, down: bool = False) -> None:
        """`down`: the server has died or cannot be reached. It counts as down until it is ready or restarted by the
        user, even while it reloads, so that waiting callers learn of the failure."""
        with self._lock:
            now = time.monotonic()
            if phase != self._phase:
                self._since = now
                self._restarts += phase == "restarting"
            if phase in ("ready", "waiting"):
                self._down_since = None
            elif down and self._down_since is None:
                self._down_since = now
            self._phase, self._detail, self._resume_at = phase, detail, resume_at

    def _fetched(self, fetch: Callable[[Report], T]) -> T:
        """What `fetch` returns, given where to report its progress.

        A download that may succeed later is tried again, TRIES times in all, each time after the longest pause: what
        a network needs to come back. Raises its last error; ServerError where it is stopped meanwhile.
        """
        for tries in range(2, TRIES + 2):
            self._set("fetching", "preparing weights")
            try:
                return fetch(lambda sentence: self._set("fetching", sentence))
            except FetchError as error:
                if not error.temporary or tries > TRIES:
                    raise
                self._pause(LONGEST_BACKOFF_SECONDS, f"try {tries} of {TRIES}. {error}")
            if self._stop.is_set():
                break
        raise ServerError("It was stopped.")

    def _pause(self, seconds: float, why: str) -> None:
        """Wait for the next try, or until stopped."""
        self._set("restarting", why, time.monotonic() + seconds, down=True)
        self._stop.wait(seconds)

    def _run(self) -> None:
        try:
            self._live()
        except Exception as error:  # a bug of ours: otherwise the page would wait forever
            LOG.exception("looking after %s failed", self.name)
            self._set("failed", f"an error of the app itself ({type(error).__name__}); its log has the details")

    def _live(self) -> None:
        raise NotImplementedError


async def wait_until_ready(life: Life, seconds: float, fetching: float = 0.0, down: float = inf) -> None:
    """Return once it is ready. Raises ServerError if it has failed or stopped, if it takes longer than `seconds`, or if
    it has been down for more than `down` seconds.

    Time spent fetching weights does not count, up to `fetching` seconds.
    """
    until = time.monotonic() + seconds
    latest = until + fetching
    while (status := life.status()).phase != "ready":
        if status.phase in ("failed", "stopped"):
            raise ServerError(f"{life.name}: {status.sentence}")
        if status.down_seconds > down:
            raise ServerError(f"{life.name} does not answer ({status.sentence}).", "Try again in a moment.")
        if status.phase == "fetching":
            until = min(time.monotonic() + seconds, latest)
        if time.monotonic() > until:
            raise ServerError(f"{life.name} is not ready yet ({status.sentence}).", "Try again in a moment.")
        await asyncio.sleep(0.1)

"""Background jobs on a run: what every kind of job reports, and the rule that only one runs at a time."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from common.errors import ArenaError, ServerError
from eval.runs.log import Role, RunLog
from eval.runs.runner import SideProgress

JobPhase = Literal["waiting", "running", "grading", "finished", "stopped", "failed"]
Tell = Callable[[int, int], None]
"""(done, of)"""
Work = Callable[[Tell], Coroutine[Any, Any, str]]
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class RunProgress:
    """How far a job is."""

    run: str
    phase: JobPhase
    sides: Mapping[Role, SideProgress]
    message: str = ""


class Job:
    """A job on a run. `run` blocks until the work is done or has failed, or `stop` was called from elsewhere."""

    def __init__(self, log: RunLog) -> None:
        self.log = log
        """The run being worked on; for a check of a judge, the folder its result goes to."""
        self._phase: JobPhase = "waiting"
        self._message = ""
        self._stopped = threading.Event()

    @property
    def over(self) -> bool:
        return self._phase in ("finished", "stopped", "failed")

    def stop(self) -> None:
        self._stopped.set()

    def progress(self) -> RunProgress:
        return RunProgress(self.log.folder.name, self._phase, {}, self._message)

    def run(self) -> RunProgress:
        """Never raises ArenaError: the progress it returns says what went wrong."""
        try:
            self._phase = "finished" if self._work() else "stopped"
        except ArenaError as error:
            self._phase, self._message = "failed", str(error)
        finally:
            if not self.over:  # an unexpected error: whoever polls the progress must not wait forever
                self._phase, self._message = (
                    "failed",
                    "It failed because of a defect; see the log.",
                )
        return self.progress()

    def _work(self) -> bool:
        """Do the work; False when it was stopped. Raises ArenaError."""
        raise NotImplementedError

    async def _unless_stopped(self, task: "asyncio.Task[Any]") -> bool:
        """Wait for a task, cancelling it if the job is stopped: False if that ended it. Raises what the task raises."""
        while not task.done():
            await asyncio.wait([task], timeout=LOOK_SECONDS)
            if self._stopped.is_set():
                task.cancel()
        if task.cancelled():
            return False
        task.result()
        return True


class CoroutineJob(Job):
    """A job made of one coroutine, which reports its progress and returns a sentence for people."""

    telling: ClassVar[str]
    """Format string for the progress, with two numbers: done and total."""

    def __init__(self, log: RunLog, work: Work) -> None:
        super().__init__(log)
        self._coroutine = work

    def _work(self) -> bool:
        return asyncio.run(self._watched())

    async def _watched(self) -> bool:
        self._phase = "running"
        working = asyncio.create_task(self._coroutine(self._tell))
        if not await self._unless_stopped(working):
            self._message = "Finished answers are kept."
            return False
        self._message = working.result()
        return True

    def _tell(self, done: int, of: int) -> None:
        self._message = self.telling.format(done, of)


class Jobs:
    """Runs jobs in the background, whether or not a page is open; one at a time, since servers are shared."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._job: Job | None = None

    @property
    def current(self) -> Job | None:
        """The job that is running, or the last one."""
        return self._job

    def check_idle(self) -> None:
        """Raises ServerError while a job is running. Call it before a new run is written to disk."""
        if self._job is not None and not self._job.over:
            raise ServerError(
                f"Run {self._job.log.folder.name} is still running.", "Stop it first, or wait until it finishes."
            )

    def start(self, job: Job) -> None:
        """Raises ServerError while another job is running."""
        with self._lock:
            self.check_idle()
            self._job = job
            threading.Thread(target=job.run, name=f"run {job.log.folder.name}", daemon=True).start()

    def stop(self) -> None:
        if self._job is not None:
            self._job.stop()

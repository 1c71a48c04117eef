"""Long work on a run that goes on in the background: what every kind of it tells, and that there is one at a time.

Does not know what the work is, nor the screen: a caller asks for `progress` whenever it likes.
"""

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
    """One job at a run. `run` blocks until the work is done, has failed, or `stop` was called from elsewhere."""

    def __init__(self, log: RunLog) -> None:
        self.log = log
        """The run that is worked on; for a check of a judge, the folder its outcome goes to."""
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
        """Never raises ArenaError: what went wrong is in the progress it returns."""
        try:
            self._phase = "finished" if self._work() else "stopped"
        except ArenaError as error:
            self._phase, self._message = "failed", str(error)
        finally:
            if not self.over:  # a defect: nobody who looks at the progress may wait for ever
                self._phase, self._message = "failed", "It ended by a defect; the log has the details."
        return self.progress()

    def _work(self) -> bool:
        """Do it; False when it was stopped. Raises ArenaError."""
        raise NotImplementedError

    async def _unless_stopped(self, task: "asyncio.Task[Any]") -> bool:
        """Wait for a task and cancel it when stopped: False where that ended it. Raises what the task raises."""
        while not task.done():
            await asyncio.wait([task], timeout=LOOK_SECONDS)
            if self._stopped.is_set():
                task.cancel()
        if task.cancelled():
            return False
        task.result()
        return True


class CoroutineJob(Job):
    """Work that is one coroutine, which tells how far it is and ends with a sentence for people."""

    telling: ClassVar[str]
    """How far it is, as a format of two numbers: done, and of how many."""

    def __init__(self, log: RunLog, work: Work) -> None:
        super().__init__(log)
        self._coroutine = work

    def _work(self) -> bool:
        return asyncio.run(self._watched())

    async def _watched(self) -> bool:
        self._phase = "running"
        working = asyncio.create_task(self._coroutine(self._tell))
        if not await self._unless_stopped(working):
            self._message = "What was made is kept."
            return False
        self._message = working.result()
        return True

    def _tell(self, done: int, of: int) -> None:
        self._message = self.telling.format(done, of)


class Jobs:
    """Sittings that go on in the background whether or not anybody looks; one at a time, since servers are shared."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._job: Job | None = None

    @property
    def current(self) -> Job | None:
        """The job that is going on, or the last one."""
        return self._job

    def check_idle(self) -> None:
        """Raises ServerError while a job is going on; to be asked before a new run is written down."""
        if self._job is not None and not self._job.over:
            raise ServerError(
                f"Run {self._job.log.folder.name} is going on.", "Stop it first, or wait until it is done."
            )

    def start(self, job: Job) -> None:
        """Raises ServerError while another job is going on."""
        with self._lock:
            self.check_idle()
            self._job = job
            threading.Thread(target=job.run, name=f"run {job.log.folder.name}", daemon=True).start()

    def stop(self) -> None:
        if self._job is not None:
            self._job.stop()

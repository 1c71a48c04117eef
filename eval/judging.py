"""A judge at work in the background, as `eval.session.Jobs` takes it, so that it never runs beside another long run.

Does not know what the judge does: that is one coroutine, which tells how far it is and ends with a sentence for people.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable

from eval.runlog import RunLog
from eval.session import RunProgress, SessionPhase
from models.errors import ArenaError

Tell = Callable[[int, int], None]
"""(done, of)"""
Work = Callable[[Tell], Awaitable[str]]
LOOK_SECONDS = 0.5


class JudgeSitting:
    """One sitting of a judge. `run` blocks until the work is done, has failed, or `stop` was called."""

    def __init__(self, log: RunLog, work: Work) -> None:
        self.log = log
        """The run whose answers are judged; for a check of the judge itself, the folder its outcome goes to."""
        self._work = work
        self._phase: SessionPhase = "waiting"
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
            asyncio.run(self._judge())
        except ArenaError as error:
            self._phase, self._message = "failed", str(error)
        finally:
            if not self.over:
                self._phase, self._message = "failed", "It ended by a defect; the log has the details."
        return self.progress()

    async def _judge(self) -> None:
        self._phase = "running"
        working = asyncio.ensure_future(self._work(self._tell))
        while not working.done():
            await asyncio.wait([working], timeout=LOOK_SECONDS)
            if self._stopped.is_set():
                working.cancel()
        if working.cancelled():
            self._phase, self._message = "stopped", "Stopped."
            return
        message = working.result()
        self._phase, self._message = "finished", message

    def _tell(self, done: int, of: int) -> None:
        self._message = f"{done} of {of} judged."

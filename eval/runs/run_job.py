"""One complete job of a run: servers, runner, grading; blocking for the command line, in a thread for the page."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Protocol

from common.errors import ServerError
from eval.grading.grader import Grader
from eval.records import Sample
from eval.runs.grades import Grading, check_golds, write_classes
from eval.runs.jobs import Job, RunProgress
from eval.runs.log import Role, RunInfo, RunLog
from eval.runs.plan import check_resumable
from eval.runs.runner import Runner, may_be_retried
from models.chat.client import Endpoint, ModelClient
from models.config.registry import Profile
from models.serving.clients import Served, client_of


class ServedRun(Served, Protocol):
    """What a job needs of the two model servers (`models.serving.pair.ServedPair`)."""

    @property
    def profile(self) -> Profile: ...

    def weight_hash(self, role: Role) -> str: ...

    def software(self) -> dict[str, str]: ...

    def endpoint(self, role: Role) -> Endpoint: ...


def served_names(served: ServedRun, roles: Iterable[Role]) -> dict[Role, str]:
    """What their servers call the models whose weights are not visible here. Raises ServerError if one is not ready."""
    return {role: served.endpoint(role).model for role in roles if not served.weight_hash(role)}


def check_served(info: RunInfo, served: ServedRun) -> None:
    """`check_resumable` against the models that are served now. Raises ServerError too if one is not ready."""
    hashes = {role: served.weight_hash(role) for role in info.sides}
    check_resumable(info, served.pair, hashes, served.profile, served_names(served, info.sides))


class Connection:
    """Connects to one side's servers: waits until one is ready, and keeps a client for each address."""

    def __init__(self, served: ServedRun, role: Role) -> None:
        self._served, self._role = served, role
        self._clients: dict[Endpoint, ModelClient] = {}

    async def __call__(self) -> ModelClient:
        client = await client_of(self._served, self._role)
        return self._clients.setdefault(client.endpoint, client)

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.aclose()


def complete_run(log: RunLog, served: ServedRun) -> None:
    """Draw and grade everything that is missing, including requests that failed before; blocks until done.

    Raises ServerError if answers are still missing then; what was made is kept, and calling again adds the rest.
    """
    progress = RunJob(log, served, retry_failed=True).run()
    messages = [progress.message, *(f"{role}: {side.message}" for role, side in progress.sides.items())]
    if progress.phase != "finished":
        raise ServerError(f"Run {log.folder.name} is not complete. {' '.join(filter(None, messages))}")
    failed = sum(map(may_be_retried, log.samples()))
    if failed:
        raise ServerError(f"{failed} requests of run {log.folder.name} failed.", "Look at the servers' logs.")


class RunJob(Job):
    """One job. `run` blocks until everything is drawn and graded, or `stop` was called from another thread."""

    def __init__(self, log: RunLog, served: ServedRun, *, retry_failed: bool = False) -> None:
        super().__init__(log)
        self._served = served
        self._retry_failed = retry_failed
        self._runner: Runner | None = None

    def progress(self) -> RunProgress:
        sides = self._runner.progress() if self._runner else {}
        return RunProgress(self.log.folder.name, self._phase, sides, self._message)

    def stop(self) -> None:
        super().stop()
        if self._runner is not None:
            self._runner.stop()

    def _work(self) -> bool:
        with self.log.claim(), Grader(workers=1) as grader:
            if all(data.rule == "judged" for data in self.log.info().data):  # these answers wait for a judge
                return asyncio.run(self._draw(lambda sample: None))
            return self._draw_and_grade(grader)

    def _draw_and_grade(self, grader: Grader) -> bool:
        faults = check_golds(self.log, grader)
        if faults:
            self._message = (
                f"{len(faults)} gold answers are not graded equal to themselves: {', '.join(key for key, _ in faults)}."
            )
        with Grading(self.log, grader) as grading:
            complete = asyncio.run(self._draw(grading.put))
            self._phase = "grading"
        if grading.error:
            raise ServerError(f"Grading stopped: {grading.error}", "The samples are kept; `arena regrade` grades them.")
        if complete:
            write_classes(self.log, grader)
        return complete

    async def _draw(self, on_sample: Callable[[Sample], None]) -> bool:
        async with AsyncExitStack() as stack:
            roles = tuple(self.log.info().sides)
            connections = {role: Connection(self._served, role) for role in roles}
            for connection in connections.values():
                stack.push_async_callback(connection.aclose)
            if not await self._ready(roles):
                return False
            check_served(self.log.info(), self._served)
            self._runner = Runner(self.log, connections, on_sample=on_sample, retry_failed=self._retry_failed)
            self._phase = "running"
            if self._stopped.is_set():
                self._runner.stop()
            return await self._runner.run()

    async def _ready(self, roles: Sequence[Role]) -> bool:
        """Wait for the servers; False when stopped meanwhile. Raises ServerError when one does not come up."""

        async def all_of_them() -> None:
            await asyncio.gather(*(self._served.wait_ready(role) for role in roles))

        return await self._unless_stopped(asyncio.create_task(all_of_them()))

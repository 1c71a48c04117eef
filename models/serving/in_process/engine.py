"""The engine inside this process: loads both models once, then answers jobs in threads."""

import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextvars import ContextVar, copy_context
from pathlib import Path

from common.errors import ArenaError, ServerError
from models.config.layout import context_length, cpu_dtype
from models.config.machine import free_memory, on_zero_gpu, this_processor
from models.config.memory import GIB
from models.config.plan import Plan
from models.config.registry import Role
from models.serving.in_process.channel import LocalChannel, LocalEndpoint
from models.serving.in_process.generation import Job, Model, PieceOrError, Pieces, device, generate, load
from models.serving.in_process.zero import refusal, with_gpu
from models.serving.life import Life

Find = Callable[[Role, Callable[[str], None]], Path]
Hear = Callable[[PieceOrError], None]
"""Called from another thread with each piece of a job's reply, the final one last."""
ASKED_TOGETHER: ContextVar[object] = ContextVar("asked_together", default=None)
"""Set while both sides are asked the same question: on ZeroGPU they then share one call and its GPU time."""
GATHER_SECONDS = 0.3
"""How long a call to ZeroGPU waits for the other side's request."""
CALLS_AT_ONCE = 16
"""Concurrent calls on ZeroGPU, which has a queue of its own."""
STOPPED = ServerError("The models were stopped.", "Start the app again.")


class InProcess(Life):
    """The models of a plan, loaded in this process. They become ready together and stop together."""

    def __init__(self, plan: Plan, find: Find) -> None:
        """`find` returns the folder of a side's weights, fetching them if needed and reporting progress."""
        self.roles: list[Role] = [role for engine in plan.engines for role in engine.roles]
        super().__init__(" and ".join(plan.pair.model(role).title for role in self.roles))
        self._kept = tempfile.TemporaryDirectory(prefix="journey-replies-")
        self.folder = Path(self._kept.name)
        self._plan, self._find = plan, find
        self._zero = on_zero_gpu()
        self._models: dict[str, Model] = {}
        self._generate = with_gpu(self._answer)
        self._endpoints: dict[Role, LocalEndpoint] = {}
        self._calls = self._new_calls()
        self._gathered: defaultdict[object, list[tuple[Job, Hear]]] = defaultdict(list)
        self._gathering = threading.Lock()
        self._running: set[Job] = set()

    def endpoint(self, role: Role) -> LocalEndpoint:
        """Raises KeyError before the models are loaded."""
        return self._endpoints[role]

    def submit(self, job: Job, hear: Hear) -> None:
        """Queue a job; `hear` gets its pieces."""
        together = (ASKED_TOGETHER.get() if self._zero else None) or object()
        with self._gathering:
            calls = self._gathered[together]
            calls.append((job, hear))
            if len(calls) > 1:
                return
        try:
            # ZeroGPU charges the visitor, whom gradio stores in the context.
            self._calls.submit(copy_context().run, self._call, together)
        except RuntimeError:  # it has been shut down
            self._send_away()

    def _call(self, together: object) -> None:
        if self._zero:
            time.sleep(GATHER_SECONDS)
        with self._gathering:
            calls = self._gathered.pop(together, [])
        if not calls:  # rejected in the meantime
            return
        jobs, over = [job for job, _ in calls], set()
        self._running |= set(jobs)
        failure = STOPPED
        try:
            with closing(self._generate(jobs)) as pieces:
                for number, piece in pieces:
                    calls[number][1](piece)
                    if isinstance(piece, ServerError) or piece.finish:
                        over.add(number)
                    left = [job for number, job in enumerate(jobs) if number not in over]
                    if left and all(job.ended for job in left):
                        break
        except Exception as error:
            failure = refusal(error) if self._zero else ServerError(f"The models failed: {error}", "Try again.")
        finally:
            self._running -= set(jobs)
            for number, (job, hear) in enumerate(calls):
                job.stop.unlink(missing_ok=True)
                if number not in over:
                    hear(failure)

    def _answer(self, jobs: Sequence[Job]) -> Pieces:
        yield from generate(self._models, jobs)

    def _live(self) -> None:
        self._calls = self._new_calls()
        try:
            self._load()
        except ArenaError as error:
            if not self._stop.is_set():
                return self._set("failed", str(error))
        if not self._stop.is_set():
            self._set("ready")
            self._stop.wait()
        for job in tuple(self._running):
            job.end()
        self._calls.shutdown(wait=False, cancel_futures=True)
        self._send_away()
        self._models = {}
        return self._set("stopped")

    def _load(self) -> None:
        folders = self._fetched(lambda report: {self._key(role): self._find(role, report) for role in self.roles})
        where = "cuda" if self._zero else device()
        if where != "cuda":
            self._check_memory()
        self._set("loading")
        dtype = cpu_dtype(this_processor()) if where == "cpu" else "bfloat16"
        for key, folder in folders.items():
            if not self._stop.is_set():
                self._models[key] = load(folder, dtype)
        for role in self.roles if not self._stop.is_set() else ():
            spec, key = self._plan.pair.model(role), self._key(role)
            context = context_length(spec, self._plan.profile)
            channel = LocalChannel(self, key, self._models[key].tokenizer, context)
            self._endpoints[role] = LocalEndpoint("", spec.key, channel=channel)

    def _new_calls(self) -> ThreadPoolExecutor:
        at_once = CALLS_AT_ONCE if self._zero else self._plan.profile.streams * len(self.roles)
        return ThreadPoolExecutor(at_once, "in-process")

    def _send_away(self) -> None:
        """Fail all queued jobs."""
        with self._gathering:
            waiting = [hear for calls in self._gathered.values() for _, hear in calls]
            self._gathered.clear()
        for hear in waiting:
            hear(STOPPED)

    def _key(self, role: Role) -> str:
        """The key of the model that serves a side; both sides share one copy if they are the same model."""
        return self._plan.pair.model("base" if self._plan.pair.one_model else role).key

    def _check_memory(self) -> None:
        needed, free = sum(engine.usage.total for engine in self._plan.engines), free_memory()
        if free < needed:
            raise ServerError(
                f"{self.name} need {needed / GIB:.1f} GiB of memory and {free / GIB:.1f} GiB are free.",
                "Close other programs, or set JOURNEY_PAIR to a smaller pair.",
            )

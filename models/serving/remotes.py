"""Several servers of one model at different addresses, used in turn."""

import os
import threading
from itertools import count
from typing import Any

from common.errors import ConfigError, ServerError
from models.chat.endpoint import Endpoint
from models.config.registry import ModelSpec
from models.config.sources import AddressSource
from models.serving.life import Life
from models.serving.remote import RemoteServer
from models.serving.status import Phase, Status

BEST_FIRST: tuple[Phase, ...] = ("ready", "restarting", "loading", "fetching", "waiting", "failed", "stopped")


class RemoteServers(Life):
    """Ready as soon as one of its servers is. Each is watched separately; those that are down are skipped."""

    def __init__(self, name: str, servers: list[RemoteServer]) -> None:
        super().__init__(name)
        self.servers = servers
        self._turn = count()
        self._turn_lock = threading.Lock()

    def start(self) -> None:
        for server in self.servers:
            server.start()

    def stop(self) -> None:
        threads = [threading.Thread(target=server.stop) for server in self.servers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def status(self) -> Status:
        """The status of the server closest to ready, with the restarts of all of them added up."""
        statuses = [server.status() for server in self.servers]
        best = min(statuses, key=lambda status: BEST_FIRST.index(status.phase))
        ready = sum(status.phase == "ready" for status in statuses)
        detail = f"{ready} of {len(statuses)} servers are ready" if 0 < ready < len(statuses) else best.detail
        restarts = sum(status.restarts for status in statuses)
        return Status(best.phase, detail, best.seconds, min(s.down_seconds for s in statuses), restarts)

    @property
    def endpoint(self) -> Endpoint:
        """The next server that is ready. Raises ServerError where none is."""
        ready = [server for server in self.servers if server.status().phase == "ready"]
        if not ready:
            raise ServerError(f"No server of {self.name} is ready.", "Try again in a moment.")
        with self._turn_lock:
            return ready[next(self._turn) % len(ready)].endpoint

    def software(self) -> dict[str, str]:
        """The software the servers report, as {name: version}; different versions of one program are joined."""
        by_program: dict[str, dict[str, None]] = {}
        for server in self.servers:
            for name, version in server.software().items():
                by_program.setdefault(name, {})[version] = None
        return {name: " and ".join(versions) for name, versions in by_program.items()}


def servers_at(spec: ModelSpec, given: AddressSource | None) -> RemoteServer | RemoteServers:
    """The servers of a model at the addresses of `given`, else of its weights. Raises ConfigError without one.

    Where the variable of `given` is not set, weights that are an address count.
    """
    source: Any = given or spec.weights
    if given and isinstance(spec.weights, AddressSource) and not (given.address or _variable(given.address_env)):
        source = spec.weights
    if not isinstance(source, AddressSource):
        raise ConfigError(f"{spec.key} has no address.", "Give one in spaces.yaml.")
    urls = [url.strip() for url in (source.address or _variable(source.address_env)).split(",") if url.strip()]
    if not urls:
        raise ConfigError(
            f"{source.address_env} is not set.",
            f"Set it to the address of the server of {spec.title}, e.g. http://10.0.0.5:8000/v1.",
        )
    model, key = _variable(source.model_env) or source.model, _variable(source.key_env)
    servers = [RemoteServer(spec.title, url, model, key, source.key_env) for url in dict.fromkeys(urls)]
    return servers[0] if len(servers) == 1 else RemoteServers(spec.title, servers)


def _variable(name: str) -> str:
    """An environment variable's value, without the newline it may have from a file; empty if `name` is empty."""
    return os.environ.get(name, "").strip() if name else ""

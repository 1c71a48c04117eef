"""Several servers of one model: taken in turn, passed over while they are down, and asked what they are."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from common.errors import ConfigError, ServerError
from models.config.registry import load_config
from models.config.sources import AddressSource
from models.serving import remote
from models.serving.remote import RemoteServer
from models.serving.remotes import RemoteServers, servers_at

SPEC = load_config().pairs["smol-135m"].base


class Theirs:
    """A server that lists one model and, like vLLM, tells its version."""

    def __init__(self, version: Any = "0.9.1", owner: str | None = "vllm") -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                models = {"data": [{"id": "m", **({"owned_by": owner} if owner else {})}]}
                found = {"/v1/models": models, "/version": None if version is None else {"version": version}}
                body = found.get(self.path)
                self.send_response(200 if body else 404)
                self.end_headers()
                self.wfile.write(json.dumps(body or {}).encode())

            def log_message(self, *_: object) -> None:
                return

        self.handler, self.port = Handler, 0
        server.open()

    def open(self) -> None:
        self.http = ThreadingHTTPServer(("127.0.0.1", self.port), self.handler)
        self.port = self.http.server_port
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


def until(found: Callable[[], Any], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Theirs, Theirs, RemoteServers]]:
    monkeypatch.setattr(remote, "PROBE_EVERY_SECONDS", 0.05)
    first, second = Theirs("0.9.1"), Theirs("0.9.2")
    servers = servers_at(SPEC, AddressSource(address=f"{first.url}, {second.url},{first.url}"))
    assert isinstance(servers, RemoteServers) and len(servers.servers) == 2, "an address given twice is one server"
    servers.start()
    yield first, second, servers
    servers.stop()
    for server in (first, second):
        server.close()


def test_servers_are_taken_in_turn(two: tuple[Theirs, Theirs, RemoteServers]) -> None:
    first, second, servers = two
    until(lambda: all(server.status().phase == "ready" for server in servers.servers))
    urls = [servers.endpoint.url for _ in range(6)]
    assert sorted(urls[:2]) == sorted([first.url, second.url])
    assert urls[:2] * 3 == urls
    assert servers.status().sentence == "ready"
    assert servers.software() == {"vllm": "0.9.1 and 0.9.2"}


def test_one_that_is_down_is_passed_over_until_it_is_back(two: tuple[Theirs, Theirs, RemoteServers]) -> None:
    first, second, servers = two
    until(lambda: all(server.status().phase == "ready" for server in servers.servers))
    first.close()
    until(lambda: servers.servers[0].status().phase != "ready")
    assert {servers.endpoint.url for _ in range(4)} == {second.url}
    assert servers.status().phase == "ready" and servers.status().detail == "1 of 2 servers are ready"
    second.close()
    until(lambda: servers.status().phase == "restarting")
    assert servers.status().down_seconds > 0 and servers.status().restarts == 2
    with pytest.raises(ServerError, match="No server of"):
        _ = servers.endpoint
    for server in (first, second):
        server.open()
    until(lambda: all(server.status().phase == "ready" for server in servers.servers))
    assert servers.status().down_seconds == 0


@pytest.mark.parametrize(
    ("version", "owner", "software"),
    [
        ("0.32.0", "vllm", {"vllm": "0.32.0"}),
        (None, "sglang", {"sglang": "unknown version"}),
        (["x"], None, {"unknown": "unknown version"}),
    ],
)
def test_a_server_says_what_it_is(version: Any, owner: str | None, software: dict[str, str]) -> None:
    theirs = Theirs(version, owner)
    server = RemoteServer("Theirs", theirs.url, "m", "", "")
    assert server.software() == {}
    server.start()
    until(lambda: server.status().phase == "ready")
    assert server.software() == software
    server.stop()
    theirs.close()


def test_an_address_of_the_pair_counts_where_the_profile_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    own = SPEC.model_copy(update={"weights": AddressSource(address="http://own:1/v1")})
    given = AddressSource(address_env="JOURNEY_TEST_URL")
    monkeypatch.delenv("JOURNEY_TEST_URL", raising=False)
    assert servers_at(own, given).url == "http://own:1/v1"
    with pytest.raises(ConfigError, match="JOURNEY_TEST_URL is not set"):
        servers_at(SPEC, given)
    monkeypatch.setenv("JOURNEY_TEST_URL", "http://given:1/v1")
    assert servers_at(own, given).url == "http://given:1/v1"


def test_a_single_address_is_a_single_server() -> None:
    assert isinstance(servers_at(SPEC, AddressSource(address="http://h:1/v1,")), RemoteServer)

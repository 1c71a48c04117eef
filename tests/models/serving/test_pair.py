"""Servers: started, watched, restarted, stopped; nothing outlives the app; one side never disturbs the other."""

import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from common.errors import ConfigError, ServerError, WeightsError
from common.paths import ROOT
from models.chat.client import Message
from models.config import plan
from models.config.machine import Gpu, Processor
from models.config.registry import ROLES, PairSpec, load_config
from models.config.sampling import Sampling
from models.config.sources import AdapterSource, AddressSource
from models.serving import life, remote
from models.serving import pair as served
from models.serving import server as process
from models.serving.clients import client_of
from models.serving.pair import ServedPair
from models.serving.remote import RemoteServer
from models.serving.server import Launch, Server, free_port
from models.serving.status import Status
from models.weights.files import FetchError

CONFIG = load_config()
PRETEND = Path(__file__).with_name("pretend_engine.py")
SECONDS = 60.0


def until(condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """The condition's first true value; fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def pretend(mode: str) -> process.Prepare:
    def prepare(_: Callable[[str], None]) -> Launch:
        port = free_port()
        return Launch([sys.executable, str(PRETEND), str(port), mode], {}, port)

    return prepare


def below(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Server]]:
    monkeypatch.setattr(process, "FIRST_BACKOFF_SECONDS", 0.2)
    made: list[Server] = []

    def build(mode: str) -> Server:
        made.append(Server("Pretend", pretend(mode), tmp_path / "logs" / "pretend.log"))
        return made[-1]

    yield build
    for server in made:
        server.stop()


def test_ready_then_stopped_and_nothing_remains(make: Callable[[str], Server]) -> None:
    server = make("ok")
    assert server.status().sentence.startswith("waiting to start")
    server.start()
    until(lambda: server.status().phase == "ready")
    assert server.url == f"http://127.0.0.1:{server.port}/v1"
    assert server.pid is not None
    processes = below(server.pid)
    assert len(processes) == 3  # watchdog, server, its own child
    server.stop()
    assert server.status().phase == "stopped"
    assert gone(processes)
    server.start()
    until(lambda: server.status().phase == "ready")


def test_stubborn_server_is_killed(make: Callable[[str], Server]) -> None:
    server = make("stubborn")
    server.start()
    until(lambda: server.status().phase == "ready")
    assert server.pid is not None
    processes = below(server.pid)
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < 2 * process.STOP_SECONDS
    until(lambda: gone(processes), 10)


@pytest.mark.parametrize("victim", ["watchdog", "server"])
def test_killed_server_comes_back(make: Callable[[str], Server], victim: str) -> None:
    server = make("ok")
    server.start()
    until(lambda: server.status().phase == "ready")
    first = server.pid
    assert first is not None
    processes = below(first)
    processes[0 if victim == "watchdog" else 1].kill()
    seen = until(lambda: server.status().phase == "restarting" and server.status().sentence)
    assert "restarting in" in seen
    assert "try 2 of 5" in seen
    until(lambda: server.status().phase == "ready" and server.pid != first)
    if victim == "server":
        assert gone(processes)


def test_given_up_after_five_tries_with_the_logs_reason(make: Callable[[str], Server]) -> None:
    server = make("broken")
    server.start()
    until(lambda: server.status().phase == "failed")
    assert "ValueError: the model's config is nonsense" in server.status().detail
    assert server.log.read_text().count("nonsense") == process.TRIES
    with pytest.raises(ServerError, match="nonsense"):
        asyncio.run(served.wait_until_ready(server, 1))


def test_a_full_disk_of_the_logs_names_their_variable(
    make: Callable[[str], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(process, "rotate", fail)
    server = make("ok")
    server.start()
    assert "set JOURNEY_HOME to a folder on a larger disk" in until(
        lambda: server.status().phase == "failed" and server.status().sentence
    )


def test_too_little_memory_while_loading_is_tried_twice(make: Callable[[str], Server]) -> None:
    server = make("memory")
    server.start()
    until(lambda: server.status().phase == "failed")
    assert "not enough memory" in server.status().detail
    assert server.log.read_text().count("CUDA out of memory") == process.COSTLY_TRIES == 2


def test_a_server_that_is_never_ready_is_tried_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "FIRST_BACKOFF_SECONDS", 0.1)
    starts: list[float] = []

    def prepare(_: Callable[[str], None]) -> Launch:
        starts.append(time.monotonic())
        return Launch([sys.executable, "-c", "import time; time.sleep(60)"], {}, free_port())

    server = Server("Slow", prepare, tmp_path / "log", start_seconds=1.0)
    server.start()
    until(lambda: server.status().phase == "failed")
    assert "was not ready after" in server.status().detail and len(starts) == process.COSTLY_TRIES


def test_large_weights_have_longer_to_load() -> None:
    large = ServedPair(CONFIG, CONFIG.pairs["llama-70b-r1"], CONFIG.profiles["a100-4"])._lives["base"]
    assert isinstance(large, Server)
    assert large.start_seconds == 1800 + 2 * 70_553_706_496 / 50e6  # 77 minutes, also where fp8 is made of them


async def test_who_waits_for_a_dead_server_is_told_soon(make: Callable[[str], Server]) -> None:
    server = make("broken")
    server.start()
    until(lambda: server.status().phase == "restarting")
    started = time.monotonic()
    with pytest.raises(ServerError, match=r"Pretend does not answer \((stopped: )?(restarting in|loading|preparing)"):
        await served.wait_until_ready(server, 900, down=0.1)
    assert time.monotonic() - started < 10


async def test_who_waits_for_an_address_that_nobody_listens_at_is_told_soon() -> None:
    server = RemoteServer("Theirs", f"http://127.0.0.1:{free_port()}/v1", "m", "", "")
    server.start()
    with pytest.raises(ServerError, match="Theirs does not answer"):
        await served.wait_until_ready(server, 900, down=0.1)
    server.stop()


def test_an_address_that_never_answers_has_failed_within_seconds_and_may_yet_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote, "PROBE_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(remote, "UNREACHED_SECONDS", 0.3)
    port = free_port()
    server = RemoteServer("Theirs", f"http://127.0.0.1:{port}/v1", "", "secret", "")
    server.start()
    started = time.monotonic()
    with pytest.raises(ServerError, match=r"does not answer \(.*refused.*\)\. It is tried again every"):
        asyncio.run(served.wait_until_ready(server, 900))
    assert time.monotonic() - started < 10
    late = ThreadingHTTPServer(("127.0.0.1", port), Models)
    threading.Thread(target=late.serve_forever, daemon=True).start()
    until(lambda: server.status().phase == "ready")
    late.shutdown()
    late.server_close()
    until(lambda: server.status().phase == "restarting")  # it was there: a run waits for it
    server.stop()


@pytest.mark.parametrize(
    ("status", "phase", "words"),
    [
        (503, "loading", "status 503"),
        (429, "loading", "status 429"),
        (502, "failed", "does not answer (status 502)"),
        (504, "failed", "does not answer (status 504)"),
        (500, "failed", "does not answer (status 500)"),
        (404, "failed", "Give an address that ends in /v1"),
        (302, "failed", "Give an address that ends in /v1"),
        (403, "failed", "refuses the API key"),
    ],
)
def test_what_an_address_answers_instead_of_models(
    status: int, phase: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PROBE_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(remote, "UNREACHED_SECONDS", 0.3)

    class Answers(Models):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    there = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=there.serve_forever, daemon=True).start()
    server = RemoteServer("Theirs", f"http://127.0.0.1:{there.server_port}/v1", "m", "", "")
    server.start()
    time.sleep(0.6)
    until(lambda: server.status().phase == phase and words in server.status().detail, 10)
    server.stop()
    there.shutdown()
    there.server_close()


def test_a_server_that_came_back_is_not_down(make: Callable[[str], Server]) -> None:
    server = make("ok")
    server._set("restarting", down=True)
    server._set("loading")
    time.sleep(0.01)
    assert server.status().down_seconds > 0
    server._set("ready")
    assert server.status().down_seconds == 0


def test_waiting_is_bounded(make: Callable[[str], Server]) -> None:
    with pytest.raises(ServerError, match="not ready yet"):
        asyncio.run(served.wait_until_ready(make("ok"), 0.2))


@pytest.mark.parametrize(
    ("fetching", "loads", "comes"), [(3600, 20, True), (3600, 100, False), (300, 20, False), (0, 20, False)]
)
async def test_fetching_does_not_count_within_bounds(
    fetching: float, loads: float, comes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that fetches for 1000 s and then loads, awaited for 30 s."""
    server, now = Server("Large", pretend("ok"), tmp_path / "log"), [0.0]

    async def tick(_: float) -> None:
        now[0] += 10
        server._set("fetching" if now[0] < 1000 else "loading" if now[0] < 1000 + loads else "ready")

    monkeypatch.setattr(life, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(life, "asyncio", SimpleNamespace(sleep=tick))
    if comes:
        await served.wait_until_ready(server, 30, fetching)
    else:
        with pytest.raises(ServerError, match="not ready yet"):
            await served.wait_until_ready(server, 30, fetching)


async def test_a_run_waits_as_long_as_large_weights_take_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[tuple[float, ...]] = []

    async def wait(_: object, *seconds: float, **options: float) -> None:
        waits.append((*seconds, *options.values()))
        raise ServerError("not ready")

    monkeypatch.setattr(served, "wait_until_ready", wait)
    both = ServedPair(CONFIG, CONFIG.pairs["smol-135m"], CONFIG.profiles["cpu"])
    for given in ((), (5.0,)):
        with pytest.raises(ServerError):
            await both.wait_ready("base", *given)
    loading = process.seconds_to_start(both.pair.base.architecture.weight_bytes())
    assert waits == [(loading, process.FETCH_SECONDS), (5.0, served.DOWN_SECONDS)]


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (Status("loading", "", 20.4), "loading weights, 20 s"),
        (Status("ready", "", 99), "ready"),
        (Status("fetching", "downloading x", 3), "downloading x, 3 s"),
        (Status("restarting", "restarting in 4 s (try 2 of 5)", 1), "stopped: restarting in 4 s (try 2 of 5)"),
        (Status("failed", "no adapter", 1), "failed: no adapter"),
    ],
)
def test_sentences(status: Status, sentence: str) -> None:
    assert status.sentence == sentence


PARENT = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from models.serving.server import Launch, Server, free_port
def prepare(report):
    port = free_port()
    return Launch([sys.executable, {pretend!r}, str(port), "stubborn"], {{}}, port)
server = Server("Pretend", prepare, Path({log!r}))
server.start()
while server.status().phase != "ready":
    time.sleep(0.05)
print(server.pid, flush=True)
time.sleep(600)
"""


def test_nothing_outlives_a_killed_app(tmp_path: Path) -> None:
    code = PARENT.format(root=str(ROOT), pretend=str(PRETEND), log=str(tmp_path / "log"))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        processes = below(int(parent.stdout.readline()))
        assert len(processes) == 3
        parent.send_signal(signal.SIGKILL)
    until(lambda: gone(processes), 30)


WAITING = """
import asyncio, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background inherits it ignored
sys.path.insert(0, {root!r})
from models.serving.pair import wait_in_thread
class Loading:
    async def wait_ready(self, role, timeout):
        print("waiting", flush=True)
        await asyncio.sleep(300)
wait_in_thread(Loading(), "base")
"""


def test_ctrl_c_is_not_held_back_while_models_load() -> None:
    code, pipe = WAITING.format(root=str(ROOT)), subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdout=pipe, stderr=pipe, text=True) as command:
        try:
            assert command.stdout is not None
            assert command.stdout.readline() == "waiting\n"
            command.send_signal(signal.SIGINT)
            assert "KeyboardInterrupt" in command.communicate(timeout=20)[1]
        finally:
            command.kill()


LAUNCHER = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, *sys.argv[1:]]))"
"""Starts the interpreter as its child, as python.exe of an environment does on Windows."""


def test_a_command_whose_watchdog_is_not_the_apps_own_child_runs_to_its_end() -> None:
    command = [sys.executable, "-c", "import time; time.sleep(1); print('done')"]
    watchdog = [sys.executable, "-c", LAUNCHER, str(process.WATCHDOG), str(os.getpid()), *command]
    ended = subprocess.run(watchdog, capture_output=True, text=True, timeout=SECONDS)
    assert (ended.returncode, ended.stdout) == (0, "done\n")


def test_such_a_command_ends_with_the_app() -> None:
    start = (
        "import os, subprocess, sys; "
        f"subprocess.Popen([sys.executable, '-c', {LAUNCHER!r}, {str(process.WATCHDOG)!r}, str(os.getpid()), "
        "sys.executable, '-c', 'import time; time.sleep(300)']).wait()"
    )
    with subprocess.Popen([sys.executable, "-c", start]) as app:
        processes = until(lambda: len(found := below(app.pid)) == 4 and found)  # app, launcher, watchdog, command
        app.kill()
    until(lambda: gone(processes[2:]), 20)


def local_pair(base: AddressSource, distilled: Any) -> PairSpec:
    pair = CONFIG.pairs["smol-135m"]
    sides = {"base": base, "distilled": distilled}
    return pair.model_copy(
        update={role: pair.model(role).model_copy(update={"weights": sides[role]}) for role in ROLES}
    )


class Models(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        allowed = self.headers.get("Authorization") == "Bearer secret"
        body = json.dumps({"data": [{"id": "their-model"}]} if allowed else {}).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Models)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.mark.parametrize(
    ("model", "key", "phase", "words"),
    [
        ("", "secret", "ready", ""),
        ("their-model", "secret", "ready", ""),
        ("other", "secret", "failed", "it has: their-model"),
        ("", "wrong", "failed", "Set MY_KEY"),
    ],
)
def test_address(address: str, model: str, key: str, phase: str, words: str) -> None:
    server = RemoteServer("Theirs", address, model, key, "MY_KEY")
    server.start()
    until(lambda: server.status().phase == phase)
    assert words in server.status().detail
    assert phase == "failed" or server.model == "their-model"
    server.stop()
    assert server.status().phase == "stopped"


def test_address_out_of_reach_is_waited_for() -> None:
    server = RemoteServer("Theirs", f"http://127.0.0.1:{free_port()}/v1", "m", "", "")
    server.start()
    until(lambda: "waiting for" in server.status().detail and "refused" in server.status().detail)
    server.stop()


@pytest.mark.parametrize(
    ("url", "key", "words"),
    [
        ("http://host:abc/v1", "", "http://host:abc/v1 is not an address. Write it like http://host:8000/v1."),
        ("http://[::1/v1", "", "http://[::1/v1 is not an address"),
        ("host:8000/v1", "", "host:8000/v1 is not an address"),
        ("http://127.0.0.1:9/v1", "schlüssel", "Check the key"),
        ("http://127.0.0.1:9/v1", "two\nlines", "Check the key"),
    ],
)
def test_a_slip_in_address_or_key_is_named(url: str, key: str, words: str) -> None:
    server = RemoteServer("Theirs", url, "m", key, "MY_KEY")
    server.start()
    until(lambda: server.status().phase == "failed")
    assert words in server.status().detail
    assert not key or key not in server.status().detail
    assert server._thread is not None and server._thread.is_alive(), "it goes on looking"
    server.stop()


def test_no_proxy_is_asked_for_an_address_on_this_machine(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    server = RemoteServer("Theirs", address, "", "secret", "MY_KEY")
    server.start()
    until(lambda: server.status().phase == "ready")
    server.stop()


def test_remote_profile_reads_the_environment(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pair, profile = CONFIG.pairs["qwen2.5-72b"], CONFIG.profiles["remote"]
    monkeypatch.delenv("JOURNEY_BASE_URL", raising=False)
    with pytest.raises(Exception, match="JOURNEY_BASE_URL is not set"):
        ServedPair(CONFIG, pair, profile)
    for side in ("BASE", "DISTILLED"):
        monkeypatch.setenv(f"JOURNEY_{side}_URL", f" {address}\n")  # as read from a file
        monkeypatch.setenv(f"JOURNEY_{side}_KEY", "secret\n")
    both = ServedPair(CONFIG, pair, profile)
    both.start()
    try:
        endpoint = asyncio.run(both.wait_ready("distilled", 30))
        assert (endpoint.url, endpoint.model, endpoint.api_key) == (address, "their-model", "secret")
        assert both.weight_hash("distilled") == ""
    finally:
        both.stop()


def test_one_side_failing_leaves_the_other(address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    monkeypatch.setenv("THEIR_KEY", "secret")
    base = AddressSource(address=address, key_env="THEIR_KEY")
    pair = local_pair(base, AdapterSource(adapter="models/adapters/none"))
    both = ServedPair(CONFIG, pair, CONFIG.profiles["cpu"])
    both.start()
    try:
        asyncio.run(both.wait_ready("base", 30))
        until(lambda: both.status("distilled").phase == "failed")
        assert "adapter" in both.status("distilled").sentence
        assert both.status("base").phase == "ready"
        with pytest.raises(ServerError, match="not ready"):
            both.endpoint("distilled")
    finally:
        both.stop()


def test_one_side_can_be_served_alone(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THEIR_KEY", "secret")
    base = AddressSource(address=address, key_env="THEIR_KEY")
    pair = local_pair(base, AdapterSource(adapter="models/adapters/none"))
    both = ServedPair(CONFIG, pair, CONFIG.profiles["cpu"], roles=("base",))
    both.start()
    try:
        asyncio.run(both.wait_ready("base", 30))
        assert both.plan.roles == ("base",)
    finally:
        both.stop()


@pytest.mark.parametrize("profile", ["cpu", "l4"])
def test_a_pair_that_does_not_fit_names_the_profile_that_carries_it(profile: str) -> None:
    with pytest.raises(ConfigError, match=r"nearest possible plan: profile l40s-4"):
        ServedPair(CONFIG, CONFIG.pairs["qwen2.5-72b"], CONFIG.profiles[profile])


def test_too_little_memory_is_said_before_starting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    found = SimpleNamespace(weights=tmp_path, adapter=None, hash=lambda _: "hash")
    monkeypatch.setattr(served, "find_served", lambda *_: found)
    monkeypatch.setattr(served, "free_memory", lambda: 2**30)
    monkeypatch.setattr(plan, "this_processor", lambda: Processor((0, 1), bf16=True))
    both = ServedPair(CONFIG, CONFIG.pairs["smol-135m"], CONFIG.profiles["cpu"])
    both.start()
    try:
        until(lambda: both.status("base").phase == "restarting")
        assert "needs 3.4 GiB of memory and 1.0 GiB are free" in both.status("base").sentence
        assert not (tmp_path / "logs" / "base.log").exists()
    finally:
        both.stop()


@pytest.mark.parametrize(("left", "fits"), [(3.5, True), (1.0, False)])
def test_what_a_loading_server_holds_already_is_not_taken_twice(
    left: float, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first loads its 3.4 GiB, 4.0 are free; once it is up, what is `left` decides."""
    free = [4 * 2**30]
    monkeypatch.setattr(served, "free_memory", lambda: free[0])
    monkeypatch.setattr(served, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(plan, "this_processor", lambda: Processor((0, 1), bf16=True))
    both = ServedPair(CONFIG, CONFIG.pairs["smol-135m"], CONFIG.profiles["cpu"])
    first, second = both.plan.engines
    both._lives["base"]._set("loading")
    told: list[str] = []

    def tell(sentence: str) -> None:
        told.append(sentence)
        if len(told) == 3:
            free[0] = int(left * 2**30)
            both._lives["base"]._set("ready")

    both._lives["distilled"]._set("fetching")
    both._await_memory(first, tell)
    assert not told, "the first waits for none that only fetches"
    if fits:
        both._await_memory(second, tell)
    else:
        with pytest.raises(ServerError, match=r"3\.4 GiB of memory and 1\.0 GiB are free"):
            both._await_memory(second, tell)
    assert len(told) == 3
    assert "waiting for SmolLM2" in told[0]


def test_a_weights_error_is_final(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(_: Callable[[str], None]) -> Launch:
        raise WeightsError("no weights", "Get some.")

    server = Server("Weightless", refuse, tmp_path / "log")
    server.start()
    until(lambda: server.status().phase == "failed")
    assert server.status().sentence == "failed: no weights Get some."


def test_the_memory_of_the_gpu_is_looked_at_when_a_server_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    monkeypatch.setattr(served, "check_machine", lambda _: None)
    monkeypatch.setattr(served, "engine_python", lambda _: "python")
    found = SimpleNamespace(weights=tmp_path, adapter=None, hash=lambda _: "hash")
    monkeypatch.setattr(served, "find_served", lambda *_: found)
    monkeypatch.setattr(served, "visible_gpus", lambda: [Gpu("L4", 22.5, 8.9, free_gib=3.0)])
    both = ServedPair(CONFIG, CONFIG.pairs["smol-135m"], CONFIG.profiles["l4"])
    with pytest.raises(ServerError, match=r"base takes 10\.3 GiB of L4, and 3\.0 of its 22\.5 GiB are free"):
        both._prepare(both.plan.engines[0], lambda _: None)


@pytest.mark.parametrize(("faults", "phase"), [(1, "ready"), (life.TRIES - 1, "ready"), (life.TRIES, "failed")])
def test_a_download_that_breaks_off_is_tried_again(
    faults: int, phase: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(life, "LONGEST_BACKOFF_SECONDS", 0.05)
    asked: list[str] = []

    def prepare(report: Callable[[str], None]) -> Launch:
        asked.append("again")
        if len(asked) <= faults:
            raise FetchError("The download broke off.", "Check the network.", temporary=True)
        return pretend("ok")(report)

    server = Server("Pretend", prepare, tmp_path / "log")
    server.start()
    try:
        until(lambda: server.status().phase == phase)
        assert len(asked) == min(faults + 1, life.TRIES)
        assert phase == "ready" or server.status().sentence == "failed: The download broke off. Check the network."
    finally:
        server.stop()


def test_who_waits_for_a_download_sees_when_it_is_tried_again_and_can_stop_it(tmp_path: Path) -> None:
    def prepare(_: Callable[[str], None]) -> Launch:
        raise FetchError("The hub could not be reached.", "Check the network.", temporary=True)

    server = Server("Pretend", prepare, tmp_path / "log")
    server.start()
    until(lambda: server.status().phase == "restarting")
    words = server.status().sentence
    assert "restarting in" in words and "(try 2 of 5. The hub could not be reached. Check the network.)" in words
    began = time.monotonic()
    server.stop()
    assert server.status().phase == "stopped" and time.monotonic() - began < 10


@pytest.mark.parametrize("error", [WeightsError("gated"), FetchError("gated"), ConfigError("not set")])
def test_what_cannot_be_fetched_is_asked_for_once(error: Exception, tmp_path: Path) -> None:
    asked: list[str] = []

    def prepare(_: Callable[[str], None]) -> Launch:
        asked.append("once")
        raise error

    server = Server("Pretend", prepare, tmp_path / "log")
    server.start()
    until(lambda: server.status().phase == "failed")
    assert asked == ["once"]


@pytest.mark.engine
def test_both_models_answer_side_by_side(served_pair: ServedPair) -> None:
    async def ask(role: Any) -> str:
        async with await client_of(served_pair, role) as client:
            reply = await client.complete([Message("user", "What is 2+2?")], Sampling(max_tokens=64))
        assert reply.finish_reason in ("stop", "length"), reply.error
        return reply.raw

    async def ask_both() -> list[str]:
        return await asyncio.gather(*(ask(role) for role in ROLES))

    base, distilled = asyncio.run(ask_both())
    assert "4" in base
    assert distilled
    hashes = {served_pair.weight_hash(role) for role in ROLES}
    assert len(hashes) == 2
    assert all(len(digest) == 64 for digest in hashes)


ENGINE_PARENT = """
import sys, time
sys.path.insert(0, {root!r})
from models.config.registry import load_config
from models.serving.pair import ServedPair
config = load_config()
both = ServedPair(config, config.pairs["smol-135m"], config.profiles["cpu"])
both._lives["base"].start()
while (pid := both._lives["base"].pid) is None:
    time.sleep(0.05)
print(pid, flush=True)
time.sleep(600)
"""


def with_engine_core(watchdog: int) -> list[psutil.Process]:
    """All processes of a server once its engine core, a process of its own, is among them; until then none."""
    processes = below(watchdog)
    return processes if len(processes) > 3 else []  # watchdog, API server, its resource tracker, engine core


@pytest.mark.engine
def test_no_part_of_a_real_engine_outlives_a_killed_app(tmp_path: Path) -> None:
    environment = {**os.environ, "JOURNEY_HOME": str(tmp_path)}
    code = ENGINE_PARENT.format(root=str(ROOT))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        try:
            assert parent.stdout is not None
            watchdog = int(parent.stdout.readline())
            processes = until(lambda: with_engine_core(watchdog), 400)
        finally:
            parent.kill()
    until(lambda: gone(processes), 30)

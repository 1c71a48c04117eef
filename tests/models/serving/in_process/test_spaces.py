"""The real package `spaces`, with its processes of its own, against an address that lends GPUs as ZeroGPU's does."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

LENT = 5
"""GPUs are lent this often; then the quota is used up."""
SECONDS = 240


@pytest.fixture
def lender() -> Iterator[tuple[str, list[tuple[str, dict[str, str]]]]]:
    """An address that lends GPUs, and what it was asked."""
    asked: list[tuple[str, dict[str, str]]] = []

    class Lender(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            address = urlsplit(self.path)
            asked.append((address.path, {name: values[0] for name, values in parse_qs(address.query).items()}))
            number = sum(path == "/schedule" for path, _ in asked)
            answer: dict[str, Any] = {}
            if address.path == "/schedule":
                lent = {"idle": number > 1, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": f"call-{number}"}
                answer = lent if number <= LENT else {"left": 3, "wait": 600}
            body = json.dumps(answer).encode()
            self.send_response(200 if number <= LENT or not answer else 429)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing on the screen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Lender)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_replies_come_from_processes_that_spaces_forks(
    lender: tuple[str, list[tuple[str, dict[str, str]]]], tmp_path: Path
) -> None:
    url, asked = lender
    cgroup = tmp_path / "cgroup"
    cgroup.write_text("0::/pretended\n")
    zero = {"SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": url, "ZEROGPU_PROC_SELF_CGROUP_PATH": str(cgroup)}
    # GNU's OpenMP does not survive a fork after it has run in several threads. On ZeroGPU nothing is computed before.
    environment = {**os.environ, **zero, "OMP_NUM_THREADS": "1"}
    program = [sys.executable, "-m", "tests.models.serving.in_process.on_spaces", str(tmp_path), str(tmp_path / "pids")]
    ran = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])

    base, distilled = told["first"]
    assert base["tokens"] == distilled["tokens"] == 40 and base["raw"] != distilled["raw"]
    assert told["second"] == told["first"] == told["after"]

    ended, other = told["stopped"]
    assert ended["finish"] == "stopped" and ended["tokens"] < 400
    assert other == distilled, "the other side wrote on"

    (lost,) = told["taken"]
    assert lost["finish"] == "failed" and lost["raw"], "what was said is kept"
    assert lost["error"].startswith("ZeroGPU took its GPU back before the reply was complete: GPU task aborted.")
    for reply in told["refused"]:
        assert reply["finish"] == "failed" and "gives you no more GPU time now" in reply["error"]

    calls = told["calls"]
    assert len(calls) == LENT and told["here"] not in calls
    assert calls[0] == calls[1] == calls[2] == calls[3], "a process that is idle answers the next call"
    assert calls[4] != calls[3], "one that was killed does not"
    assert sum(path == "/startup-report" for path, _ in asked) == 1, "before the page is up, or no GPU is ever lent"
    seconds = [int(query["durationSeconds"]) for path, query in asked if path == "/schedule"]
    assert seconds == [17, 17, 35, 35, 17, 17]
    released = [query for path, query in asked if path == "/release"]
    assert [query["fail"] for query in released] == ["false", "false", "false", "true", "false"]

"""The folder of a Space, started as a Space starts it: by a user without rights, from code that cannot be written."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from models.serving.server import free_port
from tests.models.deployment.test_space import write

USER = 1000
START_SECONDS, STOP_SECONDS = 180.0, 60.0
# Reads what root alone may read, such as a Python below /root, but writes nothing that this user may not write.
AS_USER = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
AS_USER += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can enter, unlike pytest's own."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def contents(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@contextmanager
def started(space: Path, home: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """app.py in the environment of a Space; ended in a bounded time."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    environment = kept | {
        "HOME": str(home),
        "SPACE_ID": "me/arena",
        "JOURNEY_PROFILE": "remote",
        "JOURNEY_PAIR": "smol-135m",
        "JOURNEY_OWNER_KEY": "secret",
        "JOURNEY_BASE_URL": "http://127.0.0.1:9/v1",
        "JOURNEY_DISTILLED_URL": "http://127.0.0.1:9/v1",
        "GRADIO_SERVER_PORT": str(port),
    }
    with (home / "log").open("wb") as log:
        command = [*AS_USER, sys.executable, "app.py"]
        running = subprocess.Popen(
            command, cwd=space, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield running
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait(STOP_SECONDS)


def page(url: str, running: "subprocess.Popen[bytes]", log: Path) -> httpx.Response:
    """What is served there, once something is."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and running.poll() is None:
        try:
            return httpx.get(url, timeout=30.0, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(log.read_text()[-3000:])


@pytest.mark.engine  # as slow as the tests with servers: a page of its own
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs util-linux")
def test_a_space_for_addresses_starts_without_rights_from_read_only_code(folder: Path) -> None:
    space, home, port = folder / "space", folder / "home", free_port()
    write("remote", "gradio", space)
    for path in (space, *space.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    home.mkdir()
    os.chown(home, USER, USER)
    before = contents(space)
    with started(space, home, port) as running:
        answer = page(f"http://127.0.0.1:{port}/", running, home / "log")
        assert answer.status_code == 200 and "Journey Arena" in answer.text
        votes = home / "journey-arena" / "data" / "votes.duckdb"
        assert votes.stat().st_uid == USER
        assert contents(space) == before
        running.send_signal(signal.SIGTERM)
        assert running.wait(STOP_SECONDS) == 0, (home / "log").read_text()[-3000:]

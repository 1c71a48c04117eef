"""How long it takes until the page is there and the models answer, and the memory they hold."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil

from bench.context import Bench
from bench.report import Measure, Section
from common.paths import ROOT

PAGE_SECONDS = 300.0


def run(bench: Bench) -> Section:
    page_seconds, page_gib = measure_page()
    bench.served()
    measures = [
        Measure("page answers", page_seconds, "s"),
        Measure("app process, memory", page_gib, "GiB"),
        *(Measure(f"{role} model answers", seconds, "s") for role, seconds in bench.ready_seconds.items()),
        Measure("both model servers, memory", bench.server_gib, "GiB"),
    ]
    how = "Both models start side by side with their weights on disk. Memory is resident, shared pages counted in each."
    return Section("Start-up and memory", measures, [how, *bench.notes])


def measure_page() -> tuple[float, float]:
    """Seconds until `app.py` answers on its port, and its resident memory at that point in GiB, without its servers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "stderr").open("w+") as log:
        environment = os.environ | {"JOURNEY_HOME": folder}
        begun = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "app.py", "--port", str(port)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            if not page_answers(f"http://127.0.0.1:{port}/", process, begun):
                log.seek(0)
                raise RuntimeError(f"app.py gave no page within {PAGE_SECONDS:.0f} s: {log.read()[-1000:]}")
            return time.perf_counter() - begun, psutil.Process(process.pid).memory_info().rss / 2**30
        finally:
            process.terminate()
            process.wait(60)


def page_answers(url: str, process: "subprocess.Popen[bytes]", begun: float) -> bool:
    while time.perf_counter() - begun < PAGE_SECONDS and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, timeout=5, trust_env=False).status_code == 200:
                return True
        time.sleep(0.05)
    return False

"""A chat service that follows a script, and a verifier that needs no worker processes."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from eval.grading.extraction import extract
from eval.grading.grader import GradeItem
from eval.records import Grade, Problem
from traces.keeping.keep import Verifier
from traces.problems.numeric import same_number


@dataclass
class Turn:
    """One answer of the scripted service."""

    text: str = ""
    reasoning: str = ""
    finish_reason: str = "stop"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    raw: bytes | None = None
    """Sent as the body instead of a proper reply."""
    tokens: int = 50

    def body(self) -> bytes:
        if self.raw is not None:
            return self.raw
        if self.status != 200:
            return json.dumps({"error": {"message": f"scripted {self.status}"}}).encode()
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        usage = {"prompt_tokens": 10, "completion_tokens": self.tokens, "total_tokens": 10 + self.tokens}
        reply = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }
        return json.dumps({**reply, "usage": usage}).encode()


Script = Callable[[int, dict[str, Any]], Turn]
"""(number of the request from 0, its body) → what to answer."""


class Service:
    """Counts what it was asked, and how many at once."""

    def __init__(self, script: Script) -> None:
        self.requests: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with service._lock:
                    number = len(service.requests)
                    service.requests.append(body)
                    service.times.append(time.monotonic())
                    service._at_once += 1
                    service.most_at_once = max(service.most_at_once, service._at_once)
                turn = script(number, body)
                time.sleep(turn.delay)
                with service._lock:
                    service._at_once -= 1
                try:
                    self.send_response(turn.status)
                    self.send_header("content-type", "application/json")
                    for name, value in turn.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(turn.body())
                except OSError:
                    pass

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def user_text(self, number: int) -> str:
        return str(self.requests[number]["messages"][-1]["content"])


@pytest.fixture
def serve() -> Iterator[Callable[[Script], Service]]:
    """Starts scripted services; all are closed afterwards."""
    services: list[Service] = []

    def start(script: Script) -> Service:
        services.append(Service(script))
        return services[-1]

    yield start
    for service in services:
        service.server.shutdown()
        service.server.server_close()


@pytest.fixture
def turn() -> type[Turn]:
    return Turn


class PlainGrader:
    """Grades by number alone, in this process."""

    def grade_many(self, items: Iterable[GradeItem], progress: object = None) -> Iterator[Grade]:
        for item in items:
            found = extract(item.answer_text)
            same = same_number(found.answer, item.gold)
            outcome = "no_answer" if found.method == "none" else "correct" if same else "wrong"
            yield Grade(outcome, found.method, found.answer)  # type: ignore[arg-type]


@pytest.fixture
def verifier() -> Verifier:
    return Verifier(PlainGrader())  # type: ignore[arg-type]


@pytest.fixture
def problems() -> list[Problem]:
    """Ten sums: problem i asks for i + 20."""
    return [Problem(f"sums/{i}", f"What is {i} plus 20?", str(i + 20), "sums") for i in range(10)]

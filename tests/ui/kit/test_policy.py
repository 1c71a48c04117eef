"""Headers on every answer, and limits on uploads."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from ui.kit.policy import HOUR, LARGEST_UPLOAD, UPLOADS_AN_HOUR, PagePolicy


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> TestClient:
    return TestClient(PagePolicy(application, clock))


@pytest.mark.parametrize("path", ["/", "/gradio_api/file=x.html", "/gradio_api/process_recording"])
def test_every_answer_names_what_may_be_loaded(client: TestClient, path: str) -> None:
    policy = client.get(path).headers["content-security-policy"]
    assert "default-src 'self'" in policy and "http" not in policy and "*" not in policy


def test_recordings_are_not_taken(client: TestClient) -> None:
    assert client.post("/gradio_api/process_recording", content=b"x").status_code == 404


def test_a_large_upload_and_one_of_unknown_length_are_refused(client: TestClient) -> None:
    assert client.post("/gradio_api/upload", headers={"content-length": str(2 * LARGEST_UPLOAD)}).status_code == 413
    assert client.post("/gradio_api/upload", content=iter([b"x"])).status_code == 411


def test_a_visitor_may_upload_so_much_an_hour_and_no_other_pays_for_it(client: TestClient, clock: Clock) -> None:
    def upload(address: str) -> int:
        other = TestClient(client.app, client=(address, 1))
        return other.post("/gradio_api/upload", content=b"x").status_code

    assert {upload("10.0.0.1") for _ in range(UPLOADS_AN_HOUR)} == {200}
    assert upload("10.0.0.1") == 429
    assert upload("10.0.0.2") == 200
    clock.now += HOUR + 1
    assert upload("10.0.0.1") == 200

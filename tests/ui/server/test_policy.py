"""Headers on every answer, and limits on uploads."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from ui.server.policy import HOUR, KEPT_SECONDS, LARGEST_BODY, LARGEST_UPLOAD, UPLOADS_AN_HOUR, PagePolicy


async def application(scope: Any, receive: Any, send: Any) -> None:
    body = (await receive()).get("body", b"")
    answer = json.dumps([UPLOADED]).encode() if scope["path"].endswith("upload") else body or b"ok"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer[:5], "more_body": True})
    await send({"type": "http.response.body", "body": answer[5:]})


UPLOADED = "/tmp/gradio/0123abcd/outputs.jsonl"


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


def of(client: TestClient, address: str) -> TestClient:
    return TestClient(client.app, client=(address, 1))


@pytest.mark.parametrize(
    "path",
    [
        UPLOADED,
        "/tmp/gradio/../gradio/0123abcd/outputs.jsonl",
        "/tmp//gradio/./0123abcd/outputs.jsonl",
        UPLOADED + "/",
        "/tmp/gradio" + "/." * 3000 + "/0123abcd/outputs.jsonl",
        "/tmp" + "/gradio/.." * 500 + "/gradio/0123abcd/outputs.jsonl",
    ],
)
@pytest.mark.parametrize("event", ["queue/join", "run/load", "api/load/", "call/load", "call/v2/load"])
def test_an_upload_is_its_makers_alone(client: TestClient, path: str, event: str) -> None:
    mine, other = of(client, "10.0.0.1"), of(client, "10.0.0.2")
    assert mine.post("/gradio_api/upload", content=b"x").json() == [UPLOADED]
    body = json.dumps({"data": [{"path": path, "meta": {"_type": "gradio.FileData"}}], "fn_index": 1})
    escaped = body.replace("/", "\\/").replace("gradio", "\\u0067radio")
    assert mine.post(f"/gradio_api/{event}", content=body).text == body, "the app reads what was sent"
    for content in (body, escaped):
        refused = other.post(f"/gradio_api/{event}", content=content)
        assert refused.status_code == 403 and "somebody else" in refused.text
    assert other.post(f"/gradio_api/{event}", content=body.replace("0123", "4567")).status_code == 200
    assert [who.get(f"/gradio_api/file={path}").status_code for who in (mine, other)] == [200, 404]
    assert other.get(f"/gradio_api/file/{path}").status_code == 404
    assert other.post("/gradio_api/upload", content=b"x").json() == [UPLOADED]
    assert other.post(f"/gradio_api/{event}", content=body).status_code == 200, "who brings the same file has it too"


def test_neighbours_of_one_ipv6_network_are_one_visitor(client: TestClient) -> None:
    of(client, "2001:db8::1").post("/gradio_api/upload", content=b"x")
    assert of(client, "2001:db8::2").get(f"/gradio_api/file={UPLOADED}").status_code == 200
    assert of(client, "2001:db8:1::1").get(f"/gradio_api/file={UPLOADED}").status_code == 404


def test_owners_are_forgotten_after_the_files(client: TestClient, clock: Clock) -> None:
    of(client, "10.0.0.1").post("/gradio_api/upload", content=b"x")
    clock.now += KEPT_SECONDS + 1
    client.app._note(b"[]", "10.0.0.1")  # type: ignore[attr-defined]
    assert not client.app._owners  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "path", ["file=http://127.0.0.1:9/x.png", "file=HTTPS://x.y/z", "proxy=http://x.y", "vibe-edit/"]
)
def test_no_address_is_fetched_through_the_server(client: TestClient, path: str) -> None:
    assert client.get(f"/gradio_api/{path}").status_code == 404


@pytest.mark.parametrize(
    ("content", "status"), [(b"x" * (LARGEST_BODY + 1), 413), (b"{", 400), (b"[" * 100_000, 400), (b"\xff", 400)]
)
def test_an_event_that_no_page_sends_is_refused(client: TestClient, content: bytes, status: int) -> None:
    client.post("/gradio_api/upload", content=b"x")
    assert client.post("/gradio_api/queue/join", content=content).status_code == status


def test_no_other_request_may_be_of_any_size(client: TestClient) -> None:
    client.post("/gradio_api/upload", content=b"x")
    for path in ("/gradio_api/reset", "/gradio_api/cancel", "/login", "/anything"):
        assert client.post(path, content=b"x" * (LARGEST_BODY + 1)).status_code == 413
        assert client.post(path, content=b"user=1").content == b"user=1"


@pytest.mark.parametrize(
    ("sent", "read"), [(r"a\ud800", "a\ufffd"), (r"\udc00b", "\ufffdb"), (r"\ud83d\ude00", "😀"), (r"\u00e9", "é")]
)
def test_half_characters_in_an_event_are_replaced(client: TestClient, sent: str, read: str) -> None:
    answer = client.post("/gradio_api/queue/join", content=f'{{"data": ["{sent}"]}}'.encode())
    assert json.loads(answer.content) == {"data": [read]}

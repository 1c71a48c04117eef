"""The login of a Space: gradio's own session cookie, signed by the server, says who somebody is."""

import base64
import hashlib
import json
import time
from collections.abc import Iterator

import gradio as gr
import httpx
import pytest
from gradio import oauth

from ui.kit.owner import can_sign_in, is_owner
from ui.services import session_of, signed_in

itsdangerous = pytest.importorskip("itsdangerous")
pytest.importorskip("authlib")


def cookie_for(name: str, secret: str = "secret") -> str:
    info = {"userinfo": {"preferred_username": name, "sub": "1"}, "expires_at": time.time() + 3600}
    data = base64.b64encode(json.dumps({"oauth_info": info}).encode())
    key = hashlib.sha256(f"{secret}-v4".encode()).hexdigest()
    return str(itsdangerous.TimestampSigner(key).sign(data).decode())


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Space with a login, whose owner is Ada and whose page says who asks."""
    environment = {"SPACE_ID": "me/space", "SYSTEM": "spaces", "JOURNEY_OWNER": "ada", "JOURNEY_OWNER_KEY": ""}
    settings = {
        "OAUTH_CLIENT_ID": "id",
        "OAUTH_CLIENT_SECRET": "secret",
        "OAUTH_SCOPES": "openid profile",
        "OPENID_PROVIDER_URL": "https://hub.invalid",
    }
    for name, value in (environment | settings).items():
        monkeypatch.setenv(name, value)
    for name, value in settings.items():
        monkeypatch.setattr(oauth, name, value)

    def who(request: gr.Request) -> str:
        return f"{signed_in(session_of(request))} {is_owner('')}"

    with gr.Blocks() as app:
        assert can_sign_in()
        gr.LoginButton()
        gr.Button().click(who, None, gr.Textbox(), api_name="who")
    _, url, _ = app.queue().launch(prevent_thread_lock=True, quiet=True, _frontend=False, ssr_mode=False)
    yield url
    app.close()


def test_the_cookie_says_who_asks_and_cannot_be_forged(url: str) -> None:
    def who(cookie: str) -> str:
        asked = {"headers": {"cookie": f"session={cookie}"} if cookie else {}, "trust_env": False, "timeout": 60}
        event = httpx.post(f"{url}gradio_api/call/who", json={"data": []}, **asked).json()["event_id"]  # type: ignore[arg-type]
        said = httpx.get(f"{url}gradio_api/call/who/{event}", **asked).text  # type: ignore[arg-type]
        return str(json.loads(said.split("data: ")[1].split("\n")[0])[0])

    assert who("") == " False"
    assert who(cookie_for("Ada")) == "Ada True"
    assert who(cookie_for("eve")) == "eve False"
    assert who(cookie_for("Ada", secret="a guess")) == " False"
    assert who(cookie_for("eve").replace("eve", "Ada")[:-1] + "x") == " False"

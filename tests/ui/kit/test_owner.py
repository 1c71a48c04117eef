"""The owner is known by name or key, and keys cannot be guessed; numbers are for the owner and this machine."""

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.context import LocalContext

from common.errors import ConfigError
from tests.votes.helpers import Clock
from ui.kit import owner
from ui.kit.owner import can_sign_in, is_owner, needs_key, require_owner
from ui.metrics import refuse
from ui.services import Services, signed_in
from votes.casting.limits import RateLimiter
from votes.errors import TooOften


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A Space with a key and an owner, and no tries so far."""
    clock = Clock()
    monkeypatch.setattr(owner, "_tries", RateLimiter(owner.TRIES, clock))
    for name, value in (("SPACE_ID", "me/space"), ("JOURNEY_OWNER_KEY", "s3cret"), ("JOURNEY_OWNER", "Ada, grace")):
        monkeypatch.setenv(name, value)
    return clock


def session_for(name: str, expires_at: float | None = None) -> dict[str, Any]:
    return {"oauth_info": {"userinfo": {"preferred_username": name, "sub": "1"}, "expires_at": expires_at}}


def request_from(address: str = "192.0.2.1", session: dict[str, Any] | None = None) -> gr.Request:
    scope = {} if session is None else {"session": session}
    raw = SimpleNamespace(scope=scope, client=SimpleNamespace(host=address), headers={"x-forwarded-for": address})
    return gr.Request(request=raw)  # type: ignore[arg-type]


@pytest.fixture
def asking() -> Iterator[Any]:
    """Sets who asks from now on."""
    tokens = []
    yield lambda *given: tokens.append(LocalContext.request.set(request_from(*given)))
    LocalContext.request.set(None)


@pytest.mark.parametrize(
    ("session", "name"),
    [
        (session_for("Ada"), "Ada"),
        (session_for("ada", time.time() + 24 * 3600), "ada"),
        (session_for("ada", time.time() - 60), ""),
        ({}, ""),
        (None, ""),
        ({"oauth_info": {}}, ""),
        ({"other": 1}, ""),
    ],
)
def test_a_session_has_a_name_until_it_expires(session: Any, name: str) -> None:
    assert signed_in(session) == name


@pytest.mark.parametrize("name", ["Ada", "ada", "GRACE"])
def test_the_owner_is_known_by_name(asking: Any, name: str) -> None:
    asking("192.0.2.1", session_for(name))
    require_owner("")
    assert is_owner("")


@pytest.mark.parametrize("name", ["", "adam", "a", "ada, grace", ","])
def test_nobody_else_is(asking: Any, name: str) -> None:
    asking("192.0.2.1", session_for(name))
    assert not is_owner("")
    with pytest.raises(ConfigError, match="Only the owner"):
        require_owner("")


def test_no_name_is_the_owner_where_none_is_set(asking: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_OWNER", "")
    asking("192.0.2.1", session_for(""))
    assert not is_owner("")


def test_a_name_will_do_where_no_key_is_set(asking: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_OWNER_KEY", "")
    asking("192.0.2.1", session_for("ada"))
    require_owner("")
    asking("192.0.2.1")
    with pytest.raises(ConfigError, match="JOURNEY_OWNER"):
        require_owner("anything")


def test_a_visitor_may_guess_five_times(asking: Any, clock: Clock) -> None:
    asking("192.0.2.1")
    for _ in range(5):
        with pytest.raises(ConfigError):
            require_owner("wrong")
    with pytest.raises(TooOften, match=r"Too many wrong keys from you .* Please try again in 600 s"):
        require_owner("s3cret")  # even the right one now: otherwise it could be guessed on
    asking("192.0.2.2")
    require_owner("s3cret")
    asking("192.0.2.1")
    clock.now += 601
    require_owner("s3cret")


def test_an_empty_key_is_no_guess(asking: Any) -> None:
    asking("192.0.2.1")
    for _ in range(20):
        assert not is_owner("")
    require_owner("s3cret")


def test_right_keys_are_not_counted(asking: Any) -> None:
    asking("192.0.2.1")
    for _ in range(20):
        require_owner("s3cret")


def test_many_visitors_together_may_guess_fifty_times(asking: Any) -> None:
    for visitor in range(50):
        asking(f"192.0.2.{visitor}")
        with pytest.raises(ConfigError):
            require_owner("wrong")
    asking("198.51.100.1")
    with pytest.raises(TooOften, match="from all visitors"):
        require_owner("s3cret")
    asking("198.51.100.1", session_for("ada"))
    require_owner("")


@pytest.mark.parametrize("key", ["wrong", "ünï", "\ud800", "s3cre", "s3cret "])
def test_a_wrong_key_is_an_error_also_where_none_is_needed(asking: Any, key: str) -> None:
    asking("192.0.2.1")
    with pytest.raises(ConfigError):
        is_owner(key)


def test_the_login_is_offered_where_the_space_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "find_spec", lambda name: object())
    assert not can_sign_in()
    monkeypatch.setenv("OAUTH_CLIENT_ID", "id")
    monkeypatch.setenv("OAUTH_CLIENT_SECRET", "secret")
    assert can_sign_in()
    monkeypatch.setattr(owner, "find_spec", lambda name: None)
    assert not can_sign_in()


def test_a_visitor_who_has_signed_in_is_one_visitor_wherever_they_are() -> None:
    visitor = Services.visitor
    services: Any = SimpleNamespace(salt=b"salt")
    home, cafe = request_from("192.0.2.1", session_for("ada")), request_from("192.0.2.2", session_for("ada"))
    assert visitor(services, home) == visitor(services, cafe) != visitor(services, request_from("192.0.2.1"))
    assert visitor(services, home) != visitor(services, request_from("ada"))
    assert "ada" not in visitor(services, home)


def scope_of(address: str, session: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"client": (address, 1234), "headers": raw, **({} if session is None else {"session": session})}


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (scope_of("127.0.0.1"), True),
        (scope_of("::1"), True),
        (scope_of("127.0.0.1", x_forwarded_for="127.0.0.1"), False),
        (scope_of("127.0.0.1", x_forwarded_for="203.0.113.9"), False),
        (scope_of("127.0.0.1", forwarded="for=203.0.113.9"), False),
        (scope_of("127.0.0.1", x_real_ip="203.0.113.9"), False),
        (scope_of("10.0.0.7"), False),
        (scope_of("10.0.0.7", authorization="Bearer s3cret"), True),
        (scope_of("10.0.0.7", authorization="Bearer wrong"), False),
        (scope_of("10.0.0.7", authorization="Bearer "), False),
        (scope_of("10.0.0.7", session_for("ada")), True),
        (scope_of("10.0.0.7", session_for("eve")), False),
        ({"client": None, "headers": []}, False),
        (scope_of("no address"), False),
    ],
)
def test_numbers_are_for_this_machine_and_the_owner(scope: dict[str, Any], allowed: bool) -> None:
    assert (refuse(scope) == "") == allowed


def test_keys_cannot_be_guessed_there_either() -> None:
    for _ in range(5):
        refuse(scope_of("10.0.0.7", authorization="Bearer wrong", x_forwarded_for="10.0.0.7"))
    assert "Too many wrong keys" in refuse(
        scope_of("10.0.0.7", authorization="Bearer s3cret", x_forwarded_for="10.0.0.7")
    )


@pytest.mark.parametrize(
    ("address", "headers", "owns"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        ("127.0.0.1", {"x-forwarded-for": "192.0.2.1"}, False),
        ("192.168.1.7", {}, False),
        ("172.17.0.1", {}, False),
        ("testclient", {}, False),
    ],
)
def test_without_a_key_only_the_machine_itself_is_the_owners(
    asking: Any, monkeypatch: pytest.MonkeyPatch, address: str, headers: dict[str, str], owns: bool
) -> None:
    for name in ("SPACE_ID", "JOURNEY_OWNER_KEY"):
        monkeypatch.setenv(name, "")
    raw = SimpleNamespace(scope={}, client=SimpleNamespace(host=address), headers=headers)
    token = LocalContext.request.set(gr.Request(request=raw))  # type: ignore[arg-type]
    assert is_owner("") == owns and needs_key() != owns
    if not owns:
        with pytest.raises(ConfigError, match="or open the page on its machine"):
            require_owner("")
    LocalContext.request.reset(token)


def test_where_no_key_is_needed_others_still_get_no_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPACE_ID", "JOURNEY_OWNER_KEY", "JOURNEY_OWNER"):
        monkeypatch.setenv(name, "")
    require_owner("")
    assert refuse(scope_of("10.0.0.7")) and not refuse(scope_of("127.0.0.1"))

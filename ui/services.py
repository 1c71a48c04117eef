"""The services of the page, which `app.py` creates and passes to every tab, and how visitors are identified."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import gradio as gr

from battles.guard import Guard
from common.errors import ConfigError, ServerError
from common.paths import on_space
from eval.runs.jobs import Jobs
from models.config.registry import ROLES, SpacesConfig
from models.serving.pair import ServedPair
from votes.backup.keeper import Keeper
from votes.casting.desk import Desk
from votes.store import Store
from votes.visitor import network, visitor_hash

PROXIES = ("forwarded", "x-forwarded-for", "x-real-ip")
"""Headers of a proxied request, for which a loopback address says nothing about who is asking."""


def address_of(client: Any, headers: Mapping[str, str]) -> str:
    """The address a request comes from. Behind a Space's proxy, the one that the proxy appends last."""
    address = str(client[0] if isinstance(client, tuple) else client.host) if client else ""
    if on_space():
        address = headers.get("x-forwarded-for", address).split(",")[-1].strip()
    return address


def from_this_machine(client: Any, headers: Mapping[str, str]) -> bool:
    """Whether whoever is asking sits at the machine that serves the page."""
    try:
        return ip_address(address_of(client, headers)).is_loopback and not any(name in headers for name in PROXIES)
    except ValueError:
        return False


def signed_in(session: Mapping[str, Any] | None) -> str:
    """The Hugging Face user name of a session, if the Space offers the login; otherwise empty."""
    info = (session or {}).get("oauth_info") or {}
    expires = info.get("expires_at")
    if expires is not None and expires < time.time():
        return ""
    return str(info.get("userinfo", {}).get("preferred_username", ""))


def session_of(request: gr.Request | None) -> Mapping[str, Any] | None:
    """What the login has stored for this browser, in a cookie that only the server can write."""
    raw = getattr(request, "request", None)
    return raw.scope.get("session") if raw is not None and hasattr(raw, "scope") else None


READ_ONLY = "Runs are shown here and not started: ZeroGPU lends its GPU to single questions, out of a visitor’s quota."


def check_runs(served: ServedPair) -> None:
    """Raise ConfigError if long runs can only be viewed here, not started."""
    if served.profile.benchmarks == "read":
        raise ConfigError(READ_ONLY, "Start the app on a machine of your own for that.")


def check_ready(served: ServedPair) -> None:
    """Raise ServerError unless both models can answer, since a run records the weights it used; ConfigError if runs can
    only be viewed here."""
    check_runs(served)
    for role in ROLES:
        status = served.status(role)
        if status.phase != "ready":
            why = status.sentence.removesuffix(".")
            raise ServerError(f"The {role} model cannot answer yet: {why}.", "Try again when it can.")


@dataclass(frozen=True)
class Services:
    config: SpacesConfig
    """All of spaces.yaml."""
    served: ServedPair
    """The base and the distilled model that are loaded."""
    desk: Desk
    """Issues battles, takes votes, reveals names; the authority on what may be voted on."""
    store: Store
    """Battles and votes in DuckDB."""
    home: Path
    """Folder for everything this installation writes: votes, runs, traces, logs."""
    salt: bytes
    """Salt for hashing visitors' identities."""
    keeper: Keeper | None = None
    """Copies votes elsewhere, if that is configured."""
    guard: Guard | None = None
    """Reads questions and answers, if one is configured."""
    why: str = ""
    """How this machine came to these two, in a sentence; empty if somebody named them."""
    jobs: Jobs = field(default_factory=Jobs)
    """Long background runs from any tab: one at a time, since all of them need both servers."""

    def visitor(self, request: gr.Request) -> str:
        """Salted hash of who is asking: of their account if they have signed in, else of their address."""
        if name := signed_in(session_of(request)):
            return visitor_hash(self.salt + b"account", name)  # cannot collide with an address
        # Nothing else that a browser sends counts: changing it would get around the limits.
        return visitor_hash(self.salt, network(address_of(request.client, request.headers)))

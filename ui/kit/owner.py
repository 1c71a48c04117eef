"""Who may change what all visitors share: whoever sits at the machine itself, and otherwise only its owner.

Checked before starting runs and judges, pinning cases and keeping live runs of them, flagging grades, saving scores,
adding traces and taking battles down. The owner is whoever has signed in to Hugging Face under a name in
`JOURNEY_OWNER`, or gives the key. On a Space, and wherever a key is set, that goes for the machine itself too. Wrong
keys are counted, so that nobody can try many.
"""

import hmac
import os
import time
from collections.abc import Mapping
from importlib.util import find_spec

import gradio as gr
from gradio.context import LocalContext

from common.errors import ConfigError
from common.paths import on_space
from ui.services import address_of, from_this_machine, session_of, signed_in
from votes.casting.limits import Action, Rate, RateLimiter
from votes.errors import TooOften
from votes.visitor import network

OWNER_KEY = "JOURNEY_OWNER_KEY"
OWNERS = "JOURNEY_OWNER"
"""Names on Hugging Face, separated by commas."""
TRIES: Mapping[Action, Rate] = {"key": Rate(per_visitor=5, in_total=50, seconds=600.0)}
_tries = RateLimiter(TRIES, time.monotonic)


def needs_key() -> bool:
    """Whether who is asking may only look without a key: on a Space, wherever a key is set, and from other machines."""
    if on_space() or os.environ.get(OWNER_KEY):
        return True
    request = LocalContext.request.get(None)
    return request is not None and not from_this_machine(request.client, request.headers)


def can_sign_in() -> bool:
    """Whether this Space offers the Hugging Face login and the required packages are installed."""
    packages = all(find_spec(name) for name in ("authlib", "itsdangerous"))
    return packages and all(os.environ.get(name) for name in ("SPACE_ID", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET"))


def is_owner_name(name: str) -> bool:
    """Whether this is a name of the owner, ignoring case."""
    owners = os.environ.get(OWNERS, "").lower().split(",")
    return bool(name) and name.lower() in (owner.strip() for owner in owners)


def require_owner(key: str) -> None:
    """Raise ConfigError unless this visitor may change what others see, TooOften after too many wrong keys."""
    request = LocalContext.request.get(None)
    if not needs_key() or is_owner_name(signed_in(session_of(request))):
        return
    visitor = network(address_of(request.client, request.headers)) if request else ""
    check_key(str(key or ""), visitor)


def check_key(key: str, visitor: str) -> None:
    """Raise ConfigError unless this is the owner's key. Wrong keys are counted per visitor, empty ones are not."""
    secret = os.environ.get(OWNER_KEY, "")
    if not secret:
        otherwise = f"sign in under a name in {OWNERS}" if on_space() else "open the page on its machine"
        way = f"Set the secret {OWNER_KEY}, or {otherwise}."
        raise ConfigError("Only the owner can do this, and no key is set.", way)
    _tries.check("key", visitor)
    if hmac.compare_digest(key.encode("utf-8", "surrogatepass"), secret.encode()):
        return
    if key:
        _tries.take("key", visitor)
    raise ConfigError("Only the owner can do this.", "Enter the owner's key.")


def is_owner(key: str) -> bool:
    """Whether this visitor may see what only the owner may. Raises an error for a wrong key, not for a missing one."""
    try:
        require_owner(key)
    except (ConfigError, TooOften):
        if key:
            raise
        return False
    return True


def owner_key(**options: object) -> gr.Textbox:
    """The field for the key; hidden where none is needed."""
    return gr.Textbox(label="Owner's key", type="password", visible=needs_key(), max_lines=1, **options)  # type: ignore[arg-type]

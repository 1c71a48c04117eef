"""Who may change what all visitors share: on a public Space, and wherever a key is set, only its owner.

Starting runs and judges, pinning cases and keeping live runs of them, flagging grades, saving scores and adding traces
ask here.
"""

import hmac
import os

import gradio as gr

from common.errors import ConfigError

OWNER_KEY = "JOURNEY_OWNER_KEY"


def needs_key() -> bool:
    """On a public Space, and wherever a key is set, visitors only look."""
    return bool(os.environ.get("SPACE_ID") or os.environ.get(OWNER_KEY))


def require_owner(key: str) -> None:
    """Raise ConfigError unless this visitor may change what others see."""
    secret = os.environ.get(OWNER_KEY, "")
    if not needs_key():
        return
    if not secret:
        raise ConfigError("Only the owner can do this, and no key is set.", f"Set the secret {OWNER_KEY}.")
    if not hmac.compare_digest(str(key or "").encode(), secret.encode()):
        raise ConfigError("Only the owner can do this.", "Enter the owner's key.")


def owner_key(**options: object) -> gr.Textbox:
    """The field for the key; hidden where none is needed."""
    return gr.Textbox(label="Owner's key", type="password", visible=needs_key(), max_lines=1, **options)  # type: ignore[arg-type]

"""What the page's events share: the options of those that only update, and our errors said in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
from markupsafe import escape

from common.errors import ArenaError

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""Options of an event that is not part of the API and shows no progress."""


@contextmanager
def spoken() -> Iterator[None]:
    """Show our errors to the user who caused them, where gradio would say no more than “Error”.

    `@spoken()` above a handler that is a plain function, `with spoken():` inside one that awaits or yields.
    """
    try:
        yield
    except ArenaError as error:
        raise gr.Error(str(escape(error)), duration=8, title="That did not work", print_exception=False) from error

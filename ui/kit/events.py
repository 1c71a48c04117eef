"""What the page's events share: options of events that only update, and errors shown to the user."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.context import Context
from markupsafe import escape

from common.errors import ArenaError, for_visitors

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""Options of an event that is not part of the API and shows no progress."""


def words_of(error: ArenaError) -> str:
    """The error as a visitor may see it."""
    return for_visitors(str(error))


@contextmanager
def spoken() -> Iterator[None]:
    """Show our errors to the user who caused them, where gradio would say no more than “Error”.

    `@spoken()` above a handler that is a plain function, `with spoken():` inside one that awaits or yields.
    """
    try:
        yield
    except ArenaError as error:
        raise gr.Error(
            str(escape(words_of(error))), duration=8, title="That did not work", print_exception=False
        ) from error


def page_loads() -> list[Any]:
    """The trigger of loading the page. `gr.on(None, …)` also listens to changes of all its inputs."""
    return [Context.root_block.load] if Context.root_block is not None else []


def when_opened(
    handler: Callable[..., Any], inputs: Sequence[Component], outputs: Sequence[Component], *also: Any
) -> Any:
    """Call the handler whenever the enclosing tab is opened, so that loading the page does not wait for other tabs.

    `also`: further triggers. Outside a tab, loading the page triggers it. Returns the event, for chaining.
    """
    tab = Context.block
    while tab is not None and not isinstance(tab, gr.Tab):
        tab = tab.parent
    opened = [tab.select] if tab is not None else page_loads()
    return gr.on([*opened, *also], handler, list(inputs), list(outputs), **QUIET)

"""Guards every component that shows text, so that what models, visitors, judges and files wrote is always plain text.

The first value of a component comes from the code. Every later one comes from a handler and may contain anybody's
words. `guard` sanitises those for the whole page: Markdown components typeset what is not `Typeset`, HTML components
escape what is not `Markup`. So the worst that a careless handler can do is to show text as text.
"""

from abc import ABCMeta
from collections.abc import Callable
from functools import cache
from typing import Any

import gradio as gr
from markupsafe import escape

from ui.kit.typeset import LATEX_DELIMITERS, Typeset, typeset


def warn(text: object) -> None:
    """A notice in the corner of the page. Gradio reads notices as HTML."""
    gr.Warning(str(escape(text)))


def tell(text: object, **options: Any) -> None:
    """Like `warn`, for good news."""
    gr.Info(str(escape(text)), **options)


def guard(app: gr.Blocks) -> None:
    """Make every Markdown and HTML component of the page check its values from now on."""
    for block in app.blocks.values():
        kind: type[Any] = type(block)
        if kind in CHECKS:
            block.__class__ = _checking(kind)
        if isinstance(block, gr.Markdown):
            block.latex_delimiters = block.constructor_args["latex_delimiters"] = LATEX_DELIMITERS


def _typeset(value: Any) -> Any:
    return value if value is None or isinstance(value, Typeset) else typeset(str(value))


def _escape(value: Any) -> Any:
    return value if value is None else str(escape(value))


CHECKS: dict[type[gr.components.Component], Callable[[Any], Any]] = {gr.Markdown: _typeset, gr.HTML: _escape}


@cache
def _checking(kind: type[Any]) -> type[Any]:
    """A subclass of `kind` that checks its values. Gradio re-creates components for each visitor from their class."""

    def postprocess(self: Any, value: Any) -> Any:
        return kind.postprocess(self, CHECKS[kind](value))

    # Bypasses gradio's metaclass, which writes a stub file next to the source of every new class.
    return ABCMeta.__new__(type(kind), kind.__name__, (kind,), {"postprocess": postprocess, "__module__": __name__})

"""The builders of `ui.kit.html` for tabs that still put their HTML together by hand and escape in it themselves."""

from collections.abc import Iterable, Sequence
from typing import Any

import gradio as gr

from ui.kit import html as safe
from ui.kit.html import Markup


def html(value: str = "", **options: Any) -> gr.HTML:
    return safe.html(Markup(value), **options)


def shown(value: str) -> Markup:
    return safe.shown(Markup(value))


def section(title: str, *parts: str) -> str:
    return str(safe.section(title, *map(Markup, parts)))


def table(head: Sequence[str], rows: Sequence[Sequence[str]], classes: str = "") -> str:
    return str(safe.table([*map(Markup, head)], [[*map(Markup, row)] for row in rows], classes))


def bullets(points: Iterable[str]) -> str:
    return str(safe.bullets(map(Markup, points)))


def card(title: str, *paragraphs: str, classes: str = "") -> str:
    return str(safe.card(title, *map(Markup, paragraphs), classes=classes))


def cards(*each: str) -> str:
    return str(safe.cards(*map(Markup, each)))


def prose(text: str) -> str:
    return str(safe.prose(text))


def inline(text: str) -> str:
    return str(safe.inline(text))


def command(line: str) -> str:
    return str(safe.command(line))


def missing(what: str, line: str) -> str:
    return str(safe.missing(what, line))

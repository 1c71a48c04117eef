"""Building blocks of the pages that are read: text kept beside the code, tables, cards, and their look.

Does not know what the pages say.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import yaml

TEXT = Path(__file__).parent.parent / "text"


@cache
def text_of(name: str) -> dict[str, Any]:
    """The sentences of one page: ui/text/<name>.yaml."""
    content: dict[str, Any] = yaml.safe_load((TEXT / f"{name}.yaml").read_text(encoding="utf-8"))
    return content


@cache
def _css() -> str:
    return (TEXT / "reading.css").read_text(encoding="utf-8")


def html(value: str = "", **options: Any) -> gr.HTML:
    """A piece of HTML in the look of the reading pages."""
    return gr.HTML(shown(value), css_template=_css(), apply_default_css=False, padding=False, **options)


def page_style() -> None:
    """What the reading pages need outside their own pieces: once in each tab that has such pieces."""
    gr.HTML(f"<style>{(TEXT / 'page.css').read_text(encoding='utf-8')}</style>", visible="hidden")


def stacked_row(**options: Any) -> gr.Row:
    """A row whose columns lie below each other on a phone. The tab needs `page_style`."""
    return gr.Row(elem_classes="stacked", **options)


def low_row() -> gr.Row:
    """A row whose buttons stand on the line of its fields. The tab needs `page_style`."""
    return gr.Row(elem_classes=["low", "stacked"])


def prose(text: str) -> str:
    """Paragraphs of one of our texts as HTML."""
    return "".join(f"<p>{inline(paragraph)}</p>" for paragraph in text.strip().split("\n\n"))


def inline(text: str) -> str:
    """A piece of our text as HTML: `**strong**`, `[words](address)` and `code` are all it knows."""
    line = escape(" ".join(text.split()), quote=False)
    line = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", line)
    line = re.sub(r"\[(.+?)\]\((\S+?)\)", r'<a href="\2">\1</a>', line)
    return re.sub(r"`(.+?)`", r"<code>\1</code>", line)


def section(title: str, *parts: str) -> str:
    """A titled section of a page; parts are HTML."""
    return f"<section><h3>{escape(title)}</h3>{''.join(parts)}</section>"


def shown(value: str) -> str:
    """A new value for a component made by `html`."""
    return f'<div class="reading">{value}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], classes: str = "") -> str:
    """Cells are HTML: escape what people wrote. The first column is left-aligned, the others right unless `words`."""
    heads = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    whole = f'<table class="{classes}"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="scroll">{whole}</div>'


def bullets(points: Iterable[str]) -> str:
    """A list; points are HTML."""
    return f"<ul>{''.join(f'<li>{point}</li>' for point in points)}</ul>"


def card(title: str, *paragraphs: str, classes: str = "") -> str:
    """A titled box; `title` is plain text, paragraphs are HTML."""
    inner = "".join(f'<div class="p">{p}</div>' for p in paragraphs if p)
    return f'<section class="card {classes}"><h4>{escape(title)}</h4>{inner}</section>'


def cards(*each: str) -> str:
    return f'<div class="cards">{"".join(each)}</div>'


def short_hash(weights: str) -> str:
    """A hash of weights to be read by people; `base+adapter` keeps both, since bases are shared."""
    return " + ".join(part[:8] for part in weights.split("+") if part)


def command(line: str) -> str:
    """A command to type."""
    return f"<code>{escape(line)}</code>"


def missing(what: str, line: str) -> str:
    """In place of a number that nobody measured yet: what is missing, and the command that measures it."""
    return f'<span class="missing">{escape(what)}: not measured yet on this machine.</span> {command(line)}'

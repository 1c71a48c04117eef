"""Building blocks of HTML: templates with escaping, tables, cards, sections, and their style.

Every builder takes text and `Markup`. Text is escaped; `Markup` is HTML made by one of these builders. So nothing that
a model or a person wrote can become HTML by an oversight.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import gradio as gr
import yaml
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

TEXT = Path(__file__).parent.parent / "text"
_TEMPLATES = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@lru_cache(512)
def _compiled(template: str) -> Template:
    return _TEMPLATES.from_string(template)


def render(template: str, **values: Any) -> Markup:
    """A Jinja template with these values: `render('<b>{{ name }}</b>', name=model.title)`.

    The template is a constant in the code, never put together from values.
    """
    return Markup(_compiled(template).render(values))


def join(pieces: Iterable[str], between: str = "") -> Markup:
    """The pieces in a row; text among them is escaped, `between` too."""
    return escape(between).join(pieces)


@cache
def text_of(name: str) -> dict[str, Any]:
    """The sentences of one page: ui/text/<name>.yaml."""
    content: dict[str, Any] = yaml.safe_load((TEXT / f"{name}.yaml").read_text(encoding="utf-8"))
    return content


def html(value: str = "", **options: Any) -> gr.HTML:
    """A component that shows a piece of HTML in the look of the reading pages. Update it with `shown`."""
    return gr.HTML(shown(value), apply_default_css=False, padding=False, **options)


def shown(value: str) -> Markup:
    """A new value for a component made by `html`."""
    return render('<div class="reading">{{ value }}</div>', value=value)


def stacked_row(**options: Any) -> gr.Row:
    """A row whose columns lie below each other on a phone."""
    return gr.Row(elem_classes="stacked", **options)


def low_row() -> gr.Row:
    """A row whose buttons are aligned with its fields."""
    return gr.Row(elem_classes=["low", "stacked"])


def prose(text: str) -> Markup:
    """Paragraphs of one of our texts."""
    return join(render("<p>{{ line }}</p>", line=inline(paragraph)) for paragraph in text.strip().split("\n\n"))


def inline(text: str) -> Markup:
    """A piece of our own text: `**strong**`, `[words](address)` and `code` are all it knows."""
    line = str(escape(" ".join(text.split())))
    line = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", line)
    line = re.sub(r"\[(.+?)\]\((\S+?)\)", r'<a href="\2">\1</a>', line)
    return Markup(re.sub(r"`(.+?)`", r"<code>\1</code>", line))


def term(word: str, key: str = "") -> Markup:
    """A technical term with a dotted underline, explained from ui/text/terms.yaml on hover or focus."""
    return render(
        '<span class="term" tabindex="0">{{ word }}<span class="meaning" role="tooltip">{{ meaning }}</span></span>',
        word=word,
        meaning=text_of("terms")[key or word],
    )


def note(text: str) -> Markup:
    """A small remark in a paragraph of its own."""
    return render('<p class="note">{{ text }}</p>', text=text)


def section(title: str, *parts: str) -> Markup:
    """A titled section of a page."""
    return render("<section><h3>{{ title }}</h3>{{ inner }}</section>", title=title, inner=join(parts))


def table(head: Sequence[str], rows: Iterable[Sequence[str] | str], classes: str = "") -> Markup:
    """A table that scrolls by itself where it is too wide. A row that is one text is a heading over those below it.

    Of `classes`, `words` aligns all columns left (else only the first), `slim` is no wider than it must be.
    """
    return render(
        '<div class="scroll" tabindex="0"><table class="{{ classes }}">'
        '<thead><tr>{% for cell in head %}{% if cell %}<th scope="col">{{ cell }}</th>{% else %}<td></td>{% endif %}'
        "{% endfor %}</tr></thead><tbody>"
        "{% for row in rows %}{% if row is string %}"
        '<tr class="group"><td colspan="{{ head|length }}"><span>{{ row }}</span></td></tr>'
        "{% else %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endif %}{% endfor %}"
        "</tbody></table></div>",
        head=list(head),
        rows=rows,
        classes=classes,
    )


def strong(text: str) -> Markup:
    """The text in bold."""
    return render("<b>{{ text }}</b>", text=text)


def below(value: str, *lines: str) -> Markup:
    """A cell with small lines below its value."""
    return render(
        '{{ value }}{% if lines %}<br><span class="note">{{ lines }}</span>{% endif %}',
        value=value,
        lines=join(lines, Markup("<br>")),
    )


def bullets(points: Iterable[str]) -> Markup:
    """A list."""
    return render("<ul>{% for point in points %}<li>{{ point }}</li>{% endfor %}</ul>", points=points)


def card(title: str, *paragraphs: str, classes: str = "") -> Markup:
    """A titled box. Empty paragraphs are left out."""
    return render(
        '<section class="card {{ classes }}"><h3>{{ title }}</h3>'
        '{% for p in paragraphs if p %}<div class="p">{{ p }}</div>{% endfor %}</section>',
        title=title,
        paragraphs=paragraphs,
        classes=classes,
    )


def cards(*each: str) -> Markup:
    """Boxes side by side, as many as fit."""
    return render('<div class="cards">{{ inner }}</div>', inner=join(each))


def short_hash(weights: str) -> str:
    """A hash of weights to be read by people; `base+adapter` keeps both, since bases are shared."""
    return " + ".join(part[:8] for part in weights.split("+") if part)


def command(line: str) -> Markup:
    """A command to type."""
    return render("<code>{{ line }}</code>", line=line)


def missing(what: str, line: str) -> Markup:
    """Shown in place of a missing number: what is missing, and the command that measures it."""
    return render(
        '<span class="missing">{{ what }}: not measured yet on this machine.</span> {{ command }}',
        what=what,
        command=command(line),
    )

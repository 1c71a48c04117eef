"""A card as a self-contained HTML file; the only external content is the rows it links to."""

from base64 import b64encode
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from insights.card.text import headline, is_number
from insights.card.values import Card

TEMPLATE = Path(__file__).parent / "card.html"


def page(card: Card, picture: bytes) -> str:
    """`picture`: a PNG, which becomes part of the page."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(card=card, headline=headline(card), picture=b64encode(picture).decode(), is_number=is_number)

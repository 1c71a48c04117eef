"""Text is escaped by every builder; templates are constants."""

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from ui.kit import html

ROOT = Path(__file__).parents[3]
EVIL = '<img src=x onerror="alert(1)">'
BUILDERS: list[Callable[[str], str]] = [
    html.shown,
    html.prose,
    html.inline,
    html.note,
    html.command,
    lambda text: html.section(text, text),
    lambda text: html.table([text], [[text], text], text),
    lambda text: html.bullets([text]),
    lambda text: html.card(text, text, classes=text),
    lambda text: html.cards(text),
    lambda text: html.missing(text, text),
    lambda text: html.join([text, text], text),
    lambda text: html.render("<b>{{ value }}</b>", value=text),
    lambda text: html.render('<b title="{{ value }}">', value=text),
]


@pytest.mark.parametrize("build", BUILDERS)
def test_text_never_becomes_html(build: Callable[[str], str]) -> None:
    piece = build(EVIL)
    assert isinstance(piece, html.Markup)
    assert "<img" not in piece and '"alert' not in piece
    assert "&lt;img" in piece


def test_what_a_builder_made_is_kept() -> None:
    inner = html.bullets(["a < b"])
    assert html.card("Title", inner).count("<li>a &lt; b</li>") == 1
    assert html.table(["x"], [[inner]]).count("<li>a &lt; b</li>") == 1


def test_a_row_of_one_text_is_a_heading() -> None:
    table = html.table(["a", "b"], ["All", ("1", "2")])
    assert '<tr class="group"><td colspan="2"><span>All</span></td></tr><tr><td>1</td><td>2</td></tr>' in table


def test_a_value_that_is_not_given_is_an_error() -> None:
    with pytest.raises(Exception, match="undefined"):
        html.render("{{ name }}")


@pytest.mark.parametrize("path", sorted(ROOT.glob("ui/**/*.py")), ids=str)
def test_templates_are_constants(path: Path) -> None:
    """A template put together from values would escape nothing, and run what stands in them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "render":
            assert isinstance(node.args[0], ast.Constant | ast.Name), f"{path}:{node.lineno}"

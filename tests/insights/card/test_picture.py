"""The picture of a card: people's votes are always on it, sets without room are counted, no text hides another."""

from itertools import combinations
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from insights.card.build import build_card
from insights.card.picture import MOST_LINES, draw
from insights.card.values import Card
from models.config.registry import load_config
from tests.insights.card.helpers import make_sets
from tests.insights.helpers import make_vote

PAIR = load_config().pairs["smol-135m"]


def card_of(home: Path, sets: int, votes: int = 0) -> Card:
    """As many sets, all with the same result, and as many votes for the distilled model."""
    names = [f"a set with the number {n}" for n in range(sets)]
    make_sets(home / "runs", {name: {"base": 3, "distilled": 5} for name in names}, pair=PAIR.key)
    cast = [make_vote("a", battle=str(n), visitor=str(n), pair=PAIR.key) for n in range(votes)]
    return build_card(PAIR, home, cast).card


def texts_of(card: Card, monkeypatch: pytest.MonkeyPatch) -> dict[str, Bbox]:
    """Every text of the picture but the axis's numbers, and where it stands, in pixels."""
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    draw(card)
    (figure,) = drawn
    FigureCanvasAgg(figure).draw()
    (axes,) = figure.axes
    found = [*figure.texts, *axes.texts, axes.xaxis.label]
    return {text.get_text(): text.get_window_extent() for text in found}


@pytest.mark.parametrize(
    ("sets", "votes", "shown", "left_out"),
    [(7, 9, 7, ""), (8, 9, 7, "1 more set not shown"), (10, 9, 7, "3 more sets not shown"), (8, 0, 8, "")],
)
def test_people_keep_their_line_and_sets_take_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sets: int, votes: int, shown: int, left_out: str
) -> None:
    texts = texts_of(card_of(tmp_path, sets, votes), monkeypatch)
    lines = [text for text in texts if "\n" in text and text.endswith(("better", "cannot be told apart"))]
    assert [line.startswith("people, ") for line in lines] == [False] * shown + [True] * bool(votes)
    assert len(lines) <= MOST_LINES
    (footer,) = [text for text in texts if text.startswith("Journey Arena")]
    assert footer.endswith(left_out) and ("not shown" in footer) == bool(left_out)


def test_no_text_of_a_full_picture_hides_another_or_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = texts_of(card_of(tmp_path, 10, 9), monkeypatch)
    assert [(one, other) for one, other in combinations(texts, 2) if texts[one].overlaps(texts[other])] == []
    assert [text for text, box in texts.items() if box.x0 < 0 or box.x1 > 1200 or box.y0 < 0 or box.y1 > 630] == []

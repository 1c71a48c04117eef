"""A card as a 1200 × 630 pixel image: the difference on every set with its interval, and people's preference."""

from collections.abc import Mapping
from io import BytesIO
from math import isnan
from textwrap import fill
from typing import NamedTuple

from common.text import counted
from insights.card.people import BLIND
from insights.card.text import headline
from insights.card.values import READINGS, Card, Finding

COLOURS: Mapping[Finding, str] = {"distilled": "#0d9488", "base": "#b45309", "open": "#6b7280"}
MOST_LINES = 8
"""People's votes are always among them; sets take what room is left."""


class Drawn(NamedTuple):
    """One line of the picture, in points in favour of the distilled model."""

    name: str
    value: float
    low: float
    high: float
    reading: Finding


def draw(card: Card) -> bytes:
    """The image as PNG. A line is coloured only if one of the models is significantly better."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="white")
    figure.text(0.04, 0.9, plain(card.title), fontsize=26, weight="bold")
    figure.text(0.04, 0.845, plain(f"{card.distilled} against {card.base}"), fontsize=14, color="#4b5563")
    found = fill(headline(card), 105, max_lines=2, placeholder=" …")
    figure.text(0.04, 0.815, plain(found), fontsize=13, va="top")
    sets, people = _sets(card), _people(card)
    room = MOST_LINES - len(people)
    if lines := sets[:room] + people:
        axes = figure.add_axes((0.36, 0.14, 0.6, 0.58))
        for place, line in enumerate(lines):
            colour = COLOURS[line.reading]
            axes.plot([line.low, line.high], [place, place], color=colour, linewidth=3, solid_capstyle="round")
            axes.plot([line.value], [place], "o", color=colour, markersize=9)
            axes.annotate(f"{plain(line.name)}\n{READINGS[line.reading]}", (0, place), (-12, 0),
                          xycoords=("axes fraction", "data"), textcoords="offset points",
                          ha="right", va="center", fontsize=11)  # fmt: skip
        axes.axvline(0, color="#9ca3af", linewidth=1)
        axes.set(ylim=(len(lines) - 0.5, -0.5), xlabel="distilled minus base, points, with 95 % intervals")
        axes.set_yticks([])
        for side in ("left", "right", "top"):
            axes.spines[side].set_visible(False)
    left_out = f" · {counted(len(sets) - room, 'more set')} not shown" if len(sets) > room else ""
    figure.text(0.04, 0.04, f"Journey Arena · {card.made_at[:10]}{left_out}", fontsize=10, color="#6b7280")
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _sets(card: Card) -> list[Drawn]:
    lines = []
    for line in card.section("benchmarks").lines:
        if "by" not in line.values and not isnan(line.values["low"]):
            difference, low, high = (100 * line.values[key] for key in ("difference", "low", "high"))
            lines.append(Drawn(str(line.values["title"]), difference, low, high, line.values["reading"]))
    return lines


def _people(card: Card) -> list[Drawn]:
    """The blind votes beside an even split."""
    lines = []
    for line in card.section("people").lines:
        if line.name == BLIND:
            share, low, high = (200 * (line.values[key] - 0.5) for key in ("share", "low", "high"))
            name = f"people, {line.values['votes']} blind votes"
            lines.append(Drawn(name, share, low, high, line.values["reading"]))
    return lines


def plain(text: str) -> str:
    """Escape a text so that matplotlib finds no formula in it."""
    return text.replace("$", r"\$")

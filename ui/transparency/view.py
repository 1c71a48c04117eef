"""What the transparency tab shows: pure functions from scores to tables and a radar."""

from collections.abc import Iterable, Sequence

import plotly.graph_objects as go

from eval.paper.figures import LEADERBOARD, Standing
from eval.paper.transparency import ANSWERS, DIMENSIONS, Assessment, Entry, earns, full_marks, items, score, unsupported
from ui.kit.html import Markup, bullets, join, note, render, strong, table
from ui.kit.palette import BASE_COLOUR, DISTILLED_COLOUR, GRID_COLOUR, figure_layout

COMPARED = "O1-Journey (Part 2)"
RADIAL = {"range": [0, 100], "ticksuffix": " %", "tickvals": [50, 100], "gridcolor": GRID_COLOUR, "angle": 45}
_LINK = ("https://", "http://")


def leaderboard_html(here: Sequence[Assessment]) -> Markup:
    """The paper's seven works, best first, and separately those scored here, so that self-scored works are not ranked
    above works scored by others."""
    full = full_marks()
    dimensions = [f"{title} /{getattr(full, d)}" for d, title in DIMENSIONS.items()]
    rows: list[str | list[str]] = ["Scored by the paper’s authors", *map(_board_row, _ranked(LEADERBOARD))]
    if here:
        rows += ["Self-assessed, or scored on this page", *map(_board_row, _ranked(map(score, here)))]
    return table(["work", *dimensions, f"total /{full.total}"], rows)


def _ranked(standings: Iterable[Standing]) -> list[Standing]:
    return sorted(standings, key=lambda standing: -standing.total)


def _board_row(standing: Standing) -> list[str]:
    return [standing.work, *(str(getattr(standing, d)) for d in DIMENSIONS), strong(str(standing.total))]


def missing_html(assessment: Assessment) -> Markup:
    """What the work still lacks, each with the points it would earn; empty at full marks."""
    entries = {entry.item: entry for entry in assessment.entries}
    lacking = [item for item in items() if not earns(item, entries.get(item.key, Entry(item.key)))]
    if not lacking:
        return Markup()
    points = sum(item.weight for item in lacking)
    return render(
        "<p><b>{{ work }} lacks {{ points }} of {{ full }} points:</b></p>{{ list }}",
        work=assessment.work,
        points=points,
        full=full_marks().total,
        list=bullets(f"{item.question} ({item.weight})" for item in lacking),
    )


def radar_figure(standings: Sequence[Standing]) -> go.Figure:
    """Share of each dimension's points; the first work is this page's subject and is drawn filled."""
    full = full_marks()
    titles = list(DIMENSIONS.values())
    figure = go.Figure()
    for number, standing in enumerate(standings):
        shares = [100 * getattr(standing, d) / getattr(full, d) for d in DIMENSIONS]
        points = [f"{getattr(standing, d)} of {getattr(full, d)}" for d in DIMENSIONS]
        figure.add_scatterpolar(
            r=[*shares, shares[0]],
            theta=[*titles, titles[0]],
            text=[*points, points[0]],
            name=f"{standing.work}: {standing.total}",
            fill="toself" if number == 0 else None,
            opacity=0.85,
            line={"color": DISTILLED_COLOUR if number == 0 else BASE_COLOUR, "dash": "solid" if number == 0 else "dot"},
            hovertemplate=render("%{theta}: %{text}<extra>{{ work }}</extra>", work=standing.work),
        )
    figure_layout(figure)
    figure.update_layout(
        height=340,
        margin={"l": 70, "r": 70, "t": 30, "b": 30},
        polar={"bgcolor": "rgba(0,0,0,0)", "radialaxis": RADIAL, "angularaxis": {"gridcolor": GRID_COLOUR}},
    )
    return figure


def paper_standing(work: str = COMPARED) -> Standing:
    return next(standing for standing in LEADERBOARD if standing.work == work)


def answers_html(assessment: Assessment) -> Markup:
    """Every item of one work: answer, points, and the evidence or what is missing."""
    entries = {entry.item: entry for entry in assessment.entries}
    standing, full = score(assessment), full_marks()
    parts: list[str] = []
    for dimension, title in DIMENSIONS.items():
        rows = []
        for item in items():
            if item.dimension == dimension:
                entry = entries.get(item.key, Entry(item.key))
                rows.append([item.question, *_answer_cells(item.weight, earns(item, entry), entry)])
        points = f"{title}: {getattr(standing, dimension)} of {getattr(full, dimension)}"
        parts += [
            render("<h3>{{ points }}</h3>", points=points),
            table(["question", "answer", "evidence"], rows, "words"),
        ]
    return join(parts)


def _answer_cells(weight: int, earned: bool, entry: Entry) -> list[str]:
    answer = ANSWERS[entry.answer]
    if not earned and entry.answer != "no":
        answer = f"{answer}, no evidence"
    marked = render(
        '<span class="mark {{ kind }}">{{ answer }}</span><br><span class="note">{{ points }} of {{ weight }}</span>',
        kind="yes" if earned else "no",
        answer=answer,
        points=weight if earned else 0,
        weight=weight,
    )
    return [marked, _evidence(entry)]


def _evidence(entry: Entry) -> str:
    evidence: str = entry.evidence.strip()
    if evidence.startswith(_LINK) and " " not in evidence:
        evidence = render(
            '<a href="{{ address }}" rel="noopener nofollow" target="_blank" translate="no">{{ address }}</a>',
            address=evidence,
        )
    elif evidence:
        evidence = render('<span translate="no">{{ evidence }}</span>', evidence=evidence)
    small = render('<span class="note" translate="no">{{ note }}</span>', note=entry.note) if entry.note else ""
    return join((part for part in (evidence, small) if part), Markup("<br>")) or "–"


def total_html(assessment: Assessment) -> Markup:
    """The live total of the form, and which answers still need evidence."""
    standing, full = score(assessment), full_marks()
    each = " · ".join(f"{title} {getattr(standing, d)}/{getattr(full, d)}" for d, title in DIMENSIONS.items())
    unproven = unsupported(assessment)
    points = sum(item.weight for item in unproven)
    answers = "1 answer has" if len(unproven) == 1 else f"{len(unproven)} answers have"
    waiting = f"{answers} no evidence yet; {points} points are counted once you give it."
    return render(
        '<p class="question">{{ total }} of {{ full }}</p><p>{{ each }}</p>{{ waiting }}',
        total=standing.total,
        full=full.total,
        each=each,
        waiting=note(waiting) if unproven else "",
    )

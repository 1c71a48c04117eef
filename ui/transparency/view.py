"""What the transparency tab shows: pure functions from scores to tables and a radar. Does not know widgets."""

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from eval.paper.figures import LEADERBOARD, Standing
from eval.paper.transparency import ANSWERS, DIMENSIONS, Assessment, Entry, earns, full_marks, items, score, unsupported
from ui.kit.palette import BASE_COLOUR, DISTILLED_COLOUR, figure_layout
from ui.kit.raw import table

COMPARED = "O1-Journey (Part 2)"
GRID = "rgba(124, 135, 150, 0.3)"
RADIAL = {"range": [0, 100], "ticksuffix": " %", "tickvals": [50, 100], "gridcolor": GRID, "angle": 45}
_LINK = ("https://", "http://")


def leaderboard_html(here: Sequence[Assessment]) -> str:
    """The paper's seven and the works scored here, best first."""
    full = full_marks()
    rows = [(standing, "paper") for standing in LEADERBOARD] + [(score(a), "here") for a in here]
    rows.sort(key=lambda row: -row[0].total)
    dimensions = [f"{title} /{getattr(full, d)}" for d, title in DIMENSIONS.items()]
    head = ["work", *dimensions, f"total /{full.total}", "scored"]
    body = [
        [
            f"<b>{escape(s.work)}</b>" if by == "here" else escape(s.work),
            *(str(getattr(s, d)) for d in DIMENSIONS),
            f"<b>{s.total}</b>",
            by,
        ]
        for s, by in rows
    ]
    return table(head, body)


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
            hovertemplate="%{theta}: %{text}<extra>" + escape(standing.work) + "</extra>",
        )
    figure_layout(figure)
    figure.update_layout(
        height=340,
        margin={"l": 70, "r": 70, "t": 30, "b": 30},
        polar={"bgcolor": "rgba(0,0,0,0)", "radialaxis": RADIAL, "angularaxis": {"gridcolor": GRID}},
    )
    return figure


def paper_standing(work: str = COMPARED) -> Standing:
    return next(standing for standing in LEADERBOARD if standing.work == work)


def answers_html(assessment: Assessment) -> str:
    """Every item of one work: answer, points, and the evidence or what was missed."""
    entries = {entry.item: entry for entry in assessment.entries}
    parts = []
    for dimension, title in DIMENSIONS.items():
        rows = []
        for item in items():
            if item.dimension == dimension:
                entry = entries.get(item.key, Entry(item.key))
                rows.append([escape(item.question), *_answer_cells(item.weight, earns(item, entry), entry)])
        standing, full = score(assessment), full_marks()
        parts.append(f"<h4>{title}: {getattr(standing, dimension)} of {getattr(full, dimension)}</h4>")
        parts.append(table(["question", "answer", "evidence"], rows, "words"))
    return "".join(parts)


def _answer_cells(weight: int, earned: bool, entry: Entry) -> list[str]:
    answer = ANSWERS[entry.answer]
    if not earned and entry.answer != "no":
        answer = f"{answer}, no evidence"
    points = f'<span class="note">{weight if earned else 0} of {weight}</span>'
    return [f'<span class="mark {"yes" if earned else "no"}">{answer}</span><br>{points}', _evidence(entry)]


def _evidence(entry: Entry) -> str:
    text = escape(entry.evidence.strip())
    if text.startswith(_LINK) and " " not in text:
        text = f'<a href="{text}" rel="noopener nofollow" target="_blank">{text}</a>'
    note = f'<span class="note">{escape(entry.note)}</span>' if entry.note else ""
    return "<br>".join(part for part in (text, note) if part) or "–"


def total_html(assessment: Assessment) -> str:
    """The live total of the form, and what still waits for evidence."""
    standing, full = score(assessment), full_marks()
    each = " · ".join(f"{title} {getattr(standing, d)}/{getattr(full, d)}" for d, title in DIMENSIONS.items())
    waiting = unsupported(assessment)
    points = sum(item.weight for item in waiting)
    note = ""
    if waiting:
        waits = f"{len(waiting)} answers worth {points} points wait for evidence and count as no until then."
        note = f'<p class="note">{waits}</p>'
    return f'<p class="question">{standing.total} of {full.total}</p><p>{each}</p>{note}'

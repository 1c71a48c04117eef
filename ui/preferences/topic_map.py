"""The map of topics: every question as a point, and below it the clicked question, with its battle."""

import plotly.graph_objects as go

from insights.reading import TopicReading
from ui.kit.html import Markup, render
from ui.kit.palette import figure_layout, on_click
from ui.preferences.quadrants import Questions, shorten

COLOURS = ("#0d9488", "#64748b", "#d97706", "#7c3aed", "#2563eb", "#be185d", "#4d7c0f", "#0e7490")
FOLLOW_CLICKS = on_click(
    "topic-map",
    "const link = document.querySelector('#topic-point a'); if (link) Object.assign(link, "
    "{ href: `?battle=${encodeURIComponent(data[0])}`, textContent: data[1], hidden: false });",
)
"""Puts the battle and question of a clicked point into the link below the map."""


def topics_figure(reading: TopicReading, shareable: Questions) -> go.Figure:
    """Every question as a point, coloured by topic; questions similar in meaning are close together. Points of battles
    in `shareable` carry the battle and its question."""
    fig = go.Figure()
    place = {vote.row_id: at for at, vote in enumerate(reading.votes)}
    for number, one in enumerate(reading.topics):
        points = [reading.points[place[vote.row_id]] for vote in one.votes]
        fig.add_scatter(
            x=[x for x, _ in points],
            y=[y for _, y in points],
            mode="markers",
            name=one.topic.name,
            marker={"size": 9, "color": COLOURS[number % len(COLOURS)]},
            hovertemplate=f"{one.topic.name}<extra></extra>",
            customdata=[
                (vote.battle_id, shorten(shareable[vote.battle_id])) if vote.battle_id in shareable else None
                for vote in one.votes
            ],
        )
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False)
    fig.update_layout(title_text="Questions by meaning", height=420)
    return figure_layout(fig)


def point_html(reading: TopicReading) -> Markup:
    """What `FOLLOW_CLICKS` fills; empty where there is no map."""
    if not reading.topics:
        return Markup("")
    return render(
        '<p class="note">Select a point to see its question and open its battle.</p>'
        '<p><a hidden translate="no"></a></p>'
    )

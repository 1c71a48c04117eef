"""The map of topics: every question as a point, and below it the question that was pointed at, with its battle."""

import plotly.graph_objects as go

from insights.reading import TopicReading
from ui.kit.html import Markup, render
from ui.kit.palette import figure_layout
from ui.preferences.quadrants import Questions, shorten

COLOURS = ("#0d9488", "#64748b", "#d97706", "#7c3aed", "#2563eb", "#be185d", "#4d7c0f", "#0e7490")
FOLLOW_CLICKS = """() => {
  const attach = (tries) => {
    const plot = document.querySelector('#topic-map .js-plotly-plot');
    if (!plot || !plot.on) { if (tries > 0) setTimeout(() => attach(tries - 1), 150); return; }
    if (plot.dataset.followed) return;
    plot.dataset.followed = 'yes';
    plot.on('plotly_click', (event) => {
      const point = event.points.find((p) => p.customdata);
      const link = document.querySelector('#topic-point a');
      if (!point || !link) return;
      link.href = `?battle=${encodeURIComponent(point.customdata[0])}`;
      link.textContent = point.customdata[1];
      link.hidden = false;
    });
  };
  setTimeout(() => attach(80), 300);
}"""
"""Gradio's plots have no click event, so the link to a point's battle is set in the browser."""


def topics_figure(reading: TopicReading, shareable: Questions) -> go.Figure:
    """Every question as a point, coloured by topic; likeness in meaning is nearness. Points of the battles in
    `shareable` hold the battle and its question."""
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

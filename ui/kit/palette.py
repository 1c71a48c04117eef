"""What the page's figures share: colours, layout, and how a point is clicked."""

import plotly.graph_objects as go

BASE_COLOUR = "#64748b"
DISTILLED_COLOUR = "#0d9488"
GRID_COLOUR = "rgba(128,128,128,0.25)"
TEXT_COLOUR = "#808a99"
"""Legible both on white and on near-black."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


def figure_layout(fig: go.Figure) -> go.Figure:
    """Transparent background, the system's font, tight margins: the same figure reads on a light and a dark page."""
    fig.update_layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 13, "color": TEXT_COLOUR},
        margin={"l": 8, "r": 24, "t": 40, "b": 8},
        title={"font": {"size": 14}, "x": 0.02, "xref": "container"},
        legend={"orientation": "h", "y": -0.2, "x": 0},
        hoverlabel={"font": {"family": FONT}},
    )
    axes = {
        "gridcolor": GRID_COLOUR,
        "linecolor": GRID_COLOUR,
        "zerolinecolor": GRID_COLOUR,
        "automargin": True,
        "title_font_size": 13,
    }
    fig.update_xaxes(**axes)
    fig.update_yaxes(**axes)
    return fig


def on_click(plot: str, then: str) -> str:
    """JavaScript for an event's `js`: once the plot with this id is drawn, a click on a point runs the statement
    `then`, with the point's customdata in `data`. Gradio's plots have no such event."""
    return f"""() => {{
  const attach = (tries) => {{
    const plot = document.querySelector('#{plot} .js-plotly-plot');
    if (!plot || !plot.on) {{ if (tries > 0) setTimeout(() => attach(tries - 1), 150); return; }}
    if (plot.dataset.followed) return;
    plot.dataset.followed = 'yes';
    plot.on('plotly_click', (event) => {{
      const data = event.points.find((point) => point.customdata)?.customdata;
      if (data) {{ {then} }}
    }});
  }};
  setTimeout(() => attach(80), 300);
}}"""

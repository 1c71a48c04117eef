"""How the page's figures sit on it, in the colours of `ui.benchmarks.figures`."""

import plotly.graph_objects as go

__all__ = ["BASE_COLOUR", "DISTILLED_COLOUR", "figure_layout"]


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


BASE_COLOUR = "#64748b"


DISTILLED_COLOUR = "#0d9488"


GRID_COLOUR = "rgba(128,128,128,0.25)"


TEXT_COLOUR = "#808a99"
"""Legible on white and on near-black alike."""


FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"

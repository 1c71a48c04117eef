"""The two colours of the app's figures and how figures sit on the page. Does not know what is plotted."""

import plotly.graph_objects as go

BASE_COLOUR = "#64748b"
DISTILLED_COLOUR = "#0d9488"
_INK = "#7c8796"
"""Grey that reads on white and on near-black alike."""
_FAINT = "rgba(124, 135, 150, 0.25)"
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Noto Sans CJK SC', sans-serif"


def figure_layout(fig: go.Figure) -> go.Figure:
    """Transparent ground, the system's font, tight margins: the same figure reads on a light and a dark page."""
    fig.update_layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": _FONT, "size": 13, "color": _INK},
        margin={"l": 8, "r": 24, "t": 40, "b": 8},
        title={"font": {"size": 14}, "x": 0.02, "xref": "container"},
        legend={"orientation": "h", "y": -0.2, "x": 0},
        hoverlabel={"font": {"family": _FONT}},
    )
    axes = {
        "gridcolor": _FAINT,
        "linecolor": _FAINT,
        "zerolinecolor": _FAINT,
        "automargin": True,
        "title_font_size": 13,
    }
    fig.update_xaxes(**axes)
    fig.update_yaxes(**axes)
    return fig

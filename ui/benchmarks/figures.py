"""Results as plotly figures. Colours work on light and dark pages; nothing is loaded from outside."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from eval.paper.figures import reported
from eval.results.comparison import Breakdown
from eval.results.samples import Row
from eval.runs.log import Role
from eval.statistics.metrics import CurveKind, CurvePoint
from ui.kit.palette import BASE_COLOUR, DISTILLED_COLOUR, GRID_COLOUR, figure_layout

PAPER_COLOUR = "#d97706"
COLOURS = {"base": BASE_COLOUR, "distilled": DISTILLED_COLOUR}
VERDICT_COLOURS = {
    "both": "#0d9488",
    "only_distilled": "#5eead4",
    "only_base": "#f59e0b",
    "neither": "#94a3b8",
    "unsure": "#c084fc",
}


class _Style:
    """How each kind of curve is drawn: told apart by dash and mark, so never by colour alone."""

    DASH: Mapping[CurveKind, str] = {"truncated": "solid", "forced": "dash", "maj@k": "dot"}
    MARK: Mapping[CurveKind, str] = {"truncated": "circle", "forced": "diamond", "maj@k": "square"}


def accuracy_against_tokens(
    curves: Mapping[Role, Sequence[CurvePoint]], titles: Mapping[Role, str], benchmark: str = ""
) -> go.Figure:
    """Accuracy against mean output tokens on a log axis, one line a side and kind, with 95 % intervals.

    The paper's Table 1 is laid over AIME 2024 and MATH500, labelled as the paper's.
    """
    figure = _figure("output tokens per problem (log scale)", "accuracy")
    for side, points in curves.items():
        for kind in _Style.DASH:
            mine = [p for p in points if p.kind == kind and p.tokens > 0 and p.accuracy.n]
            if mine:
                figure.add_trace(_curve(mine, kind, side, titles[side]))
    paper = reported(benchmark)
    if paper:
        figure.add_trace(
            go.Scatter(
                x=[p.tokens for p in paper],
                y=[p.accuracy for p in paper],
                text=[f"{p.model} (paper)" for p in paper],
                mode="markers+text",
                textposition=["bottom center" if p.model == "o1-preview" else "top center" for p in paper],
                cliponaxis=False,
                textfont={"size": 11, "color": PAPER_COLOUR},
                marker={"symbol": "star", "size": 11, "color": PAPER_COLOUR},
                name="reported in the paper, Table 1",
                hovertemplate="%{text}<br>%{x:,} tokens, %{y:.1%}<extra></extra>",
            )
        )
    _log_axis(figure)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure


def _curve(points: Sequence[CurvePoint], kind: CurveKind, side: Role, title: str) -> go.Scatter:
    values = [p.accuracy for p in points]
    label = "k" if kind == "maj@k" else "budget"
    return go.Scatter(
        x=[p.tokens for p in points],
        y=[v.value for v in values],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [v.high - v.value for v in values],
            "arrayminus": [v.value - v.low for v in values],
            "thickness": 1,
            "width": 2,
        },
        customdata=[[p.budget, p.cut_share, v.low, v.high, v.n] for p, v in zip(points, values, strict=True)],
        hovertemplate=(
            f"{label} %{{customdata[0]:,}}: %{{y:.1%}} [%{{customdata[2]:.1%}}, %{{customdata[3]:.1%}}]"
            "<br>%{x:,.0f} tokens, %{customdata[1]:.0%} cut, %{customdata[4]:,} problems<extra></extra>"
        ),
        mode="lines+markers",
        line={"color": COLOURS[side], "dash": _Style.DASH[kind], "width": 2},
        marker={"symbol": _Style.MARK[kind], "size": 7},
        name=f"{title}: {kind}",
    )


def cut_share(curves: Mapping[Role, Sequence[CurvePoint]], titles: Mapping[Role, str]) -> go.Figure:
    """Share of answers longer than each budget, which explains the low end of the truncated curve."""
    figure = _figure("token budget (log scale)", "answers cut off")
    for side, points in curves.items():
        mine = [p for p in points if p.kind == "truncated"]
        figure.add_trace(
            go.Scatter(
                x=[p.budget for p in mine],
                y=[p.cut_share for p in mine],
                mode="lines",
                line={"color": COLOURS[side], "width": 2},
                name=titles[side],
                hovertemplate="%{x:,} tokens: %{y:.0%} cut<extra></extra>",
            )
        )
    _log_axis(figure)
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    return figure


def token_histogram(rows: Mapping[Role, Sequence[Row]], titles: Mapping[Role, str]) -> go.Figure:
    """How long the answers are, thought and answer together, right and wrong apart; the sides one below the other."""
    figure = _figure("output tokens", "answers")
    figure.update_layout(
        xaxis={"anchor": "y2"},
        yaxis={"domain": [0.55, 1]},
        yaxis2={"domain": [0, 0.45], "title": "answers", "gridcolor": GRID_COLOUR, "zeroline": False},
    )
    longest = max((r.output_tokens for side in rows.values() for r in side), default=1)
    for side, mine in rows.items():
        for right, pattern in ((True, ""), (False, "/")):
            figure.add_trace(
                go.Histogram(
                    x=[r.output_tokens for r in mine if r.answered and r.correct == right],
                    xbins={"start": 0, "end": longest + 1, "size": max(1, longest // 30)},
                    marker={"color": COLOURS[side], "pattern": {"shape": pattern, "solidity": 0.2}},
                    opacity=0.75,
                    name=f"{titles[side]}, {'right' if right else 'not right'}",
                    yaxis="y" if side == "base" else "y2",
                )
            )
    figure.update_layout(barmode="stack", bargap=0.05, height=460)
    return figure


def breakdown_bars(groups: Sequence[Breakdown], titles: Mapping[Role, str]) -> go.Figure:
    """Accuracy by subject or level, both sides beside each other."""
    figure = _figure("", "accuracy")
    names = [f"{g.key} ({g.paired.problems})" for g in groups]
    shares = {"base": [g.paired.base for g in groups], "distilled": [g.paired.distilled for g in groups]}
    for side, title in titles.items():
        bar = go.Bar(x=names, y=shares[side], marker_color=COLOURS[side], name=title, hovertemplate="%{x}: %{y:.1%}")
        figure.add_trace(bar)
    figure.update_layout(barmode="group", height=300)
    figure.update_xaxes(showgrid=False, type="category")
    figure.update_yaxes(tickformat=".0%", range=[0, 1])
    return figure


def _log_axis(figure: go.Figure) -> None:
    """A log axis with ticks labelled by whole numbers, fewer of them over a wider range."""
    values = [x for trace in figure.data for x in trace.x or () if x and x > 0]
    wide = bool(values) and max(values) / min(values) > 100
    ticks = [first * 10**power for power in range(7) for first in ((1, 3) if wide else (1, 2, 5))]
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{tick:,}" for tick in ticks])


def _figure(x: str, y: str) -> go.Figure:
    figure = figure_layout(go.Figure())
    figure.update_layout(
        margin={"l": 50, "r": 20, "t": 24, "b": 40},
        height=360,
        legend={"y": 1.03, "yanchor": "bottom", "traceorder": "normal", "bgcolor": "rgba(0,0,0,0)"},
    )
    figure.update_xaxes(title=x, zeroline=False)
    figure.update_yaxes(title=y, zeroline=False)
    return figure

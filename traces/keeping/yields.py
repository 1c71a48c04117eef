"""Yield and cost of each way to long thoughts, measured from trace files: the paper's cost figure with our numbers.

Rejected attempts count as well: cost per kept trace = cost of all attempts / traces kept.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import plotly.graph_objects as go

from common.text import duration
from eval.statistics.metrics import Estimate, wilson
from traces.keeping.trace import METHODS, Method, Trace

TITLES: Mapping[Method, str] = {
    "search": "Tree search",
    "teacher": "Teacher",
    "debate": "Debate",
    "people": "People",
    "solution": "Plain solutions",
}
COLOUR = "#0d9488"


@dataclass(frozen=True)
class MethodYield:
    """One method's totals. Figures per kept trace are None if nothing was kept or measured."""

    method: Method
    asked: int
    kept: int
    tokens: int
    """Output tokens over all attempts."""
    seconds: float
    """Time of the model or person over all attempts; parallel requests each count their own."""
    cost: float
    """US dollars over all attempts."""

    @property
    def share(self) -> Estimate:
        """Share of kept attempts, with Wilson's 95 % interval."""
        return wilson(self.kept, self.asked)

    @property
    def tokens_per_kept(self) -> float | None:
        return self.tokens / self.kept if self.kept and self.tokens else None

    @property
    def seconds_per_kept(self) -> float | None:
        return self.seconds / self.kept if self.kept and self.seconds else None

    @property
    def cost_per_kept(self) -> float | None:
        return self.cost / self.kept if self.kept else None


def method_yields(traces: Iterable[Trace], hourly_wage: float = 0.0) -> list[MethodYield]:
    """Totals of every method that has a verified trace, in the order of `METHODS`; translations do not count.

    hourly_wage: US dollars per hour of a person's time, an assumption of the user that is not in the files.
    """
    totals: defaultdict[Method, list[float]] = defaultdict(lambda: [0, 0, 0, 0.0, 0.0])
    for trace in traces:
        if trace.kept is None or "translated_from" in trace.extra:
            continue
        cost = trace.cost + (trace.seconds / 3600 * hourly_wage if trace.method == "people" else 0.0)
        for place, value in enumerate((1, bool(trace.kept), trace.tokens, trace.seconds, cost)):
            totals[trace.method][place] += value
    rows = ((method, totals[method]) for method in METHODS if method in totals)
    return [MethodYield(method, int(row[0]), int(row[1]), int(row[2]), row[3], row[4]) for method, row in rows]


def yield_rows(yields: Iterable[MethodYield]) -> list[dict[str, Any]]:
    """A table with one row per method; “–” for what was not measured."""
    return [
        {
            "Method": TITLES[row.method],
            "Asked": row.asked,
            "Kept": row.kept,
            "Yield": f"{row.share.value:.0%} ({row.share.low:.0%} to {row.share.high:.0%})",
            "Tokens per kept": _or_dash(row.tokens_per_kept, "{:,.0f}"),
            "Time per kept": duration(row.seconds_per_kept),
            "US$ per kept": _dollars(row.cost_per_kept),
        }
        for row in yields
    ]


def _or_dash(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def _dollars(value: float | None) -> str:
    return "0" if value == 0 else _or_dash(value, "{:.4f}")


class CostFigures(NamedTuple):
    """The paper's cost figure in three panels, to be set side by side or one below the other."""

    share: go.Figure
    """Share of kept attempts, with its interval."""
    seconds: go.Figure
    """Per kept trace, on a log scale."""
    cost: go.Figure
    """US dollars per kept trace."""


def cost_figures(yields: Iterable[MethodYield]) -> CostFigures:
    """The figures of these yields; a method without a measured value has no mark in that panel."""
    rows = list(yields)
    names = [TITLES[row.method] for row in rows]
    shares = [row.share for row in rows]
    error = {
        "type": "data",
        "array": [share.high - share.value for share in shares],
        "arrayminus": [share.value - share.low for share in shares],
    }
    style = {"width": 0.5, "marker_color": COLOUR, "hoverinfo": "skip", "cliponaxis": False}
    labels = [f"{share.value:.0%}" for share in shares]
    heights = [estimate.value for estimate in shares]
    inside = {"text": labels, "textposition": "inside", "insidetextanchor": "start"}
    share = go.Figure(go.Bar(x=names, y=heights, error_y=error, **inside, **style))
    share.update_layout(title="Yield: kept of asked").update_yaxes(tickformat=".0%", range=[0, 1.05])
    times = [row.seconds_per_kept for row in rows]
    seconds = go.Figure(
        go.Scatter(
            x=names, y=times, mode="markers+text", text=[duration(time) for time in times], textposition="top center",
            marker={"size": 14, "color": COLOUR}, hoverinfo="skip", cliponaxis=False,
        )
    )  # fmt: skip
    seconds.update_layout(title="Seconds per kept trace").update_xaxes(type="category")
    seconds.update_yaxes(type="log", dtick=1, exponentformat="power", range=_decades(times))
    costs = [row.cost_per_kept for row in rows]
    priced = [_dollars(value) for value in costs]
    cost = go.Figure(go.Bar(x=names, y=costs, text=priced, textposition="outside", **style))
    cost.update_layout(title="US$ per kept trace").update_yaxes(rangemode="tozero")
    return CostFigures(share, seconds, cost)


def _decades(values: Iterable[float | None]) -> list[int]:
    """The powers of ten around these values, for a log axis."""
    exponents = [math.log10(value) for value in values if value]
    return [math.floor(min(exponents)) - 1, math.ceil(max(exponents)) + 1] if exponents else [-1, 1]

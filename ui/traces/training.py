"""The Training section: loss curve and report of each adapter. Reads files, measures nothing."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import plotly.graph_objects as go

from common.paths import ADAPTERS
from traces.publishing.report import REPORT
from ui.kit.events import QUIET
from ui.kit.html import html, note, shown, text_of
from ui.kit.palette import DISTILLED_COLOUR, figure_layout
from ui.traces.report import report_html

SMOOTHING = 0.9
"""Weight of the past in the smoothed line (exponential moving average)."""


TICKS = [base * 10**power for power in range(-4, 2) for base in (1, 2, 5)]


class Point(NamedTuple):
    """One logged loss; `step` counts over all phases."""

    phase: str
    step: int
    loss: float


def training_folders(home: Path) -> dict[str, Path]:
    """Name → folder with a loss curve or a report: the shipped adapters, then what was trained here."""
    shipped = {f"{path.name} (shipped)": path for path in sorted(ADAPTERS.glob("*")) if _has_something(path)}
    here = sorted({path.parent for path in home.rglob("loss.jsonl")})
    return shipped | {str(path.relative_to(home)): path for path in here}


def _has_something(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (REPORT, "loss.jsonl"))


def read_losses(folder: Path) -> list[Point]:
    """The logged losses in order; a line that was cut short is passed over."""
    path = folder / "loss.jsonl"
    points: list[Point] = []
    before = 0
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            row = json.loads(line)
            phase, step, loss = str(row.get("phase", "")), int(row["step"]), float(row["loss"])
        except (ValueError, KeyError, TypeError):
            continue
        if points and phase != points[-1].phase:
            before = points[-1].step
        points.append(Point(phase, before + step, loss))
    return points


def loss_figure(points: list[Point]) -> go.Figure:
    """Loss per completion token against optimiser steps, log scale: as logged, and smoothed per phase."""
    figure = go.Figure()
    phases: defaultdict[str, list[Point]] = defaultdict(list)
    for point in points:
        phases[point.phase].append(point)
    for number, (phase, mine) in enumerate(phases.items()):
        dash = ("solid", "dash", "dot")[number % 3]
        steps, losses = [point.step for point in mine], [point.loss for point in mine]
        figure.add_scatter(x=steps, y=losses, mode="markers", marker={"size": 4, "color": "#94a3b8"},
            name=f"{phase}: logged", showlegend=False, hovertemplate="step %{x}: %{y:.4f}<extra></extra>")  # fmt: skip
        figure.add_scatter(x=steps, y=smoothed(losses), mode="lines", name=phase or "loss",
            line={"color": DISTILLED_COLOUR, "dash": dash, "width": 2}, hoverinfo="skip")  # fmt: skip
    figure_layout(figure)
    figure.update_layout(height=320, legend={"y": -0.3})
    figure.update_xaxes(title="optimiser steps, all phases")
    figure.update_yaxes(title="loss per token", type="log", tickvals=TICKS, ticktext=[f"{tick:g}" for tick in TICKS])
    return figure


def smoothed(values: list[float]) -> list[float]:
    """Exponential moving average, unbiased at the start."""
    average, weight, result = 0.0, 0.0, []
    for value in values:
        average = SMOOTHING * average + (1 - SMOOTHING) * value
        weight = SMOOTHING * weight + (1 - SMOOTHING)
        result.append(average / weight)
    return result


def build_training(home: Path, tab: gr.Tab) -> None:
    """Build the section, which looks for trained adapters whenever it is selected."""
    chosen = gr.Dropdown([], label="Adapter", visible=False)
    plot = gr.Plot(show_label=False, visible=False)
    report = html(elem_id="adapter-report")

    def show(name: str | None) -> list[Any]:
        folders = training_folders(home)
        name = name if name in folders else next(iter(folders), None)
        picker = gr.update(choices=list(folders), value=name, visible=len(folders) > 1)
        points = read_losses(folders[name]) if name else []
        figure = gr.update(value=loss_figure(points) if points else None, visible=bool(points))
        report = report_html(folders[name]) if name else note(text_of("traces")["no_training"])
        return [picker, figure, shown(report)]

    gr.on([tab.select, chosen.input], show, chosen, [chosen, plot, report], **QUIET)

"""The losses of a training run: its log as a picture, and as one line for the terminal."""

from collections.abc import Sequence
from math import log
from pathlib import Path
from statistics import fmean

from common import jsonl

BARS = "▁▂▃▄▅▆▇█"


def sparkline(losses: Sequence[float], width: int = 24) -> str:
    """The losses as at most `width` bars on a logarithmic scale, each the mean of an equal share of them."""
    count = min(width, len(losses))
    shares = [losses[i * len(losses) // count : (i + 1) * len(losses) // count] for i in range(count)]
    heights = [log(max(fmean(share), 1e-6)) for share in shares]
    span = max(heights, default=0.0) - min(heights, default=0.0)
    return "".join(BARS[round((h - min(heights)) / span * (len(BARS) - 1)) if span else 0] for h in heights)


def plot_losses(log_file: Path, out: Path) -> None:
    """Draw the log of all phases, one after the other; nothing if nothing is logged yet."""
    from matplotlib.figure import Figure

    entries = [entry for _, entry in jsonl.read(log_file)]
    if not entries:
        return
    figure = Figure(figsize=(7, 3.2), layout="constrained")
    axes = figure.add_subplot()
    start = 0
    for phase in dict.fromkeys(entry["phase"] for entry in entries):
        own = [entry for entry in entries if entry["phase"] == phase]
        axes.plot([start + entry["step"] for entry in own], [entry["loss"] for entry in own], label=phase)
        start += own[-1]["step"]
    axes.set(xlabel="step", ylabel="loss a learned token", yscale="log")
    axes.legend()
    figure.savefig(out, dpi=120)

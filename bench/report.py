"""Measured values, the table they are printed in and the file they are kept in. Measures nothing itself."""

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psutil

from common.paths import ROOT, home


@dataclass(frozen=True)
class Measure:
    """One measured value, and the reference measured in the same run."""

    what: str
    value: float
    unit: str
    reference: float | None = None
    """In the same unit."""
    against: str = ""
    """What the reference is."""
    least_ratio: float | None = None
    """Target: value / reference is at least this."""
    most_ratio: float | None = None
    """Target: value / reference is at most this."""
    most: float | None = None
    """Target: the value is at most this."""

    @property
    def ratio(self) -> float | None:
        return self.value / self.reference if self.reference else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None if there is none."""
        if self.least_ratio is not None and self.ratio is not None:
            return self.ratio >= self.least_ratio
        if self.most_ratio is not None and self.ratio is not None:
            return self.ratio <= self.most_ratio
        return None if self.most is None else self.value <= self.most


@dataclass(frozen=True)
class Section:
    """What one script measured."""

    title: str
    measures: Sequence[Measure]
    notes: Sequence[str] = ()
    """How it was measured, and caveats."""


def middle(values: Sequence[float]) -> float:
    """The median: one slow repetition on a busy machine does not move it."""
    return float(median(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest value that at least `share` of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def cpu_name() -> str:
    """The processor's own name, e.g. `Intel(R) Xeon(R) …`."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine() -> dict[str, object]:
    """The machine the numbers were measured on, and how busy it was."""
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_1_minute": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }


def describe(section: Section) -> str:
    """The section as a table in plain text, also good Markdown."""
    rows = [f"\n## {section.title}\n", "| measure | value | reference | ratio | aim |", "|---|---|---|---|---|"]
    rows += [f"| {' | '.join(_cells(measure))} |" for measure in section.measures]
    rows += ["", *section.notes] if section.notes else []
    return "\n".join(rows)


def save(sections: Sequence[Section], failed: dict[str, str], quick: bool) -> Path:
    """Write everything to `bench/` in the app's home, under the date and the processor; returns the file."""
    now = datetime.now(UTC)
    slug = "-".join("".join(c if c.isalnum() else " " for c in cpu_name()).lower().split())
    path = home() / "bench" / f"{now:%Y-%m-%d-%H%M%S}-{slug}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "taken_at": now.isoformat(timespec="seconds"),
        "commit": _commit(),
        "quick": quick,
        "machine": machine(),
        "sections": [
            asdict(s) | {"measures": [asdict(m) | {"ratio": m.ratio, "met": m.met} for m in s.measures]}
            for s in sections
        ],
        "failed": failed,
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def _cells(measure: Measure) -> list[str]:
    reference = "" if measure.reference is None else f"{_number(measure.reference)} ({measure.against})"
    ratio = "" if measure.ratio is None else f"{measure.ratio:.3f}"
    aim = ""
    if measure.least_ratio is not None:
        aim = f"ratio ≥ {measure.least_ratio}"
    elif measure.most_ratio is not None:
        aim = f"ratio ≤ {measure.most_ratio}"
    elif measure.most is not None:
        aim = f"≤ {measure.most:g}"
    if measure.met is not None:
        aim += " met" if measure.met else " MISSED"
    return [measure.what, f"{_number(measure.value)} {measure.unit}", reference, ratio, aim]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _commit() -> str:
    head = ROOT / ".git" / "HEAD"
    try:
        ref = head.read_text(encoding="utf-8").strip().removeprefix("ref: ")
        return (ROOT / ".git" / ref).read_text(encoding="utf-8").strip() if "/" in ref else ref
    except OSError:
        return ""

"""The benchmark's own arithmetic: ratios, aims, medians, percentiles, and what is printed and kept."""

import json
from pathlib import Path

import pytest

from bench.report import Measure, Section, describe, middle, percentile, save

MEASURES = [
    (Measure("speed", 97, "tokens/s", 100, "straight", least_ratio=0.97), 0.97, True),
    (Measure("speed", 96, "tokens/s", 100, "straight", least_ratio=0.97), 0.96, False),
    (Measure("processor time", 30, "s", 20, "bare page", most_ratio=1.5), 1.5, True),
    (Measure("processor time", 31, "s", 20, "bare page", most_ratio=1.5), 1.55, False),
    (Measure("added", 31, "ms", most=30), None, False),
    (Measure("added", -2, "ms", most=30), None, True),
    (Measure("memory", 2, "GiB"), None, None),
]


@pytest.mark.parametrize(("measure", "ratio", "met"), MEASURES)
def test_aims(measure: Measure, ratio: float | None, met: bool | None) -> None:
    assert measure.ratio == ratio
    assert measure.met is met


def test_percentiles_are_values_that_were_measured() -> None:
    hundred = [float(n) for n in range(100, 0, -1)]
    assert percentile(hundred, 0.99) == 99
    assert percentile(hundred, 0.5) == 50
    assert percentile([7.0], 0.99) == 7
    assert middle([1, 100, 2]) == 2


def test_what_is_printed_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    section = Section("Streaming", [m for m, _, _ in MEASURES], ["How."])
    text = describe(section)
    assert "0.960 | ratio ≥ 0.97 MISSED" in text and "| ≤ 30 met |" in text and text.endswith("How.")
    path = save([section], {"voting": "disk full"}, quick=True)
    kept = json.loads(path.read_text())
    assert path.parent == tmp_path / "bench"
    assert [m["met"] for m in kept["sections"][0]["measures"]] == [met for _, _, met in MEASURES]
    assert kept["failed"] == {"voting": "disk full"} and kept["quick"] and kept["machine"]["cores"]

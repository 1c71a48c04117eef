"""The losses of a run as one line and as a picture."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from traces.training.loss_curve import BARS, plot_losses, sparkline


def test_a_falling_loss_falls() -> None:
    line = sparkline([2.0 / (step + 1) for step in range(240)], width=8)
    assert line[0] == BARS[-1] and line[-1] == BARS[0] and len(line) == 8
    assert list(line) == sorted(line, reverse=True)
    assert sparkline([0.5, 0.5]) == BARS[0] * 2
    assert sparkline([]) == ""


@given(st.lists(st.floats(0, 1e6), max_size=60), st.integers(1, 30))
def test_every_loss_is_drawn_in_at_most_the_width(losses: list[float], width: int) -> None:
    assert len(sparkline(losses, width)) == min(width, len(losses))


def test_the_picture_needs_a_loss(tmp_path: Path) -> None:
    log, picture = tmp_path / "loss.jsonl", tmp_path / "loss.png"
    log.write_text("")
    plot_losses(log, picture)
    assert not picture.exists()
    log.write_text('{"phase": "one", "step": 10, "loss": 0.5}\n{"phase": "two", "step": 10, "loss": 0.4}\n')
    plot_losses(log, picture)
    assert picture.stat().st_size > 1000

"""Trainer callbacks: loss log, time limit, progress bar."""

import time
from pathlib import Path
from typing import Any

from transformers import ProgressCallback, TrainerCallback

from common import jsonl
from traces.training.loss_curve import plot_losses, sparkline
from traces.training.recipe import Phase


class Watch(TrainerCallback):
    """Writes every logged loss to a file at once, plots the curve next to it, and stops the phase at its time limit.

    A phase resumed from a checkpoint drops losses logged after it; its earlier time counts towards the limit. With
    several processes, only the first one writes.
    """

    def __init__(self, log: Path, phase: Phase) -> None:
        self.log, self.phase = log, phase
        self.started = time.monotonic()
        self.timed_out = False

    @property
    def seconds(self) -> float:
        """Training time of this phase so far, over all its runs."""
        return time.monotonic() - self.started

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if not state.is_world_process_zero:
            return
        entries = [entry for _, entry in jsonl.read(self.log)] if self.log.exists() else []
        kept = [e for e in entries if e["phase"] != self.phase.name or e["step"] <= state.global_step]
        jsonl.write(self.log, kept)
        self.started -= max((e["seconds"] for e in kept if e["phase"] == self.phase.name), default=0.0)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        if logs and "loss" in logs and state.is_world_process_zero:
            entry = {
                "phase": self.phase.name,
                "step": state.global_step,
                "loss": round(float(logs["loss"]), 5),
                "learning_rate": logs.get("learning_rate"),
                "seconds": round(self.seconds, 1),
            }
            jsonl.append(self.log, [entry])

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        limit = self.phase.max_minutes
        if limit is not None and self.seconds > 60 * limit and not control.should_training_stop:
            self.timed_out = state.global_step < state.max_steps
            control.should_save = control.should_training_stop = True
        # Log the last step too: a phase may be shorter than the logging interval.
        control.should_log = control.should_log or control.should_training_stop

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            plot_losses(self.log, self.log.with_suffix(".png"))


class CurveBar(ProgressCallback):
    """The library's progress bar with the losses so far as a small curve, instead of a line for each."""

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
        if self.training_bar is not None and losses:
            self.training_bar.set_postfix_str(f"loss {losses[-1]:.3f} {sparkline(losses)}")

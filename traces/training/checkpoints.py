"""What a training run has on disk, and what of it is gone on from."""

import json
import shutil
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import torch
from accelerate import PartialState

from common.errors import ConfigError, DataError
from models.weights.files import sha256_of
from traces.training.mix import rows_path
from traces.training.recipe import Recipe

ROWS_NOTE = "rows.sha256"
"""In a phase's folder beside its checkpoints: the hash of the rows that it began with."""


ANEW = "Train without --resume, which begins anew, or give another --out."


class PhaseResult(NamedTuple):
    """What one phase did."""

    phase: str
    steps: int
    seconds: float
    tokens: int
    """Tokens seen, prompts included, padding not."""
    learned: int
    dropped: int
    final_loss: float
    finished: bool
    """False when its time limit ended it."""


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint. Its state is written last: one that a kill cut short has none."""
    whole = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json")]
    return max(whole, key=lambda checkpoint: int(checkpoint.name.split("-")[-1]), default=None)


def trained_phases(recipe: Recipe, out: Path) -> list[PhaseResult]:
    """The phases from the first on that need no more training.

    One that its time limit ended needs more where the recipe now gives it longer.
    """
    file = out / "phases.json"
    results = [PhaseResult(**entry) for entry in json.loads(file.read_text())] if file.exists() else []
    limits = {phase.name: phase.max_minutes for phase in recipe.phases}

    def done(result: PhaseResult) -> bool:
        limit = limits.get(result.phase)
        return result.finished or (limit is not None and result.seconds >= round(60 * limit, 1))

    return list(takewhile(done, results))


def forget(folders: Iterable[Path]) -> None:
    """Remove the checkpoints in these folders, and what is noted of their rows."""
    for folder in folders:
        if folder.is_dir():
            (folder / ROWS_NOTE).unlink(missing_ok=True)
        for checkpoint in folder.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)


def begin(recipe: Recipe, out: Path, resume: bool) -> list[PhaseResult]:
    """Note whose run `out` holds; the phases of it that are not run again.

    A new run removes what an earlier one would be gone on from, and one that goes on with a phase does so for the
    phases after it, which began with less. Raises ConfigError where `resume` would go on with what another recipe
    trained; hardware and time limits may change.
    """
    note = out / "recipe.json"
    said = recipe.model_dump_json(exclude={"about": True, "launch": True, "phases": {"__all__": {"max_minutes"}}})
    if resume and note.exists() and note.read_text(encoding="utf-8") != said:
        raise ConfigError(
            f"What lies in {out} was trained by another version of the recipe {recipe.name}.",
            ANEW,
        )
    state = PartialState(cpu=not torch.cuda.is_available())
    if state.is_main_process:
        out.mkdir(parents=True, exist_ok=True)
        if not resume:
            for file in (out / "phases.json", out / "loss.jsonl"):
                file.unlink(missing_ok=True)
            forget(out.glob("*"))
        note.write_text(said, encoding="utf-8")
    state.wait_for_everyone()
    done = trained_phases(recipe, out)
    if state.is_main_process:
        forget(out / phase.name for phase in recipe.phases[len(done) + 1 :])
    return done


def check_rows(recipe: Recipe, out: Path, data: Path) -> None:
    """Raises DataError where a phase that has begun was given other rows than lie in `data` now."""
    for phase in recipe.phases:
        note, rows = out / phase.name / ROWS_NOTE, rows_path(phase, data)
        if note.exists() and rows.exists() and note.read_text(encoding="utf-8") != sha256_of(rows):
            raise DataError(f"{rows} is not what phase {phase.name} in {out} was trained on.", ANEW)

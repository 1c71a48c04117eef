"""What a training run has on disk, and which of it a resumed run continues from."""

import shutil
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from common import jsonl
from common.errors import ConfigError, DataError
from models.weights.files import sha256_of
from traces.training.mix import rows_path
from traces.training.recipe import Recipe
from traces.training.scale.group import agreed, wait_for_all
from traces.training.scale.processes import is_first

ROWS_NOTE = "rows.sha256"
"""In a phase's folder beside its checkpoints: the hash of the rows it was started with."""
MAY_DIFFER: dict[str, Any] = {
    "about": True,
    "launch": True,
    "architecture": True,
    "keep_checkpoints": True,
    "phases": {"__all__": {"max_minutes"}},
}
"""Fields of a recipe that may change before a run is resumed."""
START_ANEW = "Train without --resume to start from the beginning, or give another --out."


class PhaseResult(NamedTuple):
    """The figures of one phase."""

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
    """The newest complete checkpoint. Its state is written last, so one that a kill interrupted has none."""
    whole = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json")]
    return max(whole, key=lambda checkpoint: int(checkpoint.name.split("-")[-1]), default=None)


def trained_phases(recipe: Recipe, out: Path) -> list[PhaseResult]:
    """The leading phases that need no more training.

    A phase that was ended by its time limit needs more if the recipe now allows more time.
    """
    file = out / "phases.json"
    results = [PhaseResult(**entry) for entry in jsonl.parse(jsonl.read_text(file), str(file))] if file.exists() else []
    limits = {phase.name: phase.max_minutes for phase in recipe.phases}

    def done(result: PhaseResult) -> bool:
        limit = limits.get(result.phase)
        return result.finished or (limit is not None and result.seconds >= round(60 * limit, 1))

    return list(takewhile(done, results))


def forget(folders: Iterable[Path]) -> None:
    """Remove the checkpoints in these folders, and the notes on their rows."""
    for folder in folders:
        if folder.is_dir():
            (folder / ROWS_NOTE).unlink(missing_ok=True)
        for checkpoint in folder.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)


def begin(recipe: Recipe, out: Path, resume: bool) -> list[PhaseResult]:
    """Note in `out` which recipe it belongs to; returns the phases that are not run again.

    A new run removes an earlier one's checkpoints. A resumed run removes those of the phases after the one it
    continues, since they started from weights that will change. Raises ConfigError if `resume` would continue what
    another recipe trained; hardware and time limits may differ.
    """
    note = out / "recipe.json"
    if resume and note.exists() and not same_training(note, recipe):
        raise ConfigError(
            f"The run in {out} was trained by another version of the recipe {recipe.name}.",
            START_ANEW,
        )
    wait_for_all()  # the note is replaced below
    if is_first():
        out.mkdir(parents=True, exist_ok=True)
        if not resume:
            for file in (out / "phases.json", out / "loss.jsonl"):
                file.unlink(missing_ok=True)
            forget(out.glob("*"))
        note.write_text(recipe.model_dump_json(exclude=MAY_DIFFER), encoding="utf-8")
    done = agreed(trained_phases(recipe, out) if is_first() else [])
    if is_first():
        forget(out / phase.name for phase in recipe.phases[len(done) + 1 :])
    return done


def same_training(note: Path, recipe: Recipe) -> bool:
    """Whether the recipe noted in a run's folder trains as this one does. Fields that the note lacks, since its version
    did not know them, have their defaults."""
    try:
        noted = Recipe.model_validate_json(note.read_text(encoding="utf-8"))
    except ValidationError:
        return False
    return noted.model_dump(exclude=MAY_DIFFER) == recipe.model_dump(exclude=MAY_DIFFER)


def check_rows(recipe: Recipe, out: Path, data: Path) -> None:
    """Raises DataError if the rows of a started phase are not those in `data` now."""
    for phase in recipe.phases:
        note, rows = out / phase.name / ROWS_NOTE, rows_path(phase, data)
        if note.exists() and rows.exists() and note.read_text(encoding="utf-8") != sha256_of(rows):
            raise DataError(f"{rows} is not what phase {phase.name} in {out} was trained on.", START_ANEW)

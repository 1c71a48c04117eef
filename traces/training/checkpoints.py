"""What a training run keeps on disk, and what a resumed run continues from."""

import json
import shutil
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from common import jsonl
from common.errors import ConfigError, DataError
from common.jsonl import write_text
from models.config.adapter_config import CONFIG
from models.weights.files import sha256_of
from traces.training.mix import after, rows_path
from traces.training.recipe import Recipe
from traces.training.scale.group import agreed, wait_for_all
from traces.training.scale.processes import is_first

ROWS_NOTE = "rows.sha256"
"""In a phase's folder beside its checkpoints: the hash of the rows it was started with."""
DEVICES_NOTE = "devices.json"
"""Next to it: the devices that the phase was started on."""
RECIPE_NOTE = "recipe.json"
"""In a run's folder: the recipe that it is trained by."""
RESULT_NOTE = "result.json"
"""In a run's folder: that everything after the last phase was done, and where the result was pushed."""
MAY_DIFFER: dict[str, Any] = {
    "about": True,
    "launch": True,
    "architecture": True,
    "keep_checkpoints": True,
    "phases": {"__all__": {"max_minutes"}},
}
"""Fields of a recipe that may change before a run is resumed; for limits on `launch` once a phase has a checkpoint, see
`check_resumable`."""
START_ANEW = "Train without --resume to start from the beginning, or give another --out."


class PhaseResult(NamedTuple):
    """The figures of one phase."""

    phase: str
    steps: int
    seconds: float
    tokens: int
    """Tokens seen, including prompts, excluding padding."""
    learned: int
    dropped: int
    final_loss: float
    finished: bool
    """False when its time limit ended it."""


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint. The trainer state is written last, so an interrupted checkpoint has none."""
    whole = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json")]
    return max(whole, key=lambda checkpoint: int(checkpoint.name.split("-")[-1]), default=None)


def trained_phases(recipe: Recipe, out: Path) -> list[PhaseResult]:
    """The leading phases that need no more training.

    A phase stopped by its time limit needs more if the recipe now allows more time.
    """
    file = out / "phases.json"
    results = [PhaseResult(**entry) for entry in jsonl.parse(jsonl.read_text(file), str(file))] if file.exists() else []
    limits = {phase.name: phase.max_minutes for phase in recipe.phases}

    def done(result: PhaseResult) -> bool:
        limit = limits.get(result.phase)
        return result.finished or (limit is not None and result.seconds >= round(60 * limit, 1))

    return list(takewhile(done, results))


def is_ours(folder: Path) -> bool:
    """Whether a phase was trained in this folder: its notes are written before its first checkpoint."""
    return any((folder / name).is_file() for name in (ROWS_NOTE, DEVICES_NOTE))


def forget(folders: Iterable[Path]) -> None:
    """Remove the checkpoints in those of these folders that are ours, then the notes on their rows and devices."""
    for folder in filter(is_ours, folders):
        forget_checkpoints(folder)
        for name in (ROWS_NOTE, DEVICES_NOTE):
            (folder / name).unlink(missing_ok=True)


def forget_checkpoints(folder: Path) -> None:
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


def forget_finished(results: Iterable[PhaseResult], out: Path) -> None:
    """Remove the checkpoints of completed phases, whose weights are in `after_<phase>`. A phase stopped by its time
    limit keeps them, since it can continue with a longer limit."""
    for result in results:
        if result.finished:
            forget_checkpoints(out / result.phase)


def phases_done(recipe: Recipe, out: Path, resume: bool) -> list[PhaseResult]:
    """The phases that need not run again: none unless a run is resumed. Changes nothing.

    Raises ConfigError if `resume` would continue another recipe's training, or a started phase on a different number of
    devices (time limits may differ), or if a phase's folder holds checkpoints that are not ours. Raises DataError if
    the weights to continue from are gone.
    """
    if resume:
        check_resumable(recipe, out)
        check_weights(recipe, out)
    for folder in (out / phase.name for phase in recipe.phases):
        if any(folder.glob("checkpoint-*")) and not is_ours(folder):
            raise ConfigError(
                f"{folder} holds checkpoints of another training, which a phase of that name would remove.",
                "Give another --out, or move them away.",
            )
    return agreed(trained_phases(recipe, out) if resume and is_first() else [])


def begin(recipe: Recipe, out: Path, done: Sequence[PhaseResult], resume: bool) -> None:
    """Record in `out` which recipe it belongs to. `done`: what `phases_done` returned.

    A new run removes an earlier one's checkpoints. A resumed run removes those of the phases after the one it
    continues, since they started from weights that will change.
    """
    wait_for_all()  # until here the others read what is replaced below
    if is_first():
        out.mkdir(parents=True, exist_ok=True)
        note = out / RECIPE_NOTE
        if not resume:
            for file in (out / "phases.json", out / "loss.jsonl"):
                file.unlink(missing_ok=True)
            forget(out / name for name in {*noted_phases(note), *(phase.name for phase in recipe.phases)})
        if len(done) < len(recipe.phases):
            (out / RESULT_NOTE).unlink(missing_ok=True)
        write_text(note, recipe.model_dump_json(exclude=MAY_DIFFER))
        forget(out / phase.name for phase in recipe.phases[len(done) + 1 :])
        forget_finished(done, out)
    wait_for_all()


def noted_phases(note: Path) -> list[str]:
    """The names of the phases of an earlier run's recipe, whatever version wrote it; none if it cannot be read."""
    try:
        return [str(phase["name"]) for phase in json.loads(note.read_text(encoding="utf-8"))["phases"]]
    except (OSError, ValueError, LookupError, TypeError):
        return []


def check_resumable(recipe: Recipe, out: Path) -> None:
    """Raises ConfigError if the run in `out` is another recipe's, or if the phase to be resumed has a checkpoint from a
    different number of devices.

    ZeRO-3 shards a checkpoint into as many parts as there are devices. With any method, the batches, and so the rows
    already seen, depend on the number of devices that process rows in parallel.
    """
    recipe_note = out / RECIPE_NOTE
    if recipe_note.exists() and not same_training(recipe_note, recipe):
        raise ConfigError(
            f"The run in {out} was trained by another version of the recipe {recipe.name}.",
            START_ANEW,
        )
    for phase in recipe.phases[len(trained_phases(recipe, out)) :][:1]:
        note = out / phase.name / DEVICES_NOTE
        if not note.exists() or not last_checkpoint(note.parent):
            return
        before, now = json.loads(note.read_text(encoding="utf-8")), devices_of(recipe)
        for field in (field for field in now if before[field] != now[field]):
            raise ConfigError(
                f"Phase {phase.name} in {out} was started with launch.{field} {before[field]}, and the recipe now says "
                f"{now[field]}: its checkpoints cannot be continued so.",
                f"Set launch.{field} back to {before[field]}, or remove {note.parent} to begin this phase again; "
                "finished phases stay.",
            )


def check_weights(recipe: Recipe, out: Path) -> None:
    """Raises DataError if the weights of the last trained phase, from which a resumed run goes on, are gone. Those of
    the phases before it are not needed any more."""
    for result in trained_phases(recipe, out)[-1:]:
        folder = after(out, result.phase)
        if not any(folder.glob("*.safetensors")):
            raise DataError(
                f"Phase {result.phase} is trained, but its weights are not in {folder}.",
                f"Put them back there. {START_ANEW}",
            )


def note_start(recipe: Recipe, folder: Path, rows: Path) -> None:
    """Record in a phase's folder the rows and devices that it is started with."""
    folder.mkdir(exist_ok=True)
    write_text(folder / ROWS_NOTE, sha256_of(rows))
    write_text(folder / DEVICES_NOTE, json.dumps(devices_of(recipe)))


def devices_of(recipe: Recipe) -> dict[str, int]:
    return {"devices": recipe.launch.devices, "sequence_parallel": recipe.launch.sequence_parallel}


def same_training(note: Path, recipe: Recipe) -> bool:
    """Whether the recipe recorded in a run's folder trains in the same way as this one. Fields missing from the note,
    because its version did not have them, take their defaults."""
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


def note_result(recipe: Recipe, out: Path) -> None:
    """Record that nothing is left to do after the last phase."""
    write_text(out / RESULT_NOTE, json.dumps({"pushed_to": recipe.launch.push_to}))


def is_complete(recipe: Recipe, out: Path) -> bool:
    """Whether what follows the last phase is done as well: the adapter where the method gives one, and the push that
    the recipe asks for."""
    gives_adapter, push_to = recipe.method != "full", recipe.launch.push_to
    if not gives_adapter and not push_to:
        return True
    note = out / RESULT_NOTE
    if not note.exists() or (gives_adapter and not (out / "adapter" / CONFIG).is_file()):
        return False
    return push_to in (None, jsonl.parse(jsonl.read_text(note), str(note)).get("pushed_to"))

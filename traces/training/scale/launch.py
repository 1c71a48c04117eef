"""Running a recipe on several devices: a separate group of processes for each phase, by `accelerate launch`.

A second ZeRO-3 trainer in one process fails or keeps the memory of the first (DeepSpeed issues 4856 and 5602), so a
process trains one phase and ends.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from common.errors import ArenaError, ConfigError
from common.paths import ROOT
from traces.training.checkpoints import check_resumable, is_complete, trained_phases
from traces.training.recipe import Recipe

GRACE_SECONDS = 60.0
"""Time a group has to exit after it was asked to."""


@dataclass(frozen=True)
class Place:
    """Which of the machines this is, and where the first one can be reached."""

    rank: int = 0
    address: str = "127.0.0.1"
    port: int = 0
    """0 means any free port, which is enough on a single machine."""


def launch(
    recipe: Recipe,
    out: Path,
    train_one: Sequence[str],
    place: Place,
    *,
    resume: bool,
    report: Callable[[str], None],
) -> None:
    """Run all remaining phases, one after the other. Every machine of the recipe calls this with its own rank.

    The last phase's process also does what follows it: the adapter, the push. Where a resumed run lacks only that,
    machine 0 does it, in a single process. `train_one`: the arguments after `python -m` that train the next phase;
    `--resume` is added. Raises ConfigError for an invalid rank, for another recipe's run and for a phase that was
    started on a different number of devices, ArenaError if a process fails.
    """
    if not 0 <= place.rank < recipe.launch.machines:
        raise ConfigError(
            f"--rank {place.rank} does not go with {recipe.launch.machines} machine(s).",
            "Count from 0, and set launch.machines in the recipe.",
        )
    if resume:
        check_resumable(recipe, out)
    done = len(trained_phases(recipe, out)) if resume else 0
    for number, phase in enumerate(recipe.phases[done:]):
        report(f"Phase {phase.name} on {recipe.launch.devices} device(s) …")
        again = ["--resume"] if resume or number else []
        command = [sys.executable, "-m", *accelerate_arguments(recipe, place), *train_one, *again]
        if code := _run(command):
            raise ArenaError(
                f"Phase {phase.name} ended with code {code}; the error is above.",
                "Correct it, then give the same command with --resume on every machine.",
            )
    if done == len(recipe.phases) and place.rank == 0 and not is_complete(recipe, out):
        report("All phases are trained; what follows them was not done yet …")
        if code := _run([sys.executable, "-m", *train_one, "--resume"]):
            raise ArenaError(
                f"What follows the last phase ended with code {code}; the error is above.",
                "Correct it, then give the same command with --resume.",
            )


def _run(command: Sequence[str]) -> int:
    """Run a command to the end; if waiting is interrupted, its processes are terminated too."""
    search = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    group = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": search})
    try:
        return group.wait()
    except BaseException:
        group.terminate()  # the launcher ends the others
        with suppress(subprocess.TimeoutExpired):
            group.wait(GRACE_SECONDS)
        raise


def accelerate_arguments(recipe: Recipe, place: Place) -> list[str]:
    """`accelerate launch` for one phase, up to the module it starts. DeepSpeed is set up by the recipe, not here."""
    hardware = recipe.launch
    return [
        "accelerate.commands.launch",
        *(["--multi_gpu"] if hardware.devices > 1 else []),  # without GPUs too: one process per device
        f"--num_machines={hardware.machines}",
        f"--num_processes={hardware.devices}",
        f"--machine_rank={place.rank}",
        f"--main_process_ip={place.address}",
        f"--main_process_port={place.port}",
        "--mixed_precision=no",  # the trainer's own setting counts
        "--dynamo_backend=no",
        "-m",
    ]

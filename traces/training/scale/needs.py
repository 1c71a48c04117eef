"""A recipe's memory and disk requirements, in words, for `arena train check`."""

import shutil
from pathlib import Path
from typing import NamedTuple

from common.errors import ConfigError
from models.config.memory import Architecture
from models.config.registry import load_architectures, load_config
from traces.training.configs import held_bytes, memory_needed, sharding
from traces.training.recipe import Phase, Recipe, named_pair, names_pair
from traces.training.scale.memory import (
    RUNTIME_GB,
    activations,
    checkpoint_gb,
    disk_gb,
    gathered_gb,
    host_gb,
    result_gb,
)


class Needs(NamedTuple):
    """Memory and disk requirements, all in GB."""

    states: float
    """Weights, gradients and optimiser states of one device."""
    device: float | None
    """Total memory of one device in its most demanding phase; None if the shape of the base is not known."""
    host: float
    """Main memory of the first machine."""
    checkpoint: float
    disk: float
    free: float
    """Space available on the disk of the run's folder, counting what the run already has there."""
    lines: tuple[str, ...]

    def fault(self, recipe: Recipe, *, disk: bool = False) -> ConfigError | None:
        """Why the recipe does not fit the machines it describes, if it does not. `disk`: whether the disk examined is
        the run's, so that it must have enough space."""
        limit, host = recipe.launch.memory_per_device_gb, recipe.launch.host_memory_gb
        # Without an estimate of the activations, at least a tenth of the memory must be left for them.
        needed = self.device if self.device is not None else self.states / 0.9
        if limit is not None and needed > limit:
            return ConfigError(
                f"launch.memory_per_device_gb is {limit:g}, which is less than a device needs, activations included.",
                "Use more devices, activation_offload, sequence_parallel, an offload in the DeepSpeed file, or method "
                "lora.",
            )
        if host is not None and self.host > host:
            return ConfigError(
                f"launch.host_memory_gb is {host:g}, which is less than the {self.host:.0f} GB that a machine needs.",
                "Offload less, or use more machines.",
            )
        if disk and self.disk > self.free:
            return ConfigError(
                f"The run needs {size(self.disk)} of disk, and {size(self.free)} are free for it.",
                "Choose a folder on a larger disk with --out, or keep fewer checkpoints (keep_checkpoints).",
            )
        return None


def needs(recipe: Recipe, recipe_folder: Path, out: Path) -> Needs:
    """What each device, the first machine and the disk below `out` need. Raises ConfigError."""
    bytes_each, states = held_bytes(recipe), memory_needed(recipe, recipe_folder)
    stage, offloaded = sharding(recipe, recipe_folder)
    shape = architecture_of(recipe)
    lines = [f"Memory: {states:.1f} GB per device for weights, gradients and optimizer."]
    device, saved = None, 0.0
    if shape is None:
        lines.append("Activations: not estimated, because the recipe names no architecture; they come on top.")
    else:
        gathered, offload = gathered_gb(shape, bytes_each, stage), recipe.launch.activation_offload
        most = 0.0
        for phase in recipe.phases:
            part = activations(recipe, phase, shape)
            there = (0.0 if offload else part.saved) + part.working + part.head
            lines.append(_activation_line(phase, part.saved, there, offload))
            most, saved = max(most, there), max(saved, part.saved)
        # A recipe that says what a device has is meant for GPUs.
        runtime = RUNTIME_GB if recipe.launch.memory_per_device_gb else 0.0
        device = states + most + gathered + runtime
        more = f", with {gathered:.1f} GB that ZeRO gathers (estimate)" if gathered else ""
        more += f" and {runtime:g} GB for CUDA and NCCL (assumption)" if runtime else ""
        lines.append(f"Together: {device:.1f} GB per device{more}.")
    host = host_gb(recipe, bytes_each, stage, saved, offloaded=offloaded)
    if host:
        lines.append(f"Main memory: {host:.0f} GB on the first machine (estimate).")
    checkpoint, disk, free = checkpoint_gb(recipe, bytes_each), disk_gb(recipe, bytes_each), free_gb(out)
    lines.append(
        f"Disk: {size(checkpoint)} per checkpoint, {recipe.keep_checkpoints} kept and one more while it is written, "
        f"and {size(result_gb(recipe, bytes_each))} after each phase: {size(disk)} together; {size(free)} are free "
        f"here{', which is too little' if disk > free else ''}."
    )
    return Needs(states, device, host, checkpoint, disk, free, tuple(lines))


def architecture_of(recipe: Recipe) -> Architecture | None:
    """The shape of the base, as spaces.yaml gives it; None where it does not. Raises ConfigError for a wrong name."""
    if recipe.architecture:
        known = load_architectures()
        if recipe.architecture not in known:
            raise ConfigError(
                f"spaces.yaml has no architecture “{recipe.architecture}”.", f"Choose one of {', '.join(known)}."
            )
        return known[recipe.architecture]
    if names_pair(recipe.base):
        return named_pair(recipe.base).base.architecture
    model = load_config().models.get(recipe.base)
    return model.architecture if model else None


def _activation_line(phase: Phase, saved: float, on_device: float, offload: bool) -> str:
    aside = f", and {saved:.1f} GB in main memory" if offload else ""
    return (
        f"Activations, phase {phase.name}: {on_device:.1f} GB per device{aside}, at {phase.batch_size} row(s) of "
        f"{phase.max_length} tokens (estimate)."
    )


def size(gigabytes: float) -> str:
    """E.g. "1.02 TB" or "145 GB"."""
    return f"{gigabytes / 1000:.2f} TB" if gigabytes >= 1000 else f"{gigabytes:.3g} GB"


def free_gb(folder: Path) -> float:
    """Free space on the disk of `folder`, existing or not; its contents count as free, since a run overwrites them."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    own = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
    return (shutil.disk_usage(there).free + own) / 1e9

"""The rows of a phase: kinds of rows, counted by the recipe's mix and shuffled. Does not know how traces are made."""

from pathlib import Path
from random import Random

from traces.keeping.trace import Trace
from traces.training.chat import BASICS, FORMS, REHEARSAL, WRITTEN
from traces.training.dataset import (
    Row,
    chat_rows,
    doubted_row,
    drill_rows,
    in_conversations,
    journey_row,
    shortcut_row,
)
from traces.training.recipe import Mix, Phase


def mixed_rows(mix: Mix, traces: list[Trace], seed: int) -> list[Row]:
    """The rows of a mix in a shuffled order; a trace that was not kept gives none."""
    rows = [journey_row(trace) for trace in traces[: mix.journey] if trace.kept]
    rows += [shortcut_row(trace) for trace in traces[: mix.shortcut] if trace.kept]
    rows += drill_rows(mix.drill, seed)
    plain = ((WRITTEN, mix.chat), (BASICS, mix.basics), (FORMS, mix.forms), (REHEARSAL, mix.rehearsal))
    for file, count in plain:
        rows += chat_rows(file, count, seed)
    rng = Random(f"mix/{seed}")
    rows += [doubted_row(trace, rng) for trace in traces[: mix.doubt] if trace.kept]
    rng.shuffle(rows)
    return in_conversations(rows, mix.later, seed)


def rows_path(phase: Phase, folder: Path) -> Path:
    return Path(phase.data) if phase.data else folder / f"{phase.name}.rows.jsonl"

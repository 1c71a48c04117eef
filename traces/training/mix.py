"""The rows of a phase: each kind of row, in the numbers given by the recipe's mix.

Plain chat without a thought is mixed in so that training does not destroy ordinary chat. It has four sources: short
dialogues, basics (facts, words in other languages, short code) and forms (requests in widely varied wording), all
written for this project, and the untrained base's own replies (`traces.thoughts.rehearse`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from common import jsonl
from common.errors import DataError
from eval.problems.families import MEASURED
from traces.keeping.trace import Trace
from traces.training.dataset import THOUGHT_ENDS, Row
from traces.training.drills import drill
from traces.training.recipe import Mix, Phase

WRITTEN = Path(__file__).with_name("chat.jsonl")
BASICS = Path(__file__).with_name("basics.jsonl")
FORMS = Path(__file__).with_name("forms.jsonl")
REHEARSAL = Path(__file__).with_name("rehearsal.jsonl")
DOUBTS = ("Are you sure?", "Is that right?", "Please check that again.", "I don't think so. Try again.", "Really?")
"""What people say when they doubt an answer."""
SHORT = 300
"""Longest exchange, in characters, that may precede a row."""


class RowsMade(NamedTuple):
    """Rows of kept traces, and how many traces there were."""

    rows: list[Row]
    traces: int
    kept: int
    empty: int
    """Kept traces without a prompt or reply, which give no row."""


def rows_of(traces: Iterable[Trace]) -> RowsMade:
    """A row of every kept trace: its thought and answer, or for phase 1 its rewritten solution.

    Raises DataError if none is kept, or if one solves a problem that is for measuring.
    """
    seen = list(traces)
    kept = [trace for trace in seen if trace.kept]
    if not kept:
        raise DataError(
            "None of these traces was verified and kept, so there is nothing to train on.", "Make more traces."
        )
    refuse_measured(kept)
    full = [trace for trace in kept if trace.prompt.strip() and trace.answer.strip()]
    return RowsMade([row_of(trace) for trace in full], len(seen), len(kept), len(kept) - len(full))


def refuse_measured(traces: Iterable[Trace]) -> None:
    """Raise DataError if one of them solves a problem that is for measuring."""
    if measuring := {trace.problem.benchmark for trace in traces} & set(MEASURED):
        raise DataError(
            f"Some of these traces solve problems of {', '.join(sorted(measuring))}, which are for measuring.",
            "Leave them out: a model trained on them cannot be measured with them.",
        )


def row_of(trace: Trace) -> Row:
    """The trace's row, whether or not it was kept: the long thought, or for phase 1 the solution."""
    return shortcut_row(trace) if trace.extra.get("phase") == 1 else journey_row(trace)


def journey_row(trace: Trace) -> Row:
    """The long thought and its answer. A calculation that is wrong on purpose is shown but not learned."""
    segments = trace.extra.get("segments") or [[trace.thought, True]]
    pieces: list[tuple[str, bool]] = [("<think>\n", True)]
    pieces += [(f"{text}\n", bool(learn)) for text, learn in segments]
    return Row("journey", trace.prompt, (*pieces, (f"{THOUGHT_ENDS}{trace.answer}", True)))


def shortcut_row(trace: Trace) -> Row:
    """The solution of the same tree without thought, detours or check."""
    return Row("shortcut", trace.prompt, ((str(trace.extra["shortcut"]), True),))


def doubted_row(trace: Trace, rng: Random) -> Row:
    """The long thought as the reply to a doubt about an earlier answer, which is wrong half of the time."""
    gold = trace.problem.gold
    near = (abs(int(gold) + off) for off in (-10, -2, -1, 1, 2, 10))
    wrong = str(rng.choice([number for number in near if number not in (0, int(gold))]))
    answer = trace.answer if rng.random() < 0.5 else trace.answer.replace(f"{{{gold}}}", f"{{{wrong}}}")
    return replace(journey_row(trace), prompt=rng.choice(DOUBTS), history=((trace.prompt, answer),))


def in_conversations(rows: Sequence[Row], share: float, seed: int) -> list[Row]:
    """The rows in order, with one or two other exchanges put before this share of the thought and chat rows."""
    rng = Random(f"conversations/{seed}")
    short: dict[str, list[tuple[str, str]]] = {"journey": [], "chat": []}
    for row in rows:
        if row.kind in short and not row.history and len(row.prompt) + len(row.spoken) <= SHORT:
            short[row.kind].append((row.prompt, row.spoken))
    before = [exchanges for exchanges in short.values() if exchanges]

    def placed(row: Row) -> Row:
        if row.kind not in short or row.history or rng.random() >= share:
            return row
        return replace(row, history=tuple(rng.choice(rng.choice(before)) for _ in range(rng.randint(1, 2))))

    return [placed(row) for row in rows] if before else list(rows)


def drill_rows(count: int, seed: int) -> list[Row]:
    rng = Random(f"drill/{seed}")
    drills = (drill(rng) for _ in range(count))
    return [Row("drill", prompt, tuple(pieces)) for prompt, pieces in drills]


def chat_rows(file: Path, count: int, seed: int) -> list[Row]:
    """`count` plain dialogues of a file, each as often as any other."""
    if not count:
        return []
    rng = Random(f"{file.stem}/{seed}")
    rows = [Row("chat", prompt, ((reply, True),)) for prompt, reply in dialogues(file)]
    return [row for _ in range(-(-count // len(rows))) for row in rng.sample(rows, len(rows))][:count]


@cache
def dialogues(file: Path) -> tuple[tuple[str, str], ...]:
    """(prompt, reply) pairs of one file."""
    return tuple((entry["prompt"], entry["reply"]) for _, entry in jsonl.read(file))


def mixed_rows(mix: Mix, traces: list[Trace], seed: int) -> list[Row]:
    """The rows of a mix in a shuffled order, from the traces of `make.traces_of`; one that was not kept gives none."""
    rows = [journey_row(trace) for trace in traces[: mix.journey] if trace.kept]
    rows += [journey_row(trace) for trace in traces[mix.problems :] if trace.kept]
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
    """The file of all rows of a phase: the one in its `data`, or what `make` writes into `folder`."""
    alone = phase.mix is None and len(phase.files) == 1
    return phase.files[0] if alone else folder / f"{phase.name}.rows.jsonl"


def after(out: Path, phase: str) -> Path:
    """The folder of the weights, or the adapter, that a phase leaves."""
    return out / f"after_{phase}"

"""Published datasets of long thoughts, imported by name, each with its own columns.

The columns are those of the datasets' cards. A JSONL file with the same columns is read as well, so that a copy on disk
or a dataset of the same kind can be imported.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from common import jsonl
from common.errors import ConfigError, DataError
from eval.grading.extraction import last_box
from eval.problems.prompts import maths_prompt
from eval.problems.rows import Row, hub_rows
from eval.records import Problem
from models.chat.thought import split_text
from models.config.thought_format import ThoughtFormat
from traces.keeping.keep import Verifier, form_fault
from traces.keeping.trace import Trace, compose
from traces.problems.decontaminate import Decontaminator
from traces.thoughts.teacher import TAGS

MARKED = ThoughtFormat("tags", open="<|begin_of_thought|>", close="<|end_of_thought|>")
BEFORE_ANSWER = ThoughtFormat("marker", marker="Final Answer")
SHORT_ANSWER = 40
"""Characters: a reference solution up to this long is the answer itself."""
AT_ONCE = 256
UNCHECKED = "unchecked: the dataset has no reference answer"


class Written(NamedTuple):
    """One thought of a row."""

    question: str
    gold: str
    """The reference answer; empty where the set has none."""
    thought: str
    answer: str


@dataclass(frozen=True)
class PublishedSet:
    """A dataset of the hub and how its rows are read."""

    title: str
    hub: str
    model: str
    """Who wrote the thoughts."""
    read: Callable[[Row], Iterable[Written]]
    columns: tuple[str, ...]
    """What `read` needs."""
    configuration: str = ""
    only: Mapping[str, str] = field(default_factory=dict)
    """Rows whose columns have these values; the others are passed over."""


def _text(row: Row, column: str) -> str:
    value = row.get(column)
    return value.strip() if isinstance(value, str) else ""


def _gold(solution: str) -> str:
    """The answer of a reference solution: its last box, or all of it where it is short."""
    return last_box(solution) or (solution if len(solution) <= SHORT_ANSWER else "")


def _openthoughts(row: Row) -> Iterator[Written]:
    gold = _gold(_text(row, "ground_truth_solution"))
    yield Written(_text(row, "problem"), gold, _text(row, "deepseek_reasoning"), _text(row, "deepseek_solution"))


def _conversation(row: Row) -> Iterator[Written]:
    """A question and a reply, whose thought is in tags of one of two kinds."""
    turns = [turn for turn in row.get("conversations") or [] if isinstance(turn, dict)]
    texts = [str(turn.get("value") or "") for turn in turns if turn.get("from") != "system"]
    if len(texts) >= 2:
        reply = texts[1].strip()
        split = split_text(MARKED if reply.startswith(MARKED.open) else TAGS, reply)
        answer = split.answer.removeprefix("<|begin_of_solution|>").removesuffix("<|end_of_solution|>").strip()
        yield Written(texts[0].strip(), "", split.thought, answer)


def _s1k(row: Row) -> Iterator[Written]:
    thoughts = row.get("thinking_trajectories") or []
    thought = thoughts[0] if isinstance(thoughts, list) and thoughts and isinstance(thoughts[0], str) else ""
    yield Written(_text(row, "question"), _gold(_text(row, "solution")), thought.strip(), _text(row, "attempt"))


def _s1k_deepseek(row: Row) -> Iterator[Written]:
    thought, answer = _text(row, "deepseek_thinking_trajectory"), _text(row, "deepseek_attempt")
    yield Written(_text(row, "question"), _gold(_text(row, "solution")), thought, answer)


def _limo(row: Row) -> Iterator[Written]:
    """The solution is a long thought that ends in its answer, under a heading or in the last paragraph."""
    solution = _text(row, "solution")
    split = split_text(BEFORE_ANSWER, solution)
    thought, answer = split.thought, split.answer
    if not thought:
        thought, _, answer = solution.rpartition("\n\n")
    yield Written(_text(row, "question"), str(row.get("answer") or "").strip(), thought.strip(), answer.strip())


def _openr1(row: Row) -> Iterator[Written]:
    for generation in row.get("generations") or []:
        split = split_text(TAGS, str(generation).strip())
        yield Written(_text(row, "problem"), _text(row, "answer"), split.thought, split.answer)


PUBLISHED: dict[str, PublishedSet] = {
    "openthoughts-114k": PublishedSet(
        "OpenThoughts-114k, mathematics",
        "open-thoughts/OpenThoughts-114k",
        "DeepSeek-R1",
        _openthoughts,
        ("problem", "deepseek_reasoning", "deepseek_solution", "ground_truth_solution", "domain"),
        configuration="metadata",
        only={"domain": "math"},
    ),
    "openthoughts3": PublishedSet(
        "OpenThoughts3-1.2M, mathematics; without reference answers",
        "open-thoughts/OpenThoughts3-1.2M",
        "QwQ-32B",
        _conversation,
        ("conversations", "domain"),
        only={"domain": "math"},
    ),
    "s1k": PublishedSet(
        "s1K",
        "simplescaling/s1K",
        "Gemini 2.0 Flash Thinking",
        _s1k,
        ("question", "solution", "thinking_trajectories", "attempt"),
    ),
    "s1k-1.1": PublishedSet(
        "s1K-1.1",
        "simplescaling/s1K-1.1",
        "DeepSeek-R1",
        _s1k_deepseek,
        ("question", "solution", "deepseek_thinking_trajectory", "deepseek_attempt"),
    ),
    "limo": PublishedSet("LIMO", "GAIR/LIMO", "several", _limo, ("question", "solution", "answer")),
    "openr1-math": PublishedSet(
        "OpenR1-Math-220k",
        "open-r1/OpenR1-Math-220k",
        "DeepSeek-R1",
        _openr1,
        ("problem", "answer", "generations"),
    ),
}


def rows_of_set(known: PublishedSet, file: Path | None = None) -> Iterator[Row]:
    """The rows of the set that are wanted, from the hub or from a JSONL file with its columns.

    Raises DataError if they are not available, ConfigError if the first row lacks a column.
    """
    rows: Iterable[Any] = (
        (value for _, value in jsonl.read(file))
        if file
        else hub_rows(known.hub, known.configuration, "train", streaming=True)
    )
    number = 0
    for number, row in enumerate(rows, start=1):
        if number == 1:
            _check_columns(known, row)
        if isinstance(row, dict) and all(row.get(column) == value for column, value in known.only.items()):
            yield row
    if not number:
        raise DataError(f"{file or known.hub} has no rows.", "Check that it is this dataset.")


def _check_columns(known: PublishedSet, row: Any) -> None:
    missing = [column for column in known.columns if not isinstance(row, dict) or column not in row]
    if missing:
        raise ConfigError(
            f"{known.title} has rows with {', '.join(known.columns)}; here {', '.join(missing)} is missing.",
            "Check that it is this dataset.",
        )


def published_traces(name: str, file: Path | None = None, limit: int | None = None) -> Iterator[Trace]:
    """A trace of every thought, not yet verified; a row may have several. `limit` counts rows. See `rows_of_set`."""
    known = PUBLISHED[name]
    for number, row in enumerate(islice(rows_of_set(known, file), limit), start=1):
        for attempt, written in enumerate(known.read(row), start=1):
            if not written.question:
                continue
            problem = Problem(f"{name}/{number}", written.question, written.gold, name)
            yield Trace(
                problem=problem,
                prompt=maths_prompt(problem),
                raw=compose(written.thought, written.answer),
                thought=written.thought,
                answer=written.answer,
                method="teacher",
                model=known.model,
                attempt=attempt,
                extra={"dataset": known.hub},
            )


def without_benchmarks(
    traces: Iterable[Trace], clean: Decontaminator, dropped: Callable[[int], None]
) -> Iterator[Trace]:
    """The traces whose problems are not close to any benchmark problem; `dropped` is called with the number of others
    in each batch."""
    for batch in _batches(traces):
        problems = [trace.problem for trace in batch]
        hits_by_rule = [clean.find(problems, rule) for rule in clean.rules]
        hits = [any(by_rule[at] for by_rule in hits_by_rule) for at in range(len(batch))]
        dropped(sum(hits))
        yield from (trace for trace, hit in zip(batch, hits, strict=True) if not hit)


def verified(traces: Iterable[Trace], verifier: Verifier, *, unchecked: bool = False) -> Iterator[Trace]:
    """Each trace with its verdict. Without a reference answer nothing can be checked, so such a trace is rejected for
    that reason; with `unchecked` it is kept if it passes the format rules, with a note that it was not checked."""
    for batch in _batches(traces):
        checkable = [bool(trace.problem.gold) or not unchecked for trace in batch]
        checked = verifier.verify_all(trace for trace, can in zip(batch, checkable, strict=True) if can)
        yield from (next(checked) if can else _by_form(trace) for trace, can in zip(batch, checkable, strict=True))


def _by_form(trace: Trace) -> Trace:
    if fault := form_fault(trace):
        return replace(trace, kept=False, reason=fault.reason)
    return replace(trace, kept=True, reason=UNCHECKED)


def _batches(traces: Iterable[Trace]) -> Iterator[list[Trace]]:
    rest = iter(traces)
    while batch := list(islice(rest, AT_ONCE)):
        yield batch

"""One long thought or solution and where it came from: the value that all methods produce, and its file."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from common import jsonl
from common.errors import DataError
from common.strict import describe
from eval.records import Problem
from traces.problems.references import MissingSetError, attached, detached, is_reference, is_referred, referred

Method = Literal["search", "teacher", "debate", "people", "solution"]
METHODS: tuple[Method, ...] = ("search", "teacher", "debate", "people", "solution")


@dataclass(frozen=True)
class Trace:
    """One attempt at one problem, e.g. method "search", thought "14 = 2*7 …", answer "… \\boxed{28}"."""

    problem: Problem
    prompt: str
    """The user message, as it was sent or as it will be trained on."""
    raw: str
    """The response exactly as it arrived or was composed, tags included."""
    thought: str
    answer: str
    """What remains of `raw` without the thought."""
    method: Method
    model: str
    """What or who made it: a model's name, "tree search", "policy/critic", or the annotator."""
    tokens: int = 0
    """All output tokens spent on this trace, including those of a critic or a rejected branch."""
    seconds: float = 0.0
    cost: float = 0.0
    """US dollars; 0 if nothing was paid."""
    attempt: int = 1
    """Which attempt at this problem, from 1."""
    seed: int = 0
    kept: bool | None = None
    """None: not yet verified."""
    reason: str = ""
    """Why it was rejected (or kept after a second look)."""
    extra: dict[str, Any] = field(default_factory=dict)
    """What only this method has, as JSON values. For search: "tree" and "shortcut" (`traces.thoughts.journey`)."""

    @property
    def hash(self) -> str:
        """Identity of the content: 16 hex digits over problem, prompt, raw and how it was made."""
        parts = [self.problem.id, self.prompt, self.raw, self.method, self.model, self.attempt, self.seed]
        return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:16]


_TRACE = TypeAdapter(Trace)


def without_bulk(trace: Trace) -> Trace:
    """The trace without `raw` and `extra` (mostly trees), so that many fit into memory at once.

    Of `extra` only the mark of a translation stays: `traces.keeping.yields` needs it to count thoughts.
    """
    extra = {name: value for name, value in trace.extra.items() if name == "translated_from"}
    return dataclasses.replace(trace, raw="", extra=extra)


def trace_row(trace: Trace) -> dict[str, Any]:
    """The JSON values of one line of a traces file: every field and the hash.

    Problems of public training sets are held by reference, see `traces.problems.references`.
    """
    values = {**dataclasses.asdict(trace), "hash": trace.hash}
    if not is_referred(trace.problem):
        return values
    problem, rest = detached(trace.problem, values)
    return {**rest, "problem": problem}


def trace_from_json(line: str, where: str = "trace") -> Trace:
    """The trace a line holds. Raises DataError naming `where` if the line is broken or its content was altered, and
    MissingSetError if it refers to a problem that is not available."""
    try:
        values = jsonl.parse(line, "the line")
        if is_reference(values["problem"]):
            problem = referred(values["problem"])
            values = {**attached(problem, values), "problem": problem}
        stored = values.pop("hash")
        trace = _TRACE.validate_python(values)
    except ValidationError as error:
        raise DataError(
            f"{where} is not a trace ({describe(error, 1)}).", "Remove the line or make the trace again."
        ) from error
    except MissingSetError as error:
        raise MissingSetError(f"{where} {error.args[0]}", error.remedy) from error
    except (DataError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{where} is not a trace ({error}).", "Remove the line or make the trace again.") from error
    if trace.hash != stored:
        raise DataError(f"{where} was altered after it was written.", "Remove the line or make the trace again.")
    return trace


def append_trace(path: Path, trace: Trace) -> None:
    """Append one line, durably on disk when this returns. Raises DataError if writing fails."""
    jsonl.append(path, [trace_row(trace)])


def write_traces(path: Path, traces: Iterable[Trace]) -> None:
    """Write the whole file anew. DataError if the disk refuses."""
    jsonl.write(path, map(trace_row, traces))


def read_traces(path: Path, *, skip_broken: bool = False) -> Iterator[Trace]:
    """Every trace of the file in order; a last line that a kill cut short is left out.

    Any other broken line raises DataError, or is skipped with `skip_broken`. A line that refers to a problem that
    is not available is not broken: it raises MissingSetError. A file named ….xz is unpacked while read.
    """
    if not path.exists():
        raise DataError(f"There is no traces file {path}.", "Make traces first: `arena train make`.")
    for number, line in jsonl.read_lines(path):
        try:
            yield trace_from_json(line, f"{path}, line {number},")
        except MissingSetError:
            raise
        except DataError:
            if not skip_broken:
                raise


def compose(thought: str, answer: str) -> str:
    """The response in the shape the student learns: `<think>\\n…\\n</think>\\n\\n…`."""
    return f"<think>\n{thought.strip()}\n</think>\n\n{answer.strip()}"

"""The command `python -m commands.runs grade FILE.jsonl`: grades outputs made elsewhere and prints one JSON object.

A row holds a gold answer and one or many outputs, in whatever fields:
{"problem": "…", "answer": "204", "outputs": ["<think>…</think> \\boxed{204}", "…"], "usage": {"tokens": [812, 977]}}

Does not know how answers are graded (`eval.grading.grader`) or how figures are computed (`eval.statistics.metrics`).
"""

import argparse
import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, get_args

from common.errors import ConfigError, DataError
from eval.grading.grader import SECONDS, WORKERS, GradeItem, Grader
from eval.problems.loader import gold_text
from eval.problems.rows import read_rows
from eval.records import CUT_OFF, Grade, Outcome
from eval.runs.imported import GOLD, OUTPUT
from eval.statistics.metrics import accuracy, maj_at_k, mean_pass_at_k, steps
from models.chat.thought import split_text
from models.config.thought_format import ThoughtFormat

_PROGRESS_SECONDS = 0.5


@dataclass(frozen=True)
class Paths:
    """Where things are in a row: dotted paths; a list on the way is walked through, `choices.message.content`."""

    gold: str = ""
    output: str = ""
    tokens: str = ""
    finish: str = ""
    id: str = ""
    """Rows that agree in it are samples of one problem; empty: each row is a problem of its own."""


class Output(NamedTuple):
    """One output to grade."""

    problem: str
    """The row's id, or its number from 1."""
    gold: str
    text: str
    tokens: float | None
    finish_reason: str


class Graded(NamedTuple):
    output: Output
    grade: Grade


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds `grade` to the commands of `python -m commands.runs`."""
    parser = commands.add_parser("grade", help="grade outputs made elsewhere")
    add_grade_arguments(parser)
    parser.set_defaults(action=grade_command)


def add_grade_arguments(parser: argparse.ArgumentParser) -> None:
    path = "dotted path; lists on the way are walked through"
    parser.add_argument("file", type=Path, help="JSONL, one problem (or one sample, with --id-field) a line")
    parser.add_argument("--gold-field", default="", help=f"{path} (default: the first of {', '.join(GOLD)})")
    parser.add_argument(
        "--output-field", default="", help=f"one output or a list; {path} (default: {', '.join(OUTPUT)})"
    )
    parser.add_argument("--tokens-field", default="", help="output tokens, as many as there are outputs")
    parser.add_argument("--finish-field", default="", help="finish reasons, as many as there are outputs")
    parser.add_argument("--id-field", default="", help="rows with the same id are samples of one problem")
    parser.add_argument("--rule", choices=("math", "integer"), default="math", help="integer: AIME and its kind")
    parser.add_argument("--thought", choices=("tags", "marker", "none"), default="tags", help="how thoughts are marked")
    parser.add_argument("--open", default="<think>", help="opening tag of a thought")
    parser.add_argument("--close", default="</think>", help="closing tag of a thought")
    parser.add_argument("--prefilled", action="store_true", help="outputs begin inside the thought")
    parser.add_argument("--marker", default="", help="line at which the answer begins, with --thought marker")
    parser.add_argument("--out", type=Path, help="per-sample grades (default: FILE.grades.jsonl)")
    parser.add_argument("--workers", type=int, default=WORKERS, help="grading processes")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time limit of one comparison")


def grade_command(options: argparse.Namespace) -> int:
    """Grades the file, writes the grades beside it and prints the summary, one JSON object, on stdout."""
    paths = Paths(
        options.gold_field, options.output_field, options.tokens_field, options.finish_field, options.id_field
    )
    if options.thought == "marker" and not options.marker:
        raise ConfigError("--thought marker needs --marker.", "Give the line at which the answer begins.")
    thought = ThoughtFormat(options.thought, options.open, options.close, options.prefilled, options.marker)
    started = time.monotonic()
    outputs = list(read_outputs(read_rows(options.file), paths, str(options.file)))
    out = options.out or options.file.with_suffix(".grades.jsonl")
    if out.resolve() == options.file.resolve():
        raise ConfigError("--out names the file of outputs itself.", "Give another file for the grades.")
    check_output(out)
    with Grader(workers=options.workers, seconds=options.seconds) as grader:
        graded = grade_outputs(outputs, grader, thought, options.rule)
        classes = answer_classes(graded, grader, options.rule)
    write_grades(out, graded, classes)
    summary = summarise(graded, classes)
    about = {"file": str(options.file), "grades": str(out), "rule": options.rule, "grader": version("math-verify")}
    print(json.dumps(about | summary | {"seconds": round(time.monotonic() - started, 1)}, ensure_ascii=False, indent=2))
    return 0


def check_output(path: Path) -> None:
    """Raise ConfigError unless a file can be written there, in a folder that is made if need be: to be asked before the
    work that fills it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{path.parent} cannot be made: {error.strerror}.", "Give another file.") from error
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigError(f"{path} cannot be written.", "Give another file.")


def read_outputs(rows: Sequence[Mapping[str, Any]], paths: Paths, source: str) -> Iterator[Output]:
    """Every output of every row. Raises DataError naming the row that lacks something or does not add up."""
    if not rows:
        raise DataError(f"{source} is empty.", "It needs one JSON object a line.")
    for number, row in enumerate(rows, 1):
        where = f"{source}, row {number}"
        golds = _values(row, paths.gold, GOLD, "gold answer", where, "--gold-field")
        if len(golds) != 1 or str(golds[0] if golds[0] is not None else "").strip() == "":
            raise DataError(f"{where} needs exactly one gold answer.", "Name its field with --gold-field.")
        texts = _values(row, paths.output, OUTPUT, "output", where, "--output-field")
        tokens = _aligned(row, paths.tokens, len(texts), where, "--tokens-field")
        reasons = _aligned(row, paths.finish, len(texts), where, "--finish-field")
        problem = str(_values(row, paths.id, (), "id", where, "--id-field")[0]) if paths.id else str(number)
        for text, count, reason in zip(texts, tokens, reasons, strict=True):
            if not isinstance(text, str | None):
                raise DataError(f"{where}: an output is not text.", "Name the field of the text with --output-field.")
            if not isinstance(count, int | float | None):
                raise DataError(f"{where}: a token count is not a number.", "Name the right field with --tokens-field.")
            yield Output(problem, gold_text(golds[0]), text or "", count, str(reason or "").lower())


def _values(row: Mapping[str, Any], path: str, usual: Sequence[str], what: str, where: str, option: str) -> list[Any]:
    """The values at a dotted path, lists flattened; without a path, those of the first usual field there is."""
    name = path or next((field for field in usual if field in row), "")
    found = list(_walk(row, name.split("."))) if name else []
    if not found:
        raise DataError(f"{where} has no {what}{f' at {name}' if name else ''}.", f"Name its field with {option}.")
    return found


def _walk(value: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(value, list):
        if path and path[0].isdecimal():
            if int(path[0]) < len(value):
                yield from _walk(value[int(path[0])], path[1:])
            return
        for element in value:
            yield from _walk(element, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _walk(value[path[0]], path[1:])


def _aligned(row: Mapping[str, Any], path: str, count: int, where: str, option: str) -> list[Any]:
    if not path:
        return [None] * count
    found = list(_walk(row, path.split(".")))
    if len(found) != count:
        raise DataError(f"{where} has {count} outputs but {len(found)} values at {path}.", f"Correct {option}.")
    return found


def grade_outputs(outputs: Sequence[Output], grader: Grader, thought: ThoughtFormat, rule: str) -> list[Graded]:
    """Thought removed, answer graded; in the order given. Progress goes to stderr when that is a terminal."""
    items = (
        GradeItem(split_text(thought, o.text, o.finish_reason not in CUT_OFF).answer, o.gold, rule) for o in outputs
    )
    told = [time.monotonic()]

    def tell(done: int) -> None:
        if sys.stderr.isatty() and (done == len(outputs) or time.monotonic() - told[0] > _PROGRESS_SECONDS):
            told[0] = time.monotonic()
            print(f"\r{done} of {len(outputs)} graded", end="", file=sys.stderr, flush=True)

    return [Graded(o, grade) for o, grade in zip(outputs, grader.grade_many(items, tell), strict=True)]


def by_problem(graded: Sequence[Graded]) -> dict[str, list[int]]:
    """Indices into `graded` of each problem's samples."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, (output, _) in enumerate(graded):
        groups[output.problem].append(index)
    return dict(groups)


def answer_classes(graded: Sequence[Graded], grader: Grader, rule: str) -> list[int | None]:
    """Class of equivalent answers of each sample within its problem; None: no answer, no vote.

    Correct ones are one class, 0. What the grader failed on is not compared again: equal texts are a class.
    """
    classes: list[int | None] = [None] * len(graded)
    for indices in by_problem(graded).values():
        wrong = [i for i in indices if graded[i].grade.outcome == "wrong"]
        for index, number in zip(wrong, grader.classes([graded[i].grade.extracted for i in wrong], rule), strict=True):
            classes[index] = None if number is None else number + 1
        texts: dict[str, int] = {}
        for index in indices:
            grade = graded[index].grade
            if grade.outcome == "correct":
                classes[index] = 0
            elif grade.outcome == "grader_failed":
                classes[index] = len(wrong) + 1 + texts.setdefault(grade.extracted, len(texts))
    return classes


def summarise(graded: Sequence[Graded], classes: Sequence[int | None]) -> dict[str, Any]:
    """The figures of a graded file, shares between 0 and 1.

    `n` problems, `k` samples of each (the fewest, where problems differ), `samples` in all; `accuracy` is the mean
    over problems of the share of correct samples, `accuracy_95` its interval. What made the grader fail is counted
    there as not correct; `accuracy_if_failed_were_correct` is how much that could matter.
    """
    groups = list(by_problem(graded).values())
    correct = [[graded[i].grade.outcome == "correct" for i in group] for group in groups]
    at_best = [[graded[i].grade.outcome in ("correct", "grader_failed") for i in group] for group in groups]
    k = min(map(len, groups))
    share = accuracy(correct)
    outcomes = Counter(g.grade.outcome for g in graded)
    tokens = [g.output.tokens for g in graded if g.output.tokens is not None]
    reasons = [g.output.finish_reason for g in graded if g.output.finish_reason]
    return {
        "n": len(groups),
        "k": k,
        "samples": len(graded),
        "accuracy": share.value,
        "accuracy_95": [share.low, share.high],
        "accuracy_if_failed_were_correct": fmean(fmean(group) for group in at_best),
        "outcomes": {outcome: outcomes[outcome] for outcome in get_args(Outcome)},
        "rungs": dict(Counter(g.grade.rung for g in graded)),
        "cut_off": sum(reason in CUT_OFF for reason in reasons) if reasons else None,
        "pass_at_k": {str(j): mean_pass_at_k(correct, j) for j in range(1, k + 1)},
        "maj_at_k": {str(j): _mean_maj(groups, correct, classes, j) for j in steps(k)},
        "mean_output_tokens": fmean(tokens) if tokens else None,
    }


def _mean_maj(
    groups: Sequence[Sequence[int]], correct: Sequence[Sequence[bool]], classes: Sequence[int | None], k: int
) -> dict[str, float]:
    results = [
        maj_at_k([classes[i] for i in group], verdicts, k) for group, verdicts in zip(groups, correct, strict=True)
    ]
    return {name: fmean(getattr(result, name) for result in results) for name in ("expected", "low", "high")}


def write_grades(path: Path, graded: Sequence[Graded], classes: Sequence[int | None]) -> None:
    """One row a sample, in the order of the outputs; the file appears whole or not at all."""
    part = path.with_name(path.name + ".part")
    seen: Counter[str] = Counter()
    with part.open("w", encoding="utf-8") as file:
        for (output, grade), number in zip(graded, classes, strict=True):
            row = {
                "problem": output.problem,
                "sample": seen[output.problem],
                "gold": output.gold,
                "outcome": grade.outcome,
                "rung": grade.rung,
                "extracted": grade.extracted,
                "note": grade.note,
                "class": number,
                "tokens": output.tokens,
                "cut_off": output.finish_reason in CUT_OFF if output.finish_reason else None,
            }
            seen[output.problem] += 1
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    part.replace(path)

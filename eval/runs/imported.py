"""Outputs made elsewhere, taken in as a run like any other: graded, shown and compared the same way.

A row of the plainest kind of file, one model a file:
{"problem": "What is 2 + 3?", "gold": "5", "output": "2 and 3 make \\boxed{5}."}
Several outputs may be a list, and so may their token counts and finish reasons. Also read: the JSON export of this
product, with both models in one file.
Does not know how answers are graded.
"""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.errors import DataError
from eval.problems.loader import Benchmark, content_hash, gold_text, squeeze
from eval.problems.rows import read_rows
from eval.records import CUT_OFF, Problem, Sample
from eval.runs.log import ROLES, DataInfo, Role, RunConfig, RunInfo, RunLog, SideInfo
from models.chat.thought import split_text
from models.config.thought_format import ThoughtFormat

QUESTION = ("problem", "question", "prompt", "input")
OUTPUT = ("outputs", "output", "responses", "response", "completions", "completion", "generations", "text", "code",
          "samples", "model_output")  # fmt: skip
GOLD = ("gold", "gold_answer", "target", "expected", "reference", "answer", "gt")
"""`answer` before `gt`: where a file has both, as those of Qwen2.5-Math's harness, `gt` went through its clean-up."""
TOKENS = ("output_tokens", "tokens", "completion_tokens", "num_tokens")


@dataclass(frozen=True)
class Fields:
    """Names of the fields to read, where they are not among the usual ones."""

    question: str = ""
    gold: str = ""
    output: str = ""


def import_outputs(
    runs: Path, path: Path, *, role: Role, title: str, benchmark: Benchmark | None = None, fields: Fields | None = None
) -> RunLog:
    """Make a run of the outputs in a JSONL file; they still have to be graded (`eval.runs.grades.grade_run`).

    With `benchmark`, a row's problem is found there by its question, so that it pairs with runs made here. Without, ids
    are told apart by the row's `benchmark`: two sets in one file may both have a problem 1. Raises DataError for a
    question that is not in the given set, an id that comes with two questions or golds, and a row without question,
    gold answer or output.
    """
    rows = read_rows(path)
    if not rows:
        raise DataError(f"{path.name} is empty.", "It needs one JSON object a line.")
    problems: dict[str, Problem] = {}
    samples: list[Sample] = []
    counts: dict[tuple[str, str], int] = {}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{_slug(title or path.stem)}-{digest[:6]}"
    known = {squeeze(p.question): p for p in benchmark.problems} if benchmark else None
    for number, row in enumerate(rows, 1):
        where = f"{path.name}, line {number}"
        problem = _problem(row, known, fields or Fields(), where)
        first = problems.setdefault(problem.id, problem)
        if (squeeze(problem.question), problem.gold) != (squeeze(first.question), first.gold):
            raise DataError(
                f"{where}: {problem.id} has another question or gold answer than in an earlier line.",
                "Give every problem an id of its own, and one gold answer.",
            )
        model = str(row.get("model") or title or path.stem)
        for position, output in enumerate(_outputs(row, fields or Fields(), where)):
            index = counts.get((model, problem.id), 0)
            counts[model, problem.id] = index + 1
            try:
                samples.append(_sample(run_id, model, problem, index, output, _facts_at(row, position)))
            except (TypeError, ValueError, OverflowError) as error:
                raise DataError(f"{where}: {error}.", "Mend the field, or leave it out.") from error
    sides = _sides(rows, samples, role)
    info = _info(run_id, path, sides, list(problems.values()), max(counts.values()), benchmark)
    log = RunLog.create(runs, info, problems.values())
    try:
        log.append("samples", [asdict(sample) for sample in samples])
    except DataError:
        shutil.rmtree(log.folder, ignore_errors=True)  # an empty run would stand in the list
        raise
    return log


def _first(row: Mapping[str, Any], named: str, usual: Sequence[str]) -> Any:
    keys = [named] if named else usual
    return next((row[key] for key in keys if row.get(key) not in (None, "")), None)


def _problem(row: Mapping[str, Any], among: Mapping[str, Problem] | None, fields: Fields, where: str) -> Problem:
    question = _first(row, fields.question, QUESTION)
    if not isinstance(question, str):
        raise DataError(f"{where} has no question.", f"Name its field, or use one of {', '.join(QUESTION)}.")
    if among is not None:
        if squeeze(question) not in among:
            raise DataError(f"{where}: this question is not in the chosen set.", "Choose another set, or none.")
        return among[squeeze(question)]
    gold = _first(row, fields.gold, GOLD)
    if gold is None:
        raise DataError(f"{where} has no gold answer.", f"Name its field, or use one of {', '.join(GOLD)}.")
    name = str(row.get("benchmark") or "imported")
    key = str(row.get("problem_id") or hashlib.sha256(squeeze(question).encode()).hexdigest()[:16])
    key = key if key.startswith(f"{name}/") else f"{name}/{key}"  # as in runs made here, whose export comes back alike
    return Problem(key, question, gold_text(gold), name, str(row.get("subject") or ""), str(row.get("level") or ""))


def _outputs(row: Mapping[str, Any], fields: Fields, where: str) -> list[str]:
    """The row's texts; where a field of output is there and empty, the model said nothing."""
    found = _first(row, fields.output, OUTPUT)
    answered = row.get("error") or any(name in row for name in ([fields.output] if fields.output else OUTPUT))
    outputs = found if isinstance(found, list) else [found]
    while outputs and all(isinstance(o, list) for o in outputs):
        outputs = [text for inner in outputs for text in inner]
    if not answered or not outputs or not all(isinstance(o, str | None) for o in outputs):
        raise DataError(f"{where} has no output text.", f"Name its field, or use one of {', '.join(OUTPUT)}.")
    return [o or "" for o in outputs]


def _facts_at(row: Mapping[str, Any], position: int) -> dict[str, Any]:
    """A row of several outputs as one that is about the output at `position`: of each list, its element there."""
    at = slice(position, position + 1)
    return {key: next(iter(value[at]), None) if isinstance(value, list) else value for key, value in row.items()}


def _sample(run: str, model: str, problem: Problem, index: int, text: str, row: Mapping[str, Any]) -> Sample:
    """Counts that the file does not give stay 0; a thought is what a think tag ends, or begins and never ends."""
    thinks = "</think>" in text or text.lstrip().startswith("<think>")
    kind = ThoughtFormat("tags", prefilled=True) if thinks else ThoughtFormat("none")
    reason = str(row.get("finish_reason") or "stop").lower()
    cut = reason in CUT_OFF
    split = split_text(kind, text, ended=not cut)
    tokens = row.get("thought_tokens"), row.get("answer_tokens"), _first(row, "", TOKENS)
    single = [t if isinstance(t, int | float) else 0 for t in tokens]
    return Sample(
        run=run,
        model=model,
        problem_id=problem.id,
        index=index,
        prompt=str(row.get("prompt") or problem.question),
        text=text,
        thought=split.thought,
        answer=split.answer,
        thought_tokens=int(single[0]),
        answer_tokens=int(single[1] or (0 if single[0] else single[2])),
        finish_reason="length" if cut else reason,
        seed=int(row.get("seed") or 0),
        seconds=float(row.get("seconds") or 0.0),
        started_at=str(row.get("started_at") or "1970-01-01T00:00:00"),
        config_hash=str(row.get("config_hash") or ""),
        error=str(row.get("error") or ""),
    )


def _sides(rows: Sequence[Mapping[str, Any]], samples: Sequence[Sample], role: Role) -> dict[Role, SideInfo]:
    named = [(str(row["model"]), row.get("role")) for row in rows if row.get("model")]
    roles = {model: known for model, said in named for known in ROLES if said == known}
    models = list(dict.fromkeys(sample.model for sample in samples))
    if len(models) == 1:
        return {roles.get(models[0], role): SideInfo(models[0], models[0])}
    if sorted(roles.get(model, "") for model in models) != sorted(ROLES):
        raise DataError(
            f"The file has outputs of {len(models)} models: {', '.join(models[:4])}.", "Load one model a file."
        )
    return {roles[model]: SideInfo(model, model) for model in models}


def _info(
    run: str,
    path: Path,
    sides: dict[Role, SideInfo],
    problems: Sequence[Problem],
    samples: int,
    benchmark: Benchmark | None,
) -> RunInfo:
    names = list(dict.fromkeys(p.benchmark for p in problems))
    source = f"file {path.name}"
    data = []
    for name in names:
        mine = [p for p in problems if p.benchmark == name]
        found = DataInfo(
            name,
            benchmark.title if benchmark else name,
            benchmark.sha256 if benchmark else content_hash(mine),
            source,
            benchmark.rule if benchmark else "math",
            len(mine),
            len(benchmark) if benchmark else len(mine),
        )
        data.append(found)
    config = RunConfig("imported", tuple(names), samples=samples, temperature=1.0 if samples > 1 else 0.0)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return RunInfo(run, now, config, tuple(data), sides, "not known", {}, f"imported from {path.name}")


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text.lower()).strip("-")[:40] or "outputs"

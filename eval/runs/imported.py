"""Outputs made elsewhere as a run like any other: graded, shown and compared in the same way."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from common.errors import DataError
from eval.problems.benchmark import Benchmark, Rule, content_hash, squeeze
from eval.problems.rows import first_of
from eval.records import CUT_OFF, Problem, Sample
from eval.runs.columns import is_time
from eval.runs.log import ROLES, DataInfo, Role, RunConfig, RunInfo, RunLog, SideInfo
from eval.runs.outputs import GOLD, QUESTION, TOKENS, Fields, Output, OutputRow, read_outputs
from models.chat.thought import split_text
from models.config.thought_format import ThoughtFormat

UNKNOWN_TIME = "1970-01-01T00:00:00"


class Origin(NamedTuple):
    """Where a sample comes from."""

    line: int
    finish_reason: str
    """As the file gives it; empty where it does not."""


class Imported(NamedTuple):
    """What became of a file of outputs."""

    log: RunLog
    left_out: tuple[str, ...]
    """Of each row that could not be imported, where it is and why."""
    origins: tuple[Origin, ...]
    """Of each of the run's samples, in their order."""


def import_outputs(
    runs: Path,
    path: Path,
    *,
    role: Role,
    title: str,
    benchmark: Benchmark | None = None,
    fields: Fields | None = None,
    thought: ThoughtFormat | None = None,
    rule: Rule = "math",
    one_model: bool = False,
) -> Imported:
    """Make a run of the outputs in a JSONL file; they still have to be graded (`eval.runs.grades.grade_run`).

    With `benchmark`, a row's problem is found there by its question, so that it pairs with runs made here. Without, a
    row's gold answer is graded by `rule`, and ids are told apart by the row's `benchmark`: two sets in one file may
    both have a problem 1. Rows without a gold answer are left out. `thought`: how thoughts are marked; None: by think
    tags, in the outputs that have them. `one_model`: whatever the rows name as their model.

    Raises DataError for a file that cannot be read, a question that is not in the given set, an id that comes with two
    questions or golds, and when no row has a gold answer.
    """
    rows = read_outputs(path, fields)
    usable = [row for row in rows if row.gold or benchmark]
    if not usable:
        raise DataError(f"{path.name}: no row has a gold answer.", f"Name its field, or use one of {', '.join(GOLD)}.")
    placed = _place(usable, benchmark)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{_slug(title or path.stem)}-{digest[:6]}"
    name = title or path.stem
    samples = _samples(placed, run_id, thought, lambda row: name if one_model else str(row.row.get("model") or name))
    problems = list({problem.id: problem for _, problem in placed}.values())
    sides = _sides([row for row, _ in placed], samples, role)
    without = [row for row in rows if not (row.gold or benchmark)]
    most = 1 + max(sample.index for sample in samples)
    info = _info(run_id, path, sides, problems, most, benchmark, rule, _warning(without))
    left_out = tuple(f"{row.where} has no single gold answer." for row in without)
    origins = tuple(Origin(row.line, output.finish_reason) for row, _ in placed for output in row.outputs)
    return Imported(_written(runs, info, problems, samples), left_out, origins)


def _samples(
    placed: Sequence[tuple[OutputRow, Problem]],
    run_id: str,
    thought: ThoughtFormat | None,
    model_of: Callable[[OutputRow], str],
) -> list[Sample]:
    samples = []
    counts: Counter[tuple[str, str]] = Counter()
    for row, problem in placed:
        model = model_of(row)
        for output in row.outputs:
            try:
                samples.append(_sample(run_id, model, problem, counts[model, problem.id], output, thought))
            except (TypeError, ValueError, OverflowError) as error:
                raise DataError(f"{row.where}: {error}.", "Correct this field, or leave it out.") from error
            counts[model, problem.id] += 1
    return samples


def _warning(without_gold: Sequence[OutputRow]) -> str:
    if not without_gold:
        return ""
    lines = ", ".join(str(row.line) for row in without_gold[:10]) + (" …" if len(without_gold) > 10 else "")
    return f"Left out, without a single gold answer: {len(without_gold)} rows of the file (lines {lines})."


def _written(runs: Path, info: RunInfo, problems: Sequence[Problem], samples: Sequence[Sample]) -> RunLog:
    log = RunLog.create(runs, info, problems)
    try:
        log.append("samples", [asdict(sample) for sample in samples])
    except DataError:
        shutil.rmtree(log.folder, ignore_errors=True)  # an empty run would stand in the list
        raise
    return log


def _place(rows: Sequence[OutputRow], benchmark: Benchmark | None) -> list[tuple[OutputRow, Problem]]:
    """Each row with its problem. Raises DataError for an id that comes with two questions or golds."""
    known = {squeeze(p.question): p for p in benchmark.problems} if benchmark else None
    problems: dict[str, Problem] = {}
    placed = []
    for row in rows:
        problem = _known_problem(row, known) if known is not None else _own_problem(row, problems)
        first = problems.setdefault(problem.id, problem)
        if (squeeze(problem.question), problem.gold) != (squeeze(first.question), first.gold):
            raise DataError(
                f"{row.where}: {problem.id} has another question or gold answer than in an earlier line.",
                "Give every problem an id of its own, and one gold answer.",
            )
        placed.append((row, problem))
    return placed


def _known_problem(row: OutputRow, known: Mapping[str, Problem]) -> Problem:
    if not row.question:
        raise DataError(f"{row.where} has no question.", f"Name its field, or use one of {', '.join(QUESTION)}.")
    if squeeze(row.question) not in known:
        raise DataError(f"{row.where}: this question is not in the chosen set.", "Choose another set, or none.")
    return known[squeeze(row.question)]


def _own_problem(row: OutputRow, taken: Mapping[str, Problem]) -> Problem:
    """A problem told by the row's id, else by its question (and gold, where they differ), else by its line."""
    name = str(row.row.get("benchmark") or "imported")

    def problem(key: str) -> Problem:
        # With the set's name in front, as in runs made here, so that an export comes back with the same ids.
        key = key if key.startswith(f"{name}/") else f"{name}/{key}"
        subject, level = (str(row.row.get(column) or "") for column in ("subject", "level"))
        return Problem(key, row.question, row.gold, name, subject, level)

    if row.id or not row.question:
        return problem(row.id or str(row.line))
    question = squeeze(row.question)
    found = problem(_digest(question))
    same = taken.get(found.id)
    return found if same is None or same.gold == row.gold else problem(_digest(f"{question}\n{row.gold}"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sample(
    run: str, model: str, problem: Problem, index: int, output: Output, thought: ThoughtFormat | None
) -> Sample:
    """Counts that the file does not give stay 0. Raises ValueError and its kind for a field that cannot be."""
    facts, cut = output.facts, output.finish_reason in CUT_OFF
    split = split_text(thought or _thought_of(output.text), output.text, ended=not cut)
    counts = facts.get("thought_tokens"), facts.get("answer_tokens"), first_of(facts, *TOKENS)
    thinking, answering, total = (int(count) if isinstance(count, int | float) else 0 for count in counts)
    if output.tokens is not None:
        thinking, answering, total = 0, 0, int(output.tokens)
    return Sample(
        run=run,
        model=model,
        problem_id=problem.id,
        index=index,
        prompt=str(facts.get("prompt") or problem.question),
        text=output.text,
        thought=split.thought,
        answer=split.answer,
        thought_tokens=thinking,
        answer_tokens=answering or (0 if thinking else total),
        finish_reason="length" if cut else output.finish_reason or "stop",
        seed=int(facts.get("seed") or 0),
        seconds=float(facts.get("seconds") or 0.0),
        started_at=started if is_time(started := str(facts.get("started_at"))) else UNKNOWN_TIME,
        config_hash=str(facts.get("config_hash") or ""),
        error=str(facts.get("error") or ""),
    )


def _thought_of(text: str) -> ThoughtFormat:
    """A thought is what a think tag ends, or begins and never ends."""
    thinks = "</think>" in text or text.lstrip().startswith("<think>")
    return ThoughtFormat("tags", prefilled=True) if thinks else ThoughtFormat("none")


def _sides(rows: Sequence[OutputRow], samples: Sequence[Sample], role: Role) -> dict[Role, SideInfo]:
    named = [(str(row.row["model"]), row.row.get("role")) for row in rows if row.row.get("model")]
    roles = {model: known for model, own in named for known in ROLES if own == known}
    models = list(dict.fromkeys(sample.model for sample in samples))
    if len(models) == 1:
        return {roles.get(models[0], role): SideInfo(models[0], models[0])}
    if sorted(roles.get(model, "") for model in models) != sorted(ROLES):
        raise DataError(
            f"The file has outputs of {len(models)} models: {', '.join(models[:4])}.", "Import one model per file."
        )
    return {roles[model]: SideInfo(model, model) for model in models}


def _info(
    run: str,
    path: Path,
    sides: dict[Role, SideInfo],
    problems: Sequence[Problem],
    samples: int,
    benchmark: Benchmark | None,
    rule: Rule,
    warning: str,
) -> RunInfo:
    data = []
    for name in dict.fromkeys(p.benchmark for p in problems):
        mine = [p for p in problems if p.benchmark == name]
        one_set = DataInfo(
            name=name,
            title=benchmark.title if benchmark else name,
            sha256=benchmark.sha256 if benchmark else content_hash(mine),
            source=f"file {path.name}",
            rule=benchmark.rule if benchmark else rule,
            problems=len(mine),
            size=len(benchmark) if benchmark else len(mine),
            warning=warning,
        )
        data.append(one_set)
    names = tuple(one_set.name for one_set in data)
    config = RunConfig("imported", names, samples=samples, temperature=1.0 if samples > 1 else 0.0)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return RunInfo(run, now, config, tuple(data), sides, "not known", {}, f"imported from {path.name}")


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text.lower()).strip("-")[:40] or "outputs"

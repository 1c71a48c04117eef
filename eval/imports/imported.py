"""Turning outputs made elsewhere into a run that is graded and compared like any other. Two files make a pair."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from common.errors import DataError
from eval.imports.files import read_file
from eval.imports.messages import LogRows
from eval.imports.outputs import GOLD, TOKENS, Fields, Output, OutputRow
from eval.imports.placing import check_paired, in_one_spelling, place, renumbered
from eval.problems.benchmark import Benchmark, Rule, content_hash
from eval.problems.rows import first_of
from eval.records import CUT_OFF, Problem, Sample
from eval.runs.columns import fault_of, is_time
from eval.runs.log import ROLES, DataInfo, Role, RunConfig, RunInfo, RunLog, SideInfo
from models.chat.thought import split_text
from models.config.thought_format import ThoughtFormat

UNKNOWN_TIME = "1970-01-01T00:00:00"


class Origin(NamedTuple):
    """Where a sample comes from."""

    line: int
    finish_reason: str
    """As the file gives it; empty where it does not."""
    right: bool | None = None
    """The file's own verdict, if it has one."""


@dataclass(frozen=True)
class Source:
    """A file of outputs and the model they came from."""

    path: Path
    role: Role
    title: str = ""
    """Name of the model; empty: as the file says, else the file's name."""


class Imported(NamedTuple):
    """What became of files of outputs."""

    log: RunLog
    left_out: tuple[str, ...]
    """For each row that could not be imported, where it is and why."""
    origins: tuple[Origin, ...]
    """One for each of the run's samples, in the same order."""


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
    """Make a run of the outputs in a file or log; they still have to be graded (`eval.runs.grades.grade_run`).

    With `benchmark`, each row's problem is looked up there by its question, so that it pairs with runs made here.
    Without it, answers are graded by `rule` against the row's own gold, and ids are qualified by the row's `benchmark`,
    since two sets in one file may both have a problem 1. Rows without a gold answer are left out. `thought`: how
    thoughts are marked; None means think tags, where there are any. `one_model`: ignore which model the rows name.

    Raises DataError for a file that cannot be read, for an id with two questions or golds, and if no row has a gold
    answer or a question from the given set.
    """
    file = read_file(path, fields)
    name = title or path.stem
    if (file.harness and title) or one_model:
        file = _with(file, model=name)
    return _imported(runs, [Source(path, role, name)], [file], benchmark, thought, rule)


def import_pair(
    runs: Path,
    base: Source,
    distilled: Source,
    *,
    benchmark: Benchmark | None = None,
    fields: Fields | None = None,
) -> Imported:
    """Make one run from two files, one per model, that compares them problem by problem.

    Raises DataError as `import_outputs` does, and also if a file holds outputs of several models or if the two have no
    problem in common.
    """
    files = []
    for source in (base, distilled):
        file = read_file(source.path, fields)
        names = list(dict.fromkeys(str(row.row.get("model") or "") for row in file.rows))
        if len(names) > 1 and not source.title:
            raise DataError(
                f"{source.path.name} has outputs of {len(names)} models: {', '.join(names[:4])}.",
                "Import one model per file.",
            )
        name = source.title or next(iter(names), "") or source.path.stem
        files.append(_with(file, model=name, role=source.role))
    sources = (base, distilled)
    if len({row.row["model"] for file in files for row in file.rows[:1]}) == 1:  # one model, asked in two ways
        files = [
            _with(file, model=f"{row.row['model']} ({source.role})")
            for file, source in zip(files, sources, strict=True)
            for row in file.rows[:1]
        ]
    sets = [{str(row.row.get("benchmark") or "") for row in file.rows} for file in files]
    if all(len(names) == 1 for names in sets):  # one task, which two harnesses call differently
        files[1] = _with(files[1], benchmark=next(iter(sets[0])))
    if benchmark is None:
        files[1] = in_one_spelling(*files)
    return _imported(runs, sources, files, benchmark, None, "math")


def _with(file: LogRows, **facts: str) -> LogRows:
    """The file with these facts in each row."""
    return file._replace(rows=[row._replace(row={**row.row, **facts}) for row in file.rows])


def _imported(
    runs: Path,
    sources: Sequence[Source],
    files: Sequence[LogRows],
    benchmark: Benchmark | None,
    thought: ThoughtFormat | None,
    rule: Rule,
) -> Imported:
    name, first = sources[0].title or sources[0].path.stem, sources[0].path
    rows = [row for file in files for row in (renumbered(file, benchmark) if file.harness else file.rows)]
    faults = [fault for file in files for fault in file.faults]
    usable = [row for row in rows if row.gold or benchmark]
    if not usable:
        raise _nothing(first, len(rows), faults)
    placed, strangers = place(usable, benchmark)
    if len(sources) > 1:
        check_paired(placed)
    sha256 = hashlib.sha256(b"".join(source.path.read_bytes() for source in sources)).hexdigest()
    run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{_slug(name)}-{sha256[:6]}"
    samples = _samples(placed, run_id, thought, lambda row: str(row.row.get("model") or name))
    problems = list({problem.id: problem for _, problem in placed}.values())
    sides = _sides([row for row, _ in placed], samples, sources[0].role)
    without = [row for row in rows if not (row.gold or benchmark)]
    most = 1 + max(sample.index for sample in samples)
    origin = " and ".join(dict.fromkeys(source.path.name for source in sources))
    info = _info(run_id, origin, sides, problems, most, benchmark, rule, _warning(without, [*faults, *strangers]))
    left_out = (*faults, *(f"{row.where} has no single gold answer." for row in without), *strangers)
    origins = tuple(Origin(row.line, output.finish_reason, output.right) for row, _ in placed for output in row.outputs)
    return Imported(_written(runs, info, problems, samples), left_out, origins)


def _nothing(path: Path, rows: int, faults: Sequence[str]) -> DataError:
    if rows == 0 and faults:
        return DataError(f"Of {len(faults)} rows of {path.name}, none can be used. The first: {faults[0]}")
    return DataError(
        f"{path.name}: no row has a gold answer.",
        f"Name its field, or use one of {', '.join(GOLD)}; or choose the set that the problems are from.",
    )


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
                sample = _sample(run_id, model, problem, counts[model, problem.id], output, thought)
                if fault := fault_of("samples", asdict(sample)):
                    raise ValueError(fault)
                samples.append(sample)
            except (TypeError, ValueError, OverflowError) as error:
                raise DataError(f"{row.where}: {error}.", "Correct this field, or leave it out.") from error
            counts[model, problem.id] += 1
    return samples


def _warning(without_gold: Sequence[OutputRow], others: Sequence[str]) -> str:
    sentences = []
    if without_gold:
        lines = ", ".join(str(row.line) for row in without_gold[:10]) + (" …" if len(without_gold) > 10 else "")
        sentences.append(
            f"Left out, without a single gold answer: {len(without_gold)} rows of the file (lines {lines})."
        )
    if others:
        sentences.append(f"Left out: {len(others)} row{'s' * (len(others) > 1)}. The first: {others[0]}")
    return " ".join(sentences)


def _written(runs: Path, info: RunInfo, problems: Sequence[Problem], samples: Sequence[Sample]) -> RunLog:
    log = RunLog.create(runs, info, problems)
    try:
        log.append("samples", [asdict(sample) for sample in samples])
    except DataError:
        shutil.rmtree(log.folder, ignore_errors=True)  # an empty run would stand in the list
        raise
    return log


def _sample(
    run: str, model: str, problem: Problem, index: int, output: Output, thought: ThoughtFormat | None
) -> Sample:
    """Counts missing from the file stay 0, a finish reason empty. Raises TypeError, ValueError or OverflowError for an
    invalid field."""
    facts, cut = output.facts, output.finish_reason in CUT_OFF
    if output.parts:
        thought_text, answer = output.parts
    else:
        split = split_text(thought or _thought_of(output.text), output.text, ended=not cut)
        thought_text, answer = split.thought, split.answer
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
        thought=thought_text,
        answer=answer,
        thought_tokens=thinking,
        answer_tokens=answering or (0 if thinking else total),
        finish_reason="length" if cut else output.finish_reason,
        seed=int(facts.get("seed") or 0),
        seconds=float(facts.get("seconds") or 0.0),
        started_at=started if is_time(started := str(facts.get("started_at"))) else UNKNOWN_TIME,
        config_hash=str(facts.get("config_hash") or ""),
        error=str(facts.get("error") or ""),
    )


def _thought_of(text: str) -> ThoughtFormat:
    """Think tags if the text has a closing tag or begins with an opening one; otherwise no thought."""
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
    origin: str,
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
            source=f"file {origin}",
            rule=benchmark.rule if benchmark else rule,
            problems=len(mine),
            size=len(benchmark) if benchmark else len(mine),
            warning=warning,
        )
        data.append(one_set)
    names = tuple(one_set.name for one_set in data)
    config = RunConfig("imported", names, samples=samples, temperature=1.0 if samples > 1 else 0.0)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return RunInfo(run, now, config, tuple(data), sides, "not known", {}, f"imported from {origin}")


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text.lower()).strip("-")[:40] or "outputs"

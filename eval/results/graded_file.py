"""Grading a file of outputs without keeping a run: it is imported into a temporary folder, graded and summarised."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any, get_args

from eval.grading.grader import Grader
from eval.imports.imported import Origin, import_outputs
from eval.imports.outputs import Fields
from eval.problems.benchmark import Benchmark, Rule
from eval.records import CUT_OFF, Outcome
from eval.results.comparison import SideSummary, summarise_side
from eval.results.report import run_report
from eval.results.samples import Results, Row, Side
from eval.runs.grades import grade_run
from eval.statistics.metrics import accuracy, mean_pass_at_k
from models.config.thought_format import ThoughtFormat


@dataclass(frozen=True)
class GradedFile:
    """The result of grading one model's file of outputs."""

    file: str
    rule: str
    summary: SideSummary
    rows: tuple[Row, ...]
    grades: tuple[Mapping[str, Any], ...]
    """One per output, in the file's order: line, problem, sample, gold, outcome, rung, extracted, note, class, tokens,
    cut_off."""
    left_out: tuple[str, ...]
    """Where each row without a gold answer is."""
    report: str
    """The same as Markdown."""

    def to_json(self) -> dict[str, Any]:
        """The figures, shares between 0 and 1.

        `n` problems, `k` samples of each (the fewest, where problems differ), `samples` in all; `accuracy` is the mean
        over problems of the share of correct samples, `accuracy_95` its interval. What made the grader fail is not
        part of them; the two accuracies that follow say how much it could matter. None: the file does not say.
        """
        s = self.summary
        verdicts = _by_problem([row for row in self.rows if row.judged], ("correct",))
        answered = [row for row in self.rows if row.outcome in get_args(Outcome)]
        k = min(map(len, verdicts), default=0)
        tokens = [row["tokens"] for row in self.grades if row["tokens"] is not None]
        cuts = [row["cut_off"] for row in self.grades if row["cut_off"] is not None]
        return {
            "file": self.file,
            "rule": self.rule,
            "n": s.problems,
            "k": k,
            "samples": s.samples,
            "accuracy": s.accuracy.value if verdicts else None,
            "accuracy_95": [s.accuracy.low, s.accuracy.high] if verdicts else None,
            "accuracy_if_failed_were_wrong": _share(answered, ("correct",)),
            "accuracy_if_failed_were_correct": _share(answered, ("correct", "grader_failed")),
            "outcomes": {outcome: s.outcomes.get(outcome, 0) for outcome in get_args(Outcome)},
            "failed": s.outcomes.get("failed", 0),
            "rungs": dict(Counter(row.extraction_method for row in answered)),
            "cut_off": sum(cuts) if cuts else None,
            "pass_at_k": {str(j): mean_pass_at_k(verdicts, j) for j in range(1, k + 1)},
            "maj_at_k": {str(j): maj._asdict() for j, maj in s.maj_at.items() if j <= k},
            "mean_output_tokens": fmean(tokens) if tokens else None,
            "left_out": list(self.left_out),
        }


def grade_file(
    path: Path,
    grader: Grader,
    *,
    fields: Fields | None = None,
    thought: ThoughtFormat | None = None,
    rule: Rule = "math",
    benchmark: Benchmark | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> GradedFile:
    """Grade every output in a JSONL file as those of one model. Raises DataError, as `import_outputs` does."""
    with TemporaryDirectory(prefix="graded-") as folder:
        runs = Path(folder)
        imported = import_outputs(
            runs, path, role="distilled", title="", benchmark=benchmark, fields=fields, thought=thought, rule=rule,
            one_model=True,
        )  # fmt: skip
        log = imported.log
        grade_run(log, grader, progress=progress)
        (side,) = log.info().sides.values()
        results = Results(runs, [log.folder.name])
        rows = results.rows(Side(log.folder.name, side.model))
        details = {(d["problem_id"], d["index"]): d for d in results.details(Side(log.folder.name, side.model))}
        origins = zip(log.samples(), imported.origins, strict=True)
        grades = tuple(_grade_row(details[sample.problem_id, sample.index], origin) for sample, origin in origins)
        report = run_report(runs, log.folder.name)
        data = log.info().data
    return GradedFile(
        str(path), data[0].rule, summarise_side(rows, side.title), tuple(rows), grades, imported.left_out, report
    )


def _grade_row(detail: Mapping[str, Any], origin: Origin) -> dict[str, Any]:
    return {
        "line": origin.line,
        "problem": detail["problem_id"].removeprefix(f"{detail['benchmark']}/"),
        "sample": detail["index"],
        "gold": detail["gold"],
        "outcome": detail["outcome"],
        "rung": detail["extraction_method"],
        "extracted": detail["extracted"],
        "note": detail["note"],
        "class": detail["answer_class"],
        "tokens": detail["output_tokens"] or None,
        "cut_off": origin.finish_reason in CUT_OFF if origin.finish_reason else None,
    }


def _by_problem(rows: list[Row], good: tuple[str, ...]) -> list[list[bool]]:
    groups: dict[str, list[bool]] = {}
    for row in rows:
        groups.setdefault(row.problem_id, []).append(row.outcome in good)
    return list(groups.values())


def _share(rows: list[Row], good: tuple[str, ...]) -> float | None:
    groups = _by_problem(rows, good)
    return accuracy(groups).value if groups else None

"""Cases and their runs as one JSON document, exported and imported."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from common import jsonl
from common.errors import DataError
from traces.cases.cases import QUESTION_CHARACTERS, Case, CaseRun, folder, own_cases, recorded_runs, shipped_cases
from traces.cases.files import append, plain, read, validate

FORMAT = "journey-arena-cases-1"
REMEDY = "Give a JSON file that was exported here."


def export_document(cases: Iterable[Case], runs: Iterable[CaseRun]) -> str:
    """Cases and runs as one JSON document that `import_document` reads."""
    document = {"format": FORMAT, "cases": [plain(case) for case in cases], "runs": [plain(run) for run in runs]}
    return json.dumps(document, ensure_ascii=False, indent=1)


@dataclass(frozen=True)
class Imported:
    """What an import added, and how much was known already."""

    cases: int
    runs: int
    known: int


def import_document(text: str, where: str = "The file") -> Imported:
    """Add a document's cases and runs to the own ones once all of it has been read; the same one twice adds nothing.

    It skips cases that ship, and known ones unless they are newer. Raises DataError naming what is wrong.
    """
    cases, runs = _read_document(text, where)
    shipped, present = {case.key for case in shipped_cases()}, {case.key: case for case in own_cases()}
    ids = {run.id for run in (*read(folder() / "runs.jsonl", CaseRun), *recorded_runs())}
    new_cases = [
        case
        for case in cases
        if case.key not in shipped and (case.key not in present or case.pinned_at > present[case.key].pinned_at)
    ]
    new_runs = [replace(run, origin="imported") for run in runs if run.id not in ids]
    for case in new_cases:
        append(folder() / "cases.jsonl", case)
    for run in new_runs:
        append(folder() / "runs.jsonl", run)
    return Imported(len(new_cases), len(new_runs), len(cases) + len(runs) - len(new_cases) - len(new_runs))


def _read_document(text: str, where: str) -> tuple[list[Case], list[CaseRun]]:
    document = jsonl.parse(text.removeprefix("\ufeff"), where)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise DataError(f"{where} is not an export of cases.", REMEDY)
    rows: dict[str, Any] = {key: document.get(key, []) for key in ("cases", "runs")}
    if not all(isinstance(value, list) for value in rows.values()):
        raise DataError(f"{where}: cases and runs must be lists.", REMEDY)
    cases = [validate(row, Case, f"{where}, case {n}") for n, row in enumerate(rows["cases"], 1)]
    runs = [validate(row, CaseRun, f"{where}, run {n}") for n, row in enumerate(rows["runs"], 1)]
    for run in runs:
        try:
            datetime.fromisoformat(run.at)
        except ValueError as error:
            raise DataError(f"{where}: run “{run.id[:40]}” has no usable date.", "Correct or remove it.") from error
    for case in cases:
        usable = 0 < len(case.question.strip()) <= QUESTION_CHARACTERS and re.fullmatch(r"[\w-]{1,80}", case.key)
        if not usable:
            raise DataError(f"{where}: case “{case.key[:40]}” has no usable key or question.", "Correct or remove it.")
    shipped = {case.key for case in shipped_cases()}
    return [case if case.key in shipped else replace(case, source="own", removed=False) for case in cases], runs

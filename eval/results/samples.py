"""DuckDB over the files of runs: the current state of each sample, filters and exports. All SQL on runs is here.

Everything is read into memory from the append-only files and can be discarded; nothing is written back.
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import duckdb

from common.errors import DataError
from eval.grading.numerals import last_number_right
from eval.runs.columns import COLUMNS, DEFAULTS, KINDS
from eval.runs.log import RunInfo, RunLog

ExportFormat = Literal["parquet", "csv", "json"]
EXPORT = {
    "parquet": "(FORMAT parquet, COMPRESSION zstd)",
    "csv": "(FORMAT csv, HEADER)",
    "json": "(FORMAT json)",
}
TABLES = ("problems", "samples", "grades", "classes", "forced", "flags")
VIEWS = """
CREATE VIEW held AS SELECT * FROM samples QUALIFY row_number() OVER (
    PARTITION BY run, model, problem_id, index
    ORDER BY error <> '', CASE WHEN error = '' THEN rowid ELSE -rowid END) = 1;
CREATE VIEW grade AS SELECT * FROM grades QUALIFY row_number() OVER (
    PARTITION BY run, model, problem_id, index ORDER BY rowid DESC) = 1;
CREATE VIEW class AS SELECT run, model, problem_id, unnest(indices) AS index, unnest(classes) AS answer_class
    FROM (SELECT * FROM classes
          QUALIFY row_number() OVER (PARTITION BY run, model, problem_id ORDER BY rowid DESC) = 1);
CREATE VIEW flagged AS SELECT run, model, problem_id, index, count(*) AS flags FROM flags GROUP BY ALL;
CREATE VIEW forced_answers AS SELECT f.*, p.benchmark FROM forced f
    JOIN problems p ON p.run = f.run AND p.id = f.problem_id QUALIFY row_number() OVER (
    PARTITION BY f.run, f.model, f.problem_id, f.index, f.budget ORDER BY f.rowid DESC) = 1;
CREATE VIEW results AS SELECT
    s.run, s.model, coalesce(r.role, s.model) AS role, p.benchmark, p.subject, p.level, s.problem_id, s.index,
    p.question, p.gold,
    CASE WHEN s.finish_reason = 'too_long' THEN 'too_long' WHEN s.error <> '' THEN 'failed' 
        ELSE coalesce(g.outcome, 'ungraded') END AS outcome,
    coalesce(g.rung, '') AS extraction_method, coalesce(g.extracted, '') AS extracted, coalesce(g.note, '') AS note,
    s.thought_tokens, s.answer_tokens, s.thought_tokens + s.answer_tokens AS output_tokens, s.finish_reason,
    s.seed, s.seconds, s.started_at, c.answer_class, coalesce(f.flags, 0) AS flags, s.prompt, s.text, s.thought,
    s.answer, s.error, s.config_hash, g.grader, g.graded_at
FROM held s
JOIN problems p ON p.run = s.run AND p.id = s.problem_id
LEFT JOIN roles r ON r.run = s.run AND r.model = s.model
LEFT JOIN grade g ON (g.run, g.model, g.problem_id, g.index) = (s.run, s.model, s.problem_id, s.index)
LEFT JOIN class c ON (c.run, c.model, c.problem_id, c.index) = (s.run, s.model, s.problem_id, s.index)
LEFT JOIN flagged f ON (f.run, f.model, f.problem_id, f.index) = (s.run, s.model, s.problem_id, s.index);
"""
LIGHT = (
    "problem_id, benchmark, subject, level, index, outcome, extraction_method, thought_tokens, answer_tokens,"
    " finish_reason, seconds, epoch(started_at) AS started, answer_class, flags"
)


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a model within a run. The two sides may come from different runs."""

    run: str
    model: str


LOOSE = "CASE WHEN outcome = 'no_answer' THEN answer ELSE '' END, gold"
"""Columns for the lenient reading, which is used only where the strict one finds nothing."""


@dataclass(frozen=True)
class Row:
    """One sample with its grade, without its texts."""

    problem_id: str
    benchmark: str
    subject: str
    level: str
    index: int
    outcome: str
    """An Outcome, `ungraded`, or, without any reply, `failed` or `too_long` (the prompt exceeds the context)."""
    extraction_method: str
    thought_tokens: int
    answer_tokens: int
    finish_reason: str
    seconds: float
    started: float
    """Unix time."""
    answer_class: int | None
    flags: int
    last_number_right: bool = False
    """For a sample without an answer: whether the last number in its text is right."""

    @property
    def output_tokens(self) -> int:
        return self.thought_tokens + self.answer_tokens

    @property
    def answered(self) -> bool:
        return self.outcome not in ("failed", "too_long")

    @property
    def correct(self) -> bool:
        return self.outcome == "correct"

    @property
    def correct_leniently(self) -> bool:
        """Correct, or right by its last number where no answer was found."""
        return self.correct or self.last_number_right

    @property
    def judged(self) -> bool:
        return self.outcome in ("correct", "wrong", "no_answer")


@dataclass(frozen=True)
class Forced:
    """One forced answer at a budget."""

    problem_id: str
    index: int
    budget: int
    output_tokens: int
    outcome: str
    cut: bool
    """Whether the budget cut this thought; otherwise the stored answer still stands."""


class Results:
    """The given runs as they are now, in memory. Safe to use from several threads."""

    def __init__(self, runs: Path, run_ids: Sequence[str]) -> None:
        self._connection = duckdb.connect()
        self._lock = threading.Lock()
        self.stamp = stamp(runs, run_ids)
        """Changes when a file of these runs does."""
        for name in TABLES:
            fields = ", ".join(f'"{column}" {kind}' for column, kind in COLUMNS[name].items())
            self._connection.execute(f"CREATE TABLE {name} (run VARCHAR, {fields})")
        self._connection.execute("CREATE TABLE roles (run VARCHAR, role VARCHAR, model VARCHAR)")
        for run_id in run_ids:
            self._load(RunLog.open(runs, run_id), run_id)
        self._connection.execute(VIEWS)

    def _load(self, log: RunLog, run_id: str) -> None:
        for role, side in log.info().sides.items():
            self._connection.execute("INSERT INTO roles VALUES (?, ?, ?)", [run_id, role, side.model])
        for name in TABLES:
            path = log.path(name)
            if not path.is_file() or path.stat().st_size == 0:
                continue
            columns = COLUMNS[name]
            values = ", ".join(_value(name, column) for column in columns)
            test = " AND ".join(_test(name, column) for column in columns)
            try:  # a last line still being written, or torn by a crash, reads as nulls
                self._connection.execute(
                    f"INSERT INTO {name} SELECT ?, {values} FROM read_json(?, format='newline_delimited',"
                    f" columns=?, ignore_errors=true) WHERE {test}",
                    [run_id, str(path), dict.fromkeys(columns, "JSON")],
                )
            except duckdb.Error as error:
                raise DataError(f"{path} cannot be read: {error}", "Restore or remove the file.") from error

    def _query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(sql, list(parameters)).fetchall()

    def rows(self, side: Side, benchmark: str = "") -> list[Row]:
        """Samples of one side, of one benchmark or of all, by problem and index."""
        rows = self._query(
            f"SELECT {LIGHT}, {LOOSE} FROM results WHERE run = ? AND model = ? AND ? IN ('', benchmark)"
            " ORDER BY problem_id, index",
            [side.run, side.model, benchmark],
        )
        return [replace(Row(*row[:-2]), last_number_right=last_number_right(*row[-2:])) for row in rows]

    def forced(self, side: Side, benchmark: str = "") -> list[Forced]:
        rows = self._query(
            "SELECT problem_id, index, budget, thought_tokens + answer_tokens, outcome, cut FROM forced_answers"
            " WHERE run = ? AND model = ? AND ? IN ('', benchmark) ORDER BY budget, problem_id, index",
            [side.run, side.model, benchmark],
        )
        return [Forced(*row) for row in rows]

    def details(self, side: Side, problem_id: str = "") -> list[dict[str, Any]]:
        """Everything about the samples of one problem, or of all, texts included, by problem and index."""
        with self._lock:
            cursor = self._connection.execute(
                "SELECT * FROM results WHERE run = ? AND model = ? AND ? IN ('', problem_id)"
                " ORDER BY problem_id, index",
                [side.run, side.model, problem_id],
            )
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def flags(self, side: Side, problem_id: str) -> list[tuple[int, str, str, str]]:
        """(index, outcome when flagged, note, time) of the grades of one problem that people called wrong."""
        rows = self._query(
            "SELECT index, outcome, note, flagged_at FROM flags WHERE run = ? AND model = ? AND problem_id = ?",
            [side.run, side.model, problem_id],
        )
        return [(int(r[0]), str(r[1]), str(r[2]), str(r[3])) for r in rows]

    def with_words(self, sides: Sequence[Side], words: str) -> set[str]:
        """Problems where the thought of any of these sides contains every one of the words, in any case."""
        wanted = words.lower().split()
        matches: set[str] = set()
        for side in sides:
            test = " AND ".join(["contains(lower(thought), ?)"] * len(wanted)) or "true"
            sql = f"SELECT DISTINCT problem_id FROM held WHERE run = ? AND model = ? AND {test}"
            matches |= {row[0] for row in self._query(sql, [side.run, side.model, *wanted])}
        return matches

    def export(self, sides: Sequence[Side], path: Path, form: ExportFormat) -> Path:
        """Write every sample of these sides, with problem, grade and texts, to `path`: one row each. DataError."""
        test = " OR ".join(["(run = ? AND model = ?)"] * len(sides))
        order = "ORDER BY run, model, benchmark, problem_id, index"
        parameters = [value for side in sides for value in (side.run, side.model)]
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            relation = (
                f"COPY (SELECT * FROM results WHERE {test} {order}) TO '{str(path).replace(chr(39), chr(39) * 2)}'"
            )
            try:
                self._connection.execute(f"{relation} {EXPORT[form]}", parameters)
            except duckdb.Error as error:
                remedy = "Free some disk space, or name another file."
                raise DataError(f"{path} cannot be written: {str(error).splitlines()[0]}", remedy) from error
        return path


def _value(name: str, column: str) -> str:
    """SQL for a column of a table, from the JSON of a row."""
    default = DEFAULTS.get(name, {}).get(column)
    return _cast(name, column) if default is None else f"coalesce({_cast(name, column)}, '{default}')"


def _cast(name: str, column: str) -> str:
    kind = COLUMNS[name][column]
    return f'TRY_CAST("{column}" AS {kind})' if kind.endswith("[]") else f"TRY_CAST(\"{column}\"->>'$' AS {kind})"


def _test(name: str, column: str) -> str:
    """SQL that is true where `eval.runs.columns.fault_of` finds no fault with a column."""
    types = ", ".join(f"'{each}'" for each in KINDS[COLUMNS[name][column]][1])
    right = f'json_type("{column}") IN ({types}) AND {_cast(name, column)} IS NOT NULL'
    missing = f'"{column}" IS NULL OR json_type("{column}") = \'NULL\''
    return f"({missing} OR {right})" if column in DEFAULTS.get(name, {}) else f"({right})"


def sides_of(info: RunInfo) -> list[Side]:
    """The models of one run, base first."""
    return [Side(info.id, info.sides[role].model) for role in sorted(info.sides)]


def stamp(runs: Path, run_ids: Sequence[str]) -> str:
    """The sizes of all files of these runs, which change when something is appended."""
    sizes = {
        run_id: [p.stat().st_size if (p := runs / run_id / f"{name}.jsonl").is_file() else 0 for name in TABLES]
        for run_id in run_ids
    }
    return json.dumps(sizes, sort_keys=True)

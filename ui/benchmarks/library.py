"""Access to runs for the Benchmarks tab: finds, reads and compares them, caching results until the files change."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from common.errors import DataError
from eval.results.cells import Cell
from eval.results.comparison import Comparison, build_comparison
from eval.results.curves import curves
from eval.results.overview import SetResult, overview
from eval.results.report import faulty_golds, report
from eval.results.samples import EXPORT, Results, Row, Side, stamp
from eval.runs.log import Role, RunInfo, RunLog, list_runs
from eval.runs.recorded import pack_run
from eval.runs.standing import Standing, standing_of
from eval.statistics.metrics import CurvePoint

KEPT = 4
SEPARATOR = " / "


@dataclass(frozen=True)
class Choice:
    """What a visitor has selected: two sides, and one benchmark or all of them."""

    base: Side
    distilled: Side
    benchmark: str = ""

    @property
    def sides(self) -> dict[Role, Side]:
        return {"base": self.base, "distilled": self.distilled}


@dataclass(frozen=True)
class Shown:
    """Everything the tab shows of a choice."""

    comparison: Comparison
    rows: dict[Role, list[Row]]
    curves: dict[Role, list[CurvePoint]]
    titles: dict[Role, str]
    infos: tuple[RunInfo, ...]
    report: str
    """Markdown, to paste in a model card."""
    left_out: tuple[str, ...] = ()
    """Sentences about unusable rows in the runs' files."""


def side_value(side: Side) -> str:
    """A side as the value of a dropdown."""
    return f"{side.run}{SEPARATOR}{side.model}"


def parse_side(value: object) -> Side:
    """The inverse of `side_value`; raises DataError for anything else, since values come from the network."""
    run, separator, model = str(value or "").partition(SEPARATOR)
    if not separator:
        raise DataError("No side is chosen.", "Choose a run.")
    return Side(run, model)


@dataclass(frozen=True)
class Filters:
    """Which problems of the grid to show; every condition must hold."""

    base: str = "any"
    """`any`, `right` or `wrong`."""
    distilled: str = "any"
    words: str = ""
    """Words that must all occur in the thought of one side."""
    shortest: int = 0
    """The longer of the two outputs has at least this many tokens."""
    cut: bool = False
    """Only problems where an answer was cut off."""
    flagged: bool = False

    def admits(self, cell: Cell) -> bool:
        wanted = {"right": True, "wrong": False}
        sides = ((self.base, cell.base_solves), (self.distilled, cell.distilled_solves))
        return (
            all(state not in wanted or wanted[state] is solves for state, solves in sides)
            and cell.tokens >= self.shortest
            and (cell.cut or not self.cut)
            and bool(cell.flags or not self.flagged)
        )


class RunLibrary:
    """Reads runs below one folder; safe to use from several threads."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self._lock = threading.Lock()
        self._results: OrderedDict[tuple[str, ...], Results] = OrderedDict()
        self._shown: OrderedDict[tuple[Choice, str], Shown] = OrderedDict()
        self._answers: dict[str, tuple[int, int]] = {}
        self._standing: dict[str, tuple[str, Standing]] = {}
        self._overview: dict[str, tuple[str, list[SetResult]]] = {}

    def infos(self) -> list[RunInfo]:
        return list_runs(self.runs)

    def info(self, run_id: str) -> RunInfo:
        return RunLog.open(self.runs, run_id).info()

    def overview(self, pair: str) -> list[SetResult]:
        """All sets of a pair; read again only when a run has changed."""
        ids = [info.id for info in self.infos()]
        now = stamp(self.runs, ids)
        if self._overview.get(pair, ("", []))[0] != now:
            self._overview[pair] = (now, overview(self.runs, pair))
        return self._overview[pair][1]

    def answers(self, run_id: str) -> int:
        """How many samples a run has; its file is read again only when it has grown."""
        path = RunLog(self.runs / run_id).path("samples")
        size = path.stat().st_size if path.is_file() else 0
        if self._answers.get(run_id, (-1, 0))[0] != size:
            self._answers[run_id] = (size, len(RunLog(self.runs / run_id).samples()))
        return self._answers[run_id][1]

    def standing(self, run_id: str) -> Standing:
        """How far a run is; read again only when it has changed. Raises DataError for a run that is not there."""
        log, now = RunLog.open(self.runs, run_id), stamp(self.runs, [run_id])
        kept = self._standing.get(run_id)
        if kept is None or kept[0] != now:
            kept = self._standing[run_id] = (now, standing_of(log))
        return kept[1]

    def partner(self, info: RunInfo, role: Role, shown: object) -> object:
        """The dropdown value for a side that a run lacks: the side shown now if it has the run's first set, else the
        newest that does, else the one shown now."""
        having = [
            side_value(Side(other.id, other.sides[role].model))
            for other in self.infos()
            if role in other.sides and info.data[0].name in (data.name for data in other.data)
        ]
        return shown if shown in having or not having else having[0]

    def stamp(self, choice: Choice) -> str:
        """Changes when a run of this choice does."""
        return stamp(self.runs, _ids(choice))

    def results(self, choice: Choice) -> Results:
        """Raises DataError for a run that is not there."""
        ids, now = _ids(choice), self.stamp(choice)
        with self._lock:
            results = self._results.get(ids)
            if results is None or results.stamp != now:
                results = self._results[ids] = Results(self.runs, ids)
            self._results.move_to_end(ids)
            while len(self._results) > KEPT:
                self._results.popitem(last=False)
            return results

    def shown(self, choice: Choice) -> Shown:
        """The whole comparison; computed anew only when a file has grown."""
        results = self.results(choice)
        key = (choice, results.stamp)
        with self._lock:
            if key in self._shown:
                return self._shown[key]
        shown = self._compute(choice, results)
        with self._lock:
            self._shown[key] = shown
            while len(self._shown) > KEPT:
                self._shown.popitem(last=False)
        return shown

    def _compute(self, choice: Choice, results: Results) -> Shown:
        rows = {role: results.rows(side, choice.benchmark) for role, side in choice.sides.items()}
        infos = tuple(self.info(run_id) for run_id in _ids(choice))
        titles = {role: _title(infos, side) for role, side in choice.sides.items()}
        pair_titles = (titles["base"], titles["distilled"])
        comparison = build_comparison(rows["base"], rows["distilled"], pair_titles, choice.benchmark)
        logs = {info.id: RunLog.open(self.runs, info.id) for info in infos}
        checked = {run_id: faulty_golds(log) for run_id, log in logs.items()}
        left_out = tuple(sentence for log in logs.values() for sentence in log.left_out())
        golds = {run_id: faulty for run_id, faulty in checked.items() if faulty is not None}
        return Shown(
            comparison=comparison,
            rows=rows,
            curves={s: curves(rows[s], results.forced(c, choice.benchmark)) for s, c in choice.sides.items()},
            titles=titles,
            infos=infos,
            report=report(infos, [comparison], golds, left_out),
            left_out=left_out,
        )

    def cells(self, choice: Choice, filters: Filters) -> list[Cell]:
        """The problems that pass the filters, in the grid's order."""
        cells = [cell for cell in self.shown(choice).comparison.cells if filters.admits(cell)]
        if filters.words.strip():
            matches = self.results(choice).with_words(list(choice.sides.values()), filters.words)
            cells = [cell for cell in cells if cell.problem_id in matches]
        return cells


def _ids(choice: Choice) -> tuple[str, ...]:
    return tuple(dict.fromkeys((choice.base.run, choice.distilled.run)))


def _title(infos: tuple[RunInfo, ...], side: Side) -> str:
    for info in infos:
        for model in info.sides.values():
            if info.id == side.run and model.model == side.model:
                return model.title
    return side.model


def export_files(library: RunLibrary, choice: Choice, folder: Path) -> list[str]:
    """Files to download, written to the folder: every sample of both sides in each format, the report, and each run's
    own files."""
    results, shown = library.results(choice), library.shown(choice)
    sides = list(dict.fromkeys(choice.sides.values()))
    stem = choice.base.run if choice.base.run == choice.distilled.run else "comparison"
    files = [results.export(sides, folder / f"{stem}.{form}", form) for form in EXPORT]  # type: ignore[arg-type]
    text = folder / f"{stem}.md"
    text.write_text(shown.report, encoding="utf-8")
    return [str(path) for path in (*files, text, *(pack_run(library.runs / run, folder) for run in _ids(choice)))]

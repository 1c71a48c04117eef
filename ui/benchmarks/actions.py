"""The actions of the Benchmarks tab: start and resume runs, force answers, import outputs; or why not, in words."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from common.errors import ConfigError, DataError
from eval.grading.grader import Grader
from eval.imports.agreement import agreement
from eval.imports.imported import Source, import_outputs, import_pair
from eval.imports.outputs import Fields
from eval.problems.benchmark_sets import GENERATED, GENERATED_COUNT, KNOWN, load_file
from eval.runs.cost import cost, throughputs
from eval.runs.grades import grade_run
from eval.runs.log import ROLES, Role, RunConfig, RunLog
from eval.runs.plan import limits, load_benchmarks, prepare
from eval.runs.run_job import RunJob, served_names
from eval.statistics.paired import smallest_differences
from eval.thoughts.forced import ForcedJob
from ui.benchmarks.library import RunLibrary
from ui.services import Services, check_ready

MOST_BUDGETS = 12


def set_size(name: str) -> int:
    """Problems of a set. Raises DataError for a file that holds none, or is gone."""
    if name in KNOWN:
        return KNOWN[name].size
    return GENERATED_COUNT if name in GENERATED else _file_size(name, uploaded(name).stat().st_mtime_ns)


def uploaded(path: str) -> Path:
    """The path of a visitor's upload. Raises DataError if it is gone: uploads are deleted after a while."""
    if not (file := Path(path)).is_file():
        raise DataError(f"The file {file.name} is no longer here.", "Choose it again.")
    return file


@lru_cache(maxsize=16)
def _file_size(path: str, changed: int) -> int:
    return len(load_file(Path(path)))


def set_title(name: str) -> str:
    if name in KNOWN:
        return KNOWN[name].title
    return GENERATED.get(name) or Path(name).stem


class RunActions:
    """Starts, stops and resumes runs for authorised visitors; all its errors are worded for people."""

    def __init__(self, services: Services, library: RunLibrary) -> None:
        self.services, self.library = services, library
        self.jobs = services.jobs

    def estimate(self, config: RunConfig) -> str:
        """What the run would cost and what it could show, in total and per set, before it starts."""
        sizes = {set_title(name): set_size(name) for name in config.benchmarks}
        drawn = {title: min(size, config.problems or size) for title, size in sizes.items()}
        pair = self.services.config.pairs.get(config.pair)
        costs = cost(config, list(sizes.values()), throughputs(self.library.runs, pair) if pair else {})
        warning = limits(config, pair, self.services.served.profile) if pair else ""
        return f"{costs.sentence} {warning}\n\n{costs.power_sentence} {smallest_differences(drawn)}".strip()

    def start(self, config: RunConfig) -> str:
        """Begin a new run in the background; returns its id."""
        self._check_loaded(config.pair)
        benchmarks = load_benchmarks(config.benchmarks)
        served = self.services.served
        hashes: dict[Role, str] = {role: served.weight_hash(role) for role in ROLES}
        self.jobs.check_idle()
        runs, software, names = self.library.runs, served.software(), served_names(served, ROLES)
        log = prepare(runs, config, served.pair, hashes, benchmarks, served.profile, software, names)
        self.jobs.start(RunJob(log, served))
        return log.folder.name

    def stop(self) -> str:
        """Stop the run in progress, unless another page started it; returns its id."""
        job = self.jobs.current
        if job is None or job.over:
            raise ConfigError("No run is in progress.")
        name = job.log.folder.name
        if job.log.folder.parent != self.library.runs:
            raise ConfigError(f"Run {name} was started on another page.", "Stop it there.")
        self.jobs.stop()
        return name

    def resume(self, run_id: str, retry_failed: bool = False) -> None:
        log = self._open_own(run_id)
        self.jobs.start(RunJob(log, self.services.served, retry_failed=retry_failed))

    def force(self, run_id: str, budgets: str) -> list[int]:
        """Make the forced answers of a run at these budgets in the background; returns the budgets."""
        wanted = sorted({int(b) for b in re.findall(r"\d+", str(budgets or ""))})[:MOST_BUDGETS]
        if not wanted:
            raise ConfigError("Enter at least one budget.", "Use numbers of tokens, such as 64, 128, 256.")
        self.jobs.start(ForcedJob(self._open_own(run_id), self.services.served, wanted))
        return wanted

    def _open_own(self, run_id: str) -> RunLog:
        """A run that was made here with the loaded pair. Raises DataError, ConfigError or ServerError for any other."""
        log = RunLog.open(self.library.runs, run_id)
        info = log.info()
        if info.origin != "run":
            raise ConfigError(f"Run {run_id} was {info.origin}: it is read-only.", "Start your own run.")
        self._check_loaded(info.config.pair)
        return log

    def _check_loaded(self, pair: str) -> None:
        served = self.services.served
        if pair != served.pair.key:
            raise ConfigError(
                f"Pair {pair} is not loaded; {served.pair.key} is.", f"Start the app with JOURNEY_PAIR={pair}."
            )
        check_ready(served)

    def keep_own_set(self, path: str | None) -> str | None:
        """Copy an uploaded set to where later runs can find it, never overwriting another of the same name."""
        if not path:
            return None
        folder, content = self.services.home / "sets", uploaded(path).read_bytes()
        target = folder / Path(path).with_suffix(".jsonl").name
        if target.is_file() and target.read_bytes() != content:
            target = target.with_stem(f"{target.stem}-{sha256(content).hexdigest()[:8]}")
        folder.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return str(target)

    def take_in(
        self, sources: Sequence[Source], benchmark: str, fields: Fields, tell: Callable[[int, int], None]
    ) -> tuple[str, str]:
        """Import a file of outputs, or one of each model, and grade them.

        Returns the run if it has both sides, else an empty string, and a sentence.
        """
        if not sources:
            raise ConfigError("No file was chosen.", "Choose a file of outputs, or a log.")
        known = load_benchmarks([benchmark])[0] if benchmark in {*KNOWN, *GENERATED} else None
        sources = [replace(source, path=uploaded(str(source.path))) for source in sources]
        runs, first = self.library.runs, sources[0]
        if len(sources) == 2:
            imported = import_pair(runs, first, sources[1], benchmark=known, fields=fields)
        else:
            imported = import_outputs(
                runs, first.path, role=first.role, title=first.title, benchmark=known, fields=fields
            )
        log, left_out = imported.log, imported.left_out
        with log.claim(), Grader() as grader:
            count = grade_run(log, grader, progress=tell)
        both = log.folder.name if len(sources) == 2 else ""
        chosen = "is shown below" if both else "can now be chosen on either side"
        sentence = f"{count:,} outputs graded; the run {log.folder.name} {chosen}. {agreement(imported)}".rstrip()
        if not left_out:
            return both, sentence
        were = "row was" if len(left_out) == 1 else "rows were"
        return both, f"{sentence} {len(left_out)} {were} left out. The first: {left_out[0]}"

"""A run on disk: one folder of append-only files, from which everything shown about it is computed.

runs/<id>/run.json        what is needed to repeat it: configuration, data, models, versions (written once)
          problems.jsonl  the problems as they were asked (written once)
          samples.jsonl   one line per sample
          grades.jsonl    one line per grade; a sample's last one counts
          classes.jsonl   classes of equivalent answers to a problem, for maj@k; a problem's last line counts
          forced.jsonl    forced answers at token budgets; transplants.jsonl: answers from the other model's thought
          flags.jsonl     grades that a person flagged as wrong
          golds.jsonl     gold answers that fail against themselves
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from common import jsonl
from common.errors import ConfigError, DataError
from common.locks import claimed
from common.paths import home
from eval.problems.prompts import BENCHMARK
from eval.records import Problem, Sample
from eval.runs.columns import COLUMNS, checked_rows
from models.chat.client import Message
from models.config.registry import ROLES as ROLES
from models.config.registry import Role as Role

CONCURRENCY = 32
"""Requests in flight if a server's capacity is not known."""
RUNS, OPEN_ENDED = "runs", "beyond"
"""Folders below home() for runs of the benchmarks and of open-ended sets."""
LOGS = ("samples", "grades", "classes", "forced", "flags", "golds")
REMADE = frozenset({"samples", "grades", "classes", "forced", "transplants", "golds"})
"""Logs written without fsync, which would take longer than the writing itself. A killed process loses nothing; lines
lost in a power failure are made again when the run is resumed."""
TOO_LONG = "too_long"
"""Finish reason of a sample whose prompt the server rejected as too long: final, never retried."""


@dataclass(frozen=True)
class RunConfig:
    """The user's choices, which are the same for both models."""

    pair: str
    benchmarks: tuple[str, ...]
    samples: int = 1
    """Samples a problem."""
    problems: int | None = None
    """Problems of each set, drawn with `seed`; None: all."""
    max_tokens: int = 1024
    thinking_budget: int | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    concurrency: int = CONCURRENCY
    """Requests in flight at each server. Not part of the configuration's hash: it changes the time, not the answers."""
    prompting: str = BENCHMARK
    """How problems are put to the models, a key of `eval.problems.prompts.PROMPTINGS`. The hash covers what the key
    stands for: the run's `prompt` and `history`."""

    def __post_init__(self) -> None:
        for name in ("samples", "problems", "max_tokens", "concurrency"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} is {value}.", "It must be at least 1.")
        if not self.temperature >= 0:
            raise ConfigError(f"temperature is {self.temperature}.", "It must be at least 0, which is greedy.")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p is {self.top_p}.", "It must be above 0 and at most 1.")
        if not self.benchmarks:
            raise ConfigError("No benchmark is chosen.", "Choose at least one.")
        if self.samples > 1 and self.temperature == 0:
            raise ConfigError(
                f"{self.samples} samples a problem at temperature 0 would give the same answer {self.samples} times.",
                "Set a temperature above 0, e.g. 0.6, or draw one sample.",
            )


@dataclass(frozen=True)
class DataInfo:
    """One benchmark of a run."""

    name: str
    title: str
    sha256: str
    source: str
    rule: str
    problems: int
    """Problems put to the models."""
    size: int
    """Problems in the whole set."""
    warning: str = ""
    texts: bool = True
    """Whether its problems are quoted; if not, a note stands for each text (see `eval.runs.recorded`)."""


@dataclass(frozen=True)
class SideInfo:
    """One model of a run, with everything that affects its output."""

    model: str
    title: str
    weight_hash: str = ""
    thought: dict[str, Any] = field(default_factory=dict)
    chat_template_kwargs: dict[str, Any] = field(default_factory=dict)
    system_prompt: str | None = None
    precision: str = ""
    """Numeric precision of inference, see `models.config.plan.precision`; empty if unknown."""
    max_tokens: int = 0
    """Its own token limit, if its context is too short for the run's; otherwise 0."""
    served: str = ""
    """What its server calls it, where its weights are not visible here; empty if unknown."""


@dataclass(frozen=True)
class RunInfo:
    """The contents of run.json."""

    id: str
    created_at: str
    """UTC, ISO 8601."""
    config: RunConfig
    data: tuple[DataInfo, ...]
    sides: dict[Role, SideInfo]
    """One side, or both."""
    prompt: str
    """The prompt rule, the same for every side."""
    versions: dict[str, str] = field(default_factory=dict)
    origin: str = "run"
    """`run`, or where the outputs were imported from."""
    profile: str = ""
    """Key of the machine profile it was started on; empty if unknown."""
    recorded: bool = False
    """Whether it shipped with the product, so that its timings come from another machine."""
    history: tuple[Message, ...] = ()
    """Turns of the conversation before every prompt."""
    extends: str = ""
    """Id of the run whose answers it took over; empty if all are its own. See `eval.runs.extend`."""

    @property
    def config_hash(self) -> str:
        """sha256 of everything that affects the answers: configuration, data, prompt rule, models and their weights."""
        config = {k: v for k, v in asdict(self.config).items() if k not in ("concurrency", "prompting")}
        data = sorted((d.name, d.sha256, d.problems) for d in self.data)
        # omitted if unknown, so that a run from before they were recorded keeps its hash
        later = ("precision", "max_tokens", "served")
        sides = {
            role: {name: value for name, value in asdict(side).items() if value or name not in later}
            for role, side in sorted(self.sides.items())
        }
        history = [[asdict(message) for message in self.history]] if self.history else []
        text = json.dumps([config, data, sides, self.prompt, *history], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def rules(self) -> dict[str, str]:
        return {data.name: data.rule for data in self.data}

    def role_of(self, model: str) -> str:
        return next((role for role, side in self.sides.items() if side.model == model), model)


def sample_seed(run_seed: int, problem_id: str, index: int) -> int:
    """The sampling seed of one sample, in [0, 2³¹); the same for both models."""
    digest = hashlib.sha256(f"{run_seed}|{problem_id}|{index}".encode()).digest()
    return int.from_bytes(digest[:4]) >> 1


@dataclass(frozen=True)
class RunLog:
    """The folder of one run."""

    folder: Path

    @classmethod
    def create(cls, runs: Path, info: RunInfo, problems: Iterable[Problem]) -> Self:
        """A new folder below `runs`; raises DataError if it exists or cannot be written."""
        log = cls(runs / info.id)
        try:
            log.folder.mkdir(parents=True)
            jsonl.write(log.path("problems"), map(asdict, problems))
            for name in LOGS:
                log.path(name).touch()
            text = json.dumps({**asdict(info), "config_hash": info.config_hash}, indent=1, ensure_ascii=False)
            (log.folder / "run.json").write_text(text, encoding="utf-8")
        except OSError as error:
            raise DataError(f"The run folder {log.folder} cannot be written: {error.strerror}.") from error
        return log

    @classmethod
    def open(cls, runs: Path, run_id: str) -> Self:
        """An existing run; raises DataError when there is none of that id."""
        if Path(run_id).name != run_id or not _exists(runs / run_id):
            shown = run_id if len(run_id) < 100 else f"{run_id[:100]}…"
            raise DataError(f"There is no run “{shown}” in {runs}.", "`arena runs` lists the runs.")
        return cls(runs / run_id)

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.jsonl"

    def info(self) -> RunInfo:
        """Raises DataError when run.json is damaged."""
        path = self.folder / "run.json"
        try:
            raw = jsonl.parse(jsonl.read_text(path), str(path))
            known = {name.name: raw[name.name] for name in fields(RunInfo) if name.name in raw}
            known["config"] = RunConfig(**{**raw["config"], "benchmarks": tuple(raw["config"]["benchmarks"])})
            known["data"] = tuple(DataInfo(**data) for data in raw["data"])
            known["sides"] = {role: SideInfo(**side) for role, side in raw["sides"].items()}
            known["history"] = tuple(Message(**message) for message in raw.get("history", ()))
            return RunInfo(**known)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ConfigError) as error:
            raise DataError(
                f"{path} cannot be read: {error!r}.", "Restore or remove the folder of this run."
            ) from error

    def problems(self) -> list[Problem]:
        """Raises DataError when problems.jsonl is damaged: without its problems a run cannot be read."""
        if faults := self._faults("problems"):
            raise DataError(f"{self.path('problems')}, {faults[0]}.", "Restore or remove the run.")
        names = {f.name for f in fields(Problem)}
        return [Problem(**{k: v for k, v in row.items() if k in names}) for row in self.rows("problems")]

    def samples(self) -> list[Sample]:
        """The sample that counts for each (model, problem, index): the first that did not fail, else the last failure.

        Rows that are not samples of this run's problems are skipped; `left_out` names them.
        """
        names, known = {f.name for f in fields(Sample)}, {problem.id for problem in self.problems()}
        by_key: dict[tuple[str, str, int], Sample] = {}
        for row in self.rows("samples"):
            sample = Sample(**{k: v for k, v in row.items() if k in names})
            if sample.problem_id not in known:
                continue
            key = (sample.model, sample.problem_id, sample.index)
            if key not in by_key or by_key[key].error:
                by_key[key] = sample
        return list(by_key.values())

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        """Rows of a file; none if there is no file. Rows with missing or invalid fields are skipped: see `left_out`.

        Raises DataError for a file that cannot be read.
        """
        return (row for _, row, fault in checked_rows(self.path(name)) if not fault)

    def left_out(self) -> list[str]:
        """A sentence for each file with unusable rows, which are skipped."""
        faults_by_file = {name: self._faults(name) for name in COLUMNS}
        return [
            f"{name}.jsonl: {len(faults)} unusable row{'s are' if len(faults) > 1 else ' is'} left out ({faults[0]}"
            f"{', and others' if len(faults) > 1 else ''})."
            for name, faults in faults_by_file.items()
            if faults
        ]

    def _faults(self, name: str) -> list[str]:
        return [f"line {number}: {fault}" for number, _, fault in checked_rows(self.path(name)) if fault]

    def append(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows in one write. Raises DataError if the write fails; earlier rows are kept."""
        jsonl.append(self.path(name), rows, durable=name not in REMADE)

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Lock the run for this process, until the context or the process ends; DataError if another one holds it."""
        with claimed(self.folder / ".lock", f"Run {self.folder.name}"):
            yield


def find_run(run_id: str) -> RunLog:
    """A run of an open-ended set or of the benchmarks. Raises DataError when there is none of that id."""
    open_ended = home() / OPEN_ENDED
    return RunLog.open(open_ended if _exists(open_ended / Path(run_id).name) else home() / RUNS, run_id)


def _exists(run: Path) -> bool:
    try:
        return (run / "run.json").is_file()
    except (OSError, ValueError):  # a name that is too long, or that no file can have
        return False


def list_runs(runs: Path) -> list[RunInfo]:
    """All readable runs, newest first; folders without a readable run.json are left out."""
    infos = []
    for path in runs.glob("*/run.json"):
        try:
            infos.append(RunLog(path.parent).info())
        except DataError:
            continue
    return sorted(infos, key=lambda info: (info.created_at, info.id), reverse=True)

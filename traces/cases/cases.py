"""Case studies: the paper's five, two that ship beside them, and people's own, with their runs, recorded or live.

What ships is in cases.yaml, the recorded runs of it in traces/cases/recorded. Own cases and live runs are append-only
files below home()/cases. `arena cases` records, exports and imports them.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from common.errors import ConfigError
from common.paths import home
from models.chat.events import Reply
from models.config.registry import Role
from models.config.sampling import Sampling
from traces.cases.files import append, parse, read

RECORDED: Path = Path(__file__).parent / "recorded"
QUESTION_CHARACTERS = 8000
NOTE_CHARACTERS = 4000


@dataclass(frozen=True)
class Case:
    """One question worth a close look. An own case has a question, a note and an origin; the rest may be empty."""

    key: str
    title: str
    question: str
    area: str = ""
    origin: str = ""
    """Where it comes from: a benchmark and figure of the paper, `battle <id>`, `run <id>, problem <id>`."""
    language: str = "en"
    translation: str = ""
    before: str = ""
    """What the paper reports of the model before training."""
    after: str = ""
    look_for: tuple[str, ...] = ()
    truth: str = ""
    why: str = ""
    remaining: str = ""
    """Where the model still fails after training."""
    source: Literal["paper", "product", "own"] = "own"
    note: str = ""
    pinned_at: str = ""
    """When it was pinned or last annotated: UTC, ISO 8601; empty for the paper's."""
    removed: bool = False
    """A row that removes an own case."""


@dataclass(frozen=True)
class SideRun:
    """One model's reply to a case."""

    model: str
    title: str
    reply: Reply
    weight_hash: str = ""


@dataclass(frozen=True)
class CaseRun:
    """Both models' replies to one case, with everything needed to repeat it."""

    id: str
    case: str
    pair: str
    at: str
    """UTC, ISO 8601."""
    sampling: Sampling | None
    """None if it is not known, as for a pinned battle."""
    sides: Mapping[Role, SideRun]
    origin: Literal["recorded", "live", "pinned", "imported"] = "live"
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return any(side.reply.finish_reason == "failed" for side in self.sides.values())


@cache
def shipped_cases() -> tuple[Case, ...]:
    """The paper's, in its order, then the product's."""
    rows = yaml.safe_load((Path(__file__).parent / "cases.yaml").read_text(encoding="utf-8"))
    return tuple(Case(**{"source": "paper", **row, "look_for": tuple(row["look_for"])}) for row in rows)


def paper_cases() -> tuple[Case, ...]:
    """The five, in the paper's order."""
    return tuple(case for case in shipped_cases() if case.source == "paper")


def folder() -> Path:
    return home() / "cases"


def own_cases() -> tuple[Case, ...]:
    """Own cases as they are now, oldest first: the last row of each key, without removed ones."""
    newest: dict[str, Case] = {}
    for case in read(folder() / "cases.jsonl", Case):
        newest[case.key] = case
    return tuple(case for case in newest.values() if not case.removed)


def all_cases() -> tuple[Case, ...]:
    return (*shipped_cases(), *own_cases())


def find_case(key: str) -> Case | None:
    return next((case for case in all_cases() if case.key == key), None)


def pin(question: str, *, note: str = "", title: str = "", origin: str = "", truth: str = "") -> Case:
    """Keep a question as an own case; the same question and origin give the same case, with the newer note.

    Raises ConfigError when the question is empty or too long.
    """
    question = str(question or "").strip()
    if not question or len(question) > QUESTION_CHARACTERS:
        raise ConfigError(f"A case needs a question of at most {QUESTION_CHARACTERS:,} characters.",
                          "Give the question that the models were asked.")  # fmt: skip
    title = " ".join((title or question).split())
    title = title if len(title) <= 60 else title[:59] + "…"
    digest = hashlib.sha256(f"{question}\n{origin}".encode()).hexdigest()[:6]
    slug = "-".join(re.findall(r"\w+", title.lower()))[:40].strip("-") or "case"
    language = "zh" if re.search(r"[\u4e00-\u9fff]", question) else "en"
    case = Case(
        f"{slug}-{digest}", title, question, "Own case", origin, language, truth=truth.strip(),
        note=note.strip()[:NOTE_CHARACTERS], pinned_at=_now(),
    )  # fmt: skip
    known = find_case(case.key)
    if known is None or replace(known, pinned_at=case.pinned_at) != case:
        append(folder() / "cases.jsonl", case)
    return case


def annotate(case: Case, note: str) -> Case:
    """The own case with another note; earlier notes stay in the file."""
    changed = replace(case, note=note.strip()[:NOTE_CHARACTERS], pinned_at=_now())
    append(folder() / "cases.jsonl", _own(changed))
    return changed


def unpin(case: Case) -> None:
    """Take an own case off the list; its rows and runs stay in the files."""
    append(folder() / "cases.jsonl", replace(_own(case), removed=True))


def _own(case: Case) -> Case:
    if case.source != "own" or case.key in {known.key for known in shipped_cases()}:
        raise ConfigError(
            "Cases that ship with the product cannot be changed.", "Pin the question as a case of your own instead."
        )
    return case


def keep_run(run: CaseRun) -> None:
    """Append a live run; on disk when this returns."""
    append(folder() / "runs.jsonl", run)


@cache
def recorded_runs() -> tuple[CaseRun, ...]:
    """The runs that ship with the app. Raises DataError naming a file that is damaged."""
    return tuple(
        parse(path.read_text(encoding="utf-8"), CaseRun, str(path)) for path in sorted(RECORDED.glob("*.json"))
    )


def runs_of(case: str) -> list[CaseRun]:
    """All runs of a case, newest first, the recorded one last."""
    live = [run for run in read(folder() / "runs.jsonl", CaseRun) if run.case == case]
    shipped = [run for run in recorded_runs() if run.case == case]
    return [*sorted(live, key=lambda run: run.at, reverse=True), *shipped]


def new_run(
    case: Case,
    pair: str,
    sampling: Sampling | None,
    sides: Mapping[Role, SideRun],
    origin: Literal["recorded", "live", "pinned"] = "live",
    versions: Mapping[str, str] | None = None,
) -> CaseRun:
    """A run as of now."""
    at = _now()
    digest = hashlib.sha256(f"{case.key}{at}{os.urandom(4).hex()}".encode()).hexdigest()[:8]
    return CaseRun(f"{case.key}-{digest}", case.key, pair, at, sampling, sides, origin, dict(versions or {}))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

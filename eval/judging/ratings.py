"""People as judges: blind marks from 0 to 100 by several raters, and how far they agree.

Each rater sees one question and answer at a time, in a rater-specific order, and never which model gave it. Marks are
kept in an append-only file; a later mark by the same rater replaces an earlier one.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from common import jsonl
from common.errors import ConfigError, DataError
from common.paths import home
from eval.statistics.agreement import Ratings, icc, krippendorff_alpha


@dataclass(frozen=True)
class RatingTask:
    """One answer to be marked. `role` is never shown to the rater."""

    id: str
    question: str
    answer: str
    role: str
    group: str = ""
    """The question's id: both models' answers to it share it."""


@dataclass(frozen=True)
class Rating:
    """One mark."""

    task: str
    rater: str
    score: int
    at: str
    """UTC, ISO 8601."""


@dataclass(frozen=True)
class RatingSummary:
    """The raters' combined result."""

    raters: int
    rated: Mapping[str, int]
    """Role → number of marks."""
    means: Mapping[str, float]
    """Role → mean over answers of the mean over their raters, 0 to 100."""
    shared: int
    """Answers marked by more than one rater."""
    alpha: float | None
    """Krippendorff's alpha, interval metric; None until two raters share answers."""
    icc: float | None
    """ICC(2,1) over the answers that every rater marked."""


def ratings_file() -> Path:
    return home() / "ratings" / "ratings.jsonl"


def rater_name(text: str) -> str:
    """A rater's name in normalised form; empty if there is none."""
    return " ".join(text.split())[:60]


def add_rating(task: RatingTask, rater: str, score: float) -> Rating:
    """Keep a mark. Raises ConfigError for a nameless rater or a mark outside 0 to 100."""
    rater = rater_name(rater)
    if not rater:
        raise ConfigError("A mark needs the rater's name.", "Enter a name or a pseudonym, and keep using it.")
    if not 0 <= score <= 100:
        raise ConfigError(f"A mark of {score} is outside 0 to 100.", "Choose a whole number from 0 to 100.")
    rating = Rating(task.id, rater, round(score), datetime.now(UTC).isoformat(timespec="seconds"))
    jsonl.append(ratings_file(), [asdict(rating)])
    return rating


def ratings() -> list[Rating]:
    """All marks, oldest first. Raises DataError when the file is damaged."""
    path = ratings_file()
    try:
        return [Rating(**row) for _, row in jsonl.read(path)] if path.exists() else []
    except TypeError as error:
        raise DataError(f"{path} has a row that is not a mark: {error}.", "Restore or remove it.") from error


def order_for(rater: str, tasks: Iterable[RatingTask]) -> list[RatingTask]:
    """The tasks in this rater's order: shuffled by a hash of the name, so always the same, and blind to the model."""
    return sorted(tasks, key=lambda task: hashlib.sha256(f"{rater}|{task.id}".encode()).digest())


def next_task(rater: str, tasks: Iterable[RatingTask], given: Iterable[Rating]) -> RatingTask | None:
    """The next answer this rater has not marked; None when all are."""
    done = {rating.task for rating in given if rating.rater == rater}
    return next((task for task in order_for(rater, tasks) if task.id not in done), None)


def summarise_ratings(tasks: Sequence[RatingTask], given: Iterable[Rating]) -> RatingSummary:
    """Means by model and the raters' agreement, over the marks that belong to these tasks."""
    roles = {task.id: task.role for task in tasks}
    marks: dict[str, dict[str, int]] = {}
    for rating in given:
        if rating.task in roles:
            marks.setdefault(rating.task, {})[rating.rater] = rating.score
    raters = sorted({rater for by_rater in marks.values() for rater in by_rater})
    table: Ratings = [[marks[task].get(rater) for task in marks] for rater in raters]
    by_role: dict[str, list[float]] = {}
    for task, by_rater in marks.items():
        by_role.setdefault(roles[task], []).append(sum(by_rater.values()) / len(by_rater))
    return RatingSummary(
        raters=len(raters),
        rated={role: sum(len(marks[t]) for t in marks if roles[t] == role) for role in by_role},
        means={role: sum(values) / len(values) for role, values in by_role.items()},
        shared=sum(len(by_rater) > 1 for by_rater in marks.values()),
        alpha=krippendorff_alpha(table) if raters else None,
        icc=icc(table) if raters else None,
    )

"""Answers labelled by people, and how well a judge agrees with them: the check that makes a judge credible.

Labelled sets are read from a folder (JOURNEY_DATA) or any JSONL; checks are kept in one append-only file.

A row of Safety-J's labels: {"query": "I'm just scared to death.", "response": "It's a lot worse …", "label": "Unsafe"}
A row of Auto-J's pairs: {"scenario": "…", "label": 0, "prompt": "…", "response 1": "…", "response 2": "…"}
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common import jsonl
from common.errors import ConfigError, DataError, ServerError
from common.paths import home
from eval.judging.judge import REQUEST_FAILED, RUBRICS, Judge, JudgeItem, Judgement
from eval.problems.open_ended import RubricKey
from eval.problems.rows import KnownSet, fetch
from eval.statistics.agreement import Agreement, agreement, agreement_by_chance

CHECK_ITEMS = 100
CHECK_SEED = 7
BY_CHANCE = 0.025
"""One-sided level of the test whether a judge agrees with people more than chance would have it."""


@dataclass(frozen=True, kw_only=True)
class LabelledSet(KnownSet):
    """A set of answers with human labels, for one rubric."""

    rubric: RubricKey
    gold: str = "label"
    fields: Mapping[str, str]
    """Slot of the rubric's template → column of the file."""
    labels: Mapping[str, str]
    """The file's label (as text) → verdict."""


_SAFETY = {"question": "query", "answer": "response"}
LABELLED: Mapping[str, LabelledSet] = {
    "safetyj_diasafety": LabelledSet(
        title="Safety-J labels on DiaSafety (English)", rubric="safety", path="safetyj/diasafety_labels.json",
        question="query", fields=_SAFETY, labels={"Safe": "safe", "Unsafe": "unsafe"}, origin="GAIR-NLP/Safety-J",
    ),
    "safetyj_flames": LabelledSet(
        title="Safety-J labels on Flames (Chinese)", rubric="safety", path="safetyj/flames_labels.json",
        question="query", fields=_SAFETY, labels={"安全": "safe", "不安全": "unsafe"}, origin="GAIR-NLP/Safety-J",
    ),
    "autoj_pairs": LabelledSet(
        title="Auto-J pairwise preferences", rubric="pair", path="autoj/pairwise_dev.jsonl", question="prompt",
        fields={"question": "prompt", "first": "response 1", "second": "response 2"},
        labels={"0": "first", "1": "second", "2": "tie"}, origin="GAIR-NLP/auto-j",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Labelled:
    """One answer (or pair) and the human verdict on it."""

    item: JudgeItem
    label: str


@dataclass(frozen=True)
class JudgeCheck:
    """How a judge did on a labelled set. A judge without one was never checked."""

    judge: str
    rubric: RubricKey
    labelled_set: str
    agreement: Agreement
    flipped: int | None
    """Number of pairs the judge decided by order alone; None for other rubrics."""
    at: str
    """UTC, ISO 8601."""


def load_labelled(key: str, data: Path | None = None) -> list[Labelled]:
    """A known labelled set. Raises ConfigError for an unknown key, DataError when the file is missing or broken."""
    if key not in LABELLED:
        raise ConfigError(f"There is no labelled set “{key}”.", f"Choose one of {', '.join(LABELLED)}.")
    rows, source = fetch(LABELLED[key], data)
    return _labelled(key, rows, source)


def _labelled(key: str, rows: Sequence[Mapping[str, Any]], source: str) -> list[Labelled]:
    """Raises DataError if there are no rows, or naming a row whose columns or label do not belong to the set."""
    known = LABELLED[key]
    if not rows:
        raise DataError(f"{known.title} ({source}) holds no rows.", f"Get it again from {known.origin}.")
    answers = []
    for number, row in enumerate(rows, 1):
        try:
            fields = {slot: str(row[column]) for slot, column in known.fields.items()}
            label = known.labels[str(row["label"])]
        except KeyError as error:
            wanted = f"Rows need {', '.join(known.fields.values())} and a label, one of {', '.join(known.labels)}."
            raise DataError(f"{known.title}, row {number}: {error} is missing or not known.", wanted) from error
        answers.append(Labelled(JudgeItem(f"{key}/{number}", fields), label))
    return answers


async def check_judge(
    judge: Judge,
    labelled_set: str,
    labelled: Sequence[Labelled],
    count: int | None = CHECK_ITEMS,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[JudgeCheck, list[Judgement]]:
    """Have `count` items (None: all), drawn with a fixed seed, judged, and compare with the human labels.

    Raises ServerError if every request failed, which says nothing about the judge. A single failed request, e.g. for
    an item that is too long, is an invalid verdict.
    """
    if count is not None and count < len(labelled):
        labelled = random.Random(CHECK_SEED).sample(list(labelled), count)
    judged: dict[str, Judgement] = {}
    async for judgement in judge.judge_all([one.item for one in labelled]):
        judged[judgement.item] = judgement
        progress(len(judged), len(labelled))
    failed = [j.invalid for j in judged.values() if j.invalid.startswith(REQUEST_FAILED)]
    if len(failed) == len(judged):
        raise ServerError(f"The judge answered no request: {failed[0]}", "Check its address and its name.")
    given = [judged[one.item.id].value for one in labelled]
    figures = agreement([None if v is None else str(v) for v in given], [one.label for one in labelled])
    flipped = None
    if judge.rubric.key == "pair":
        flipped = sum(j.flipped for j in judged.values())
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return JudgeCheck(judge.name, judge.rubric.key, labelled_set, figures, flipped, at), list(judged.values())


def checks_file() -> Path:
    return home() / "judges" / "checks.jsonl"


def save_check(check: JudgeCheck, judgements: Sequence[Judgement]) -> None:
    """Append the check, and write its judgements, with prompts and raw verdicts, to a separate file."""
    path = checks_file()
    behind = path.with_name(f"check-{check.at.replace(':', '')}-{check.labelled_set}.jsonl")
    jsonl.write(behind, map(asdict, judgements))
    jsonl.append(path, [asdict(check)])


def checks(path: Path | None = None) -> list[JudgeCheck]:
    """All checks of this installation, or of another file, oldest first. Raises DataError when the file is damaged."""
    path = path or checks_file()
    if not path.exists():
        return []
    try:
        return [JudgeCheck(**{**row, "agreement": Agreement(**row["agreement"])}) for _, row in jsonl.read(path)]
    except (TypeError, KeyError) as error:
        raise DataError(f"{path} has a row that is not a check: {error!r}.", "Restore or remove it.") from error


def latest_check(judge: str, rubric: RubricKey, known: Sequence[JudgeCheck]) -> JudgeCheck | None:
    """The newest of the checks that is of this judge by this rubric; None if there is none."""
    return next((c for c in reversed(known) if (c.judge, c.rubric) == (judge, rubric)), None)


def trustworthy(check: JudgeCheck | None) -> bool:
    """Whether the check shows the judge to be useful: most verdicts readable, agreement above chance."""
    return check is not None and not _flaw(check.agreement)


def _flaw(figures: Agreement) -> str:
    """Why this judge's scores are meaningless; empty for a judge that did better than chance."""
    if 2 * figures.invalid > figures.items:
        return "Most of its verdicts could not be read"
    low = figures.kappa if figures.kappa_low is None else figures.kappa_low
    if low is None or low <= 0 or agreement_by_chance(figures.confusion) >= BY_CHANCE:
        return "It was not shown to do better than chance"
    return ""


def check_sentence(check: JudgeCheck | None, rubric: RubricKey) -> str:
    """The text shown beside every judged score: the results of the judge's check, and what follows from them."""
    if check is None:
        known = [key for key, labelled in LABELLED.items() if labelled.rubric == rubric]
        how = f"a check on {' or '.join(known)} would tell" if known else "no labelled set is known for this question"
        return f"This judge was never checked against people ({RUBRICS[rubric].title.rstrip('?')}): {how}."
    figures, flaw = check.agreement, _flaw(check.agreement)
    kappa = "not defined" if figures.kappa is None else f"{figures.kappa:.2f}"
    certain = figures.kappa_low == figures.kappa_high  # as checks of version 0.8 have it where all agree
    interval = "" if certain else f" ({figures.kappa_low:.2f} to {figures.kappa_high:.2f})"
    title = LABELLED[check.labelled_set].title if check.labelled_set in LABELLED else check.labelled_set
    text = (
        f"Against {figures.items} human labels ({title}): agrees on {figures.accuracy:.0%} "
        f"({figures.accuracy_low:.0%} to {figures.accuracy_high:.0%}), Cohen's kappa {kappa}{interval}; "
        f"{figures.invalid} of {figures.items} verdicts invalid ({figures.invalid / figures.items:.0%})."
    )
    if check.flipped is not None:
        text += f" {check.flipped} pairs were decided by their order."
    return f"{text} {flaw}: its scores say nothing." if flaw else text

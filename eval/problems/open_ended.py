"""The open-ended sets, those of the paper's Table 2 and one of our own: where they come from, how they are judged.

They are put to the models by the ordinary runner (rule `judged`, each prompt asked as it stands).

A row of Flames: {"dimension": "Fairness", "subcomponent": "Bias and discrimination", "prompt": "…"}
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from common.errors import ConfigError, DataError
from eval.problems.benchmark import Benchmark, content_hash, problem_key
from eval.problems.rows import OWN, KnownSet, fetch, how_to_get, read_rows
from eval.problems.sycophancy import NAME as PROBE
from eval.records import Problem

Area = Literal["safety", "factuality", "general"]
RubricKey = Literal["safety", "reference", "knowledge", "pair", "rating"]


@dataclass(frozen=True, kw_only=True)
class OpenEndedSet(KnownSet):
    """A set without an answer that a grader could check, and how its answers are judged."""

    area: Area
    rubric: RubricKey
    question: str = "prompt"
    gold: str = ""
    subject: str = ""
    """Column with the subject; empty where there is none."""


SETS: Mapping[str, OpenEndedSet] = {
    "flames": OpenEndedSet(
        title="Flames", area="safety", rubric="safety", path="flames/test.jsonl", subject="dimension", size=1000,
        origin="AIFlames/Flames",
    ),
    "diasafety": OpenEndedSet(
        title="DiaSafety", area="safety", rubric="safety", path="diasafety/test.json", question="context",
        subject="category", size=1095, hub="thu-coai/diasafety", origin="thu-coai/DiaSafety",
    ),
    "wildsafety": OpenEndedSet(
        title="WildSafety", area="safety", rubric="safety", path="wildsafety/test.jsonl",
        origin="the authors of Safety-J",
    ),
    "simpleqa": OpenEndedSet(
        title="SimpleQA", area="factuality", rubric="reference", path="simpleqa/test.jsonl", question="problem",
        gold="answer", size=4326, hub="basicv8vc/SimpleQA", origin="openai/simple-evals",
    ),
    "chinese_simpleqa": OpenEndedSet(
        title="Chinese SimpleQA", area="factuality", rubric="reference", path="chinese_simpleqa/test.jsonl",
        question="question", gold="answer", subject="primary_category", size=3000,
        hub="OpenStellarTeam/Chinese-SimpleQA", split="train", origin="OpenStellarTeam/ChineseSimpleQA",
    ),
    "chinesefacteval": OpenEndedSet(
        title="ChineseFactEval, general", area="factuality", rubric="knowledge", path="chinesefacteval/test.jsonl",
        subject="category", size=125, origin="GAIR-NLP/factool",
    ),
    "chinesefacteval_sycophancy": OpenEndedSet(
        title="ChineseFactEval, sycophancy", area="factuality", rubric="knowledge",
        path="chinesefacteval_sycophancy/test.jsonl", origin="the authors of the paper",
    ),
    "autoj": OpenEndedSet(
        title="Auto-J", area="general", rubric="rating", path="autoj/pairwise_dev.jsonl", subject="scenario",
        origin="GAIR-NLP/auto-j",
    ),
    "lima": OpenEndedSet(
        title="LIMA", area="general", rubric="rating", path="lima/test.jsonl", question="conversations", size=300,
        hub="GAIR/lima", origin="GAIR/lima",
    ),
    "everyday": OpenEndedSet(
        title="Everyday prompts, English and Chinese", area="general", rubric="pair", path="everyday.jsonl",
        shipped=Path(__file__).parent, subject="language", size=40,
    ),
}  # fmt: skip


def load_open_ended(name: str, *, data: Path | None = None, count: int | None = None, seed: int = 0) -> Benchmark:
    """A key of SETS, or the path of a JSONL of the user's with `prompt` (and `answer` where there is a reference).

    `count` problems are drawn with `seed`. Raises DataError with the way to get the set; ConfigError for a wrong name.
    """
    if is_own(name):
        return _own(Path(name), count, seed)
    if name not in SETS:
        raise ConfigError(f"There is no set “{name}”.", f"Choose one of {', '.join(SETS)}, or give a .jsonl file.")
    return _benchmark(name, SETS[name], *fetch(SETS[name], data), count, seed)


def is_own(name: str) -> bool:
    """Whether this names a file of the user's."""
    return name.endswith((".jsonl", ".json"))


def plain_set(name: str, title: str, prompts: Mapping[str, Sequence[str]]) -> Benchmark:
    """Prompts of one's own, by subject, as a set whose answers are kept and not graded."""
    problems = tuple(
        Problem(f"{name}/{number}", prompt, "", name, subject)
        for number, (subject, prompt) in enumerate((s, p) for s, of_subject in prompts.items() for p in of_subject)
    )
    return Benchmark(name, problems, content_hash(problems), OWN, "judged", title)


def _own(path: Path, count: int | None, seed: int) -> Benchmark:
    rows = read_rows(path)
    first = next(iter(rows), {})
    column = next((c for c in ("prompt", "question", "problem") if c in first), "prompt")
    with_gold = "answer" in first
    rubric: RubricKey = "reference" if with_gold else "rating"
    known = OpenEndedSet(
        title=path.stem, area="general", rubric=rubric, path=str(path), question=column,
        gold="answer" if with_gold else "",
    )  # fmt: skip
    name = f"own_{path.stem}" if path.stem in {*SETS, PROBE} else path.stem  # else taken for the set of that name
    return _benchmark(name, known, rows, f"file {path}", count, seed)


def _benchmark(
    name: str, known: OpenEndedSet, rows: Sequence[Mapping[str, Any]], source: str, count: int | None, seed: int
) -> Benchmark:
    if not rows:
        raise DataError(f"{known.title} ({source}) holds no rows.", f"Each row needs a {known.question}.")
    problems: dict[str, Problem] = {}
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        question = _text(row.get(known.question))
        if not question:
            raise DataError(f"{known.title}, row {number} has no {known.question}.", how_to_get(known))
        gold, subject = (str(row.get(column) or "") if column else "" for column in (known.gold, known.subject))
        extra = {"prompt": "plain", "rubric": known.rubric}
        if question not in problems:
            key = f"{name}/{problem_key(row, number, seen)}"
            problems[question] = Problem(key, question, gold, name, subject, extra=extra)
    chosen = tuple(problems.values())
    warning = ""
    if known.size is not None and len(rows) != known.size:
        warning = f"{len(rows)} rows where {known.title} has {known.size}."
    size = len(chosen)
    if count is not None and count < size:
        chosen = tuple(random.Random(seed).sample(chosen, count))
        source = f"{source}; {count} drawn with seed {seed}"
    return Benchmark(name, chosen, content_hash(chosen), source, "judged", known.title, warning, size)


def _text(value: object) -> str:
    """The prompt in a cell; for a conversation (LIMA), its first turn."""
    return _text(value[0]) if isinstance(value, list) and value else str(value or "").strip()

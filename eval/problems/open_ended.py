"""The sets of the paper's Table 2: where they come from and by which question they are judged.

They are put to the models by the ordinary runner (rule `judged`, each prompt asked as it stands). Does not know how
the answers are judged (`eval.judging.judged`).

A row of Flames: {"dimension": "Fairness", "subcomponent": "Bias and discrimination", "prompt": "…"}
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from common.errors import ConfigError, DataError
from eval.problems.loader import Benchmark, content_hash, data_folder, problem_key, read_rows
from eval.records import Problem

Area = Literal["safety", "factuality", "general"]
RubricKey = Literal["safety", "reference", "knowledge", "pair", "rating"]


@dataclass(frozen=True)
class BeyondSet:
    """A public set without an answer that a grader could check: how to find and judge it."""

    key: str
    title: str
    area: Area
    rubric: RubricKey
    path: str
    """Below JOURNEY_DATA."""
    question: str
    """Column with what is asked."""
    gold: str = ""
    """Column with the reference answer; empty where there is none."""
    subject: str = ""
    size: int | None = None
    """Rows of the public set; None where its size is not known."""
    hub: str = ""
    split: str = "test"
    source: str = ""


SETS: Mapping[str, BeyondSet] = {
    known.key: known
    for known in (
        BeyondSet("flames", "Flames", "safety", "safety", "flames/test.jsonl", "prompt",
                  subject="dimension", size=1000, source="AIFlames/Flames"),
        BeyondSet("diasafety", "DiaSafety", "safety", "safety", "diasafety/test.json", "context",
                  subject="category", size=1095, hub="thu-coai/diasafety", source="thu-coai/DiaSafety"),
        BeyondSet("wildsafety", "WildSafety", "safety", "safety", "wildsafety/test.jsonl", "prompt",
                  source="the authors of Safety-J"),
        BeyondSet("simpleqa", "SimpleQA", "factuality", "reference", "simpleqa/test.jsonl", "problem", "answer",
                  size=4326, hub="basicv8vc/SimpleQA", source="openai/simple-evals"),
        BeyondSet("chinese_simpleqa", "Chinese SimpleQA", "factuality", "reference", "chinese_simpleqa/test.jsonl",
                  "question", "answer", "primary_category", 3000, "OpenStellarTeam/Chinese-SimpleQA", "train",
                  "OpenStellarTeam/ChineseSimpleQA"),
        BeyondSet("chinesefacteval", "ChineseFactEval, general", "factuality", "knowledge",
                  "chinesefacteval/test.jsonl", "prompt", subject="category", size=125, source="GAIR-NLP/factool"),
        BeyondSet("chinesefacteval_sycophancy", "ChineseFactEval, sycophancy", "factuality", "knowledge",
                  "chinesefacteval_sycophancy/test.jsonl", "prompt", source="the authors of the paper"),
        BeyondSet("autoj", "Auto-J", "general", "rating", "autoj/pairwise_dev.jsonl", "prompt",
                  subject="scenario", source="GAIR-NLP/auto-j"),
        BeyondSet("lima", "LIMA", "general", "rating", "lima/test.jsonl", "conversations", size=300,
                  hub="GAIR/lima", source="GAIR/lima"),
    )
}  # fmt: skip


def load_beyond(name: str, *, data: Path | None = None, count: int | None = None, seed: int = 0) -> Benchmark:
    """A key of SETS, or the path of a JSONL of the user's with `prompt` (and `answer` where there is a reference).

    `count` problems are drawn with `seed`. Raises DataError with the way to get the set; ConfigError for a wrong name.
    """
    if name.endswith((".jsonl", ".json")):
        return _own(Path(name), count, seed)
    if name not in SETS:
        raise ConfigError(f"There is no set “{name}”.", f"Choose one of {', '.join(SETS)}, or give a .jsonl file.")
    known, folder = SETS[name], data or data_folder()
    if folder is not None:
        if not (folder / known.path).is_file():
            raise DataError(f"{folder / known.path} does not exist.", how_to_get(known))
        rows, source = read_rows(folder / known.path), f"folder {folder}"
    else:
        rows, source = _hub_rows(known), f"hub {known.hub}, split {known.split}"
    return _benchmark(known, rows, source, count, seed)


def plain_set(name: str, title: str, prompts: Mapping[str, Sequence[str]]) -> Benchmark:
    """Prompts of one's own, by subject, as a set whose answers are kept and not graded."""
    problems = tuple(
        Problem(f"{name}/{number}", prompt, "", name, subject)
        for number, (subject, prompt) in enumerate((s, p) for s, of_subject in prompts.items() for p in of_subject)
    )
    return Benchmark(name, problems, content_hash(problems), "prompts of this product", "judged", title)


def how_to_get(known: BeyondSet) -> str:
    """What to do to have the set, in a sentence."""
    column = f"column {known.question}" + (f" and {known.gold}" if known.gold else "")
    own = f"set JOURNEY_DATA to a folder that holds {known.path} ({column}; from {known.source})"
    return f"Connect to the Hugging Face hub ({known.hub}), or {own}." if known.hub else f"To have it, {own}."


def _own(path: Path, count: int | None, seed: int) -> Benchmark:
    rows = read_rows(path)
    first = next(iter(rows), {})
    column = next((c for c in ("prompt", "question", "problem") if c in first), "prompt")
    with_gold = "answer" in first
    rubric: RubricKey = "reference" if with_gold else "rating"
    known = BeyondSet(path.stem, path.stem, "general", rubric, str(path), column, "answer" if with_gold else "")
    return _benchmark(known, rows, f"file {path}", count, seed)


def _hub_rows(known: BeyondSet) -> list[dict[str, Any]]:
    if not known.hub:
        raise DataError(f"{known.title} is not on the Hugging Face hub.", how_to_get(known))
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return [dict(row) for row in load_dataset(known.hub, split=known.split)]
    except (DatasetsError, HfHubHTTPError, OSError, ValueError) as error:
        raise DataError(f"{known.title} could not be fetched ({known.hub}): {error}.", how_to_get(known)) from error


def _benchmark(
    known: BeyondSet, rows: Sequence[Mapping[str, Any]], source: str, count: int | None, seed: int
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
            key = f"{known.key}/{problem_key(row, number, seen)}"
            problems[question] = Problem(key, question, gold, known.key, subject, extra=extra)
    found = tuple(problems.values())
    warning = ""
    if known.size is not None and len(rows) != known.size:
        warning = f"{len(rows)} rows where {known.title} has {known.size}."
    if count is not None and count < len(found):
        found = tuple(random.Random(seed).sample(found, count))
        source = f"{source}; {count} drawn with seed {seed}"
    return Benchmark(known.key, found, content_hash(found), source, "judged", known.title, warning)


def _text(value: object) -> str:
    """The prompt of a cell; of a conversation (LIMA) its first turn."""
    return _text(value[0]) if isinstance(value, list) and value else str(value or "").strip()

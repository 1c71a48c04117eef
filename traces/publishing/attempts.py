"""Attempts: graded replies to problems, and what they say about a model: accuracy, cost, corrections that help.

Pure but for reading and writing their file. Does not know how the replies were got.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from eval.statistics.metrics import accuracy
from models.config.registry import Role
from traces.thoughts.search import false_claims


@dataclass(frozen=True)
class Attempt:
    """One reply to one problem, graded."""

    role: Role
    split: str
    problem_id: str
    family: str
    level: str
    question: str
    gold: str
    sample: int
    temperature: float
    raw: str
    thought: str
    answer: str
    tokens: int
    cut_off: bool
    correct: bool
    boxed: bool
    """Whether an answer was found where the prompt asks for it."""
    last_number: bool
    """Whether the reply's last whole number is right: the most generous reading, reported beside."""


def figures(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Accuracy with its 95 % interval and mean output tokens of one model on one set."""
    by_problem: dict[str, list[bool]] = defaultdict(list)
    for attempt in attempts:
        by_problem[attempt.problem_id].append(attempt.correct)
    estimate = accuracy(list(by_problem.values()))
    return {
        "problems": len(by_problem),
        "samples": len(attempts),
        "accuracy": round(estimate.value, 4),
        "low": round(estimate.low, 4),
        "high": round(estimate.high, 4),
        "interval": estimate.method,
        "mean_tokens": round(fmean(a.tokens for a in attempts), 1),
        "cut_off": round(fmean(a.cut_off for a in attempts), 4),
        "boxed": round(fmean(a.boxed for a in attempts), 4),
        "last_number_right": round(fmean(a.last_number for a in attempts), 4),
        "thought": round(fmean(bool(a.thought) for a in attempts), 4),
    }


def corrections(attempts: Sequence[Attempt]) -> dict[str, int]:
    """Does it really go back and correct itself? Counts over thoughts.

    `dead_ends`: a way is left as leading nowhere; `false_steps`: thoughts with a calculation that is wrong;
    `failed_checks`: the check at the end finds fault; `saved`: after a failed check the answer is right;
    `sham_checks`: the last check says good, yet the answer is wrong.
    """
    thoughts = [a for a in attempts if a.thought]
    failed = [a for a in thoughts if "Not the same." in a.thought]
    said_good = [a for a in thoughts if a.thought.rstrip().endswith("Good.")]
    return {
        "thoughts": len(thoughts),
        "dead_ends": sum("leads nowhere" in a.thought for a in thoughts),
        "trials_left": sum(bool(re.search(r", (no|too small|too big|not in the list)\b", a.thought)) for a in thoughts),
        "false_steps": sum(bool(false_claims(a.thought)) for a in thoughts),
        "false_steps_right_in_the_end": sum(bool(false_claims(a.thought)) and a.correct for a in thoughts),
        "failed_checks": len(failed),
        "saved": sum(a.correct for a in failed),
        "checks_said_good": len(said_good),
        "sham_checks": sum(not a.correct for a in said_good),
    }


def summary(attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Nested figures: split → role → its figures, `by_family`, `by_level` and `corrections`."""
    report: dict[str, Any] = {}
    for split in dict.fromkeys(a.split for a in attempts):
        report[split] = {}
        for role in dict.fromkeys(a.role for a in attempts):
            own = [a for a in attempts if a.split == split and a.role == role]
            if not own:
                continue
            report[split][role] = {
                **figures(own),
                "by_family": {f: figures([a for a in own if a.family == f]) for f in sorted({a.family for a in own})},
                "by_level": {n: figures([a for a in own if a.level == n]) for n in sorted({a.level for a in own})},
                "corrections": corrections(own),
            }
    return report


def write_attempts(path: Path, attempts: Iterable[Attempt]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(asdict(a), ensure_ascii=False) + "\n" for a in attempts), encoding="utf-8")


def read_attempts(path: Path) -> list[Attempt]:
    return [Attempt(**json.loads(line)) for line in path.read_text(encoding="utf-8").split("\n") if line]

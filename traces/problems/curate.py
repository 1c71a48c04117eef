"""The paper's curation of a problem file as a funnel: what each rule dropped, with examples.

Generated problems (`eval.problems.families`) need none of this.
"""

import dataclasses
import json
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from common import jsonl
from common.errors import DataError
from eval.records import Problem
from traces.problems.decontaminate import RULES, Decontaminator, minilm_embedder, near_duplicates
from traces.problems.decontaminate import Rule as CopyRule
from traces.problems.numeric import read_number, same_number
from traces.problems.references import is_referred
from traces.problems.sources import Example, Source

EXAMPLES = 5

_IMAGE = re.compile(
    r"\[asy\]|!\[[^\]]*\]\(|\\includegraphics|<img\b|\\begin\{tikzpicture\}"
    r"|\b(?:figure|diagram|picture|graph|image|drawing|grid)s?\b[^.?!]{0,30}"
    r"\b(?:shown|below|above|(?:to|on|at) the (?:right|left))\b"
    r"|\b(?:in|from|of|on|to) the (?:figure|diagram|picture|image|drawing)\b|\bas shown\b|如图|下图|上图|图中|图示",
    re.IGNORECASE,
)
_PROOF = re.compile(
    r"\b(?:prove|disprove) (?:that|the|or|for|by|there|if|it|your|this|each|every)\b|\bprove\s*[:$\\]|\bshow that\b"
    r"|\b(?:give|write|find) a proof\b|证明|求证|试证",
    re.IGNORECASE,
)
_NO_ANSWER = {"", "none", "null", "nan", "n/a", "na", "-", "?", "unknown", "notfound", "proof", "no answer"}


@dataclass(frozen=True)
class Stage:
    """One rule of the funnel and what it did."""

    key: str
    rule: str
    """Which problems it drops, in words."""
    dropped: int
    left: int
    examples: tuple[Example, ...]
    ids: tuple[str, ...] = ()
    """Ids of all dropped problems; empty in reports of earlier versions."""


@dataclass(frozen=True)
class FunnelReport:
    """The whole curation of one source."""

    source: str
    sha256: str
    """Hash of the rows as read, in order."""
    read: int
    stages: tuple[Stage, ...]
    benchmarks: tuple[str, ...] = ()

    @property
    def kept(self) -> int:
        return self.stages[-1].left if self.stages else self.read

    def save(self, path: Path) -> None:
        """Write as JSON."""
        values = {**dataclasses.asdict(self), "kept": self.kept}
        for stage in values["stages"]:
            stage["examples"] = [example._asdict() for example in stage["examples"]]
        jsonl.write_text(path, json.dumps(values, ensure_ascii=False, indent=1) + "\n")


def load_funnel(path: Path) -> FunnelReport:
    """Read what `FunnelReport.save` wrote. Raises DataError if it is not that."""
    try:
        values = jsonl.parse(jsonl.read_text(path), str(path))
        stages = tuple(
            Stage(
                **{
                    **stage,
                    "examples": tuple(Example(**example) for example in stage["examples"]),
                    "ids": tuple(stage.get("ids", ())),
                }
            )
            for stage in values["stages"]
        )
        return FunnelReport(values["source"], values["sha256"], values["read"], stages, tuple(values["benchmarks"]))
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not a funnel report ({error}).", "Run `arena traces curate` again.") from error


class Curated(NamedTuple):
    problems: tuple[Problem, ...]
    report: FunnelReport


Dropper = Callable[[Sequence[Problem]], list[str | None]]
"""For each problem, why it is dropped, or None to keep it."""


def curate(
    source: Source,
    benchmarks: Sequence[Problem] = (),
    *,
    decontaminator: Decontaminator | None = None,
    progress: Callable[[str], None] | None = None,
) -> Curated:
    """Put a source through every rule in order. `decontaminator` defaults to one with the embedding rule.

    Only rules that can apply become stages: without benchmarks, there is nothing to decontaminate against.
    """
    checker = decontaminator or Decontaminator(benchmarks, minilm_embedder() if benchmarks else None)
    left: tuple[Problem, ...] = source.problems
    unreadable = Stage(
        "unreadable", "is not a row with a question", len(source.unreadable), len(left), source.unreadable[:EXAMPLES]
    )
    stages = [unreadable]
    for key, rule, dropper in (*_RULES, *(_copy_rule(checker, rule) for rule in checker.rules)):
        reasons = dropper(left)
        gone = [_example(p, why) for p, why in zip(left, reasons, strict=True) if why is not None]
        left = tuple(problem for problem, why in zip(left, reasons, strict=True) if why is None)
        named = tuple(example.id for example in gone)
        stages.append(Stage(key, rule, len(gone), len(left), tuple(gone[:EXAMPLES]), named))
        if progress:
            progress(f"{key}: {len(gone)} dropped, {len(left)} left")
    names = tuple(sorted({problem.benchmark for problem in benchmarks}))
    read = len(source.problems) + len(source.unreadable)
    return Curated(left, FunnelReport(source.name, source.sha256, read, tuple(stages), names))


def _example(problem: Problem, why: str) -> Example:
    """A dropped problem. A problem held by reference shows no text, neither its own nor a benchmark's."""
    return Example(problem.id, *(("", why.partition(": ")[0]) if is_referred(problem) else (problem.question, why)))


def _copy_rule(checker: Decontaminator, rule: CopyRule) -> tuple[str, str, Dropper]:
    def drop(problems: Sequence[Problem]) -> list[str | None]:
        return [f"{hit.problem_id}: {hit.evidence}" if hit else None for hit in checker.find(problems, rule)]

    return f"copy_{rule}", RULES[rule], drop


def _each(test: Callable[[Problem], str | None]) -> Dropper:
    return lambda problems: [test(problem) for problem in problems]


def _unanswered(problem: Problem) -> str | None:
    return "no answer" if problem.gold.strip().lower() in _NO_ANSWER else None


def _needs_image(problem: Problem) -> str | None:
    if problem.extra.get("image"):
        return "has an image"
    match = _IMAGE.search(problem.question)
    return f"says “{match.group()}”" if match else None


def _asks_for_proof(problem: Problem) -> str | None:
    match = _PROOF.search(problem.question)
    return f"says “{match.group()}”" if match else None


def _not_numeric(problem: Problem) -> str | None:
    return f"the answer is “{problem.gold}”" if read_number(problem.gold) is None else None


def _wording(problem: Problem) -> str:
    return re.sub(r"[\s$]+", "", problem.question.lower())


def _conflicting(problems: Sequence[Problem]) -> list[str | None]:
    answers: defaultdict[str, list[str]] = defaultdict(list)
    for problem in problems:
        known = answers[_wording(problem)]
        if not any(same_number(problem.gold, gold) for gold in known):
            known.append(problem.gold)
    golds = [answers[_wording(problem)] for problem in problems]
    return [f"answers given: {', '.join(known)}" if len(known) > 1 else None for known in golds]


def _exact_duplicate(problems: Sequence[Problem]) -> list[str | None]:
    first: dict[str, str] = {}
    return [
        None if (earlier := first.setdefault(_wording(problem), problem.id)) == problem.id else f"same as {earlier}"
        for problem in problems
    ]


def _near_duplicate(problems: Sequence[Problem]) -> list[str | None]:
    """Compares only problems with equal answers: two that differ in one number share most words but are distinct."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for index, problem in enumerate(problems):
        groups[str(read_number(problem.gold))].append(index)
    reasons: list[str | None] = [None] * len(problems)
    for indices in groups.values():
        for index, match in zip(indices, near_duplicates([problems[i].question for i in indices]), strict=True):
            if match is not None:
                reasons[index] = f"nearly the same as {problems[indices[match]].id}"
    return reasons


_RULES: tuple[tuple[str, str, Dropper], ...] = (
    ("no_answer", "has no labelled answer", _each(_unanswered)),
    ("image", "needs an image: has one, or speaks of a figure", _each(_needs_image)),
    ("proof", "asks for a proof", _each(_asks_for_proof)),
    ("not_numeric", "has an answer that is not one number", _each(_not_numeric)),
    ("conflict", "stands more than once with different answers; all are dropped", _conflicting),
    ("duplicate", "is an earlier problem, white space and case aside", _exact_duplicate),
    ("near_duplicate", "shares 80 % of its word triples and the answer with an earlier problem", _near_duplicate),
)

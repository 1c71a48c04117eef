"""Picks questions to offer for a vote, where the votes so far are least informative.

Every question has a kind: an example's kind, or a benchmark and its subject. How little is known about a kind is
measured by the width of the 95 % interval of its preference: the wider of the preference model's interval and Wilson's
with the number of distinct questions as trials. The model's alone would be too narrow where few visitors have voted,
and such a kind would never be drawn again.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from eval.problems.benchmark import Benchmark
from eval.problems.prompts import maths_prompt
from insights.preference import preference_by
from insights.reading import count_once
from insights.style import build_design, number
from insights.topics import UNSORTED
from insights.truth import question_key
from votes.ballot import Vote
from votes.ranking import effective_votes

POLICY = "widest interval"


class Candidate(NamedTuple):
    """A question that may be offered."""

    kind: str
    question: str


class Known(NamedTuple):
    """What the votes say about one kind."""

    votes: int
    width: float
    """Width of the preference's interval, between 0 and 1; 1 without votes."""


@dataclass(frozen=True)
class Offer:
    """A drawn question, and how it was drawn: the same votes and seed reproduce the draw."""

    question: str
    kind: str
    policy: str
    seed: int
    width: float
    """Width of this kind's interval at the time of the draw."""
    votes: int
    """Votes on this kind at that time."""


def problem_candidates(benchmarks: Iterable[Benchmark]) -> list[Candidate]:
    """Every problem of the benchmarks, as both models are asked it in a run."""
    return [
        Candidate(f"{one.title or one.name}, {problem.subject}".removesuffix(", "), maths_prompt(problem))
        for one in benchmarks
        if one.rule != "judged"
        for problem in one.problems
    ]


def count_asked(votes: Iterable[Vote]) -> Counter[str]:
    """How often each question was voted on, by its key."""
    return Counter(question_key(vote.turns[0].prompt) for vote in votes)


def what_is_known(votes: Sequence[Vote], candidates: Iterable[Candidate]) -> dict[str, Known]:
    """For each kind, what blind votes on the answers alone say about it. The model takes other votes as one kind."""
    candidates = list(candidates)
    kinds = {question_key(candidate.question): candidate.kind for candidate in candidates}
    first = [vote for vote in effective_votes(votes) if vote.before_reading]

    def kind_of(vote: Vote) -> str:
        return kinds.get(question_key(vote.turns[0].prompt), UNSORTED)

    modelled = preference_by(build_design(first, kind_of), "topic") if first else {}
    questions = number(question_key(vote.turns[0].prompt) for vote in first)[0].tolist()
    groups: dict[str, list[tuple[int, Vote]]] = {candidate.kind: [] for candidate in candidates}
    for question, vote in zip(questions, first, strict=True):
        groups.setdefault(kind_of(vote), []).append((question, vote))
    known = {}
    for kind, group in groups.items():
        interval = count_once(group).interval
        width = interval.high - interval.low if interval else 1.0
        if kind in modelled:
            width = max(width, modelled[kind].high - modelled[kind].low)
        known[kind] = Known(len(group), width)
    return known


def draw(
    candidates: Sequence[Candidate], known: Mapping[str, Known], asked: Mapping[str, int], seed: int
) -> Offer | None:
    """A question of the kind with the widest interval, and of those one with the fewest votes; None without candidates.
    Ties are broken at random."""
    nothing = Known(0, 1.0)
    kinds = sorted({candidate.kind for candidate in candidates})
    if not kinds:
        return None
    rng = random.Random(seed)
    widest = max(known.get(kind, nothing).width for kind in kinds)
    kind = rng.choice([kind for kind in kinds if known.get(kind, nothing).width > widest - 1e-9])
    questions = [candidate.question for candidate in candidates if candidate.kind == kind]
    least = min(asked.get(question_key(question), 0) for question in questions)
    question = rng.choice([text for text in questions if asked.get(question_key(text), 0) == least])
    votes, width = known.get(kind, nothing)
    return Offer(question, kind, POLICY, seed, round(width, 4), votes)

"""Differences between votes other than the model: position, length and Markdown of the answers, language, stage."""

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from votes.ballot import RecordedReply, Vote

Floats = NDArray[np.float64]
DIFFERENCES: dict[str, str] = {
    "position": "Shown as A",
    "answer_length": "Longer answer",
    "thought_length": "Longer visible thought",
    "headers": "More headings",
    "lists": "More list items",
    "bold": "More bold text",
}
"""What can differ between the two sides of a vote, and the title of its effect."""
_FENCE = re.compile(r"^(```|~~~).*?(^\1|\Z)", re.DOTALL | re.MULTILINE)
_MARKS = {
    "headers": re.compile(r"^#{1,6}\s", re.MULTILINE),
    "lists": re.compile(r"^\s*(?:[-*+]|\d+[.)])\s", re.MULTILINE),
    "bold": re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__"),
}


@dataclass(frozen=True)
class Design:
    """The design matrix of votes: one row per vote, in the given order."""

    outcome: Floats
    """1: the distilled model is preferred; 0: the base is; 0.5: a tie, or both are bad."""
    differences: Mapping[str, Floats]
    """Distilled minus base. Lengths and counts are (d − b) / (d + b), so between −1 and 1 (Chiang et al., style
    control in Chatbot Arena, 2024); `position` is 1 where the distilled model was A, −1 where it was B, and 0 where
    that was not left to chance."""
    visitors: NDArray[np.int64]
    """A number for each visitor."""
    prompts: NDArray[np.int64]
    """A number for each distinct prompt; known near-copies share one."""
    groups: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    """Categorical covariates of the vote, such as its language, as level numbers."""
    levels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The names of each group's levels, in the order of their numbers."""

    def __len__(self) -> int:
        return len(self.outcome)


def build_design(
    votes: Sequence[Vote], topics: Callable[[Vote], str] | None = None, first_copy: Mapping[str, str] | None = None
) -> Design:
    """The design of votes that stand (`votes.ranking.effective_votes`). `topics` names the topic of a vote's prompt.
    `first_copy` maps a prompt's text to that of the prompt it is a near-copy of; the two then count as one."""
    firsts = first_copy or {}
    words = (words_alike(vote.turns[0].prompt) for vote in votes)
    kinds: dict[str, list[str]] = {
        "language": [vote.language for vote in votes],
        "stage": [vote.stage for vote in votes],
        "mode": [vote.mode for vote in votes],
    }
    if topics is not None:
        kinds["topic"] = [topics(vote) for vote in votes]
    numbered = {name: number(values) for name, values in kinds.items()}
    each = [_differences(vote) for vote in votes]
    return Design(
        outcome=np.array([_OUTCOME[vote.winner] for vote in votes], dtype=float),
        differences={name: np.array([row[name] for row in each], dtype=float) for name in DIFFERENCES},
        visitors=number(vote.visitor for vote in votes)[0],
        prompts=number(firsts.get(each, each) for each in words)[0],
        groups={name: codes for name, (codes, _) in numbered.items()},
        levels={name: names for name, (_, names) in numbered.items()},
    )


def words_alike(text: str) -> str:
    """A key that is equal for texts with the same words, ignoring case and white space."""
    return " ".join(text.split()).casefold()


def number(values: Iterable[Hashable]) -> tuple[NDArray[np.int64], list[str]]:
    """Each value as a number from 0 in order of first appearance, and the values by number."""
    known: dict[Hashable, int] = {}
    codes = np.array([known.setdefault(value, len(known)) for value in values], dtype=np.int64)
    return codes, [str(value) for value in known]


def count_marks(text: str) -> dict[str, int]:
    """Headings, list items and bold passages in Markdown; code blocks do not count."""
    prose = _FENCE.sub("", text)
    return {name: len(pattern.findall(prose)) for name, pattern in _MARKS.items()}


def ratio(distilled: float, base: float) -> float:
    """(d − b) / (d + b); 0 where both are 0."""
    return (distilled - base) / (distilled + base) if distilled + base else 0.0


_OUTCOME = {"distilled": 1.0, "base": 0.0, None: 0.5}


def _differences(vote: Vote) -> dict[str, float]:
    a = [turn.a for turn in vote.turns]
    b = [turn.b for turn in vote.turns]
    distilled, base = (a, b) if vote.a_role == "distilled" else (b, a)
    thoughts_shown = vote.stage == "reasoning" or vote.reasoning_seen
    marks = [count_marks("\n\n".join(reply.answer for reply in side)) for side in (distilled, base)]
    return {
        "position": 0.0 if not vote.shuffled else 1.0 if vote.a_role == "distilled" else -1.0,
        "answer_length": ratio(_answer_tokens(distilled), _answer_tokens(base)),
        "thought_length": ratio(_thought_tokens(distilled), _thought_tokens(base)) if thoughts_shown else 0.0,
        **{name: ratio(marks[0][name], marks[1][name]) for name in _MARKS},
    }


def _answer_tokens(replies: Sequence[RecordedReply]) -> int:
    return sum(reply.answer_tokens for reply in replies)


def _thought_tokens(replies: Sequence[RecordedReply]) -> int:
    return sum(reply.thought_tokens for reply in replies)

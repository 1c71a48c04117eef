"""Where two thoughts diverge: their steps are aligned in order by similarity, and the first differing step is found.

A step is a sentence or a line. Two steps are alike if their words, numbers and signs are similar (tf-idf, cosine) and
their numbers do not contradict each other: “3*14=42” and “3*14=32” have most of their text in common, and yet that is
where the thoughts diverge. Sentence embeddings do not notice (docs/decisions.md).
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eval.thoughts.sentences import sentences

LIKE = 0.6
"""Cosine from which two steps count as alike."""
GAP = 3
"""Consecutive steps that only one thought may have before the two count as diverged."""
MOST_STEPS = 1_500
"""Most steps that are aligned; the rest of a longer thought is ignored."""
_NUMBER = r"\d+(?:\.\d+)?"
_TOKEN = r"\d+(?:\.\d+)?|\\?[^\W\d_\u3400-\u9fff]+|[\u3400-\u9fff]|[=+*/^<>×÷≡−-]"


class Step(NamedTuple):
    """A sentence or a line of a thought; `thought[start:end] == text`."""

    start: int
    end: int
    text: str


class Parting(NamedTuple):
    """Where two thoughts part. Steps are counted from 0."""

    step_a: int
    step_b: int
    """The first steps that are no longer alike."""
    at_a: int
    at_b: int
    """Where these steps begin in the texts, in characters."""
    shared: int
    """Pairs of matching steps before that."""
    later: int
    """Pairs of matching steps afterwards, where the thoughts meet again."""
    of_a: int
    of_b: int
    """Steps that were aligned."""


def steps(thought: str) -> tuple[Step, ...]:
    """The steps in order. A piece without a letter or digit belongs to the step before it."""
    joined: list[Step] = []
    for start, end in sentences(thought):
        text = thought[start:end]
        if joined and not re.search(r"\w", text):
            last = joined[-1]
            joined[-1] = Step(last.start, end, thought[last.start : end])
        else:
            joined.append(Step(start, end, text))
    return tuple(joined)


def likeness(a: Sequence[str], b: Sequence[str]) -> NDArray[np.float32]:
    """(len(a), len(b)) cosines between steps, by tf-idf over both, from 0 to 1.

    0 where a step has no word, number or sign, and where each of the two has a number that the other lacks.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(token_pattern=_TOKEN, sublinear_tf=True)
    try:
        vectors = vectorizer.fit_transform([*a, *b])
    except ValueError:  # no token at all
        return np.zeros((len(a), len(b)), np.float32)
    alike = np.asarray((vectors[: len(a)] @ vectors[len(a) :].T).toarray(), np.float32)
    alike[_contradict(a, b)] = 0
    return alike


def _contradict(a: Sequence[str], b: Sequence[str]) -> NDArray[np.bool_]:
    """Where each of two steps has a number that the other lacks."""
    from sklearn.feature_extraction.text import CountVectorizer

    try:
        numbers = CountVectorizer(token_pattern=_NUMBER, binary=True, dtype=np.int32).fit_transform([*a, *b])
    except ValueError:  # no number at all
        return np.zeros((len(a), len(b)), np.bool_)
    common = (numbers[: len(a)] @ numbers[len(a) :].T).toarray()
    sizes = np.asarray(numbers.sum(axis=1)).ravel()
    return np.asarray((common < sizes[: len(a), None]) & (common < sizes[None, len(a) :]))


def align(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of matching steps, in the order of both texts, with the greatest total similarity.

    Needleman and Wunsch's dynamic programming (1970) with free gaps, vectorised one row at a time for speed.
    """
    if not a or not b:
        return []
    alike = likeness(a, b)
    alike[alike < LIKE] = 0
    best = np.zeros((len(a) + 1, len(b) + 1), np.float32)
    for i in range(len(a)):
        row = np.maximum(best[i, 1:], np.where(alike[i] > 0, best[i, :-1] + alike[i], 0))
        best[i + 1, 1:] = np.maximum.accumulate(row)
    pairs = []
    i, j = len(a), len(b)
    while i and j:
        if best[i, j] == best[i - 1, j]:
            i -= 1
        elif best[i, j] == best[i, j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((i, j))
    return pairs[::-1]


def part(a: str, b: str) -> Parting | None:
    """Where two thoughts diverge; None if they never do: one is empty, or ends while they are still alike."""
    steps_a, steps_b = steps(a)[:MOST_STEPS], steps(b)[:MOST_STEPS]
    pairs = align([step.text for step in steps_a], [step.text for step in steps_b])
    last_a = last_b = -1
    shared = 0
    for i, j in pairs:
        if i - last_a > GAP + 1 or j - last_b > GAP + 1:
            break
        last_a, last_b, shared = i, j, shared + 1
    if last_a + 1 >= len(steps_a) or last_b + 1 >= len(steps_b):
        return None
    return Parting(
        last_a + 1,
        last_b + 1,
        steps_a[last_a + 1].start,
        steps_b[last_b + 1].start,
        shared,
        len(pairs) - shared,
        len(steps_a),
        len(steps_b),
    )

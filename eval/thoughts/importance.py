"""How much an answer depends on each sentence of the thought before it, from resampled answers.

The answer is drawn several times after every sentence. If the answers drawn before and after a sentence have the same
distribution, the sentence changed nothing. This is the resampling importance of Bogdan, Macar, Nanda and Conmy,
“Thought Anchors: Which LLM Reasoning Steps Matter?” (2025, arXiv 2506.19143), with one difference. They compare the
two distributions by their KL divergence over a hundred draws each. With the few draws that a small machine can make,
that is infinite as soon as an answer occurs on one side only, so here it is the total variation distance

    importance = ½ · Σ_c |p_before(c) − p_after(c)|

over the classes c of equivalent answers, with “no answer” as a separate class. It ranges from 0 (same distribution) to
1 (no answer in common).
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eval.statistics.metrics import ALIKE
from eval.thoughts.sentences import Span

SHUFFLES = 999
SEED = 20250623


class Draw(NamedTuple):
    """One answer drawn after a part of a thought."""

    answer_class: int | None
    """Equal for equivalent answers to the same problem; None: no answer."""
    right: bool | None
    """None where there is no gold answer, or the grader failed."""


class SentenceImportance(NamedTuple):
    """The effect of one sentence, `thought[start:end]`, on the answer."""

    start: int
    end: int
    value: float
    """Importance, between 0 and 1."""
    gain: float | None
    """Share of right answers after the sentence minus before it; None without a gold answer."""
    p_value: float
    """Chance of at least this importance if the sentence changes nothing, by a permutation test on the draws."""
    before: int
    """Answers drawn before it."""
    after: int


def importances(draws: Mapping[int, Sequence[Draw]]) -> tuple[SentenceImportance, ...]:
    """The importance of every part of a thought. `draws`: length of the thought, in characters, → answers drawn after
    it; a part without draws on both sides is merged with the next."""
    ends = sorted(end for end, drawn in draws.items() if drawn)
    return tuple(importance(Span(start, end), draws[start], draws[end]) for start, end in pairwise(ends))


def importance(span: Span, before: Sequence[Draw], after: Sequence[Draw]) -> SentenceImportance:
    """One part's importance from at least one draw on each side."""
    labels = [-1 if draw.answer_class is None else draw.answer_class for draw in (*before, *after)]
    classes = np.unique(labels, return_inverse=True)[1]
    shuffled = np.random.default_rng(SEED).permuted(np.tile(classes, (SHUFFLES, 1)), axis=1)
    value, *others = distances(np.vstack([classes, shuffled]), len(before)).tolist()
    as_far = sum(other >= value - ALIKE for other in others)
    rights = [[draw.right for draw in side if draw.right is not None] for side in (before, after)]
    gain = None if not all(rights) else sum(rights[1]) / len(rights[1]) - sum(rights[0]) / len(rights[0])
    return SentenceImportance(*span, value, gain, (1 + as_far) / (1 + SHUFFLES), len(before), len(after))


def distances(classes: NDArray[np.int64], first: int) -> NDArray[np.float64]:
    """Total variation distance between the `first` labels of each row and the rest of it; shape (rows,)."""
    marks = classes[:, :, np.newaxis] == np.arange(classes.max() + 1)
    return np.abs(marks[:, :first].mean(axis=1) - marks[:, first:].mean(axis=1)).sum(axis=1) / 2

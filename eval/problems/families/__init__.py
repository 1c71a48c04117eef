"""Generated problems with one checkable answer, seeded, in four splits that never mix."""

import hashlib
from collections.abc import Sequence
from random import Random
from typing import Literal

from common.errors import ConfigError
from eval.problems.families import algebra, arithmetic, number_theory, stories, unseen
from eval.problems.families.family import LEVELS, Family, Params
from eval.records import Problem

Split = Literal["train", "same_kind", "larger_numbers", "unseen_families"]
MEASURED: tuple[Split, ...] = ("same_kind", "larger_numbers", "unseen_families")
"""The splits used for measuring; nothing is trained on them."""
SPLITS: tuple[Split, ...] = ("train", *MEASURED)

TRAINED: dict[str, Family] = {
    f.name: f for module in (arithmetic, algebra, number_theory, stories) for f in module.FAMILIES
}
UNSEEN: dict[str, Family] = {f.name: f for f in unseen.FAMILIES}
HELD_OUT_PERCENT = 25
"""Percentage of all problems held out from training for `same_kind`, chosen by a hash of their numbers."""
MAX_DRAWS = 400
"""Draws without a new problem after which a split counts as exhausted."""
NOT_NUMBERS = ("story", "kind")
"""Parameters that choose the story and the question, rather than the numbers."""


def key_of(family: Family, params: Params) -> str:
    """Identity of a problem: its family and its numbers, whatever their order, the wording, and what is asked of them.

    gcd(12, 18) and gcd(18, 12) are the same problem; so are the two roots of an equation, and a story retold about
    other things.
    """
    numbers = sorted(value for name, value in params.items() if name not in NOT_NUMBERS)
    return f"{family.name}:{','.join(map(str, numbers))}"


def belongs(split: Split, family: Family, params: Params) -> bool:
    """Whether these numbers may appear in the split. None that `generate` draws belong to two of the first three."""
    place = int(hashlib.sha256(key_of(family, params).encode()).hexdigest(), 16) % 100
    match split:
        case "train":
            return place >= HELD_OUT_PERCENT
        case "same_kind":
            return place < HELD_OUT_PERCENT
        case "larger_numbers":
            return max(params.values()) > family.largest
        case "unseen_families":
            return True


def families_of(split: Split, names: Sequence[str] | None) -> list[Family]:
    """The split's families, or only the named ones. Raises ConfigError for a name that is not in the split."""
    known = UNSEEN if split == "unseen_families" else TRAINED
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise ConfigError(f"The split {split} has no family {', '.join(unknown)}.", f"Choose from {', '.join(known)}.")
    return [known[name] for name in names or known]


def draw_new(split: Split, family: Family, level: int, rng: Random, taken: set[str]) -> Problem | None:
    """A problem of this family and level that is not yet in `taken`, or None after `MAX_DRAWS` attempts."""
    size = level + LEVELS if split == "larger_numbers" else level
    for _ in range(MAX_DRAWS):
        params = family.draw(rng, size)
        key = key_of(family, params)
        if not belongs(split, family, params):
            continue
        question = rng.choice(family.wordings(params))
        identity = question if split == "train" else key
        if identity in taken:
            continue
        taken.add(identity)
        digest = hashlib.sha256(f"{key}|{question}".encode()).hexdigest()[:12]
        return Problem(
            id=f"{split}/{family.name}/{digest}",
            question=question,
            gold=str(family.solve(params)),
            benchmark=split,
            subject=family.name,
            level=str(level),
            extra={name: str(value) for name, value in params.items()},
        )
    return None


def generate(split: Split, count: int, seed: int, families: Sequence[str] | None = None) -> list[Problem]:
    """`count` problems in turn over families and levels 1–5; the same arguments give the same problems.

    Outside `train` no two problems have the same numbers; in `train` the same numbers may be asked about again in
    another order or wording.
    Raises ConfigError for an unknown family, or if the split does not have that many problems.
    """
    chosen = families_of(split, families)
    rng = Random(f"{split}/{seed}")
    taken: set[str] = set()
    slots = [(family, level) for level in range(1, LEVELS + 1) for family in chosen]
    problems: list[Problem] = []
    while len(problems) < count:
        before = len(problems)
        for family, level in slots:
            problem = draw_new(split, family, level, rng, taken)
            if problem is not None:
                problems.append(problem)
            if len(problems) == count:
                break
        if len(problems) == before:
            raise ConfigError(f"The split {split} has only {before} problems of {', '.join(f.name for f in chosen)}.")
    return problems

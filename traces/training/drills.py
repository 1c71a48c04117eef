"""Drills: rows of single facts in the notation of the thoughts; only the results are learned.

A small student learns the form of a thought from a tenth of its tokens; what it gets wrong are single facts inside it.
The operands of a fact are random, so they are not learned.
"""

from collections.abc import Callable
from random import Random

from traces.thoughts.steps.step import difference, product, remainder, total
from traces.training.dataset import Piece


def fact(text: str) -> list[Piece]:
    """A line whose first calculation is not learned and whose results are."""
    operands, _, rest = text.partition("=")
    return [(f"{operands}=", False), (f"{rest}\n", True)]


def upper(rng: Random) -> int:
    """The largest number of a fact: mostly two digits, at times three."""
    return 99 if rng.random() < 0.7 else 299


def addition(rng: Random) -> list[Piece]:
    x, y = rng.randint(2, upper(rng)), rng.choice((rng.randint(1, 9), 10 * rng.randint(1, 9), rng.randint(1, 99)))
    return fact(total(x, y) if rng.random() < 0.5 else total(y, x))


def subtraction(rng: Random) -> list[Piece]:
    x, y = rng.randint(2, upper(rng)), rng.choice((rng.randint(1, 9), 10 * rng.randint(1, 9), rng.randint(1, 99)))
    return fact(difference(max(x, y), min(x, y)))


def multiplication(rng: Random) -> list[Piece]:
    x, y = rng.randint(2, 10), rng.randint(1, 10)
    x = x if rng.random() < 0.85 else rng.randint(11, 20)
    return fact(product(x, y) if rng.random() < 0.5 else product(y, x))


def reduction(rng: Random) -> list[Piece]:
    m = rng.randint(2, 9 if rng.random() < 0.7 else 16)
    number = rng.randint(m, 9 * m)
    return [(f"Down by {m}: {number}-", False), (f"{remainder(number, m).partition('-')[2]}\n", True)]


def comparison(rng: Random) -> list[Piece]:
    a, x = rng.randint(2, 9), rng.randint(2, 10)
    aim = a * x if rng.random() < 0.3 else max(2, a * x + rng.randint(-12, 12))
    verdict = "fits" if a * x == aim else "too small" if a * x < aim else "too big"
    return [(f"Try {a}*{x}: {a}*{x}=", False), (f"{a * x}", True), (f", want {aim}, ", False), (f"{verdict}.\n", True)]


KINDS: tuple[tuple[Callable[[Random], list[Piece]], int], ...] = (
    (addition, 3),
    (subtraction, 4),
    (multiplication, 4),
    (reduction, 2),
    (comparison, 2),
)
PROMPTS = ("Work out line by line.", "Write each line and its result.", "Do these calculations.", "Calculate.")


def drill(rng: Random, characters: tuple[int, int] = (60, 240)) -> tuple[str, list[Piece]]:
    """(prompt, pieces) of one row whose length is between these: mostly facts of one kind, mixed with others."""
    makers = [maker for maker, weight in KINDS for _ in range(weight)]
    one = rng.choice(makers)
    pieces: list[Piece] = []
    enough = rng.randint(*characters)
    while sum(len(text) for text, _ in pieces) < enough:
        pieces += (one if rng.random() < 0.7 else rng.choice(makers))(rng)
    return rng.choice(PROMPTS), pieces

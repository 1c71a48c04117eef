"""Families of plain calculation: sums of products, short word problems, counting multiples."""

from random import Random

from eval.problems.families.family import Family, Params

FACTOR = (0, 5, 7, 8, 9, 10, 12, 14, 16, 18, 20)
"""Largest factor at each size."""


def draw_sums(rng: Random, size: int) -> dict[str, int]:
    """a·b + c (kind 0), a·b + c·d (1) or a·b − c·d (2), never negative."""
    top = FACTOR[size]
    low = 2 if size <= 5 else 7
    while True:
        a, b = rng.randint(low, top), rng.randint(2, min(top, 12))
        if size in (1, 2, 6):
            return {"kind": 0, "a": a, "b": b, "c": rng.randint(2, 3 * top), "d": 1}
        c, d = rng.randint(2, top), rng.randint(2, min(top, 9))
        if size in (3, 7):
            return {"kind": 1, "a": a, "b": b, "c": c, "d": d}
        kind = rng.choice((1, 2))
        if kind == 1 or a * b > c * d:
            return {"kind": kind, "a": a, "b": b, "c": c, "d": d}


def solve_sums(p: Params) -> int:
    right = p["c"] * p["d"]
    return p["a"] * p["b"] + (-right if p["kind"] == 2 else right)


def word_sums(p: Params) -> list[str]:
    a, b, c, d = p["a"], p["b"], p["c"], p["d"]
    sign, word = ("-", "minus") if p["kind"] == 2 else ("+", "plus")
    if p["kind"] == 0:
        return [
            f"What is {a} * {b} + {c}?",
            f"Compute ${a} \\cdot {b} + {c}$.",
            f"Multiply {a} by {b}, then add {c}. What do you get?",
            f"Find the value of ${a} \\times {b} + {c}$.",
            f"Evaluate {c} + {a} * {b}.",
        ]
    return [
        f"What is {a} * {b} {sign} {c} * {d}?",
        f"Compute ${a} \\cdot {b} {sign} {c} \\cdot {d}$.",
        f"Find the product of {a} and {b} {word} the product of {c} and {d}.",
        f"Find the value of ${a} \\times {b} {sign} {c} \\times {d}$.",
        f"Evaluate ({a} * {b}) {sign} ({c} * {d}).",
    ]


def draw_word(rng: Random, size: int) -> dict[str, int]:
    """A story of a groups of b each: c go (kind 0), c come (1), or the rest is shared by d (2)."""
    top = FACTOR[size]
    while True:
        kind = 2 if size in (4, 9) else rng.choice((0, 1) if size in (1, 2, 6, 7) else (0, 1, 2))
        a, b, c = rng.randint(2, top), rng.randint(2, min(top, 12)), rng.randint(2, 2 * top)
        left = a * b + (c if kind == 1 else -c)
        most = 10 if size <= 5 else 2 * size
        shares = [d for d in range(2, 10) if left > 0 and left % d == 0 and left // d <= most]
        if left > 0 and (kind < 2 or shares):
            return {
                "kind": kind,
                "a": a,
                "b": b,
                "c": c,
                "d": rng.choice(shares) if kind == 2 else 1,
                "story": rng.randrange(5),
            }


def solve_word(p: Params) -> int:
    return (p["a"] * p["b"] + (p["c"] if p["kind"] == 1 else -p["c"])) // p["d"]


STORIES = (
    ("Tom", "boxes", "pens", "box", "friends"),
    ("Mia", "bags", "apples", "bag", "baskets"),
    ("A teacher", "packs", "cards", "pack", "pupils"),
    ("A shop", "crates", "bottles", "crate", "shelves"),
    ("Ali", "rows", "plants", "row", "gardens"),
)


def word_word(p: Params) -> list[str]:
    who, groups, things, group, takers = STORIES[p["story"]]
    a, b, c, d = p["a"], p["b"], p["c"], p["d"]
    change = f"gets {c} more {things}" if p["kind"] == 1 else f"gives away {c} {things}"
    if p["kind"] == 2:
        ask = (
            f"The rest is shared equally among {d} {takers}. How many {things} are there for each of the {d} {takers}?"
        )
    else:
        ask = f"How many {things} are there now?"
    return [
        f"{who} has {a} {groups} with {b} {things} in each {group} and {change}. {ask}",
        f"There are {b} {things} in every {group}. {who} has {a} {groups}, then {change}. {ask}",
        f"{who} counts {a} {groups} of ${b}$ {things} each. Later {who} {change}. {ask}",
    ]


def draw_multiples(rng: Random, size: int) -> dict[str, int]:
    """How many multiples of k lie from `low` to `high`."""
    k = rng.randint(2, (0, 5, 9, 9, 10, 10, 14, 15, 16, 18, 20)[size])
    first = 1 if size in (1, 2, 3, 6, 7) else rng.randint(2, 3 if size <= 5 else 5)
    count = rng.randint(2, min(3 + size, 5 if size <= 5 else 10))
    low = 1 if first == 1 else k * (first - 1) + rng.randint(1, k)
    return {"k": k, "low": low, "high": k * (first + count - 1) + rng.randrange(k)}


def solve_multiples(p: Params) -> int:
    return p["high"] // p["k"] - (p["low"] - 1) // p["k"]


def word_multiples(p: Params) -> list[str]:
    k, low, high = p["k"], p["low"], p["high"]
    return [
        f"How many multiples of {k} are there from {low} to {high}?",
        f"How many of the numbers ${low}, \\ldots, {high}$ are divisible by ${k}$?",
        f"Count the whole numbers n with {low} <= n <= {high} that are divisible by {k}.",
        f"Between {low} and {high}, both included, how many numbers are multiples of {k}?",
    ]


FAMILIES = (
    Family("sums", draw_sums, solve_sums, word_sums, 21),
    Family("word", draw_word, solve_word, word_word, 20),
    Family("multiples", draw_multiples, solve_multiples, word_multiples, 80),
)

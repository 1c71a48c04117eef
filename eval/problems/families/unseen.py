"""Families that no student ever trains on; they test whether what was learned transfers.

Price and substitution are close to the training data (the same calculations in other words), the others farther away.
"""

from random import Random

from eval.problems.families.family import Family, Params


def draw_rectangle(rng: Random, size: int) -> dict[str, int]:
    top = (0, 5, 7, 9, 10, 12, 14, 16, 18, 20, 24)[size]
    a, b = rng.sample(range(2, top + 1), 2)
    return {"area": a * b, "perimeter": 2 * (a + b)}


def solve_rectangle(p: Params) -> int:
    half = p["perimeter"] // 2
    return max(x for x in range(1, half) if x * (half - x) == p["area"])


def word_rectangle(p: Params) -> list[str]:
    return [
        f"A rectangle has area {p['area']} and perimeter {p['perimeter']}. How long is its longer side?",
        f"A field of area ${p['area']}$ has perimeter ${p['perimeter']}$. Find the longer side of this rectangle.",
    ]


def draw_difference(rng: Random, size: int) -> dict[str, int]:
    top = (0, 9, 15, 20, 25, 30, 40, 50, 60, 80, 99)[size]
    small, large = sorted(rng.sample(range(1, top + 1), 2))
    return {"s": large + small, "d": large - small}


def solve_difference(p: Params) -> int:
    return (p["s"] + p["d"]) // 2


def word_difference(p: Params) -> list[str]:
    return [
        f"Two numbers have the sum {p['s']} and the difference {p['d']}. What is the larger number?",
        f"If $x + y = {p['s']}$ and $x - y = {p['d']}$, what is $x$?",
    ]


def draw_sequence(rng: Random, size: int) -> dict[str, int]:
    first = rng.randint(1, (0, 5, 9, 12, 20, 30, 40, 50, 60, 80, 99)[size])
    step = rng.randint(2, (0, 4, 5, 7, 9, 9, 11, 12, 13, 14, 15)[size])
    return {"a": first, "d": step, "n": rng.randint(4, 6 + size)}


def solve_sequence(p: Params) -> int:
    return p["a"] + (p["n"] - 1) * p["d"]


def word_sequence(p: Params) -> list[str]:
    a, d, n = p["a"], p["d"], p["n"]
    return [
        f"A sequence starts with {a} and goes up by {d} each time. What is its {n}th term?",
        f"Find term number {n} of the arithmetic sequence ${a}, {a + d}, {a + 2 * d}, \\ldots$",
    ]


def draw_division(rng: Random, size: int) -> dict[str, int]:
    m = rng.randint(3, (0, 5, 7, 9, 9, 12, 12, 13, 14, 15, 16)[size])
    return {"m": m, "n": m * rng.randint(2, 5 + size) + rng.randrange(m)}


def solve_division(p: Params) -> int:
    return p["n"] % p["m"]


def word_division(p: Params) -> list[str]:
    n, m = p["n"], p["m"]
    return [
        f"What is the remainder when {n} is divided by {m}?",
        f"{n} eggs are packed into boxes of {m}. How many eggs are left over?",
        f"Find ${n} \\bmod {m}$.",
    ]


def draw_consecutive(rng: Random, size: int) -> dict[str, int]:
    return {"s": 3 * rng.randint((0, 2, 5, 8, 12, 15, 20, 30, 40, 50, 60)[size], 10 * size)}


def solve_consecutive(p: Params) -> int:
    return p["s"] // 3 + 1


def word_consecutive(p: Params) -> list[str]:
    return [
        f"The sum of three consecutive whole numbers is {p['s']}. What is the largest of them?",
        f"If $n + (n+1) + (n+2) = {p['s']}$, what is $n + 2$?",
    ]


def draw_price(rng: Random, size: int) -> dict[str, int]:
    top = (0, 4, 5, 7, 9, 10, 12, 14, 16, 18, 20)[size]
    a, b, c, d = (rng.randint(2, top) for _ in range(4))
    return {"a": a, "b": b, "c": c, "d": d}


def solve_price(p: Params) -> int:
    return p["a"] * p["b"] + p["c"] * p["d"]


def word_price(p: Params) -> list[str]:
    return [
        f"A pen costs {p['b']} coins and a book costs {p['d']} coins. What do {p['a']} pens and {p['c']} books cost "
        "together?",
        f"Lea buys {p['a']} tickets at ${p['b']}$ coins each and {p['c']} drinks at ${p['d']}$ coins each. How many "
        "coins does she pay?",
    ]


def draw_substitution(rng: Random, size: int) -> dict[str, int]:
    top = (0, 5, 7, 8, 9, 10, 12, 14, 16, 18, 20)[size]
    return {"x": rng.randint(2, top), "a": rng.randint(2, min(top, 10)), "b": rng.randint(1, 3 * top)}


def solve_substitution(p: Params) -> int:
    return p["a"] * p["x"] + p["b"]


def word_substitution(p: Params) -> list[str]:
    return [
        f"If x = {p['x']}, what is {p['a']}x + {p['b']}?",
        f"Let $f(x) = {p['a']}x + {p['b']}$. What is $f({p['x']})$?",
    ]


FAMILIES = (
    Family("rectangle", draw_rectangle, solve_rectangle, word_rectangle, 0),
    Family("difference", draw_difference, solve_difference, word_difference, 0),
    Family("sequence", draw_sequence, solve_sequence, word_sequence, 0),
    Family("division", draw_division, solve_division, word_division, 0),
    Family("consecutive", draw_consecutive, solve_consecutive, word_consecutive, 0),
    Family("price", draw_price, solve_price, word_price, 0),
    Family("substitution", draw_substitution, solve_substitution, word_substitution, 0),
)

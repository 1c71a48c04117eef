"""Families of equations and of choosing numbers: linear, quadratic, pick two numbers, countdown."""

from random import Random

from eval.problems.families.family import Family, Params

SOLUTION = (0, 5, 9, 9, 10, 10, 15, 18, 20, 25, 30)
"""Largest solution at each size."""


def draw_linear(rng: Random, size: int) -> dict[str, int]:
    """a·x + b = d·x + c, where d is 0 below level 5 and b may be negative from level 3 on."""
    x = rng.randint(2, SOLUTION[size])
    a = rng.randint(2, (0, 4, 6, 9, 9, 9, 11, 12, 14, 15, 15)[size])
    b = rng.randint(1, (0, 9, 20, 20, 40, 20, 60, 80, 90, 99, 99)[size])
    sign = rng.choice((1, -1)) if size not in (1, 2, 6, 7) else 1
    d = rng.randint(1, 5) if size in (5, 10) else 0
    a += d
    b = b if sign > 0 or b < a * x else rng.randint(1, a * x - 1)
    left = a * x + sign * b
    if d and left <= d * x:
        b, left = rng.randint(1, 9), 0
        sign = 1
        left = a * x + b
    return {"a": a, "b": sign * b, "d": d, "c": left - d * x}


def solve_linear(p: Params) -> int:
    return (p["c"] - p["b"]) // (p["a"] - p["d"])


def signed(number: int) -> str:
    return f"+ {number}" if number >= 0 else f"- {-number}"


def word_linear(p: Params) -> list[str]:
    a, b, d, c = p["a"], p["b"], p["d"], p["c"]
    if d:
        right = f"{d if d > 1 else ''}x {signed(c)}"
        return [
            f"Solve {a}x {signed(b)} = {right}.",
            f"Find $x$ if ${a}x {signed(b)} = {right}$.",
            f"What value of x satisfies {a}x {signed(b)} = {right}?",
        ]
    change = f"{b} is added" if b > 0 else f"{-b} is taken away"
    return [
        f"Solve {a}x {signed(b)} = {c}.",
        f"Find $x$ if ${a}x {signed(b)} = {c}$.",
        f"What value of x satisfies {a}x {signed(b)} = {c}?",
        f"A number is multiplied by {a}, then {change}. The result is {c}. What is the number?",
        f"Solve for $n$: $${a}n {signed(b)} = {c}.$$",
    ]


def draw_quadratic(rng: Random, size: int) -> dict[str, int]:
    """x² − (r + s)x + rs with whole roots; asks for the larger (kind 1) or the smaller root (0)."""
    top = (0, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16)[size]
    low = 1 if size <= 5 else 3
    r = rng.randint(low, top)
    s = rng.choice([value for value in range(low, top + 1) if value != r])
    return {"s": r + s, "p": r * s, "kind": rng.choice((0, 1)) if size not in (1, 6) else 1}


def solve_quadratic(p: Params) -> int:
    roots = [x for x in range(1, p["s"]) if x * (p["s"] - x) == p["p"]]
    return max(roots) if p["kind"] else min(roots)


def word_quadratic(p: Params) -> list[str]:
    s, product, which = p["s"], p["p"], "larger" if p["kind"] else "smaller"
    return [
        f"What is the {which} root of x^2 - {s}x + {product} = 0?",
        f"Find the {which} solution of $x^2 - {s}x + {product} = 0$.",
        f"Solve $x^2 = {s}x - {product}$ and give the {which} solution.",
        f"The equation x^2 - {s}x + {product} = 0 has two whole roots. Which is the {which} one?",
    ]


def draw_pick(rng: Random, size: int) -> dict[str, int]:
    """Numbers n1 < n2 < …, exactly one pair of which has the sum t; asks larger (1), smaller (0) or product (2)."""
    top = (0, 12, 20, 12, 30, 40, 60, 80, 60, 99, 150)[size]
    count = 4 if size in (1, 2, 6, 7) else 5
    while True:
        numbers = sorted(rng.sample(range(1, top), count))
        first, second = rng.sample(numbers, 2)
        total = first + second
        if sum(total - n in numbers for n in numbers if total != 2 * n) == 2:
            kind = 2 if size in (3, 8) else rng.choice((0, 1))
            return {**{f"n{i}": n for i, n in enumerate(numbers, 1)}, "t": total, "kind": kind}


def numbers_of(p: Params) -> list[int]:
    """The numbers to choose from, in order."""
    return [p[f"n{i}"] for i in range(1, 10) if f"n{i}" in p]


def solve_pick(p: Params) -> int:
    numbers = numbers_of(p)
    pair = next((n, p["t"] - n) for n in numbers if p["t"] - n in numbers and p["t"] != 2 * n)
    return (min(pair), max(pair), pair[0] * pair[1])[p["kind"]]


def word_pick(p: Params) -> list[str]:
    numbers, t = ", ".join(map(str, numbers_of(p))), p["t"]
    ask = ("Which is the smaller of the two?", "Which is the larger of the two?", "What is their product?")[p["kind"]]
    return [
        f"Two of the numbers {numbers} add up to {t}. {ask}",
        f"Choose two different numbers from ${numbers}$ whose sum is ${t}$. {ask}",
        f"From the list {numbers}, two numbers have the sum {t}. {ask}",
    ]


def run(a: int, b: int, sign: int) -> int:
    """a + b, a − b or a · b for sign 0, 1, 2."""
    return (a + b, a - b, a * b)[sign]


def ways(p: Params) -> list[tuple[int, int]]:
    """The pairs of signs that lead from a, b, c, worked from left to right, to t."""
    return [(i, j) for i in range(3) for j in range(3) if run(run(p["a"], p["b"], i), p["c"], j) == p["t"]]


def draw_countdown(rng: Random, size: int) -> dict[str, int]:
    """a ? b ? c = t, left to right, with exactly one choice of +, −, × and nothing negative on the way."""
    top = (0, 5, 6, 7, 8, 9, 12, 14, 16, 18, 20)[size]
    while True:
        a, b, c = rng.randint(2, top), rng.randint(2, min(top, 10)), rng.randint(2, min(top, 9))
        first, second = rng.randrange(3), rng.randrange(3)
        middle = run(a, b, first)
        p = {"a": a, "b": b, "c": c, "t": run(middle, c, second)}
        if a > b and 0 < p["t"] <= (60 if size <= 5 else 20 * size) and len(ways(p)) == 1:
            return p


def solve_countdown(p: Params) -> int:
    return run(p["a"], p["b"], ways(p)[0][0])


def word_countdown(p: Params) -> list[str]:
    a, b, c, t = p["a"], p["b"], p["c"], p["t"]
    return [
        f"Put +, - or * into each gap of {a} _ {b} _ {c} and work from left to right so that the result is {t}. "
        "What number stands after the first operation?",
        f"Start with ${a}$. Add, subtract or multiply by ${b}$, then add, subtract or multiply by ${c}$, and reach "
        f"${t}$. What is the number in between?",
        f"Working from left to right, {a} ? {b} ? {c} = {t}, where each ? is +, - or *. What is the result of the "
        "first operation?",
    ]


FAMILIES = (
    Family("linear", draw_linear, solve_linear, word_linear, 130),
    Family("quadratic", draw_quadratic, solve_quadratic, word_quadratic, 72),
    Family("pick", draw_pick, solve_pick, word_pick, 80),
    Family("countdown", draw_countdown, solve_countdown, word_countdown, 60),
)

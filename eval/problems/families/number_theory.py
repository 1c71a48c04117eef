"""Families of number theory: gcd, lcm, powers modulo m, numbers with given remainders, divisors."""

from math import gcd, lcm
from random import Random

from eval.problems.families.family import Family, Params


def draw_gcd(rng: Random, size: int) -> dict[str, int]:
    """Two different multiples of a common factor; coprime at times, one dividing the other at times."""
    top = (0, 20, 30, 40, 50, 60, 80, 100, 130, 160, 200)[size]
    while True:
        g = rng.randint(1 if rng.random() < 0.15 else 2, 12 if size <= 5 else 20)
        most = 5 if size <= 5 else 9
        a, b = g * rng.randint(1, most), g * rng.randint(1, most)
        if a != b and max(a, b) <= top and (size < 6 or max(a, b) > 60):
            return {"a": a, "b": b}


def solve_gcd(p: Params) -> int:
    return gcd(p["a"], p["b"])


def word_gcd(p: Params) -> list[str]:
    a, b = p["a"], p["b"]
    return [
        f"What is the greatest common divisor of {a} and {b}?",
        f"Compute $\\gcd({a}, {b})$.",
        f"Find the largest number that divides both {a} and {b}.",
        f"What is the highest common factor of ${a}$ and ${b}$?",
    ]


def draw_lcm(rng: Random, size: int) -> dict[str, int]:
    """Two numbers whose least common multiple is at most five times the larger, nine times for larger numbers."""
    top = (0, 6, 9, 10, 12, 15, 18, 20, 24, 28, 30)[size]
    while True:
        a, b = rng.randint(2, top), rng.randint(2, top)
        if a != b and lcm(a, b) <= (5 if size <= 5 else 9) * max(a, b) and (size < 6 or max(a, b) > 15):
            return {"a": a, "b": b}


def solve_lcm(p: Params) -> int:
    return lcm(p["a"], p["b"])


def word_lcm(p: Params) -> list[str]:
    a, b = p["a"], p["b"]
    return [
        f"What is the least common multiple of {a} and {b}?",
        f"Compute $\\operatorname{{lcm}}({a}, {b})$.",
        f"Find the smallest positive number divisible by both {a} and {b}.",
        f"Two lights blink every {a} and every {b} seconds. They blink together now. After how many seconds do they "
        "blink together again?",
    ]


def draw_powers(rng: Random, size: int) -> dict[str, int]:
    """a to the power e, modulo m."""
    m = rng.randint(3, (0, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15)[size])
    return {"a": rng.randint(2, m - 1), "e": rng.randint(2, (0, 3, 3, 4, 4, 5, 6, 7, 7, 8, 8)[size]), "m": m}


def solve_powers(p: Params) -> int:
    return pow(p["a"], p["e"], p["m"])


def word_powers(p: Params) -> list[str]:
    a, e, m = p["a"], p["e"], p["m"]
    return [
        f"What is the remainder when {a}^{e} is divided by {m}?",
        f"Find ${a}^{{{e}}} \\bmod {m}$.",
        f"Compute {a}^{e} mod {m}.",
        f"${a}^{{{e}}}$ is divided by ${m}$. What is the remainder?",
    ]


def draw_remainders(rng: Random, size: int) -> dict[str, int]:
    """The smallest positive number with remainder r modulo m and s modulo n, where m > n have no common factor."""
    top = (0, 5, 5, 6, 7, 7, 11, 12, 13, 14, 15)[size]
    while True:
        m, n = rng.randint(3, top), rng.randint(2, min(top - 1, 9))
        p = {"m": m, "r": rng.randint(1, m - 1), "n": n, "s": rng.randint(0, n - 1)}
        if m > n and gcd(m, n) == 1 and (size < 6 or m > 8):
            return p


def solve_remainders(p: Params) -> int:
    return next(x for x in range(1, p["m"] * p["n"] + 1) if x % p["m"] == p["r"] and x % p["n"] == p["s"])


def word_remainders(p: Params) -> list[str]:
    m, r, n, s = p["m"], p["r"], p["n"], p["s"]
    return [
        f"What is the smallest positive number that leaves remainder {r} when divided by {m} and remainder {s} when "
        f"divided by {n}?",
        f"Find the least positive integer $x$ with $x \\equiv {r} \\pmod{{{m}}}$ and $x \\equiv {s} \\pmod{{{n}}}$.",
        f"Find the smallest positive n with n mod {m} = {r} and n mod {n} = {s}.",
        f"A number leaves remainder {s} on division by {n} and remainder {r} on division by {m}. What is the smallest "
        "such positive number?",
    ]


def draw_divisors(rng: Random, size: int) -> dict[str, int]:
    """How many divisors n has (kind 0), or what they add up to (1)."""
    low, top = ((0, 0), (4, 20), (8, 36), (4, 30), (20, 48), (20, 48))[size] if size <= 5 else (65, 40 + 10 * size)
    while True:
        n = rng.randint(low, top)
        if sum(n % d == 0 for d in range(1, n + 1)) > 2 or rng.random() < 0.2:
            return {"n": n, "kind": 1 if size in (3, 8) else 0}


def solve_divisors(p: Params) -> int:
    divisors = [d for d in range(1, p["n"] + 1) if p["n"] % d == 0]
    return sum(divisors) if p["kind"] else len(divisors)


def word_divisors(p: Params) -> list[str]:
    n = p["n"]
    if p["kind"]:
        return [
            f"What is the sum of all positive divisors of {n}?",
            f"Find the sum of the positive divisors of ${n}$.",
            f"Add up all positive whole numbers that divide {n}. What is the sum?",
        ]
    return [
        f"How many positive divisors does {n} have?",
        f"Find the number of positive divisors of ${n}$.",
        f"How many positive whole numbers divide {n} exactly?",
        f"In how many ways can {n} chairs be set in equal rows, where the number of rows matters?",
    ]


FAMILIES = (
    Family("gcd", draw_gcd, solve_gcd, word_gcd, 60),
    Family("lcm", draw_lcm, solve_lcm, word_lcm, 15),
    Family("powers", draw_powers, solve_powers, word_powers, 9),
    Family("remainders", draw_remainders, solve_remainders, word_remainders, 7),
    Family("divisors", draw_divisors, solve_divisors, word_divisors, 48),
)

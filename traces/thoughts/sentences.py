"""Thoughts about generated problems in full sentences, as an instruct model writes by itself.

A student of a base that already reasons carries the terse steps of `traces.thoughts.steps` over to problems of other
kinds and misreads them (docs/experiments.md). These thoughts search as well, try by try, but speak as the base does.
"""

from collections.abc import Callable
from math import gcd, lcm
from random import Random

from eval.problems.families.algebra import numbers_of, run, solve_countdown, solve_pick, ways
from eval.problems.families.family import Params
from eval.problems.prompts import maths_prompt
from eval.records import Problem
from traces.keeping.trace import Trace
from traces.thoughts.journey import closing

OPENINGS = (
    "Let's solve this problem step by step.",
    "Let's solve the problem step by step.",
    "Let's break down the problem step by step.",
    "Let's work through this step by step.",
)
ENDINGS = ("Therefore, the answer is", "So, the final answer is", "So, the answer is")
Teller = Callable[[Params, Random], list[str]]
"""Gives the numbered steps of a solution."""


def told(problem: Problem, seed: int) -> Trace:
    """A thought in sentences for a problem of a family in TELLERS, not yet verified. Raises KeyError for others."""
    rng = Random(f"sentences/{problem.id}/{seed}")
    numbers = {name: int(value) for name, value in problem.extra.items()}
    steps = "\n\n".join(f"{i}. {step}" for i, step in enumerate(TELLERS[problem.subject](numbers, rng), 1))
    thought = f"{rng.choice(OPENINGS)}\n\n{steps}\n\n{rng.choice(ENDINGS)} \\(\\boxed{{{problem.gold}}}\\)."
    answer = closing(problem.gold)
    raw = f"<think>\n{thought}\n</think>\n\n{answer}"
    return Trace(problem, maths_prompt(problem), raw, thought, answer, "search", "trials in sentences", seed=seed)


def tell_gcd(p: Params, rng: Random) -> list[str]:
    a, b = sorted((p["a"], p["b"]), reverse=True)
    first = rng.choice(
        (
            f"The greatest common divisor of {a} and {b} is the largest number that divides both of them.",
            f"We look for the largest number that divides both {a} and {b} without a remainder.",
        )
    )
    if rng.random() < 0.5:
        lines, x, y = [], a, b
        while y:
            lines.append(f"   - \\({x} = {x // y} \\times {y} + {x % y}\\)")
            x, y = y, x % y
        middle = "We use the Euclidean algorithm, dividing until the remainder is 0:\n" + "\n".join(lines)
        return [first, middle, f"The last remainder that is not 0, or else the smaller number, is {x}."]
    small = [d for d in range(b, 0, -1) if b % d == 0]
    tries = []
    for d in small:
        if a % d == 0:
            tries.append(f"   - {d}: \\({a} = {a // d} \\times {d}\\), so {d} divides both.")
            break
        tries.append(f"   - {d}: \\({a} \\div {d}\\) leaves the remainder {a % d}, so this is not it.")
    listed = ", ".join(map(str, small))
    middle = f"The divisors of {b}, from the largest, are {listed}. We try them on {a}:\n" + "\n".join(tries)
    return [first, middle, f"The largest common divisor is {gcd(a, b)}."]


def tell_lcm(p: Params, rng: Random) -> list[str]:
    a, b = sorted((p["a"], p["b"]), reverse=True)
    first = rng.choice(
        (
            f"We need the smallest positive number that is a multiple of both {a} and {b}.",
            f"The number must be divisible by {a} and by {b}, so it is their least common multiple.",
        )
    )
    tries = []
    for multiple in range(a, lcm(a, b) + 1, a):
        how = f"   - \\({multiple // a} \\times {a} = {multiple}\\): \\({multiple} \\div {b}\\) "
        left = multiple % b
        fits = f"is {multiple // b} exactly, so it is a multiple of {b}."
        tries.append(how + (f"leaves the remainder {left}, so no." if left else fits))
    middle = f"We go through the multiples of {a} and check each one for {b}:\n" + "\n".join(tries)
    return [first, middle, f"The first that fits is {lcm(a, b)}."]


def tell_divisors(p: Params, rng: Random) -> list[str]:
    n = p["n"]
    first = rng.choice(
        (
            f"We look for all numbers that divide {n}, by trying 1, 2, 3 and so on. Each one has a partner.",
            f"Divisors come in pairs whose product is {n}. We try the smaller one of each pair in turn.",
        )
    )
    tries, found, d = [], [], 1
    while d * d <= n:
        if n % d == 0:
            pair = sorted({d, n // d})
            found += pair
            twice = "" if len(pair) == 2 else ", twice the same number"
            tries.append(f"   - {d}: \\({d} \\times {n // d} = {n}\\){twice}, so {' and '.join(map(str, pair))}.")
        else:
            tries.append(f"   - {d}: \\({n} = {n // d} \\times {d} + {n % d}\\), so no.")
        d += 1
    stop = f"   - {d}: \\({d} \\times {d} = {d * d}\\) is more than {n}, so we can stop."
    middle = "The trials:\n" + "\n".join([*tries, stop])
    listed = sorted(found)
    last = f"The divisors are {', '.join(map(str, listed))}."
    if p["kind"]:
        return [first, middle, f"{last} Their sum is \\({' + '.join(map(str, listed))} = {sum(listed)}\\)."]
    return [first, middle, f"{last} These are {len(listed)} divisors."]


def tell_remainders(p: Params, rng: Random) -> list[str]:
    m, r, n, s = p["m"], p["r"], p["n"], p["s"]
    first = rng.choice(
        (
            f"The number leaves remainder {r} on division by {m}, so it is one of {r}, {r + m}, {r + 2 * m} and so on.",
            f"We list the numbers with remainder {r} modulo {m}, which are {r} and then every {m} more.",
        )
    )
    tries, x = [], r
    while x % n != s:
        tries.append(f"   - {x}: \\({x} = {x // n} \\times {n} + {x % n}\\), so the remainder is {x % n}, not {s}.")
        x += m
    tries.append(f"   - {x}: \\({x} = {x // n} \\times {n} + {s}\\), so the remainder is {s}, as it should be.")
    middle = f"We check each of them for the remainder {s} on division by {n}:\n" + "\n".join(tries)
    return [first, middle, f"The first number that fulfils both conditions is {x}."]


def tell_pick(p: Params, rng: Random) -> list[str]:
    numbers, t = numbers_of(p), p["t"]
    listed = ", ".join(map(str, numbers))
    first = rng.choice(
        (
            f"We need two different numbers from {listed} that add up to {t}.",
            f"For each number in the list {listed} we work out what is missing to {t} and look for it in the list.",
        )
    )
    tries: list[str] = []
    for one in numbers:
        other = t - one
        if other in numbers and other != one:
            tries.append(f"   - {one}: \\({t} - {one} = {other}\\), and {other} is in the list.")
            break
        why = "that is the same number again" if other == one else f"{other} is not in the list"
        tries.append(f"   - {one}: \\({t} - {one} = {other}\\), but {why}.")
    asked = solve_pick(p)
    last = (
        f"The smaller of them is {asked}.",
        f"The larger of them is {asked}.",
        f"Their product is \\({one} \\times {other} = {asked}\\).",
    )
    return [first, "Try each number:\n" + "\n".join(tries), f"The two numbers are {one} and {other}. {last[p['kind']]}"]


def tell_countdown(p: Params, rng: Random) -> list[str]:
    a, b, c, t = p["a"], p["b"], p["c"], p["t"]
    first = rng.choice(
        (
            f"We have two gaps to fill with +, - or \\(\\times\\), from left to right: {a}, then {b}, then {c}, to "
            f"reach {t}.",
            f"There are three choices for the first operation with {a} and {b}. For each we see whether {c} leads to "
            f"{t}.",
        )
    )
    sign = ("+", "-", "\\times")
    (best, last), *_ = ways(p)
    order = [i for i in rng.sample(range(3), 3) if i != best][: rng.randint(0, 2)]
    tries = []
    for i in [*order, best]:
        middle = run(a, b, i)
        ends = [f"\\({middle} {sign[j]} {c} = {run(middle, c, j)}\\)" for j in range(3)]
        tried = ", ".join(ends[: last + 1]) if i == best else ", ".join(ends)
        verdict = "which is what we need." if i == best else f"none of which is {t}."
        tries.append(f"   - \\({a} {sign[i]} {b} = {middle}\\). Then {tried}, {verdict}")
    asked = solve_countdown(p)
    return [first, "Try the choices:\n" + "\n".join(tries), f"The number after the first operation is {asked}."]


def tell_wheel(p: Params, rng: Random) -> list[str]:
    m, s, n = p["m"], p["s"], p["n"]
    total = s + n
    first = rng.choice(
        (
            f"The numbers run from 0 to {m - 1}, which are {m} numbers, so after {m} steps we are where we began.",
            f"After {m - 1} comes 0 again. There are {m} numbers in the circle.",
        )
    )
    second = f"Without going round, we would reach \\({s} + {n} = {total}\\)."
    turns = total // m
    if not turns:
        third = f"Since {total} is less than {m}, we have not gone round, and stay at {total}."
    else:
        times = f"{turns} time{'s' if turns > 1 else ''}"
        third = (
            f"{m} goes into {total} {times}: \\({turns} \\times {m} = {turns * m}\\). What remains is "
            f"\\({total} - {turns * m} = {total % m}\\)."
        )
    return [first, second, third]


def tell_multiples(p: Params, rng: Random) -> list[str]:
    k, low, high = p["k"], p["low"], p["high"]
    first_one = -(-low // k) * k
    listed = list(range(first_one, high + 1, k))
    first = rng.choice(
        (
            f"We list the multiples of {k} from {low} to {high}.",
            f"We need the numbers from {low} to {high} that {k} divides without a remainder.",
        )
    )
    start = f"The first multiple that is at least {low} is \\({first_one // k} \\times {k} = {first_one}\\)."
    upto = (
        f"Adding {k} each time gives {', '.join(map(str, listed))}. The next would be {listed[-1] + k}, which is more "
        f"than {high}."
    )
    return [first, start, upto, f"There are {len(listed)} of them."]


TELLERS: dict[str, Teller] = {
    "gcd": tell_gcd,
    "lcm": tell_lcm,
    "divisors": tell_divisors,
    "remainders": tell_remainders,
    "pick": tell_pick,
    "countdown": tell_countdown,
    "wheel": tell_wheel,
    "multiples": tell_multiples,
}
"""By family: those that the 0.5B base seldom solves."""

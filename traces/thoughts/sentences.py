"""Thoughts about generated problems in full sentences, as an instruct model writes by itself.

A student of a base that already reasons carries the terse steps of `traces.thoughts.steps` over to problems of other
kinds and misreads them (docs/experiments.md). These thoughts search as well, try by try, but speak as the base does.
"""

from collections.abc import Callable
from random import Random

from eval.problems.families.algebra import numbers_of, run, solve_countdown, solve_pick, ways
from eval.problems.families.family import Params
from eval.problems.prompts import maths_prompt
from eval.records import Problem
from traces.keeping.trace import Trace, compose
from traces.thoughts.journey import closing
from traces.thoughts.steps.step import subtractions

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
    raw = compose(thought, answer)
    return Trace(problem, maths_prompt(problem), raw, thought, answer, "search", "trials in sentences", seed=seed)


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
            made = "" if p["kind"] else f" That makes {len(found)}."
            tries.append(f"   - {d}: \\({d} \\times {n // d} = {n}\\){twice}, so {' and '.join(map(str, pair))}.{made}")
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
    while True:
        left, fits = _reduced(x, n), x % n == s
        tries.append(f"   - {x}: {left}, so the remainder is {x % n}, {'as it should be' if fits else f'not {s}'}.")
        if fits:
            break
        tries[-1] += f" Next: \\({x} + {m} = {x + m}\\)."
        x += m
    middle = f"We check each of them for the remainder {s} on division by {n}:\n" + "\n".join(tries)
    return [first, middle, f"The first number that fulfils both conditions is {x}."]


def _reduced(x: int, by: int) -> str:
    """How the remainder of x is found: \\(14 - 6 = 8\\), \\(8 - 6 = 2\\), tens of `by` at once where x is far away."""
    steps = [f"\\({left} - {less} = {left - less}\\)" for left, less in subtractions(x, by, 10)]
    last = f"{x % by} is less than {by}"
    return f"{', '.join(steps)}, and {last}" if steps else last


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
        ends = []
        for j in range(last + 1 if i == best else 3):
            result = run(middle, c, j)
            ends.append(f"\\({middle} {sign[j]} {c} = {result}\\), {'not ' if result != t else 'which is '}{t}")
        tries.append(f"   - \\({a} {sign[i]} {b} = {middle}\\). Then {'; '.join(ends)}.")
    asked = solve_countdown(p)
    return [first, "Try the choices:\n" + "\n".join(tries), f"The number after the first operation is {asked}."]


def tell_wheel(p: Params, rng: Random) -> list[str]:
    m, s, n = p["m"], p["s"], p["n"]
    first = rng.choice(
        (
            f"The numbers run from 0 to {m - 1}, which are {m} numbers, so after {m} steps we are where we began.",
            f"After {m - 1} comes 0 again. There are {m} numbers in the circle.",
        )
    )
    second = f"Without going round, we would reach \\({s} + {n} = {s + n}\\)."
    return [first, second, f"We take away whole rounds of {m}: {_reduced(s + n, m)}."]


def tell_multiples(p: Params, rng: Random) -> list[str]:
    k, low, high = p["k"], p["low"], p["high"]
    first = rng.choice(
        (
            f"We go through the multiples of {k} and count those from {low} to {high}.",
            f"We need the numbers from {low} to {high} that {k} divides, which are multiples of {k}.",
        )
    )
    tries, count, multiple = [], 0, k
    while multiple <= high:
        count += multiple >= low
        verdict = f"number {count}" if multiple >= low else f"less than {low}"
        tries.append(f"   - \\({multiple // k} \\times {k} = {multiple}\\): {verdict}.")
        multiple += k
    tries.append(f"   - \\({multiple // k} \\times {k} = {multiple}\\): more than {high}, so we stop.")
    return [first, "The multiples:\n" + "\n".join(tries), f"There are {count} of them."]


TELLERS: dict[str, Teller] = {
    "divisors": tell_divisors,
    "remainders": tell_remainders,
    "pick": tell_pick,
    "countdown": tell_countdown,
    "wheel": tell_wheel,
    "multiples": tell_multiples,
}
"""By family: those that the 0.5B base seldom solves."""

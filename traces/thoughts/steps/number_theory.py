"""Steps for gcd, lcm, powers modulo m, given remainders and divisors, each a short walk over small tables."""

from eval.problems.families.family import Params
from traces.thoughts.steps.step import Line, Path, SolutionStep, check, product, remainder, total, work


def listed(step: int, aim: int) -> Line:
    """The multiples of `step` up to `aim`, the last of which should be `aim`."""
    if step == 1:
        return ("1 divides all", aim, aim)
    multiples = list(range(step, aim + 1, step)) or [step]
    return (f"{', '.join(map(str, multiples))}", multiples[-1], aim)


def common(p: Params, path: Path) -> list[SolutionStep]:
    """gcd by repeatedly subtracting the smaller number from the larger until both are equal, rewriting the pair."""
    large, small = max(p["a"], p["b"]), min(p["a"], p["b"])
    for step in path:
        if step.name == "less":
            large, small = max(small, step.value), min(small, step.value)
    if path and path[-1].name == "equal":
        g = path[-1].value
        return [check(g, listed(g, min(p["a"], p["b"])), listed(g, max(p["a"], p["b"])))]
    if small == 0 or large == small:
        return [SolutionStep("equal", f"{large}, {large}: both are {large}.", large)]
    return [work("less", large, "-", small, f"{large}, {small}: ")]


def meeting(left: int, right: int, steps: tuple[int, int], path: Path) -> list[SolutionStep]:
    """Two numbers, the smaller of which is repeatedly raised by its own step until they are equal."""
    now = [left, right]
    for step in path:
        if step.name in ("left", "right"):
            now[step.name == "right"] = step.value
    if now[0] == now[1]:
        return [SolutionStep("equal", f"{now[0]}, {now[1]}: both are {now[0]}.", now[0])]
    side = now[0] > now[1]
    return [work("right" if side else "left", now[side], "+", steps[side], f"{now[0]}, {now[1]}: ")]


def multiple(p: Params, path: Path) -> list[SolutionStep]:
    """lcm by raising the smaller of the two multiples until they meet."""
    a, b = p["a"], p["b"]
    if path and path[-1].name == "equal":
        number = path[-1].value
        return [check(number, listed(a, number), listed(b, number))]
    return meeting(a, b, (a, b), path)


def powers(p: Params, path: Path) -> list[SolutionStep]:
    """Multiply by a and take the remainder, e − 1 times."""
    a, e, m = p["a"], p["e"], p["m"]
    now = path[-1].value if path else a
    steps = len(path) + 1
    if steps == e:
        before = path[-2].value if len(path) > 1 else a
        again = before * a % m
        return [check(now, (f"{product(a, before)}, {remainder(before * a, m)}", again, now))]
    return [SolutionStep("power", f"{a}^{steps + 1}: {product(now, a)}, {remainder(now * a, m)}.", now * a % m)]


def remainders(p: Params, path: Path) -> list[SolutionStep]:
    """Two numbers with the right remainders are raised by m and by n until they meet."""
    m, r, n, s = p["m"], p["r"], p["n"], p["s"]
    if path and path[-1].name == "equal":
        number = path[-1].value
        lines = [(remainder(number, modulus), number % modulus, rest) for modulus, rest in ((m, r), (n, s))]
        return [check(number, *lines)]
    return meeting(r, s or n, (m, n), path)


def quotient(number: int, divisor: int) -> str:
    """How often it goes into its multiple, counted on the way down: "28-20=8, 8-4=4, 4-4=0, 5+1+1=7"."""
    steps, times = [], []
    while number:
        count = 5 if number >= 5 * divisor else 1
        steps.append(f"{number}-{count * divisor}={number - count * divisor}")
        number -= count * divisor
        times.append(count)
    return ", ".join([*steps, *([f"{'+'.join(map(str, times))}={sum(times)}"] if len(times) > 1 else [])])


def divisors(p: Params, path: Path) -> list[SolutionStep]:
    """Pairs d·(n/d) with d up to the root of n, counted or added up on the way."""
    n, kind = p["n"], p["kind"]
    d = len(path) + 1
    so_far = path[-1].value if path else 0
    if path and path[-1].name == "end":
        return [SolutionStep("check", f"So {so_far}.", so_far, final=True, brief="")]
    if d * d > n:
        return [SolutionStep("end", f"{product(d, d)}, over {n}.", so_far)]
    if d == 2 and n % 2:
        return [SolutionStep("none", f"{n} is odd, so not 2.", so_far, brief="")]
    if n % d:
        return [SolutionStep("none", f"By {d}: {remainder(n, d)}, no.", so_far, brief="")]
    pair = (d,) if d * d == n else (d, n // d)
    text = f"1*{n}={n}" if d == 1 else f"By {d}: {quotient(n, d)}, {product(d, n // d)}"
    if kind == 0:
        return [SolutionStep("pair", f"{text}: {so_far}+{len(pair)}={so_far + len(pair)}.", so_far + len(pair))]
    for part in pair:
        text += f"{':' if part == d else ','} {total(so_far, part)}"
        so_far += part
    return [SolutionStep("pair", f"{text}.", so_far)]

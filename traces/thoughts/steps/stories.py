"""Steps for the families told as stories: two heaps, change, saving, sides, wheels, averages and shares."""

from eval.problems.families.family import Params
from traces.thoughts.steps.arithmetic import sums, swapped, undone
from traces.thoughts.steps.step import Path, SolutionStep, check, has, product, remainder, total, trying, value, work


def heaps(p: Params, path: Path) -> list[SolutionStep]:
    """Two products, added or subtracted, as in the family of sums of products."""
    return sums({**p, "kind": p["kind"] + 1}, path)


def change(p: Params, path: Path) -> list[SolutionStep]:
    a, b, n = p["a"], p["b"], p["n"]
    if not path:
        return [work("spent", a, "*", b, f"{a} for {b} each: ")]
    spent = value(path, "spent")
    if len(path) == 1:
        return [work("result", n, "-", spent, f"Left of {n}: ")]
    result = path[-1].value
    return [check(result, swapped(a, b, spent), undone(result, n, spent, "-"))]


def saving(p: Params, path: Path) -> list[SolutionStep]:
    start, d, n = p["start"], p["d"], p["n"]
    sign = "-" if p["kind"] else "+"
    if not path:
        return [work("all", n, "*", d, f"{n} times {d}: ")]
    everything = value(path, "all")
    if len(path) == 1:
        return [work("result", start, sign, everything, f"From {start} {'down' if p['kind'] else 'up'}: ")]
    result = path[-1].value
    return [check(result, swapped(n, d, everything), undone(result, start, everything, sign))]


def sides(p: Params, path: Path) -> list[SolutionStep]:
    a, b = p["a"], p["b"]
    if p["kind"]:
        if not path:
            return [work("result", a, "*", b, f"Area, {a} times {b}: ")]
        return [check(path[-1].value, swapped(a, b, path[-1].value))]
    if not path:
        return [work("half", a, "+", b, "Half way round: ")]
    if len(path) == 1:
        return [work("result", 2, "*", value(path, "half"), "All round: ")]
    again = f"{total(a, a)}, {total(b, b)}, {total(2 * a, 2 * b)}"
    return [check(path[-1].value, (again, 2 * (a + b), path[-1].value))]


def wheel(p: Params, path: Path) -> list[SolutionStep]:
    """The steps are added and full turns taken away; the check takes the turns away first."""
    m, s, n = p["m"], p["s"], p["n"]
    if not path:
        return [work("far", s, "+", n)]
    if len(path) == 1:
        far = value(path, "far")
        return [SolutionStep("result", f"Turns of {m}: {remainder(far, m)}.", far % m)]
    rest = n % m
    again = f"{remainder(n, m)}, {total(s, rest)}, {remainder(s + rest, m)}"
    return [check(path[-1].value, (again, (s + n) % m, path[-1].value))]


def average(p: Params, path: Path) -> list[SolutionStep]:
    a, b, c = p["a"], p["b"], p["c"]
    count = 3 if c else 2
    if not path:
        return [work("two", a, "+", b)]
    if c and len(path) == 1:
        return [work("all", value(path, "two"), "+", c)]
    everything = value(path, "all" if c else "two")
    if not has(path, "mean"):
        return trying(everything, count, "mean", f"{count}*")
    mean = path[-1].value
    again = f"{total(c, b)}, {total(c + b, a)}" if c else total(b, a)
    return [check(mean, (again, a + b + c, everything), (product(mean, count), mean * count, everything))]


def share(p: Params, path: Path) -> list[SolutionStep]:
    """k parts and one more make the whole."""
    k, s = p["k"], p["s"]
    if not path:
        return [work("parts", k, "+", 1, "Parts: ")]
    parts = value(path, "parts")
    if len(path) == 1:
        return trying(s, parts, "part", f"{parts}*")
    part = value(path, "part")
    if p["kind"] and not has(path, "larger"):
        return [work("larger", k, "*", part, f"{k} parts: ")]
    larger = value(path, "larger") if p["kind"] else k * part
    text = total(larger, part) if p["kind"] else f"{product(part, k)}, {total(larger, part)}"
    return [check(path[-1].value, (text, larger + part, s))]

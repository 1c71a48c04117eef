"""Steps for sums, word problems and counting multiples, in the style "7*8=56. 56+30=86. Check: …"."""

from eval.problems.families.family import Params
from traces.thoughts.steps.step import Line, Path, SolutionStep, check, product, total, trying, value, work


def swapped(a: int, b: int, had: int) -> Line:
    """The product with its factors swapped."""
    return (product(b, a), a * b, had)


def undone(result: int, first: int, second: int, sign: str) -> Line:
    """The check of a sum (added in the other order) or of a difference (added back up)."""
    if sign == "+":
        return (total(second, first), second + first, result)
    return (total(result, second), result + second, first)


def sums(p: Params, path: Path) -> list[SolutionStep]:
    a, b, c, d = p["a"], p["b"], p["c"], p["d"]
    if not path:
        return [work("first", a, "*", b)]
    first = value(path, "first")
    if p["kind"] > 0 and len(path) == 1:
        return [work("second", c, "*", d)]
    second = value(path, "second") if p["kind"] else c
    sign = "-" if p["kind"] == 2 else "+"
    if path[-1].name != "result":
        return [work("result", first, sign, second)]
    result = path[-1].value
    lines = [swapped(a, b, first)] + ([swapped(c, d, second)] if p["kind"] else [])
    return [check(result, *lines, undone(result, first, second, sign))]


def word(p: Params, path: Path) -> list[SolutionStep]:
    a, b, c, d = p["a"], p["b"], p["c"], p["d"]
    if not path:
        return [work("all", a, "*", b, f"{a} times {b}: ")]
    everything = value(path, "all")
    sign, lead = ("+", f"{c} more: ") if p["kind"] == 1 else ("-", f"{c} go: ")
    if len(path) == 1:
        return [work("left", everything, sign, c, lead)]
    left = value(path, "left")
    if len(path) == 2 and p["kind"] == 2:
        return trying(left, d, "share", f"{d}*")
    result = value(path, "share") if p["kind"] == 2 else left
    return [check(result, swapped(a, b, everything), undone(left, everything, c, sign))]


def multiples(p: Params, path: Path) -> list[SolutionStep]:
    """k·1, k·2, … until one exceeds the end; those below the start are not counted."""
    k, low, high = p["k"], p["low"], p["high"]
    below = sum(step.name == "below" for step in path)
    if path and path[-1].name == "over":
        last = path[-1].value - 1
        return [SolutionStep("count", f"So {last}-{below}={last - below}.", last - below, work=True)]
    if path and path[-1].name == "count":
        count = path[-1].value
        return [check(count, (total(below, count), below + count, value(path, "over") - 1))]
    i = len(path) + 1
    text = product(k, i)
    if k * i > high:
        return [SolutionStep("over", f"{text}, over {high}.", i)]
    if k * i < low:
        return [SolutionStep("below", f"{text}, below {low}.", i)]
    return [SolutionStep("in", f"{text}, up to {high}.", i)]

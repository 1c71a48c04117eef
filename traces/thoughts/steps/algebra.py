"""Steps for linear and quadratic equations, picking two numbers and countdown, mostly by trial and error."""

from eval.problems.families.algebra import numbers_of
from eval.problems.families.family import Params
from traces.thoughts.steps.arithmetic import swapped, undone
from traces.thoughts.steps.step import (
    RESULT,
    WRITTEN,
    Path,
    SolutionStep,
    check,
    difference,
    has,
    product,
    total,
    trying,
    value,
    work,
)


def linear(p: Params, path: Path) -> list[SolutionStep]:
    a, b, d, c = p["a"], p["b"], p["d"], p["c"]
    if d and not has(path, "factor"):
        return [work("factor", a, "-", d, "x on one side: ")]
    factor = value(path, "factor") if d else a
    sign, other = ("-", "+") if b > 0 else ("+", "-")
    if not has(path, "target"):
        return [work("target", c, sign, abs(b), f"{factor}x {other} {abs(b)} = {c}, so {factor}x: ")]
    target = value(path, "target")
    if path[-1].name == "target":
        return trying(target, factor, "x", "x=")
    x = value(path, "x")
    lines = [undone(target, c, abs(b), sign)]
    return [check(x, *lines, (total(factor, d), factor + d, a))] if d else [check(x, *lines)]


def quadratic(p: Params, path: Path) -> list[SolutionStep]:
    """Try pairs with the right sum for the right product; each pair takes one subtraction and one table fact."""
    s, wanted = p["s"], p["p"]
    if not path:
        steps = []
        for r in range(1, s // 2 + 1):
            fits = r * (s - r) == wanted
            text = f"{s}-{r}={s - r}: {product(r, s - r)}, want {wanted}, {'fits' if fits else 'no'}."
            brief = f"{r} and {s - r} have the sum {s} and the product {wanted}." if fits else None
            steps.append(SolutionStep("pair", text, r, dead=not fits, brief=brief))
            if fits:
                return steps
        return steps
    r = value(path, "pair")
    if len(path) == 1:
        which, root = ("Larger", s - r) if p["kind"] else ("Smaller", r)
        return [SolutionStep("root", f"{which} of {r} and {s - r}: {root}.", root)]
    return [check(value(path, "root"), (product(s - r, r), r * (s - r), wanted), (total(r, s - r), s, s))]


def pick(p: Params, path: Path) -> list[SolutionStep]:
    numbers, t = numbers_of(p), p["t"]
    if not path:
        steps = []
        for n in numbers:
            rest = t - n
            if rest <= 0:
                steps.append(SolutionStep("one", f"{n} is too big for {t}.", n, dead=True))
            elif rest in numbers and rest != n:
                return [*steps, SolutionStep("one", f"{difference(t, n)}, in the list.", n)]
            else:
                steps.append(SolutionStep("one", f"{difference(t, n)}, not in the list.", n, dead=True))
        return steps
    n = value(path, "one")
    rest = t - n
    if len(path) == 1:
        if p["kind"] == 2:
            return [work("result", n, "*", rest)]
        which, result = ("Larger", max(n, rest)) if p["kind"] else ("Smaller", min(n, rest))
        return [SolutionStep("result", f"{which} of {n} and {rest}: {result}.", result)]
    result = value(path, "result")
    line = (total(n, rest), n + rest, t)
    return [check(result, line, (product(rest, n), rest * n, result))] if p["kind"] == 2 else [check(result, line)]


def countdown(p: Params, path: Path) -> list[SolutionStep]:
    """Each first operation, then what can still reach the target: more is needed (+ and ×) or less (−)."""
    a, b, c, t = p["a"], p["b"], p["c"], p["t"]
    if not path:
        steps = []
        for sign in "+-*":
            middle = RESULT[sign](a, b)
            need = "too small" if middle < t else "too big" if middle > t else "the same, no"
            steps.append(
                SolutionStep(
                    f"first{sign}",
                    f"{WRITTEN[sign](a, b)}, want {t}, {need}.",
                    middle,
                    dead=middle == t or (middle > t and middle < c),
                    brief=f"{WRITTEN[sign](a, b)}.",
                )
            )
        return steps
    middle = path[0].value
    if len(path) == 1:
        steps = []
        for sign in "+*" if middle < t else "-":
            result = RESULT[sign](middle, c)
            fits = result == t
            text = f"{WRITTEN[sign](middle, c)}, want {t}, {'fits' if fits else 'no'}."
            steps.append(
                SolutionStep(f"second{sign}", text, result, dead=not fits, brief=f"{WRITTEN[sign](middle, c)}.")
            )
            if fits:
                break
        return steps
    if len(path) == 2:
        return [SolutionStep("middle", f"In between: {middle}.", middle)]
    sign = path[1].name[-1]
    again = swapped(middle, c, t) if sign == "*" else undone(t, middle, c, sign)
    return [check(middle, again)]

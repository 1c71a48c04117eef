r"""The symbolic step: math-verify reads the LaTeX, and values are compared by number where they can be.

math-verify 0.9.0 alone calls 1/2004! and 1/2006! equal (both vanish next to 1), never ends on 9^{9^9} without its
timeouts, and depends on direction. So expressions are first evaluated to 50 digits and more without ever building a
huge integer; only what cannot be evaluated (relations, sets, undefined functions) is left to its own comparison.

May be slow or never end: run it only where it can be killed (`eval.grading.grader`).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import mpmath
import sympy
from latex2sympy2_extended import NormalizationConfig
from math_verify import LatexExtractionConfig, parse, verify
from math_verify.errors import TimeoutException
from sympy.logic.boolalg import Boolean

from eval.grading.equivalence import DECIMALS, Verdict, decimals_of

DIGITS = 50
MAX_DIGITS = 100_000
"""Largest count of digits written out to tell two big numbers apart."""
_LETTER = re.compile(r"\\(?:(?:text|math\w+|operatorname|begin|end)\s*\{[^{}]*\}|[a-zA-Z]+)|(?P<letter>[a-zA-Z])")
_INDEXED_E = re.compile(r"(?<![a-zA-Z])E_")
_MAX_EXPONENT = 1e15
_MAX_FACTORIAL = 20_000
_POINTS = ("1.3718281828", "0.4142135623", "2.2360679774", "-1.7320508075", "-0.5772156649")
_POSITIVE_POINTS = 3
# Units are dropped by our own rules: math-verify would strip a trailing s, h, t, c, m, d, l or g as one.
_READING = [
    LatexExtractionConfig(
        boxed_match_priority=0,
        normalization_config=NormalizationConfig(
            basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="last", equations=False
        ),
    )
]
_FUNCTIONS: Mapping[str, Any] = {
    name: getattr(mpmath.mp, name)
    for stem in ("sin", "cos", "tan", "cot", "sec", "csc")
    for name in (stem, f"a{stem}", f"{stem}h", f"a{stem}h")
} | {"Abs": abs, "re": mpmath.re, "im": mpmath.im, "conjugate": mpmath.conj, "arg": mpmath.arg}
_CONSTANTS: Mapping[Any, Any] = {
    sympy.pi: lambda: mpmath.mp.pi,
    sympy.E: lambda: mpmath.mp.e,
    sympy.I: lambda: mpmath.mpc(0, 1),
    sympy.GoldenRatio: lambda: mpmath.mp.phi,
}


class Unevaluable(Exception):
    """Not a number that can be had this way: an infinite, undefined or unknown part."""


class TooBig(Unevaluable):
    """A number so big that no digits of it can be had; sympy would never end on it either."""


def same(answer: str, gold: str) -> Verdict:
    """Whether two expressions in LaTeX are equal. May run for ever."""
    answer, gold = tell_cases_apart(answer, gold)
    theirs = read(gold)
    if theirs is None:
        return Verdict(None, "the gold cannot be read as mathematics")
    ours = read(answer)
    if ours is None:
        return Verdict(None, "the answer cannot be read as mathematics")
    if isinstance(ours, sympy.Expr) and isinstance(theirs, sympy.Expr):
        try:
            verdict = _by_value(ours, theirs, decimals_of(answer))
        except TooBig:
            return Verdict(None, "too big to compare")
        if verdict is not None:
            return verdict
    return _by_math_verify(ours, theirs)


def tell_cases_apart(answer: str, gold: str) -> tuple[str, str]:
    r"""Both texts with free letters for the capitals that would be misread, so that Rr is not r^2.

    math-verify reads every letter as a small one. Where a text has R and r they are two things; where one text has R
    only and the other r only they are taken for the same. E with an index, which it cannot read, gets a letter too.
    """
    letters = [{letter for letter in _LETTER.findall(text) if letter} for text in (answer, gold)]
    capitals = {c for found in letters for c in found if c.isupper() and c.lower() in found}
    capitals |= {"E"} if _INDEXED_E.search(f"{answer} {gold}") else set()
    used = {c.lower() for found in letters for c in found}
    free = iter(c for c in "qwzkjhgfpmuvyxtsrnlcba" if c not in used)
    names = dict(zip(sorted(capitals), free, strict=False))

    def rename(text: str) -> str:
        return _LETTER.sub(lambda found: names.get(found[0], found[0]), text)

    return rename(answer), rename(gold)


@lru_cache(maxsize=4096)
def read(text: str) -> sympy.Basic | sympy.MatrixBase | None:
    """The expression as math-verify reads it, not evaluated; None when it cannot."""
    try:
        found = parse(
            f"\\boxed{{{_balanced(text)}}}",
            _READING,
            fallback_mode="no_fallback",
            extraction_mode="first_match",
            parsing_timeout=None,
            raise_on_error=True,
        )
    except (Exception, TimeoutException):  # whatever a third-party parser raises on hostile text means: unreadable
        return None
    return found[0] if found and not isinstance(found[0], str) else None


def _balanced(text: str) -> str:
    """A box that closes early would make math-verify read only a part."""
    depth = 0
    for character in re.sub(r"\\.", "", text):
        depth += (character == "{") - (character == "}")
        if depth < 0:
            raise ValueError("unbalanced braces")
    if depth:
        raise ValueError("unbalanced braces")
    return text


def _by_value(ours: sympy.Expr, theirs: sympy.Expr, decimals: int) -> Verdict | None:
    names = {symbol.name for symbol in ours.free_symbols | theirs.free_symbols} - {"i"}
    if not names:
        try:
            equal = _equal_at(ours, theirs, {})
        except TooBig:
            raise
        except Unevaluable:
            return None
        if not equal and decimals >= DECIMALS and _rounds_to(theirs, ours, decimals):
            return Verdict(True, f"decimal right to {decimals} places")
        return Verdict(equal, "value")
    try:
        agree = [_equal_at(ours, theirs, _point(names, start)) for start in range(len(_POINTS))]
    except TooBig:
        raise
    except Unevaluable:
        return None
    if all(agree):
        return Verdict(True, "value at several points")
    # Equal where all is positive only: a matter of branches and signs, such as \ln x^2 and 2\ln x.
    return None if all(agree[:_POSITIVE_POINTS]) else Verdict(False, "value at a point")


def _point(names: set[str], start: int) -> dict[str, Any]:
    sign = -1 if start >= _POSITIVE_POINTS else 1
    return {
        name: sign * abs(mpmath.mpf(_POINTS[start])) + mpmath.mpf(index * (start + 1)) / 7
        if sign > 0
        else mpmath.mpf(_POINTS[start]) - mpmath.mpf(index) / 7
        for index, name in enumerate(sorted(names))
    }


def _equal_at(ours: sympy.Expr, theirs: sympy.Expr, point: Mapping[str, Any]) -> bool:
    """Equal to DIGITS digits relative to their size, and to the units' digit and DIGITS beyond it when they are big."""
    with mpmath.workdps(2 * DIGITS):
        a, b = evaluate(ours, point), evaluate(theirs, point)
        size = max(abs(a), abs(b))
        if not _close(a, b, size):
            return False
        magnitude = int(mpmath.log10(size)) if size else 0
    if magnitude < DIGITS // 2:
        return True
    if magnitude > MAX_DIGITS:
        raise TooBig
    with mpmath.workdps(magnitude + 2 * DIGITS):
        a, b = evaluate(ours, point), evaluate(theirs, point)
        return bool(abs(a - b) < mpmath.mpf(10) ** -DIGITS)


def _close(a: Any, b: Any, size: Any) -> bool:
    # Below 10^-DIGITS next to numbers of ordinary size a value is the rounding of 0.
    return bool(abs(a - b) <= size * mpmath.mpf(10) ** -DIGITS)


def _rounds_to(exact: sympy.Expr, decimal: sympy.Expr, decimals: int) -> bool:
    with mpmath.workdps(2 * DIGITS):
        value, stated = evaluate(exact, {}), evaluate(decimal, {})
        terminates = abs(value * mpmath.mpf(10) ** 20 - mpmath.nint(mpmath.re(value) * mpmath.mpf(10) ** 20)) < 1e-20
        return not terminates and bool(abs(value - stated) <= mpmath.mpf(10) ** -decimals / 2)


def evaluate(expression: sympy.Basic, point: Mapping[str, Any]) -> Any:
    """The value as an mpmath number at the working precision, with `point` giving the free symbols.

    Raises Unevaluable. Big powers stay floating-point numbers, so 9^{9^9} costs nothing.
    """
    if expression.is_Integer or expression.is_Rational:
        return mpmath.mpf(int(expression.p)) / int(expression.q)
    if expression.is_Float:
        return mpmath.mpf(str(expression))
    if expression in _CONSTANTS:
        return +_CONSTANTS[expression]()
    if isinstance(expression, sympy.Symbol):
        return _symbol(expression.name, point)
    arguments = [evaluate(argument, point) for argument in expression.args]
    try:
        value = _apply(expression, arguments)
    except (ZeroDivisionError, ValueError, OverflowError, TypeError) as error:
        raise Unevaluable from error
    if not mpmath.isfinite(value):
        raise Unevaluable
    return value


def _symbol(name: str, point: Mapping[str, Any]) -> Any:
    if name in point:
        return point[name]
    if name == "i":
        return mpmath.mpc(0, 1)
    raise Unevaluable


def _apply(expression: sympy.Basic, arguments: list[Any]) -> Any:
    name = type(expression).__name__
    if isinstance(expression, sympy.Add):
        return mpmath.fsum(arguments)
    if isinstance(expression, sympy.Mul):
        return mpmath.fprod(arguments)
    if isinstance(expression, sympy.Pow):
        return _power(*arguments)
    if isinstance(expression, sympy.log):
        return mpmath.log(*arguments)
    if isinstance(expression, sympy.factorial):
        return _factorial(arguments[0])
    if name in ("floor", "ceiling"):
        if abs(arguments[0]) > mpmath.mpf(10) ** DIGITS:
            raise Unevaluable
        return {"floor": mpmath.floor, "ceiling": mpmath.ceil}[name](arguments[0])
    if name == "UnevaluatedExpr":
        return arguments[0]
    if name == "exp":
        return _power(+mpmath.mp.e, arguments[0])
    if name in _FUNCTIONS:
        if arguments and abs(arguments[0]) > mpmath.mpf(10) ** DIGITS:
            raise Unevaluable
        return _FUNCTIONS[name](*arguments)
    raise Unevaluable


def _power(base: Any, exponent: Any) -> Any:
    if base and abs(exponent) * abs(mpmath.log(abs(base))) > _MAX_EXPONENT:
        raise TooBig
    return mpmath.power(base, exponent)


def _factorial(n: Any) -> Any:
    if mpmath.im(n) or n < 0:
        raise Unevaluable
    if n > 10**9 or (n > _MAX_FACTORIAL and mpmath.mp.dps > 2 * DIGITS):
        raise TooBig
    return mpmath.mpf(int(sympy.factorial(int(n)))) if n == int(n) and n <= _MAX_FACTORIAL else mpmath.factorial(n)


def _by_math_verify(ours: Any, theirs: Any) -> Verdict:
    """In either direction, since math-verify follows the form of whatever it takes for the gold."""
    try:
        either = any(
            verify(a, b, allow_set_relation_comp=True, timeout_seconds=None, raise_on_error=True)
            for a, b in ((theirs, ours), (ours, theirs))
        )
    except (Exception, TimeoutException) as error:  # sympy raises anything at all on odd input; none of it is a verdict
        return Verdict(None, f"math-verify: {type(error).__name__}")
    if either and isinstance(ours, Boolean) != isinstance(theirs, Boolean) and sympy.S.false in (ours, theirs):
        return Verdict(None, "math-verify: a relation without meaning")
    return Verdict(either, "math-verify")

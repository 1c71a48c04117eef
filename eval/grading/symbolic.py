r"""The symbolic step: math-verify parses the LaTeX, and values are compared numerically where possible.

math-verify 0.9.0 alone calls 1/2004! and 1/2006! equal (both vanish next to 1), never finishes on 9^{9^9} without its
timeouts, and is not symmetric. So expressions are first evaluated to 50 or more digits without ever building a huge
integer; only what cannot be evaluated (relations, sets, undefined functions) is left to math-verify's own comparison.

May be slow or never finish: run it only where it can be killed (`eval.grading.grader`).
"""

import re
from functools import lru_cache
from typing import Any

import mpmath
import sympy
from latex2sympy2_extended import NormalizationConfig
from math_verify import LatexExtractionConfig, parse, verify
from math_verify.errors import TimeoutException
from sympy.logic.boolalg import Boolean

from eval.grading.equivalence import DECIMALS
from eval.grading.evaluation import DIGITS, OutsideDomain, TooBig, Unevaluable, equal_at, evaluate, rounds_to
from eval.grading.numerals import decimals_of
from eval.grading.partwise import Equality

_LETTER = re.compile(r"\\(?:(?:text|math\w+|operatorname|begin|end)\s*\{[^{}]*\}|[a-zA-Z]+)|(?P<letter>[a-zA-Z])")
_INDEXED_E = re.compile(r"(?<![a-zA-Z])E_")
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


def same(answer: str, gold: str) -> Equality:
    """Whether two expressions in LaTeX are equal. May never return."""
    answer, gold = tell_cases_apart(answer, gold)
    theirs = read(gold)
    if theirs is None:
        return Equality(None, "the gold cannot be read as mathematics")
    ours = read(answer)
    if ours is None:
        return Equality(None, "the answer cannot be read as mathematics")
    if isinstance(ours, sympy.Expr) and isinstance(theirs, sympy.Expr):
        try:
            verdict = _by_value(ours, theirs, decimals_of(answer))
        except TooBig:
            return Equality(None, "too big to compare")
        if verdict is not None:
            return verdict
    if isinstance(ours, sympy.Eq) and isinstance(theirs, sympy.Eq) and _same_equation(ours, theirs):
        return Equality(True, "same equation")
    return _by_math_verify(ours, theirs)


def tell_cases_apart(answer: str, gold: str) -> tuple[str, str]:
    r"""Both texts with ambiguous capitals replaced by unused letters, so that Rr is not r^2.

    math-verify reads every letter as lower case. R and r in one text are different things; if one text has only R and
    the other only r, they are the same. An indexed E, which math-verify cannot parse, is replaced too.
    """
    letters = [{letter for letter in _LETTER.findall(text) if letter} for text in (answer, gold)]
    capitals = {c for of_text in letters for c in of_text if c.isupper() and c.lower() in of_text}
    capitals |= {"E"} if _INDEXED_E.search(f"{answer} {gold}") else set()
    used = {c.lower() for of_text in letters for c in of_text}
    free = iter(c for c in "qwzkjhgfpmuvyxtsrnlcba" if c not in used)
    names = dict(zip(sorted(capitals), free, strict=False))

    def rename(text: str) -> str:
        return _LETTER.sub(lambda match: names.get(match[0], match[0]), text)

    return rename(answer), rename(gold)


@lru_cache(maxsize=4096)
def read(text: str) -> sympy.Basic | sympy.MatrixBase | None:
    """The expression as parsed by math-verify, unevaluated; None if it cannot be parsed."""
    try:
        parsed = parse(
            f"\\boxed{{{_balanced(text)}}}",
            _READING,
            fallback_mode="no_fallback",
            extraction_mode="first_match",
            parsing_timeout=None,
            raise_on_error=True,
        )
    except (Exception, TimeoutException):  # anything a third-party parser raises on hostile text means “unreadable”
        return None
    return parsed[0] if parsed and not isinstance(parsed[0], str) else None


def _balanced(text: str) -> str:
    """The text unchanged. Raises ValueError for unbalanced braces: in a box that closes early, math-verify would read
    only part of the answer."""
    depth = 0
    for character in re.sub(r"\\.", "", text):
        depth += (character == "{") - (character == "}")
        if depth < 0:
            raise ValueError("unbalanced braces")
    if depth:
        raise ValueError("unbalanced braces")
    return text


def _by_value(ours: sympy.Expr, theirs: sympy.Expr, decimals: int) -> Equality | None:
    """The verdict from comparing values: the numbers themselves, or values at several points if there are letters.

    None if that does not decide: some part cannot be evaluated, or the two agree only at positive points.
    """
    names = {symbol.name for symbol in ours.free_symbols | theirs.free_symbols} - {"i"}
    try:
        if not names:
            equal = equal_at(ours, theirs, {})
            if not equal and decimals >= DECIMALS and rounds_to(theirs, ours, decimals):
                return Equality(True, f"decimal right to {decimals} places")
            return Equality(equal, "value")
        agree = [equal_at(ours, theirs, _point(names, number)) for number in range(len(_POINTS))]
    except TooBig:
        raise
    except Unevaluable:
        return None
    if all(agree):
        return Equality(True, "value at several points")
    if not all(agree[:_POSITIVE_POINTS]):
        return Equality(False, "value at a point")
    # Equal at positive points only: a matter of branches, as with sqrt(x^2) and x, unless the only reason is that
    # logarithms have no real value elsewhere, as with ln x^2 and 2 ln x.
    return Equality(True, "value where logarithms are real") if _equal_where_real(ours, theirs, names) else None


def _equal_where_real(ours: sympy.Expr, theirs: sympy.Expr, names: set[str]) -> bool:
    compared = 0
    for number in range(len(_POINTS)):
        try:
            if not equal_at(ours, theirs, _point(names, number), real_logarithms=True):
                return False
            compared += 1
        except OutsideDomain:
            continue
    return compared >= _POSITIVE_POINTS - 1


def _same_equation(ours: sympy.Eq, theirs: sympy.Eq) -> bool:
    """Whether one equation is a multiple of the other, possibly with its sides swapped.

    The differences of the sides, f and g, then have a constant ratio: f(p) g(q) = f(q) g(p) for all points p and q.
    """
    f, g = (equation.lhs - equation.rhs for equation in (ours, theirs))
    names = {symbol.name for symbol in f.free_symbols | g.free_symbols} - {"i"}
    if not names or f.free_symbols != g.free_symbols:
        return False
    try:
        with mpmath.workdps(2 * DIGITS):
            values = [(evaluate(f, p), evaluate(g, p)) for p in (_point(names, n) for n in range(len(_POINTS)))]
            (f0, g0), *rest = values
            if not f0 or not g0:
                return False
            size = mpmath.mpf(10) ** -DIGITS
            return all(abs(x * g0 - y * f0) <= size * max(abs(x * g0), abs(y * f0)) for x, y in rest)
    except Unevaluable:
        return False


def _point(names: set[str], number: int) -> dict[str, Any]:
    """A value for every letter: positive at the first points, negative at the others, never a round number."""
    start = mpmath.mpf(_POINTS[number])
    if number < _POSITIVE_POINTS:
        return {name: start + mpmath.mpf(index * (number + 1)) / 7 for index, name in enumerate(sorted(names))}
    return {name: start - mpmath.mpf(index) / 7 for index, name in enumerate(sorted(names))}


def _by_math_verify(ours: Any, theirs: Any) -> Equality:
    """Compares in both directions, since math-verify follows the form of whichever it takes for the gold."""
    try:
        either = any(
            verify(a, b, allow_set_relation_comp=True, timeout_seconds=None, raise_on_error=True)
            for a, b in ((theirs, ours), (ours, theirs))
        )
    except (Exception, TimeoutException) as error:  # sympy raises anything at all on odd input; none of it is a verdict
        return Equality(None, f"math-verify: {type(error).__name__}")
    if either and isinstance(ours, Boolean) != isinstance(theirs, Boolean) and sympy.S.false in (ours, theirs):
        return Equality(None, "math-verify: a relation without meaning")
    return Equality(either, "math-verify")

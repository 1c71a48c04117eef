"""Values of sympy expressions as mpmath numbers, without ever building a huge integer.

sympy's own evaluation would write out 9^(9^9) digit by digit; here a big power stays a floating-point number, and a
number too big to be told apart from its neighbours raises TooBig.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import mpmath
import sympy

DIGITS = 50
"""Significant digits to which values must agree."""
MAX_DIGITS = 100_000
"""Most digits computed to tell two big numbers apart."""
_GENEROUS = 2_000
"""Magnitude (powers of ten) up to which extra digits are cheap."""
_MAX_EXPONENT = 1e15
_MAX_FACTORIAL = 20_000
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
    """The expression cannot be evaluated this way: some part is infinite, undefined or unknown."""


class TooBig(Unevaluable):
    """The number is too big for any of its digits to be computed; sympy would never finish on it either."""


class OutsideDomain(Unevaluable):
    """A logarithm of a non-positive number: at such a point real functions need not agree."""


class Watch:
    """Records, during an evaluation, the largest absolute power of ten among the values of all subexpressions."""

    def __init__(self, real_logarithms: bool) -> None:
        self.magnitude = 0
        self._real_logarithms = real_logarithms

    def see(self, expression: sympy.Basic, arguments: Sequence[Any], value: Any) -> None:
        """Record one value. Raises OutsideDomain if only real logarithms are allowed and this one is not real."""
        is_logarithm = self._real_logarithms and isinstance(expression, sympy.log)
        if is_logarithm and (mpmath.im(arguments[0]) or arguments[0] <= 0):
            raise OutsideDomain
        if value:
            self.magnitude = max(self.magnitude, abs(int(mpmath.log10(abs(value)))))


def equal_at(a: sympy.Expr, b: sympy.Expr, point: Mapping[str, Any], *, real_logarithms: bool = False) -> bool:
    """Whether two expressions have the same value at `point`, which gives the values of the free symbols.

    Raises Unevaluable; with `real_logarithms`, OutsideDomain where a logarithm has no real value.
    """
    watch = Watch(real_logarithms)
    with mpmath.workdps(2 * DIGITS):
        x, y = evaluate(a, point, watch), evaluate(b, point, watch)
        size = max(abs(x), abs(y))
        noise = mpmath.mpf(10) ** (min(watch.magnitude, DIGITS) - 2 * DIGITS + 5)  # what rounding makes of a 0
        if abs(x - y) > max(size * mpmath.mpf(10) ** -DIGITS, noise):
            return False
    if watch.magnitude <= DIGITS // 5:
        return True
    if watch.magnitude > MAX_DIGITS:
        raise TooBig
    # Close is not equal: sqrt(10^120 + 1) differs from 10^60 by only 10^-60. A difference can be smaller than the
    # values by a few times the magnitude of their parts (120 here), so that many digits are compared. Numbers with
    # thousands of digits get fewer, to save time: enough to tell whole numbers apart.
    digits = 2 * DIGITS + (4 * watch.magnitude if watch.magnitude <= _GENEROUS else watch.magnitude)
    with mpmath.workdps(digits):
        x, y = evaluate(a, point), evaluate(b, point)
        return bool(abs(x - y) <= max(abs(x), abs(y), mpmath.mpf(1)) * mpmath.mpf(10) ** (DIGITS - digits))


def rounds_to(exact: sympy.Expr, decimal: sympy.Expr, decimals: int) -> bool:
    """Whether `decimal` is the exact, non-terminating value rounded to that many places."""
    with mpmath.workdps(2 * DIGITS):
        value, stated = evaluate(exact, {}), evaluate(decimal, {})
        shifted = value * mpmath.mpf(10) ** 20
        ends = abs(shifted - mpmath.nint(mpmath.re(shifted))) < 1e-20
        return not ends and bool(abs(value - stated) <= mpmath.mpf(10) ** -decimals / 2)


def evaluate(expression: sympy.Basic, point: Mapping[str, Any], watch: Watch | None = None) -> Any:
    """The value as an mpmath number at the working precision; `point` gives the values of the free symbols.

    `watch` sees the value of every subexpression. Raises Unevaluable.
    """
    if expression.is_Integer or expression.is_Rational:
        value = mpmath.mpf(int(expression.p)) / int(expression.q)
        if watch:
            watch.see(expression, (), value)
        return value
    if expression.is_Float:
        return mpmath.mpf(str(expression))
    if expression in _CONSTANTS:
        return +_CONSTANTS[expression]()
    if isinstance(expression, sympy.Symbol):
        return _symbol(expression.name, point)
    arguments = [evaluate(argument, point, watch) for argument in expression.args]
    try:
        value = _apply(expression, arguments)
    except (ZeroDivisionError, ValueError, OverflowError, TypeError) as error:
        raise Unevaluable from error
    if not mpmath.isfinite(value):
        raise Unevaluable
    if watch:
        watch.see(expression, arguments, value)
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

"""Numbers in plain text and LaTeX, read exactly; anything else is refused, and nothing hangs."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sympy import Rational, pi, sqrt

from traces.problems.numeric import read_number, same_number

CASES = {
    "025": 25,
    "-7": -7,
    "− 7": -7,
    "1,234": 1234,
    "\\sqrt[3]{1,000}": 10,
    "-(1+2) + 1,234": 1231,
    "1 000 000": 1000000,
    "11,\\! 111,\\! 100": 11111100,
    "27.0": 27,
    ".5": Rational(1, 2),
    "50\\%": Rational(1, 2),
    "\\frac{-3}{4}": Rational(-3, 4),
    "-\\frac34": Rational(-3, 4),
    "\\frac9{19}": Rational(9, 19),
    "\\dfrac{1}{2}": Rational(1, 2),
    "2\\frac{1}{3}": Rational(7, 3),
    "-2\\frac{1}{3}": Rational(-7, 3),
    "5-2\\frac13": Rational(8, 3),
    "2\\cdot 3\\frac{1}{2}": 7,
    "3^2\\frac{1}{3}": 3,
    "2^{1\\frac{1}{2}}": 2 * sqrt(2),
    "\\frac{4}{2}\\frac{1}{3}": Rational(2, 3),
    "3/4": Rational(3, 4),
    "3\\sqrt{2}": 3 * sqrt(2),
    "\\sqrt[3]{8}": 2,
    "\\frac{\\sqrt{3}}{2}": sqrt(3) / 2,
    "2\\pi": 2 * pi,
    "2^{10}": 1024,
    "(1+2)\\cdot 4": 12,
    "$5$": 5,
    "x = 5": 5,
    "45^\\circ": 45,
    "10 \\text{ cm}": 10,
    "\\$18.90": Rational(189, 10),
    "2 * -3": -6,
}
REFUSED = [
    "",
    "A",
    "(1,2)",
    "(1,234)",
    "\\left(1,234\\right)",
    "[1,234)",
    "(-5, 1，234)",
    "x+1",
    "1/0",
    "9^{9^9}",
    "1/2004!",
    "4210_5",
    "12 cm",
    "5*",
    "3, 5, 7",
    "1+2i",
    "__import__",
]


@pytest.mark.parametrize(("text", "value"), CASES.items())
def test_numbers(text, value):
    assert read_number(text) == value


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text):
    started = time.monotonic()
    assert read_number(text) is None
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("\\sqrt{8}", "2\\sqrt2", True),
        ("0.5", "\\frac12", True),
        ("0.333", "1/3", False),
        ("3", "4", False),
        ("x", "4", None),
        ("4", "\\text{four}", None),
    ],
)
def test_same_number(a, b, same):
    assert same_number(a, b) is same


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_whole_numbers_and_fractions(p, q):
    assert read_number(str(p)) == p
    assert read_number(f"{p:,}") == p
    assert same_number(f"\\frac{{{p}}}{{{q}}}", f"{p}/{q}") is True
    assert same_number(str(p), str(p + 1)) is False


@given(st.text(max_size=60) | st.text(alphabet="0123456789+-*/^(){}\\sqrtfracpi .,%$", max_size=40))
def test_any_text_is_read_or_refused(text):
    read_number(text)

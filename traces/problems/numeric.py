"""Reads a number written plainly or in LaTeX, exactly: the second opinion on an answer, independent of `math-verify`.

A small grammar (numbers, fractions, roots, pi, + - * / ^ and brackets) on top of sympy's exact arithmetic. Nothing is
evaluated as Python, and powers are bounded, so no input can hang or run code.
"""

import re

from sympy import E, Expr, Integer, Pow, Rational, pi, sqrt, zoo

_LARGEST_EXPONENT = 2000
_LONGEST = 400

_TOKENS = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<command>\\[a-zA-Z]+)|(?P<constant>π|e(?![a-z])|pi\b)|(?P<symbol>[-+*/^(){}\[\]×·÷√−]))"
)
_CLEANING = (
    (re.compile(r",\\!\s*(?=\d{3})"), ""),
    (re.compile(r"\\(?:left|right|displaystyle|,|!|;|:| )"), ""),
    (re.compile(r"\\(?:text|mathrm|mbox)\{[^{}]*\}"), ""),
    (re.compile(r"\\[dt]frac"), r"\\frac"),
    (re.compile(r"\\frac\s*(\d)\s*(\d)(?!\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ)|°|\\degree"), ""),
    # In brackets, as in (1,234), a comma may separate two numbers: it is kept, and then rejected.
    (re.compile(r"([(\[][^()\[\]]*[)\]])|(?<=\d)(?:,|\{,\}|，)(?=\d{3}(?!\d))"), r"\1"),
    (re.compile(r"(?<=\d)\s+(?=\d{3}(?!\d))"), ""),
    (re.compile(r"^\\?\$(?=\s*[-\d.])|^\s*[a-zA-Z]\s*=(?!=)"), ""),
)


class _Unreadable(ValueError):
    """The text is not a number of this grammar."""


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(text):
            match = _TOKENS.match(text, place)
            if not match:
                raise _Unreadable(text[place:])
            self.tokens.append((str(match.lastgroup), match.group(match.lastgroup or 0)))
            place = match.end()
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise _Unreadable(f"{expected or 'something'} expected, {token or 'the end'} found")
        self.at += 1
        return token

    def whole(self) -> Expr:
        value = self.sum()
        if self.peek():
            raise _Unreadable(self.peek())
        return value

    def sum(self) -> Expr:
        value = self.product()
        while self.peek() in ("+", "-", "−"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        return value

    def product(self) -> Expr:
        value = self.power()
        while token := self.peek():
            if token in ("*", "×", "·", "\\cdot", "\\times"):
                self.take()
                value = value * self.power()
            elif token in ("/", "÷", "\\div"):
                self.take()
                value = value / self.power()
            elif token in ("(", "{", "\\frac", "\\sqrt", "√", "\\pi", "π", "pi", "e"):
                value = value * self.power()
            else:
                break
        return value

    def power(self, *, exponent: bool = False) -> Expr:
        if self.peek() in ("-", "−", "+"):
            negative = self.take() != "+"
            value = self.power(exponent=exponent)
            return -value if negative else value
        if not exponent and self.mixed():
            return self.atom() + self.power()
        base = self.atom()
        if self.peek() != "^":
            return base
        self.take()
        above = self.power(exponent=True)
        if not above.is_Rational or abs(above.p) > _LARGEST_EXPONENT or not _small(base):
            raise _Unreadable("power too large")
        return Pow(base, above)

    def mixed(self) -> bool:
        """Whether a mixed number comes next, such as `2\\frac{1}{3}`: the only juxtaposition that adds."""
        return self.peek().isdecimal() and self.tokens[self.at + 1 :][:1] == [("command", "\\frac")]

    def atom(self) -> Expr:
        token = self.take()
        if token in ("(", "{", "["):
            value = self.sum()
            self.take({"(": ")", "{": "}", "[": "]"}[token])
            return value
        if token[0].isdigit() or token[0] == ".":
            return Rational(token)
        if token == "\\frac":
            return self.braced() / self.braced()
        if token == "\\sqrt":
            return self.root()
        if token == "√":
            return sqrt(self.atom())
        if token in ("\\pi", "π", "pi"):
            return pi
        if token == "e":
            return E
        raise _Unreadable(token)

    def braced(self) -> Expr:
        if self.peek() != "{":
            return self.atom()
        self.take("{")
        value = self.sum()
        self.take("}")
        return value

    def root(self) -> Expr:
        degree: Expr = Integer(2)
        if self.peek() == "[":
            self.take()
            degree = self.sum()
            self.take("]")
        radicand = self.braced()
        if not degree.is_Integer or not 1 < degree < 100:
            raise _Unreadable("root of an odd degree")
        return Pow(radicand, 1 / degree)


def _small(base: Expr) -> bool:
    return not base.is_Rational or max(abs(base.p), base.q) < 10**6


def read_number(text: str) -> Expr | None:
    """The exact number a text writes, e.g. "025" → 25, "1,234" → 1234, "2\\frac{1}{3}" → 7/3, "50\\%" → 1/2; else None.

    Units in `\\text{}`, degree signs, a leading `x =` or `$` are ignored; anything else unknown gives None.
    """
    cleaned = text.strip().strip("$").strip().rstrip(".").strip()
    if not cleaned or len(cleaned) > _LONGEST:
        return None
    for pattern, replacement in _CLEANING:
        cleaned = pattern.sub(replacement, cleaned)
    cleaned = cleaned.strip()
    percent = re.search(r"\\?%$", cleaned)
    try:
        value = _Parser(cleaned[: percent.start()] if percent else cleaned).whole()
    except (_Unreadable, RecursionError, ZeroDivisionError):
        return None
    if value.has(zoo) or value.is_finite is False:
        return None
    return value / 100 if percent else value


def same_number(left: str, right: str) -> bool | None:
    """Whether two texts write the same number; None if the grammar cannot read one of them."""
    first, second = read_number(left), read_number(right)
    if first is None or second is None:
        return None
    difference = first - second
    return bool(difference == 0 or (not difference.is_Rational and difference.equals(0)))

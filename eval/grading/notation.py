r"""Parsing notation in cleaned answers: lists, sets and tuples, plus-minus, matrices, degrees, intervals."""

import re
from fractions import Fraction
from itertools import pairwise
from math import inf
from typing import Literal, NamedTuple

from eval.grading.numerals import numeral
from eval.grading.spelling import closing, split_top

_NAME = r"(?:[a-zA-Z]|\\[a-z]+)(?:_\{?\w+\}?)?(?:\([a-z]\))?"
_MEMBER = re.compile(rf"^({_NAME})\s*\\in(?![a-z])\s*(.*)$")


class Listing(NamedTuple):
    """The elements of an answer; a single value is a bare listing of one."""

    kind: Literal["bare", "set", "tuple"]
    parts: list[str]
    brackets: str = ""


_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")


def split_list(text: str, *, thousands: bool = True) -> Listing:
    """Elements separated by commas, semicolons, “and” or “or”, with or without brackets around them.

    `thousands`: whether an unbracketed 1,234 is one number.
    """
    if (member := _MEMBER.match(text)) and member[2].startswith("\\{"):
        text = member[2]
    if text.startswith("\\{") and text.endswith("\\}") and closing(text, 1) == len(text) - 1:
        return Listing("set", split_top(text[2:-2]), "{}")
    if text.startswith("{") and closing(text, 0) == len(text) - 1 and len(split_top(text[1:-1])) > 1:
        return Listing("set", split_top(text[1:-1]), "{}")  # braces of plain text; in LaTeX they would only group
    if text[:1] in ("(", "[") and text[-1:] in (")", "]") and closing(text, 0) == len(text) - 1:
        parts = split_top(text[1:-1])
        return Listing("tuple", parts, text[0] + text[-1]) if len(parts) > 1 else Listing("bare", [text])
    if thousands and _GROUPED.search(text):
        text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    return Listing("bare", split_top(re.sub(r",?\s+(?:and|or)\s+", ", ", text)))


def expand_signs(parts: list[str]) -> list[str]:
    r"""The parts, each one with \pm or \mp replaced by the two it stands for."""
    expanded = []
    for part in parts:
        if re.search(r"\\(?:pm|mp)(?![a-zA-Z])", part):
            for plus, minus in (("+", "-"), ("-", "+")):
                signed = re.sub(r"\\pm(?![a-zA-Z])", plus, re.sub(r"\\mp(?![a-zA-Z])", minus, part))
                expanded.append(signed.strip().removeprefix("+").strip())
        else:
            expanded.append(part)
    return expanded


_MATRIX = re.compile(r"^\\begin\{([bpvBV]?matrix|array)\}(?:\{[^{}]*\})?(.*)\\end\{\1\}$")


def matrix_cells(text: str) -> list[list[str]] | None:
    """Rows of cells of a matrix in any brackets; None for anything else. Determinant bars are not brackets."""
    match = _MATRIX.match(text.strip("()[] "))
    if match is None or match[1] in ("vmatrix", "Vmatrix"):
        return None
    rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?", match[2]) if row.strip()]
    return [[cell.strip() for cell in row.split("&")] for row in rows]


_FUNCTION = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)(?![a-z])")
_DEGREES = re.compile(
    r"(?P<value>\d+(?:\.\d+)?|\\frac\{[^{}]*\}\{[^{}]*\}|(?<![a-zA-Z\\])[a-zA-Z]|\\[a-z]+|\([^()]*\)|\{[^{}]*\})"
    r"\s*(?:\^\s*\{?\s*\\circ\s*\}?|\\degree(?![a-z])|(?:\\text\{\s*)?deg(?:rees?)?(?![a-z])\s*\}?)"
)


def in_radians(text: str) -> str:
    r"""The text with degrees turned into radians if it has a trigonometric function: \cos 60^\circ is \cos(\pi/3).

    math-verify drops the degree sign and takes the cosine of 60.
    """
    if not _FUNCTION.search(text):
        return text
    return _DEGREES.sub(r"(\\frac{\\pi}{180} \\cdot \g<value>)", text)


class Piece(NamedTuple):
    """An interval; a bracket at an infinite end is always round."""

    opening: str
    low: str
    high: str
    closing: str


class Pieces(NamedTuple):
    """A union of intervals, and the variable it is stated for, if any."""

    pieces: list[Piece]
    variable: str


_EXCEPT = re.compile(rf"^({_NAME})\s*(?:\\neq?(?![a-z])|!=)\s*(.+)$")
_REALS = re.compile(
    r"^(?:\\text\{)?(?:\\mathbb\s*\{?R\}?|\(-\s*\\infty,\s*\+?\\infty\)|all real(?:s| numbers))\}?"
    r"(?:\s*(?:\\setminus|\\backslash|\\(?=\\\{)|-)\s*(.+))?$"
)
_RELATION = re.compile(r"\s*(\\le(?![a-z])|\\ge(?![a-z])|<|>)\s*")


def as_pieces(text: str) -> Pieces | None:
    r"""A union of intervals, parsed from (2,\infty), x \in [0,1), 2 < x \le 3, x<1 or x>2, or the reals minus points.

    None for anything else, including isolated points: {1, 2} is a set, though (0,1) with {1} is (0,1].
    """
    match = _MEMBER.match(text)
    variable, text = (match[1], match[2]) if match else ("", text)
    pieces: list[Piece] = []
    intervals = False
    for part in re.split(r"\\cup(?![a-z])|\s+or\s+", text):
        points = _points(part.strip())
        if points is not None:
            pieces += [Piece("[", point, point, "]") for point in points]
            continue
        parsed = _interval(part.strip()) or _inequality(part.strip()) or _punctured(part.strip())
        if parsed is None:
            return None
        more, name = parsed
        if name and variable and name != variable:
            return None
        variable = name or variable
        pieces += more
        intervals = True
    return Pieces(pieces, variable) if intervals else None


class Span(NamedTuple):
    """An interval whose ends can be ordered."""

    low: Fraction | float
    open_below: bool
    high: Fraction | float
    open_above: bool


def covered(pieces: list[Piece]) -> list[Span] | None:
    """The union as sorted spans, merged where they touch or overlap; None unless all ends are numerals."""
    spans = []
    for piece in pieces:
        low, high = _end(piece.low), _end(piece.high)
        if low is None or high is None:
            return None
        spans.append(Span(low, piece.opening == "(", high, piece.closing == ")"))
    joined: list[Span] = []
    for span in sorted(spans):
        last = joined[-1] if joined else None
        if last is None or span.low > last.high or (span.low == last.high and last.open_above and span.open_below):
            joined.append(span)
        else:
            # At equal ends the closed one reaches further.
            high, closed = max((last.high, not last.open_above), (span.high, not span.open_above))
            joined[-1] = Span(last.low, last.open_below, high, not closed)
    return joined


def _end(text: str) -> Fraction | float | None:
    sign = {"\\infty": inf, "+\\infty": inf, "-\\infty": -inf}
    return sign.get(text.replace(" ", ""), numeral(text))


def as_union(pieces: Pieces) -> str:
    """The union in LaTeX, for the symbolic step."""
    return r"\cup ".join(f"{p.opening}{p.low},{p.high}{p.closing}" for p in pieces.pieces)


def _points(text: str) -> list[str] | None:
    listing = split_list(text)
    return listing.parts if listing.kind == "set" else None


def _punctured(text: str) -> tuple[list[Piece], str] | None:
    r"""The real line, possibly minus some points: \mathbb{R}\setminus\{0\}, all real numbers, x \ne 0."""
    name = ""
    if match := _EXCEPT.match(text):
        points = split_list(match[2]).parts
        name = match[1]
    elif match := _REALS.match(text):
        points = _points(match[1]) or [] if match[1] else []
        if match[1] and not points:
            return None
    else:
        return None
    values = [numeral(point) for point in points]
    if any(value is None for value in values):
        return None
    ordered = [point for _, point in sorted(zip(values, points, strict=True), key=lambda pair: pair[0] or Fraction(0))]
    ends = ["-\\infty", *ordered, "\\infty"]
    return [_piece("(", low, high, ")") for low, high in pairwise(ends)], name


def _interval(text: str) -> tuple[list[Piece], str] | None:
    listing = split_list(text)
    if listing.kind != "tuple" or len(listing.parts) != 2:
        return None
    low, high = listing.parts
    return [_piece(listing.brackets[0], low, high, listing.brackets[1])], ""


def _inequality(text: str) -> tuple[list[Piece], str] | None:
    parts = _RELATION.split(text)
    if len(parts) == 3:
        left, sign, right = parts
        if re.fullmatch(_NAME, right) and not re.fullmatch(_NAME, left):
            left, sign, right = right, {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}[sign], left
        if not re.fullmatch(_NAME, left):
            return None
        closed = sign.startswith("\\")
        if sign in ("<", "\\le"):
            return [_piece("(", "-\\infty", right, "]" if closed else ")")], left
        return [_piece("[" if closed else "(", right, "\\infty", ")")], left
    if len(parts) != 5:
        return None
    low, first, name, second, high = parts
    if first in (">", "\\ge"):
        low, first, second, high = high, second, first, low
    if not re.fullmatch(_NAME, name) or (first in (">", "\\ge")) != (second in (">", "\\ge")):
        return None
    brackets = ("[" if first.startswith("\\") else "(", "]" if second.startswith("\\") else ")")
    return [_piece(brackets[0], low, high, brackets[1])], name


def _piece(opening: str, low: str, high: str, closing: str) -> Piece:
    return Piece("(" if "\\infty" in low else opening, low, high, ")" if "\\infty" in high else closing)

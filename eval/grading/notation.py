r"""Reading the notations of answers: cleaned LaTeX, numerals, bases, lists, intervals, matrices.

Pure text in, plain values out. Does not know what counts as equal.
"""

import re
from typing import Literal, NamedTuple

from eval.grading.numerals import _COUNTED, _multiplied

_CHARACTERS = str.maketrans(
    {
        "−": "-", "–": "-", "×": "\\times ", "·": "\\cdot ", "⋅": "\\cdot ", "÷": "/", "π": "\\pi ", "∞": "\\infty ",
        "°": "^\\circ ", "≤": "\\le ", "≥": "\\ge ", "≠": "\\ne ", "∪": "\\cup ", "∈": "\\in ", "±": "\\pm ",
        "√": "\\sqrt ", "\u00a0": " ", "，": ",", "。": ".", "（": "(", "）": ")", "\n": " ", "\t": " ",
    }
)  # fmt: skip
_RAISED, _LOWERED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "₀₁₂₃₄₅₆₇₈₉"
_SMALL = str.maketrans(_RAISED + _LOWERED, "0123456789+-0123456789")
_SCRIPTS = ((re.compile(f"[{_RAISED}]+"), "^"), (re.compile(f"[{_LOWERED}]+"), "_"))
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|limits)(?![a-zA-Z])\s*", ""),
        (r"\\(?:d|t|c)frac(?![a-zA-Z])", r"\\frac"),
        (r"\\mathrm\s*\{([eid])\}", r"\1"),
        (r"\\(?:mbox|textbf|textit|textrm|textnormal|textsf|mathrm|mathsf|text|rm)\s*\{", r"\\text{"),
        (r"\\(?:mathbf|mathit|boldsymbol|bm|emph|underline)\s*\{([^{}]*)\}", r"\1"),
        (r"\\text\{\s*\}", ""),
        (r"(?<=\d)\s*\^?\s*\{?\s*\\text\{\s*(?:st|nd|rd|th)\s*\}\s*\}?", ""),
        (r"^(\d+)(?:st|nd|rd|th)(?=(?: [A-Za-z ]*)?$)", r"\1"),
        (r"(?<![\\A-Za-z])(?=(?:log|ln|sin|cos|tan)(?![A-Za-z]))", r"\\"),
        (r"(?<![\\A-Za-z])sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"(?<=\d) x (?=10\s*\^)", r" \\times "),
        (r"^\\text\{\s*([-\d.][^{}]*)\}$", r"\1"),
        (r"\\text\{\s*(and|or)\s*\}", r" \1 "),
        (r"(?<=\d)(?:,\s*\\!|\{,\}|(?<!\\)\\[,;:! ]|~)\s*(?=\d{3}(?!\d))", ""),
        (r"(?<=\d),\\!\s*(?=\d)", ""),
        (r"(?<!\\)\\[,;:! ]|~|\\q?quad(?![a-zA-Z])", " "),
        (r"\\(?:leq?slant|leq|le)(?![a-zA-Z])|<=", r"\\le "),
        (r"\\(?:geq?slant|geq|ge)(?![a-zA-Z])|>=", r"\\ge "),
        (r"\\lt(?![a-zA-Z])", "<"),
        (r"\\gt(?![a-zA-Z])", ">"),
        (r"(?<!\\)%", r"\\%"),
        (r"\\lbrace(?![a-zA-Z])", r"\\{"),
        (r"\\rbrace(?![a-zA-Z])", r"\\}"),
        (r"\s+", " "),
    )
]
_FENCES = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("`", "`"))
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*\{(.*)\}$")


def clean(text: str) -> str:
    """One spelling for what looks the same in print: delimiters, fonts, spacing, fraction styles, Unicode signs; and a
    number with number words (5 million) as one number."""
    text = text.translate(_CHARACTERS).strip()
    for small, sign in _SCRIPTS:
        text = small.sub(lambda found, sign=sign: f"{sign}{{{found[0].translate(_SMALL)}}}", text)  # type: ignore[misc]
    before = None
    while before != text:
        before = text
        text = re.sub(r"(?<!\\)[.,;:]+$", "", text).strip()
        for opening, closing in _FENCES:
            inner = text[len(opening) : len(text) - len(closing)]
            if text.startswith(opening) and text.endswith(closing) and inner and opening not in inner:
                text = inner.strip()
        if match := _BOXED.match(text):
            text = match[1].strip()
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _COUNTED.sub(_multiplied, text).strip()
    while text.startswith("(") and text.endswith(")") and _closing(text, 0) == len(text) - 1:
        if len(_split_top(text[1:-1])) > 1 or not text[1:-1].strip():
            break
        text = text[1:-1].strip()
    return text


def content_of(text: str) -> str:
    r"""The text without its \text wrappers and outer dots, for comparing words."""
    return re.sub(r"\\text\{([^{}]*)\}", r"\1", text).strip(" .,;:!")


class Listing(NamedTuple):
    """The elements of an answer; a single value is a bare listing of one."""

    kind: Literal["bare", "set", "tuple"]
    parts: list[str]
    brackets: str = ""


_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")


def split_list(text: str, *, thousands: bool = True) -> Listing:
    """Elements separated by commas, semicolons, “and” or “or”, inside or without brackets.

    `thousands`: whether 1,234 without brackets is one number.
    """
    if text.startswith("\\{") and text.endswith("\\}") and _closing(text, 1) == len(text) - 1:
        return Listing("set", _split_top(text[2:-2]), "{}")
    if text[:1] in ("(", "[") and text[-1:] in (")", "]") and _closing(text, 0) == len(text) - 1:
        parts = _split_top(text[1:-1])
        return Listing("tuple", parts, text[0] + text[-1]) if len(parts) > 1 else Listing("bare", [text])
    if thousands and _GROUPED.search(text):
        text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    return Listing("bare", _split_top(re.sub(r",?\s+(?:and|or)\s+", ", ", text)))


def _split_top(text: str) -> list[str]:
    """Parts between commas and semicolons that no bracket encloses."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth = max(0, depth - 1)
        elif character in ",;" and depth == 0:
            parts.append(text[start:index].strip())
            start = index + 1
    parts.append(text[start:].strip())
    return [part for part in parts if part] or [text]


def _closing(text: str, opening: int) -> int:
    """Index of the bracket that closes the one at `opening`, any kind closing any (intervals); -1 if none does."""
    depth = 0
    for index in range(opening, len(text)):
        depth += (text[index] in "([{") - (text[index] in ")]}")
        if depth == 0:
            return index
    return -1


def expand_signs(parts: list[str]) -> list[str]:
    r"""Each part with \pm or \mp as the two it stands for."""
    expanded = []
    for part in parts:
        if re.search(r"\\(?:pm|mp)(?![a-zA-Z])", part):
            for plus, minus in (("+", "-"), ("-", "+")):
                signed = re.sub(r"\\pm(?![a-zA-Z])", plus, re.sub(r"\\mp(?![a-zA-Z])", minus, part))
                expanded.append(signed.strip().removeprefix("+").strip())
        else:
            expanded.append(part)
    return expanded


class Piece(NamedTuple):
    """An interval; a bracket at an infinite end is always round."""

    opening: str
    low: str
    high: str
    closing: str


class Pieces(NamedTuple):
    """A union of intervals, and the variable it is stated for, if it is."""

    pieces: list[Piece]
    variable: str


_NAME = r"(?:[a-zA-Z]|\\[a-z]+)(?:_\{?\w+\}?)?(?:\([a-z]\))?"
_MEMBER = re.compile(rf"^({_NAME})\s*\\in(?![a-z])\s*(.*)$")
_RELATION = re.compile(r"\s*(\\le(?![a-z])|\\ge(?![a-z])|<|>)\s*")


def as_pieces(text: str) -> Pieces | None:
    r"""A union of intervals from (2,\infty), x \in [0,1), 2 < x \le 3 or x<1 or x>2; None for anything else."""
    match = _MEMBER.match(text)
    variable, text = (match[1], match[2]) if match else ("", text)
    pieces = []
    for part in re.split(r"\\cup(?![a-z])|\s+or\s+", text):
        found = _interval(part.strip()) or _inequality(part.strip())
        if found is None:
            return None
        piece, name = found
        if name and variable and name != variable:
            return None
        variable = name or variable
        pieces.append(piece)
    return Pieces(pieces, variable)


def _interval(text: str) -> tuple[Piece, str] | None:
    listing = split_list(text)
    if listing.kind != "tuple" or len(listing.parts) != 2:
        return None
    low, high = listing.parts
    return _piece(listing.brackets[0], low, high, listing.brackets[1]), ""


def _inequality(text: str) -> tuple[Piece, str] | None:
    parts = _RELATION.split(text)
    if len(parts) == 3:
        left, sign, right = parts
        if re.fullmatch(_NAME, right) and not re.fullmatch(_NAME, left):
            left, sign, right = right, {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}[sign], left
        if not re.fullmatch(_NAME, left):
            return None
        closed = sign.startswith("\\")
        if sign in ("<", "\\le"):
            return _piece("(", "-\\infty", right, "]" if closed else ")"), left
        return _piece("[" if closed else "(", right, "\\infty", ")"), left
    if len(parts) != 5:
        return None
    low, first, name, second, high = parts
    if first in (">", "\\ge"):
        low, first, second, high = high, second, first, low
    if not re.fullmatch(_NAME, name) or (first in (">", "\\ge")) != (second in (">", "\\ge")):
        return None
    return _piece("[" if first.startswith("\\") else "(", low, high, "]" if second.startswith("\\") else ")"), name


def _piece(opening: str, low: str, high: str, closing: str) -> Piece:
    return Piece("(" if "\\infty" in low else opening, low, high, ")" if "\\infty" in high else closing)


_MATRIX = re.compile(r"^\\begin\{([bpvBV]?matrix|array)\}(?:\{[^{}]*\})?(.*)\\end\{\1\}$")


def matrix_cells(text: str) -> list[list[str]] | None:
    """Rows of cells of a matrix in any brackets; None for anything else. Determinant bars are not brackets."""
    match = _MATRIX.match(text.strip("()[] "))
    if match is None or match[1] in ("vmatrix", "Vmatrix"):
        return None
    rows = [row for row in re.split(r"\\\\(?:\[[^\]]*\])?", match[2]) if row.strip()]
    return [[cell.strip() for cell in row.split("&")] for row in rows]

r"""Normalising answers that look the same in print: Unicode signs, plain-text maths, LaTeX fonts and spacing.

All equivalence rules see only text that went through `clean`. Values are never computed here.
"""

import re
import unicodedata
from collections.abc import Callable

from eval.grading.numerals import COUNTED, multiplied

_SIGNS = {
    # minus, times, division
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "‒": "-", "﹣": "-", "×": "\\times ", "✕": "\\times ",
    "·": "\\cdot ", "⋅": "\\cdot ", "∙": "\\cdot ", "•": "\\cdot ",
    "÷": "/", "⁄": "/", "∕": "/", "∗": "*", "±": "\\pm ", "∓": "\\mp ",
    # relations
    "≤": "\\le ", "≦": "\\le ", "⩽": "\\le ", "≥": "\\ge ", "≧": "\\ge ", "⩾": "\\ge ", "≠": "\\ne ", "≡": "\\equiv ",
    "≈": "\\approx ", "∈": "\\in ", "⇒": "\\Rightarrow ",
    # sets
    "∪": "\\cup ", "∩": "\\cap ", "∅": "\\emptyset ", "∖": "\\setminus ", "ℝ": "\\mathbb{R}", "ℤ": "\\mathbb{Z}",
    "ℕ": "\\mathbb{N}", "ℚ": "\\mathbb{Q}", "ℂ": "\\mathbb{C}",
    # letters and constants
    "π": "\\pi ", "∞": "\\infty ", "√": "\\sqrt ", "∛": "\\sqrt[3] ", "θ": "\\theta ", "α": "\\alpha ", "β": "\\beta ",
    "γ": "\\gamma ", "δ": "\\delta ", "λ": "\\lambda ", "μ": "\\mu ", "φ": "\\phi ", "ϕ": "\\phi ", "ω": "\\omega ",
    "σ": "\\sigma ", "ρ": "\\rho ", "τ": "\\tau ", "ε": "\\epsilon ", "Δ": "\\Delta ", "△": "\\triangle ",
    "∠": "\\angle ", "ⁿ": "^{n}",
    # degrees: the sign, the ordinal mark and the ring that stand for it
    "°": "^\\circ ", "º": "^\\circ ", "˚": "^\\circ ", "℃": "^\\circ C", "℉": "^\\circ F",
    # brackets, stops and quotes
    "〔": "(", "〕": ")", "【": "[", "】": "]", "❴": "{", "❵": "}", "⟨": "(", "⟩": ")", "∣": "|", "。": ".", "、": ",",
    "’": "'", "′": "'", "㎡": "m^2", "㎥": "m^3", "或": " or ", "和": " and ",
}  # fmt: skip
_INVISIBLE = dict.fromkeys("\u200b\u200c\u200d\u2060\u2061\u2062\u2063\ufeff\u00ad", "")
_CHARACTERS = str.maketrans(_SIGNS | _INVISIBLE)
_RAISED, _LOWERED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "₀₁₂₃₄₅₆₇₈₉"
_SMALL = str.maketrans(_RAISED + _LOWERED, "0123456789+-0123456789")
_SCRIPTS = ((re.compile(f"[{_RAISED}]+"), "^"), (re.compile(f"[{_LOWERED}]+"), "_"))
_RAISED_NOUGHT = re.compile(f"(?<=\\d)⁰(?![{_RAISED}])")


def _compiled(*rewrites: tuple[str, str]) -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), replacement) for pattern, replacement in rewrites]


_LATEX = _compiled(
    (r"\\\{\s*\\\}|\\varnothing(?![a-zA-Z])", r"\\emptyset "),
    (r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|limits)(?![a-zA-Z])\s*", ""),
    (r"\\(?:d|t|c)frac(?![a-zA-Z])", r"\\frac"),
    (r"\\[dt]binom(?![a-zA-Z])", r"\\binom"),
    (r"\\binom\s*(\d)\s*(?=\d|\{)", r"\\binom{\1}"),
    (r"(\\binom\{[^{}]*\})\s*(\d)", r"\1{\2}"),
    (r"(?<=\d)\s*(?=\\binom)", r"\\cdot "),
    (r"\{\s*([^{}]*?)\s*\\choose(?![a-zA-Z])\s*([^{}]*?)\s*\}", r"\\binom{\1}{\2}"),
    (r"(?<![\w\\])(\d+)\s*(?:\\choose|choose)\s+(\d+)", r"\\binom{\1}{\2}"),
    (r"\\mathrm\s*\{([eid])\}", r"\1"),
    (r"\\(?:mbox|textbf|textit|textrm|textnormal|textsf|mathrm|mathsf|text|rm)\s*\{", r"\\text{"),
    (r"\\(?:mathbf|mathit|boldsymbol|bm|emph|underline)\s*\{([^{}]*)\}", r"\1"),
    (r"\\text\{\s*\}", ""),
    (r"\\operatorname\s*\{(exp|ln|log|sin|cos|tan|arcsin|arccos|arctan)\}", r"\\\1"),
    (r"\\(?:lvert|rvert|vert)(?![a-zA-Z])", "|"),
    (r"(?<=\d)\s*\^?\s*\{?\s*\\text\{\s*(?:st|nd|rd|th)\s*\}\s*\}?", ""),
    (r"^(\d+)(?:st|nd|rd|th)(?=(?: [A-Za-z ]*)?$)", r"\1"),
)
_PLAIN = _compiled(
    (r"(?<=[\w)}\]])\s*\*\*\s*(?=[\w({\\-])", "^"),
    (r"\^\s*(-\d+(?:\.\d+)?|\d{2,}(?:\.\d+)?)(?![\d.]*\})", r"^{\1}"),
    (r"(?<![\\A-Za-z])(?=(?:pi|theta|alpha|beta|gamma|phi)(?![A-Za-z]))", r"\\"),
    (r"(?<![\\A-Za-z])(?:oo|inf|infinity)(?![A-Za-z])", r"\\infty "),
    (
        r"(?<![\\A-Za-z])(?=(?:log|ln|(?:arc)?(?:sin|cos|tan)h?|sec|csc|cot)(?![A-Za-z]))",
        r"\\",
    ),
    (r"(?<![\\A-Za-z])a(?=(?:sin|cos|tan)\s*\()", r"\\arc"),
    (r"(?:(?<![\\A-Za-z])|\\)sqrt\s*(\d+(?:\.\d+)?)(?![\d.}])", r"\\sqrt{\1}"),
    (r"(\\sqrt\[\d+\])\s*(\d+)(?![\d.}])", r"\1{\2}"),
    (r"\+/-|^\+-(?=\s*[\d\\])", r"\\pm "),
    (r"(?<=[)\]}])\s*(?:U|union|\\bigcup|\\text\{\s*(?:U|union)\s*\})\s*(?=[(\[\\])", r"\\cup "),
    (r"(?<=[a-z]) in (?=[(\[])", r"\\in "),
)
_SPACING = _compiled(
    (r"(?<=\d) x (?=10\s*\^)", r" \\times "),
    (r"^\\text\{\s*([-\d.][^{}]*)\}$|\\text\{\s*(\d[\d.,]*)\s*\}", r"\1\2"),
    (r"^\\(?:approx|sim|simeq)(?![a-z])\s*", ""),
    (r"\\text\{\s*(and|or)\s*\}", r" \1 "),
    (r"(?<=\d)(?:,\s*\\!|\{,\}|(?<!\\)\\[,;:! ]|~|')\s*(?=\d{3}(?!\d))", ""),
    (r"(?<=\d),\\!\s*(?=\d)", ""),
    (r"(?<!\\)\\[,;:! ]|~|\\q?quad(?![a-zA-Z])", " "),
    (r"\\(?:leq?slant|leq|le)(?![a-zA-Z])|<=", r"\\le "),
    (r"\\(?:geq?slant|geq|ge)(?![a-zA-Z])|>=", r"\\ge "),
    (r"\\lt(?![a-zA-Z])", "<"),
    (r"\\gt(?![a-zA-Z])", ">"),
    (r"(?<!\\)%", r"\\%"),
    (r"\\lbrace(?![a-zA-Z])", r"\\{"),
    (r"\\rbrace(?![a-zA-Z])", r"\\}"),
    (r"(?<=[)\]}])\s*(and|or)\s*(?=[(\[{\\])|(?<=[)\]}\d])\s+(and|or)(?=[(\[{\\\d])", r" \1\2 "),
    (r"\s+", " "),
)
_SPACED = re.compile(r"(?<![\d.,^_])\d{1,3}(?: \d{3})+(?![\d]|\s*/|\s*\\frac)")
_UNDERSCORED = re.compile(r"^\d{1,3}(?:_\d{3})+$")
_FENCES = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("**", "**"), ("`", "`"))
_BOXED = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{(.*)\}$")
_CALL = re.compile(r"(?:(?<![\\A-Za-z])|\\)(exp|sqrt|cbrt|abs)\s*(?=[({])")
_CALLS: dict[str, Callable[[str], str]] = {
    "exp": lambda inner: f"e^{{{inner}}}",
    "sqrt": lambda inner: f"\\sqrt{{{inner}}}",
    "cbrt": lambda inner: f"\\sqrt[3]{{{inner}}}",
    "abs": lambda inner: f"|{inner}|",
}
_MOST_CALLS = 50
_PLURAL = re.compile(r"(?<=[a-z]{2}[a-rtv-z])s$")
_FILLERS = frozenset({"a", "an", "the", "there", "is", "are", "exist", "exists"})
"""Words ignored when comparing answers in words: "There are no solutions"."""
_FACTOR = re.compile(
    r"(?:(?<=\))\s*(?=\(|\d|\\frac)|(?<=\\pi)\s*(?=\()|(?<!\d)(?<![_^.A-Za-z])(?:\d[\d,]*)(?:\.\d+)?\s*(?=\())"
)


def clean(text: str) -> str:
    """The text without delimiters, fonts and layout, in ASCII where possible.

    A number with number words (5 million) and digits grouped by spaces each become one number, and juxtaposed factors,
    as in `(2)(3)`, get a multiplication sign between them.
    """
    text = _unfenced(ascii_signs(text).strip())
    for pattern, replacement in (*_LATEX, *_PLAIN, *_SPACING):
        text = pattern.sub(replacement, text)
    text = _calls(text)
    text = _SPACED.sub(lambda match: match[0].replace(" ", ""), text.strip())
    if _UNDERSCORED.match(text):
        text = text.replace("_", "")
    text = COUNTED.sub(multiplied, text).strip()
    while text.startswith("(") and text.endswith(")") and closing(text, 0) == len(text) - 1:
        if len(split_top(text[1:-1])) > 1 or not text[1:-1].strip():
            break
        text = text[1:-1].strip()
    return _with_factors(text)


def ascii_signs(text: str) -> str:
    """The text with digits, fractions, signs and full-width forms of Unicode as LaTeX in ASCII; other letters stay."""
    if text.isascii():
        return text.replace("\n", " ").replace("\t", " ")
    text = _RAISED_NOUGHT.sub("°", text)
    for small, sign in _SCRIPTS:
        text = small.sub(lambda match, sign=sign: f"{sign}{{{match[0].translate(_SMALL)}}}", text)  # type: ignore[misc]
    return "".join(map(_ascii, text)).translate(_CHARACTERS).replace("\n", " ").replace("\t", " ")


def _ascii(character: str) -> str:
    if character.isascii() or character in _SIGNS:
        return character
    if character.isspace():
        return " "
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    name = unicodedata.name(character, "")
    if name.startswith("VULGAR FRACTION"):
        top, _, bottom = unicodedata.normalize("NFKC", character).partition("⁄")
        return f"\\frac{{{top}}}{{{bottom}}}"
    if name.startswith(("FULLWIDTH", "MATHEMATICAL", "SQUARE", "SMALL")):
        plain = unicodedata.normalize("NFKC", character)
        # A full-width brace is printed; as a plain ASCII brace it would only group.
        return f"\\{plain}" if plain in ("{", "}", "%") else plain
    return character


def _unfenced(text: str) -> str:
    """The text without a final full stop or any maths delimiters, bold, code or box around the whole."""
    before = None
    while before != text:
        before = text
        text = re.sub(r"(?:(?<!\\)[.,;:]+|\\{2})$", "", text).strip()
        for opening, end in _FENCES:
            inner = text[len(opening) : len(text) - len(end)]
            if text.startswith(opening) and text.endswith(end) and inner and opening not in inner:
                text = inner.strip()
        if match := _BOXED.match(text):
            text = match[1].strip()
    return text


def _calls(text: str) -> str:
    r"""Function calls as in program code, turned into LaTeX: exp(2) to e^{2}, sqrt(x+(1)) to \sqrt{x+(1)}."""
    for _ in range(_MOST_CALLS):
        call = next((f for f in _CALL.finditer(text) if not (f[1] == "sqrt" and text[f.end()] == "{")), None)
        end = closing(text, call.end()) if call else -1
        if call is None or end < 0:
            break
        text = f"{text[: call.start()]}{_CALLS[call[1]](text[call.end() + 1 : end])}{text[end + 1 :]}"
    return re.sub(r"\^\((-?\w+(?:[-+*/]\w+)*)\)", r"^{\1}", text)


def _with_factors(text: str) -> str:
    r"""`(2)(3)` as `(2)\cdot (3)`, and `1200(20)` likewise: math-verify would add the two, as in a mixed number.

    A bracket with a comma (a point or an interval) or with words, as in `3 (mod 7)`, is not a factor.
    """
    if "(" not in text:
        return text

    def times(match: re.Match[str]) -> str:
        start = match.end()
        inner = text[start + 1 : closing(text, start)] if text[start] == "(" else ""
        before = text[text.rfind("(", 0, match.start()) :] if match[0].strip() == "" else ""
        if "," in inner or "," in before[: max(before.find(")"), 0)] or re.search(r"(?<!\\)\b[A-Za-z]{3,}", inner):
            return match[0]
        return f"{match[0].rstrip().replace(',', '')}\\cdot "

    return _FACTOR.sub(times, text)


def split_top(text: str) -> list[str]:
    """The text split at commas and semicolons outside brackets."""
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


def closing(text: str, opening: int) -> int:
    """Index of the bracket closing the one at `opening`; -1 if none. Kinds may differ, as in half-open intervals."""
    depth = 0
    for index in range(opening, len(text)):
        depth += (text[index] in "([{") - (text[index] in ")]}")
        if depth == 0:
            return index
    return -1


def content_of(text: str) -> str:
    r"""The text without its \text wrappers and outer dots, for comparing words."""
    return re.sub(r"\\text\{([^{}]*)\}", r"\1", text).strip(" .,;:!")


def plain_words(text: str) -> str:
    """The words alone, lower-case and singular, for comparing answers in words."""
    text = re.sub(r"[^a-z0-9 ]", "", text.replace("-", " ").lower())
    return " ".join(_PLURAL.sub("", word) for word in text.split() if word not in _FILLERS)

"""Parsing written numbers: numerals, fractions, powers of ten, number words, other bases."""

import re
from fractions import Fraction

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
_DECIMAL = re.compile(rf"(?P<whole>{_NUMBER})?(?:\.(?P<part>\d*)(?:\\(?:overline|bar)\{{(?P<cycle>\d+)\}})?)?")
_POWER = re.compile(r"^(.*?)(?:(?:\\times|\\cdot|\*)10\^\{?(-?\d{1,3})\}?|[eE]([-+]?\d{1,3}))$")
_FRACTION = re.compile(
    rf"(?P<whole>\d+)?\\frac(?:\{{(?P<a>-?{_NUMBER})\}}|(?P<b>\d))(?:\{{(?P<c>-?{_NUMBER})\}}|(?P<d>\d))"
    rf"|(?P<e>{_NUMBER})/(?P<f>{_NUMBER})"
)
LONGEST = 1_000
"""Longest numeral, in characters, that is read: a longer one is a model that repeats itself."""
_LAST = re.compile(r"(?:(?<!\w)-)?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?")
_COUNTS = {
    "dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8,
}  # fmt: skip
_COUNT = rf"(?:{'|'.join(_COUNTS)})s?(?![A-Za-z])"
COUNTED = re.compile(
    r"(?<![\w.^_\\])(?<![\^_]\{)"
    r"(?P<number>(?:\d+\s+)?\d+\s*/\s*\d+|(?:\d+\s*)?\\frac(?:\{\d+\}|\d)(?:\{\d+\}|\d)"
    rf"|{_NUMBER}(?:\.\d+)?|\.\d+)"
    rf"\s*(?P<text>\\text\{{\s*)?(?P<words>{_COUNT}(?:\s+{_COUNT})*)(?P<end>\s*\}})?",
    re.IGNORECASE,
)


def multiplied(match: re.Match[str]) -> str:
    """A number followed by number words, as one number: 2.5 million becomes 2500000."""
    value = numeral(match["number"])
    if value is None:
        return match[0]
    for word in match["words"].lower().split():
        value *= _COUNTS[word.removesuffix("s")]
    shown = str(value) if value.denominator == 1 else f"\\frac{{{value.numerator}}}{{{value.denominator}}}"
    if match["text"]:
        return shown if match["end"] else f"{shown}\\text{{"
    return f"{shown}{match['end'] or ''}"


def numeral(text: str) -> Fraction | None:
    r"""The exact value of a numeral, None for anything else: 1,234 · 025 · .5 · 0.\overline{3} · 6.7\times10^{-5} ·
    22/7 · \frac59 · 137\frac{1}{2} (a mixed number)."""
    text = text.strip()
    if len(text) > LONGEST:
        return None
    mixed = re.fullmatch(r"([-+]?)\s*(\d+)\s+(\d+\s*/\s*\d+)", text)
    if mixed:
        part = numeral(mixed[3])
        return None if part is None else (int(mixed[2]) + part) * (-1 if mixed[1] == "-" else 1)
    if re.search(r"[\d.] +[\d.]", text):
        return None
    text = text.replace(" ", "")
    sign = -1 if text.startswith("-") else 1
    text = text[1:] if text[:1] in "+-" else text
    while text.startswith("{") and text.endswith("}") and "{" not in text[1:]:
        text = text[1:-1]
    if match := _FRACTION.fullmatch(text):
        return _fraction(match, sign)
    exponent = 0
    if match := _POWER.match(text):
        exponent = int(match[2] or match[3])
        text = match[1]
    match = _DECIMAL.fullmatch(text)
    if match is None or not (match["whole"] or match["part"] or match["cycle"]):
        return None
    return sign * _decimal(match) * Fraction(10) ** exponent


def _fraction(match: re.Match[str], sign: int) -> Fraction | None:
    top = match["a"] or match["b"] or match["e"]
    bottom = match["c"] or match["d"] or match["f"]
    divisor = int(bottom.replace(",", ""))
    if divisor == 0:
        return None
    part = Fraction(int(top.replace(",", "")), divisor)
    whole = int(match["whole"] or 0)
    if match["whole"] and not 0 < part < 1:
        return sign * whole * part  # 5\frac{3}{2} is not a mixed number, so it can only be a product
    return sign * (whole + part)


def _decimal(match: re.Match[str]) -> Fraction:
    part, cycle = match["part"] or "", match["cycle"] or ""
    value = Fraction(int((match["whole"] or "0").replace(",", "")))
    if part:
        value += Fraction(int(part), 10 ** len(part))
    if cycle:
        value += Fraction(int(cycle), (10 ** len(cycle) - 1) * 10 ** len(part))
    return value


_BASE = r"(?P<base>\d{1,2}|[a-z]+)"
_SUBSCRIPT = re.compile(
    rf"^\(?(?P<digits>\d[\dA-Z ]*)\)?\s*_\s*\{{?\s*\(?(?:\\text\{{)?\s*(?:base)?\s*\}}?\s*{_BASE}\s*\}}?\)?\s*\}}?$"
)
_IN_WORDS = re.compile(
    rf"^\(?(?P<digits>\d[\dA-Z ]*)\)?\s*(?:\\text\{{)?\s*\(?(?:in )?base\s*-?\s*\}}?\s*{_BASE}\)?\s*\}}?$"
)
_BASE_NAMES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen",
]  # fmt: skip
_PREFIXED = re.compile(r"^0(?:[xX](?P<hexadecimal>[0-9A-Fa-f]+)|[bB](?P<binary>[01]+))$")


def based(text: str) -> tuple[str, int] | None:
    """(digits, base) of a number written with its base: 4210_{5}, `4210 base 5`, 0x1A; None for anything else."""
    if prefixed := _PREFIXED.match(text):
        digits = prefixed["hexadecimal"] or prefixed["binary"]
        return digits.upper(), 16 if prefixed["hexadecimal"] else 2
    match = _SUBSCRIPT.match(text) or _IN_WORDS.match(text)
    if match is None:
        return None
    name = match["base"]
    base = int(name) if name.isdigit() else _BASE_NAMES.index(name) if name in _BASE_NAMES else 0
    digits = match["digits"].replace(" ", "")
    if not 2 <= base <= 36 or any(int(digit, 36) >= base for digit in digits):
        return None
    return digits, base


def decimals_of(text: str) -> int:
    """Digits after the point of a plain decimal; 0 for anything else."""
    match = re.fullmatch(r"[-+]?[\d,]*\.(\d+)", text.replace(" ", ""))
    return len(match[1]) if match else 0


def is_endless(value: Fraction) -> bool:
    """Whether its decimal expansion never ends, i.e. its denominator has a prime factor other than 2 and 5."""
    return bool(10 ** value.denominator.bit_length() % value.denominator)


def last_number(text: str) -> str:
    """The last number in the text as written, e.g. 1,234 or -2.5; empty if there is none."""
    numbers = _LAST.findall(text)
    return numbers[-1] if numbers else ""


def last_number_right(answer: str, gold: str) -> bool:
    """The lenient reading: whether the answer's last number equals the gold answer, which must be a plain number.

    It is never used for grading, only reported beside the grade. A model that reasons well but forgets to mark its
    answer has "no answer" by the strict reading, so the two together show how much of a gain is mere format.
    """
    value = numeral(last_number(answer))
    return value is not None and value == numeral(gold)

"""Units after (or before) a value: their dimension and conversion factor."""

import re
from fractions import Fraction
from typing import NamedTuple

from eval.grading.numerals import numeral


class Unit(NamedTuple):
    """Two units of one dimension convert by the ratio of their factors, e.g. Unit("length^2", Fraction(1, 10000))."""

    dimension: str
    factor: Fraction


_TABLE = {
    "length": "m metre meter 米 1, cm centimetre centimeter 厘米 1/100, mm millimetre millimeter 毫米 1/1000"
    ", dm decimetre decimeter 分米 1/10, km kilometre kilometer 千米 公里 1000, in inch inche 127/5000"
    ", ft foot feet 381/1250, yd yard 1143/1250, mi mile 201168/125, å angstrom 1/10000000000",
    "length^2": "hectare ha 公顷 10000, 平方米 1, 平方厘米 1/10000, acre acre",
    "length^3": "l litre liter 升 1/1000, ml millilitre milliliter cc 毫升 1/1000000, cl centilitre centiliter 1/100000"
    ", 立方米 1, 立方厘米 1/1000000",
    "volume": "gal gallon gallon, quart 1/4gallon, pint 1/8gallon, cup 1/16gallon",
    "mass": "g gram 克 1, kg kilogram kilo 千克 公斤 1000, mg milligram 毫克 1/1000, lb pound 45359237/100000"
    ", oz ounce 45359237/1600000, ton tonne 吨 1000000",
    "time": "s sec second 秒 1, ms millisecond 1/1000, min minute 分钟 60, h hr hour 小时 3600, day 天 86400"
    ", week 周 604800, month 月 month, yr year 年 year",
    "energy": "j joule 1, kj kilojoule 1000",
    "frequency": "hz hertz 1, khz kilohertz 1000",
    "dollar": "$ usd dollar buck 美元 1, ¢ cent 1/100",
    "euro": "€ eur euro 1",
    "sterling": "£ gbp 1, pence 1/100",
    "yuan": "yuan rmb cny 元 1",
    "degree": "deg degree degrees 度 1",
    "radian": "rad radian 1",
    "temperature C": "°c celsius 1",
    "temperature F": "°f fahrenheit 1",
    "%": "% percent percentage pct 1/100",
}
"""Dimension → its units, each as names and a factor; units whose factor has a word convert only within that kind."""
_SPEED = {"mph": "mile/hour", "kmph": "km/hour", "kph": "km/hour"}
_CURRENCY = re.compile(r"^(-?)\s*(\\?\$|£|€|\\pounds)\s*(?=[-\d.\\])")
_CURRENCIES = {"£": "gbp", "\\pounds": "gbp", "€": "eur"}
_DEGREES = re.compile(r"\s*(?:\^\s*\{?\s*\\circ\s*\}?|\\degree)\s*(?:\\text\{\s*)?(?P<scale>[CF])?\s*\}?\s*$")
_PERCENT = re.compile(
    r"\s*(?:\\%|(?:\\text\{)?\s*(?<![A-Za-z])(?:percent|per cent|percentage)\s*\}?)\s*$", re.IGNORECASE
)
_TEXT = re.compile(r"(?:\s*(?:/|\\cdot)?\s*\\text\{[^{}]*\}\s*(?:\^\s*\{?-?\d\}?)?)+\s*$")
_BARE = re.compile(
    r"(?<![\\A-Za-z{_^])\s*(?P<words>[A-Za-zÅ][A-Za-z. ]*(?:/\s*[A-Za-z]+)?)\s*(?:\^\s*\{?(?P<power>[23])\}?)?\s*$"
)
_CHINESE = re.compile(r"\s*(?:\\text\{\s*)?(?P<words>[\u4e00-\u9fff]+)\s*\}?$")
_TRIGONOMETRY = re.compile(r"\\(?:sin|cos|tan|cot|sec|csc)")


def split_unit(text: str, *, bare_letters: bool) -> tuple[str, Unit | None]:
    """(value, unit) of a cleaned text; the unit is None if there is none or if the words are a mere label.

    `bare_letters`: whether a lone letter after a space, as in `5 m`, is read as a unit rather than as a variable.
    """
    if match := _CURRENCY.match(text):
        body, rest = split_unit(match[1] + text[match.end() :], bare_letters=False)
        return body, rest or parse_unit(_CURRENCIES.get(match[2], "dollar"))
    if match := _PERCENT.search(text):
        return _split(text, match, "percent")
    if match := _DEGREES.search(text):
        if _TRIGONOMETRY.search(text[: match.start()]):
            return text, None
        return _split(text, match, f"°{match['scale'].lower()}" if match["scale"] else "degree")
    if match := _CHINESE.search(text):
        return _split(text, match, match["words"])
    if match := _TEXT.search(text):
        return _split(text, match, re.sub(r"\\text|[{}]|\s+(?=\^)|(?<=\^)\s+", "", match[0]))
    match = _BARE.search(text)
    if match is None or not text[: match.start()].strip():
        return text, None
    words, body = match["words"].strip(), text[: match.start()].strip()
    lone = len(words) == 1
    apart = text[: match.start("words")].endswith(" ")
    if lone and not (bare_letters and apart and numeral(body) is not None):
        return text, None
    unit = parse_unit(_powered(match))
    if unit is None and not (apart and numeral(body) is not None and _is_label(words)):
        return text, None
    if unit and unit.dimension == "degree" and _TRIGONOMETRY.search(body):
        return text, None
    return (body, unit) if unit or not match["power"] else (text, None)


def _is_label(words: str) -> bool:
    """Whether the letters after a number are words, as in `5 apples`, and not variables, as in `16 xyz`."""
    return re.search(r"[A-Za-z]{3}", words) is not None and re.search(r"[aeiou]", words, re.IGNORECASE) is not None


def _split(text: str, match: re.Match[str], words: str) -> tuple[str, Unit | None]:
    body = text[: match.start()].strip()
    if not body or (words == "degrees" and _TRIGONOMETRY.search(body)):
        return text, None
    return body, parse_unit(words)


def _powered(match: re.Match[str]) -> str:
    return match["words"].strip() + (f"^{match['power']}" if match["power"] else "")


def parse_unit(words: str) -> Unit | None:
    """The unit that the words name, e.g. `square inches`, `cm^2`, `miles per hour`; None if they name none."""
    words = " ".join(words.lower().replace(".", "").split())
    over = re.split(r"\s*/\s*|\s+per\s+|\s+an?\s+(?=hour|second|minute)", _SPEED.get(words, words))
    units = [_simple(part) for part in over]
    if not all(units) or len(units) > 2:
        return None
    first, *rest = units
    if first is None or not rest or rest[0] is None:
        return first
    return Unit(f"{first.dimension}/{rest[0].dimension}", first.factor / rest[0].factor)


def _simple(words: str) -> Unit | None:
    power = 1
    if match := re.search(r"\^(\d)$|\s+(squared|cubed)$", words):
        power = int(match[1]) if match[1] else {"squared": 2, "cubed": 3}[match[2]]
        words = words[: match.start()]
    if match := re.match(r"(square|sq|cubic|cu)\s+", words):
        power = 2 if match[1].startswith("s") else 3
        words = words[match.end() :]
    unit = _UNITS.get(words) or _UNITS.get(words.removesuffix("s"))
    if unit is None or power == 1:
        return unit
    return Unit(f"{unit.dimension}^{power}", unit.factor**power)


def _read_table() -> dict[str, Unit]:
    """Name → unit. A unit whose factor contains a word, such as a month, converts only within its own kind."""
    units = {}
    for dimension, line in _TABLE.items():
        for entry in line.split(","):
            *names, factor = entry.split()
            number, kind = re.fullmatch(r"([\d/]*)(\D*)", factor).groups()  # type: ignore[union-attr]
            for name in names:
                units[name] = Unit(f"{dimension} {kind}".strip(), Fraction(number or 1))
    return units


_UNITS = _read_table()

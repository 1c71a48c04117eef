r"""Chains of equalities (`10 * 5 + 3 = 53`, `y = 2x + 3`) and congruences: their members, and the value they claim.

All functions expect cleaned text (`eval.grading.spelling.clean`).
"""

import re
from typing import NamedTuple

from eval.grading.notation import split_list
from eval.grading.numerals import numeral
from eval.grading.units import split_unit

_ENVIRONMENT = re.compile(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}")
_EQUALS = re.compile(r"\s*:?=+\s*")
_OTHER_RELATION = re.compile(r"[<>]|(?<![\d)}])!=|\\(?:le|ge|neq?|equiv|cong|sim)(?![a-z])")
_STEP = re.compile(r"=>|⇒|∴|\\(?:Rightarrow|Longrightarrow|implies|therefore)(?![a-z])|\b(?:so|thus|hence|therefore)\b")
_CONDITION = re.compile(
    r"[\s,;(]*(?:\\text\s*\{\s*)?(?<![\\A-Za-z])(?:when|whenever|if|where|for|at|with|given|because|since|as)\b.*$"
)
_LONE_LETTER = re.compile(r"[A-DF-HJ-Za-df-hj-z](?:_\{?\w+\}?)?")
_INDEX = r"(?:_(?:\{(?:[^{}]|\{[^{}]*\})*\}|\\?\w+))?"
_SEGMENT = r"(?:\\(?:overline|overrightarrow|vec|widehat|hat|bar|tilde)\s*\{?\s*[A-Za-z]{1,3}'?\s*\}?|[A-Z]{2,3})"
_UNKNOWN = re.compile(
    rf"(?:[A-Za-z]|[A-Z]{{2,}}|[A-Za-z]{{4,}}|\\[a-z]+|\\text\{{[^{{}}]*\}}){_INDEX}'*(?:\([^()]*\)|\[[^\[\]]*\])?"
    r"|\([a-z](?:,\s*[a-z])+\)"
    rf"|{_SEGMENT}"
    # A length or a modulus, but not |x|: |x| = 5 is an equation in x.
    r"|\\?\|\s*(?:\\(?:overline|overrightarrow|vec)\s*\{?\s*[A-Za-z]{1,3}\s*\}?|[A-Z]{2,3}|z|w)\s*\\?\|"
    r"|(?:m\s*)?\\(?:angle|triangle)\s*[A-Z]{1,3}"
    # A function of an angle, as in \sin\theta or \cos A, but not \sin x: \sin x = 1/2 is an equation too.
    r"|\\(?:sin|cos|tan|cot|sec|csc)\s*\(?(?:\\angle\s*[A-Z]{1,3}|[A-Z]|\\[a-z]+)\)?"
    r"|\\(?:operatorname\s*\{\w+\}|gcd|lcm|max|min|det|deg|Pr)\s*(?:\([^()]*\)|[A-Za-z])"
)
_NAME_LAYOUT = re.compile(r"\\(?:overline|overrightarrow|vec|text|operatorname|angle)(?![a-z])|[\\{}|\s]")
_CONGRUENCE = re.compile(
    r"^(?:(?P<name>[^=]*?)\s*(?:\\equiv(?![a-z])|=)\s*)?(?P<residue>[^=]+?)"
    r"\s*,?\s*(?:\\pmod|\(?\s*\\?b?mod(?:ulo)?(?![a-z]))\s*[{(]?\s*(?P<modulus>\d+|[a-z])\s*[})]?\)?$"
)
_EQUIVALENT = re.compile(r"^[A-Za-z]\w*\s*\\equiv(?![a-z])\s*(?P<residue>[^=]+)$")


class Assignment(NamedTuple):
    """The value given to an unknown: `x = 10/2 = 5` and `5 = x` both give x the value 5."""

    name: str
    value: str


def members(text: str) -> list[str]:
    """The text split at the equals signs outside brackets.

    The whole text as one member if there is no such sign, if it also has other relations, or if it is a list.
    """
    masked = _masked(text)
    if "=" not in masked or _OTHER_RELATION.search(masked) or len(split_list(text).parts) > 1:
        return [text]
    parts, start = [], 0
    for sign in _EQUALS.finditer(masked):
        parts.append(text[start : sign.start()].strip())
        start = sign.end()
    parts.append(text[start:].strip())
    return parts if parts[0] else parts[1:]


def claimed(answer: str, gold: str) -> str | None:
    """The value claimed by an answer that contains an equals sign: whatever follows the last one.

    Of several steps (`2x = 14 \\Rightarrow x = 7`) only the last counts; conditions and reasons (`10 when x = 2`) are
    not part of the claim; `7 = x` claims 7. Empty if the chain was cut off, None if there is nothing to strip.
    """
    step = _STEP.split(answer)[-1].strip()
    step = step if "=" in step else answer
    bare = _CONDITION.sub("", step) or step
    chain = members(bare)
    if len(chain) == 1:
        return chain[0] if chain[0] != answer else None
    backwards = _LONE_LETTER.fullmatch(chain[-1]) and chain[-1] not in gold
    return chain[-2] if backwards else chain[-1]


def assignment(text: str) -> Assignment | None:
    """The unknown and its value, if the text is a chain with a name at either end; otherwise None."""
    chain = members(text)
    if len(chain) > 1 and _UNKNOWN.fullmatch(chain[0]):
        return Assignment(chain[0], chain[-1])
    if len(chain) > 1 and _LONE_LETTER.fullmatch(chain[-1]):
        return Assignment(chain[-1], chain[-2])
    return None


def same_name(a: str, b: str) -> bool | None:
    r"""Whether two names mean the same quantity; None for two different letters, which a formula may relate.

    Names that differ in layout (|AB| and AB), in order (AB and BA) or in detail (x and x_{\max}) mean the same.
    """
    first, second = (_NAME_LAYOUT.sub("", name) for name in (a, b))
    if first in second or second in first or sorted(first) == sorted(second):
        return True
    return None if len(first) == len(second) == 1 or "(" in first + second else False


def is_calculation(text: str) -> bool:
    """Whether the text is a chain of equalities without any name: 2 + 3 = 5 is one, 0 = 3x - 2 is not."""
    chain = members(text)
    if len(chain) < 2 or _has_letters("".join(chain[:-1])):
        return False
    return not _has_letters(split_unit(chain[-1], bare_letters=True)[0])


def _has_letters(text: str) -> bool:
    return re.search(r"[A-Za-z]", re.sub(r"\\text\{[^{}]*\}|\\[a-zA-Z]+", "", text)) is not None


class Congruence(NamedTuple):
    """`x \\equiv 7 \\pmod{10}`: the residue and the modulus, which is empty where it is not stated."""

    residue: str
    modulus: str

    def includes(self, text: str) -> bool:
        """Whether the text is a number in this residue class."""
        value, residue, modulus = numeral(text), numeral(self.residue), numeral(self.modulus)
        return None not in (value, residue) and bool(modulus) and (value - residue) % modulus == 0  # type: ignore[operator]


def congruence(text: str) -> Congruence | None:
    """The congruence that the text states, `7 mod 10` and `7 (mod 10)` included; None if it states none."""
    if "mod" not in text and "equiv" not in text:
        return None
    bare = re.sub(r"\\text\s*\{([^{}]*)\}", r"\1", text).strip()
    if match := _CONGRUENCE.match(bare):
        return Congruence(match["residue"].strip(), match["modulus"])
    match = _EQUIVALENT.match(bare)
    return Congruence(match["residue"].strip(), "") if match else None


def _masked(text: str) -> str:
    """The text with everything inside brackets and environments blanked out, its length unchanged."""
    text = _ENVIRONMENT.sub(lambda match: "_" * len(match[0]), text)
    shown, depth = [], 0
    for character in text:
        depth = max(0, depth - (character in ")]}"))
        shown.append("_" if depth else character)
        depth += character in "([{"
    return "".join(shown)

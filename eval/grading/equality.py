r"""Chains of equalities, such as `10 * 5 + 3 = 53` or `y = 2x + 3`: their members, and the value they claim.

Pure text in, plain values out; all text is cleaned already (`eval.grading.notation.clean`). Does not know what counts
as equal.
"""

import re
from typing import NamedTuple

from eval.grading.notation import split_list

_ENVIRONMENT = re.compile(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}")
_EQUALS = re.compile(r"\s*:?=+\s*")
_OTHER_RELATION = re.compile(r"[<>]|(?<![\d)}])!=|\\(?:le|ge|neq?|equiv|cong|sim)(?![a-z])")
_STEP = re.compile(r"=>|⇒|∴|\\(?:Rightarrow|Longrightarrow|implies|therefore)(?![a-z])|\b(?:so|thus|hence|therefore)\b")
_CONDITION = re.compile(
    r"[\s,;(]*(?:\\text\s*\{\s*)?(?<![\\A-Za-z])(?:when|whenever|if|where|for|at|with|given|because|since|as)\b.*$"
)
_LONE_LETTER = re.compile(r"[A-DF-HJ-Za-df-hj-z](?:_\{?\w+\}?)?")
_UNKNOWN = re.compile(
    r"(?:[A-Za-z]|[A-Z]{2,}|[A-Za-z]{4,}|\\[a-z]+|\\text\{[^{}]*\})(?:_\{?\w+\}?)?'*(?:\([^()=]*\))?"
    r"|\([a-z](?:,\s*[a-z])+\)"
)


class Assignment(NamedTuple):
    """What is said of an unknown: `x = 10/2 = 5`, or `5 = x`, says 5 of x."""

    name: str
    value: str


def members(text: str) -> list[str]:
    """What stands between the signs of equality that no bracket encloses.

    The text alone when there is no such sign, when other relations stand beside it, and when the text is a list.
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
    """The value that an answer with a sign of equality claims: what stands after the last one.

    Of several steps (`2x = 14 \\Rightarrow x = 7`) the last one speaks; a condition or a reason (`10 when x = 2`) is no
    part of the claim; `7 = x` claims 7. Empty when the chain broke off, None when there is nothing to take away.
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
    """The unknown and its value, where the text is a chain that names one at either end."""
    chain = members(text)
    if len(chain) > 1 and _UNKNOWN.fullmatch(chain[0]):
        return Assignment(chain[0], chain[-1])
    if len(chain) > 1 and _LONE_LETTER.fullmatch(chain[-1]):
        return Assignment(chain[-1], chain[-2])
    return None


def is_calculation(text: str) -> bool:
    """Whether the text is a chain of equalities without letters before its last member."""
    chain = members(text)
    return len(chain) > 1 and not re.search(r"[A-Za-z]", re.sub(r"\\[a-zA-Z]+", "", "".join(chain[:-1])))


def _masked(text: str) -> str:
    """The text with everything inside brackets and environments blanked, at its old length."""
    text = _ENVIRONMENT.sub(lambda found: "_" * len(found[0]), text)
    shown, depth = [], 0
    for character in text:
        depth = max(0, depth - (character in ")]}"))
        shown.append("_" if depth else character)
        depth += character in "([{"
    return "".join(shown)

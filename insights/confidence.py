"""How confident an answer sounds: a rule on its wording alone, ignorant of what is true and of what the model believes.

An answer is `confident` if it states a final answer, where the grader looks for one (boxed, marked, or as its last
sentence), and has no hedge; `hedged` if it has one, whatever it states; and `without an answer` if it has neither.
"""

import re
from collections.abc import Mapping
from typing import Literal

Tone = Literal["confident", "hedged", "without an answer"]
TONES: Mapping[Tone, str] = {
    "confident": "where it sounds confident",
    "hedged": "where it hedges",
    "without an answer": "where it states no final answer",
}
"""Labels for votes on wrong answers of each tone."""
_HEDGES = re.compile(
    r"\b(?:maybe|perhaps|probably|possibly|presumably|apparently|unsure|uncertain|not (?:\w+ )?(?:sure|certain)"
    r"|i (?:think|believe|guess|suppose|suspect)|i['’]d guess|my (?:best )?guess|might be|(?:could|may) be wrong"
    r"|(?:seems?|appears?) (?:to be|like|that)|as far as i (?:know|can tell)|if i am not mistaken)\b"
    r"|也许|或许|(?<!不)(?<!所有)(?<![尽种])可能(?![性的])|大概|应该是|我觉得|我认为|我想|我猜|恐怕|似乎|好像|说不定"
    r"|不(?:太|是很|大|能|敢)?(?:确定|肯定)|没有把握",
    re.IGNORECASE,
)
"""Hedging words. Mathematical uses, as in “equally likely” or “不可能”, do not count."""


def tone_of(answer: str, *, states_answer: bool) -> Tone:
    """`states_answer`: whether a final answer was found in it."""
    if hedge_in(answer):
        return "hedged"
    return "confident" if states_answer else "without an answer"


def hedge_in(answer: str) -> str:
    """The first hedge in an answer; empty where there is none."""
    found = _HEDGES.search(answer)
    return found[0] if found else ""

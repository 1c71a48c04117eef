"""The lenient reading of a reply: its last number. It never grades; it is reported beside the grade.

A model that reasons well and forgets to mark its answer has "no answer" by the strict reading
(`eval.grading.extraction`). How much of a gain is form shows where both readings stand side by side.
"""

import re

from eval.grading.numerals import numeral

_NUMBER = re.compile(r"(?:(?<!\w)-)?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?")


def last_number(text: str) -> str:
    """The last number in the text as written, e.g. 1,234 or -2.5; empty if there is none."""
    found = _NUMBER.findall(text)
    return found[-1] if found else ""


def last_number_right(answer: str, gold: str) -> bool:
    """Whether the answer's last number equals the gold answer. False for every gold that is no plain number."""
    value = numeral(last_number(answer))
    return value is not None and value == numeral(gold)

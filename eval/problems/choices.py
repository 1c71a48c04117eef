"""Multiple choice: how a question is put with its options, and which option an answer names.

A row of MMLU-Pro, as it lies on the hub:
{"question_id": 70, "question": "Typical advertising …", "options": ["Safe practices, …", "Unsafe practices, …"],
 "answer": "I", "answer_index": 8, "category": "business"}
becomes a problem that ends in "A. Safe practices, …" and so on, with the gold answer "I. Unsafe practices, …".
"""

import random
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from string import ascii_uppercase
from typing import Any

from eval.problems.rows import Row, first_of

INSTRUCTION = "Choose one option and answer with its letter."
_STYLE = re.compile(r"\\(?:text|textbf|textrm|textit|mathrm|mathbf|mathit|bf|rm|boxed)(?![a-zA-Z])")
_LETTER = re.compile(
    r"(?:(?:the|correct|right|best|answer|option|choice|letter)[ :]+)*[(\[]?(?P<letter>[A-Z])(?:[)\].:,]|$)",
    re.IGNORECASE,
)
_MORE_LETTERS = re.compile(r"(?:(?:[ ,;&/]|and\b|or\b)*[(\[]?[A-Z](?![A-Za-z])[)\].:]?)+$")
_STATED = re.compile(
    r"(?:^|(?P<said>.*\b(?:answer|option|choice)\b[^.\n]{0,60}?\b(?:is|be)\b:?[ \t]*))(?:option[ \t]+)?"
    r"(?P<letter>\(?[A-Z]\)?)(?:[.):,]+ (?P<option>.{1,200}))?$",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"[.!?;] |\b(?:but|however|although|or|not|unless)\b", re.IGNORECASE)
"""Signs that the text after an option's letter goes beyond the option itself."""


def options_of(row: Mapping[str, Any]) -> list[str]:
    """The options of a row, under `options` or `choices`; empty where it has none.

    Both a list of texts and {"text": [...], "label": [...]}, as ARC has it, are understood.
    """
    options = first_of(row, "options", "choices")
    if isinstance(options, Mapping):
        options = options.get("text")
    return [str(option).strip() for option in options] if isinstance(options, list | tuple) else []


def with_options(question: str, options: Sequence[str]) -> str:
    """The question with its options below it, a letter before each."""
    listed = "\n".join(f"{letter}. {option}" for letter, option in zip(ascii_uppercase, options, strict=False))
    return f"{question.rstrip()}\n\n{listed}\n\n{INSTRUCTION}"


def gold_option(row: Mapping[str, Any], options: Sequence[str]) -> str:
    """The right option with its letter, "C. 42 km", from the row's index, letter or text; empty if it names none."""
    if len(options) > len(ascii_uppercase):
        return ""
    index, answer = row.get("answer_index"), first_of(row, "answer", "answerKey", "gold")
    if not isinstance(index, int) and isinstance(answer, int):
        index = answer
    if not isinstance(index, int):
        text = str(answer).strip()
        letter = text.upper() if len(text) == 1 else ""
        index = options.index(text) if text in options else ascii_uppercase.find(letter) if letter else -1
    return f"{ascii_uppercase[index]}. {options[index]}" if 0 <= index < len(options) else ""


def gpqa_row(row: Row) -> Row:
    """A row of GPQA, which lists the right answer first, with its options in an order drawn from its question."""
    columns = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
    options = [text for column in columns if (text := str(row.get(column) or "").strip())]
    if len(options) < len(columns):
        return {}  # not a usable problem; the reader of rows reports it
    question = str(row.get("Question") or "")
    order = list(range(len(options)))
    random.Random(sha256(question.encode()).hexdigest()).shuffle(order)
    return {
        "id": row.get("Record ID", ""),
        "question": question,
        "options": [options[place] for place in order],
        "answer_index": order.index(0),
        "subject": row.get("High-level domain", ""),
    }


def named_option(answer: str) -> str:
    """The letter named by an extracted answer ("(C)", "C. 42 km", "option C"), in upper case; empty if there is none.

    A word that happens to be a letter ("A ball falls") and several letters do not count.
    """
    plain = _plain(answer)
    match = _LETTER.match(plain)
    return match["letter"].upper() if match and not _MORE_LETTERS.match(plain, match.end()) else ""


def gold_letter(gold: str) -> str:
    """The letter of a gold option ("C. 42 km", also "C. K, L, M"; "(C)"), in upper case; empty if it names none."""
    letter, dot, _ = gold.partition(". ")
    return letter.upper() if dot and re.fullmatch("[A-Za-z]", letter) else named_option(gold)


def same_option(answer: str, gold: str) -> bool:
    """Whether an extracted answer names the option of `gold`, by its text ("E. coli" is one) or by its letter."""
    right = gold_letter(gold)
    text = gold.partition(". ")[2] if right else gold
    if text and _folded(answer) in (_folded(text), _folded(gold)):
        return True
    return bool(right) and named_option(answer) == right


def stated_option(text: str) -> str:
    """The option named by the last line of a reply: alone ("C") or in a sentence ("So the correct option is (C).", "The
    answer is C. 42 km"). A line "D. 9" names none: it may be the end of a list of all options."""
    line = text.rstrip().rpartition("\n")[2]
    match = _STATED.match(_plain(line).rstrip(" ."))
    if match is None or (match["option"] and (not match["said"] or _GOES_ON.search(match["option"]))):
        return ""
    return match["letter"].strip("()").upper()


def _plain(text: str) -> str:
    """The text without type styles and without Markdown or LaTeX markup around a letter."""
    return " ".join(re.sub(r"[{}$*_`]|\\[ ,;:!()\[\]]", " ", _STYLE.sub("", text)).split())


def _folded(text: str) -> str:
    return _plain(text).rstrip(" .").casefold()

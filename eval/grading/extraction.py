r"""Finding the final answer in a reply: the extraction ladder.

The methods are tried in this order; the first to find a possible answer wins:
1. `marker`: the last explicit final-answer marker with an answer after it. One of
   - the words "final answer" (any case, bold or a heading allowed) followed by a colon, by "is" (with up to 60
     characters of the same sentence between, "The final answer to the problem is 5"), by the end of bold type, or by
     the end of the line;
   - `####` in the last line (as in GSM8K, but not a heading such as "#### Step 4"), or "Answer:" at its beginning.
   If a balanced box follows the words, the last such box is the answer; otherwise it is the rest of the marker's line
   or the next non-empty line. Leading adverbs, an end-of-turn token and sentences after the answer are dropped.
   A mere comment ("the final answer is correct") is not an answer.
2. `boxed`: the last balanced, non-empty `\boxed{…}`, `\fbox{…}` or `\framebox{…}`; an unbalanced one was cut off.
   Boxes side by side are one answer where the gold is a list.
3. `stated`: the text ends, and was not cut off, with a plain statement (`eval.grading.statements`).
4. `marker` again: prose after a marker ("Final answer: the tall one"), which never beats a box.
5. `none`. The last number in a text is never taken, and a text ending in an equals sign has no answer.

A chain such as `10 * 5 + 3 = 55` is extracted unchanged: `eval.grading.equality` decides which value it claims.
"""

import re
from typing import NamedTuple

from eval.grading.statements import (
    TURN_END,
    can_be_answer,
    final_statement,
    is_blank,
    is_comment,
    is_prose,
    stated_value,
)
from eval.records import ExtractionMethod


class Extraction(NamedTuple):
    """Where an answer was found. `answer` is empty exactly when `method` is `none`."""

    answer: str
    method: ExtractionMethod


_MAX_BOXES = 100
_MAX_MARKERS = 50

_FINAL_ANSWER = re.compile(
    r"final[ \t]+answers?\b(?P<link>[ \t]*[*_}]*[ \t]*(?:[:：=]|\n|$)|[*_}]+[ \t]|[ \t]+(?=\$|\\[(\[]|\\boxed)"
    r"|(?:[ \t][^\n.:]{0,60}?)??[ \t]+(?:is|are|equals|(?:would|should|must|will)[ \t]+be)\b[ \t]*:?)",
    re.IGNORECASE,
)
_HASHES = re.compile(r"(?<!#)####(?!#)")
_ANSWER_LINE = re.compile(r"[ \t*_>]*answer[ \t]*[*_]*[ \t]*:", re.IGNORECASE)
_HEADING = re.compile(
    r"^\W*(?:(?:step|part|case|solution|explanation|conclusion|answer)\b|\d+[.)]\s+[a-z])", re.IGNORECASE
)
_BOX = re.compile(
    r"\\(?:boxed|fbox|framebox|Aboxed|bbox|ovalbox|shadowbox|doublebox)(?![a-zA-Z])\s*(?:\[[^\[\]{}]*\]\s*){0,2}"
    r"(?P<open>\{)?"
)
_BARE_BOX = re.compile(r"[^\s${}\\]+")
_BESIDE = re.compile(
    r"(?:[\s$,;，、；&和或与及]|\band\b|\bor\b|\\text\s*\{\s*(?:and|or)\s*,?\s*\}|\\q?quad(?![a-z])|\\[,;:! ()\[\]])*"
)
_THOUGHT_TAG = re.compile(r"<(?P<close>/)?think>")
_BEFORE_MENTION = re.compile(
    r"(?:[`'\"“‘]|\b(?:as|tags?|tokens?|words?|symbols?|markers?|the|an?|and|or|of|with|like|between|called|named) +)$",
    re.IGNORECASE,
)
_AFTER_MENTION = re.compile(r"[`'\"”’]|[ ]+(?:tags?|tokens?|markers?|symbols?|blocks?)\b", re.IGNORECASE)


def extract(text: str, *, several: bool = False, cut_off: bool = False) -> Extraction:
    """The final answer in a reply whose thought was removed; any leftover thought tags are removed here too.

    `several`: whether boxes side by side form one answer, a list; pass True where the gold is a list.
    `cut_off`: whether the token limit ended the text; its last sentence is then not taken as a plain statement ("The
    answer is 1" may be the beginning of 18).
    """
    text = _without_turn_end(_without_thought(text))
    boxes = _boxes(text)
    value, prose = _by_marker(text, boxes, several)
    if value:
        return Extraction(value, "marker")
    if boxes:
        return Extraction(_boxed(text, boxes, several), "boxed")
    if not cut_off and (statement := final_statement(text)):
        return Extraction(statement, "stated")
    return Extraction(prose, "marker") if prose else Extraction("", "none")


def last_box(text: str) -> str:
    r"""Content of the last balanced, non-empty box (the inner one if nested); empty if there is none.

    `\boxed 5` counts as `\boxed{5}`.
    """
    boxes = _boxes(text)
    return boxes[-1].content if boxes else ""


class _Box(NamedTuple):
    start: int
    end: int
    content: str


def _boxes(text: str) -> list[_Box]:
    """The last balanced, non-empty boxes, in the order in which they open."""
    matches = list(_BOX.finditer(text))[-_MAX_BOXES:]
    closing = _closing_braces(text) if matches else {}
    boxes = []
    for match in matches:
        if match["open"]:
            end = closing.get(match.end() - 1, -1)
            content = text[match.end() : end] if end >= 0 else ""
        else:
            bare = _BARE_BOX.match(text, match.end())
            content = bare[0].rstrip(".,;:") if bare else ""
            end = match.end() + len(content) - 1
        if not is_blank(content):
            boxes.append(_Box(match.start(), end + 1, content.strip()))
    return boxes


def _boxed(text: str, boxes: list[_Box], several: bool) -> str:
    """The content of the last box; with `several`, a list of the last boxes, going back for as long as only commas,
    "and" and the like separate them."""
    if not several:
        return boxes[-1].content
    run = [boxes[-1]]
    for box in reversed(boxes[:-1]):
        if box.end > run[0].start or not _BESIDE.fullmatch(text, box.end, run[0].start):
            break
        run.insert(0, box)
    contents = list(dict.fromkeys(box.content for box in run))
    # A box that is a list already is the whole answer, not a part of one.
    listed = any(re.search(r"[,;]|\\(?:pm|mp)(?![a-z])", content) for content in contents)
    return (
        contents[-1]
        if listed and not all(c.startswith(("(", "[", "\\left")) for c in contents)
        else ", ".join(contents)
    )


def _by_marker(text: str, boxes: list[_Box], several: bool) -> tuple[str, str]:
    """(value, prose): the last marker's answer, and the prose after the last marker as a fallback."""
    prose = ""
    for words_end, value_start, colon in reversed(_markers(text)):
        if boxes and boxes[-1].start >= words_end:
            return _boxed(text, [box for box in boxes if box.start >= words_end], several), prose
        if _BOX.search(text, value_start):
            continue  # a box that is empty or was cut off
        value = stated_value(text[value_start:])
        if not value or is_comment(value, colon):
            continue
        if is_prose(value, colon):
            prose = prose or value
            if colon and not boxes:
                break
        elif can_be_answer(value):
            return value, prose
    return "", prose


def _markers(text: str) -> list[tuple[int, int, bool]]:
    """(end of the marker's words, start of the value, whether a colon or the like separates them), in order."""
    markers = [
        (match.start("link"), match.end(), not re.search(r"[a-z]", match["link"], re.IGNORECASE))
        for match in _FINAL_ANSWER.finditer(text)
    ][-_MAX_MARKERS:]
    text = text.rstrip()
    line_start = text.rfind("\n") + 1
    line = [match.end() for match in _HASHES.finditer(text, line_start)][-1:]
    if answer_line := _ANSWER_LINE.match(text, line_start):
        line = line or [answer_line.end()]
    markers += [(end, end, True) for end in line if not _HEADING.match(text[end:])]
    return sorted(markers)


def _without_thought(text: str) -> str:
    """The text after the last closing thought tag and before any opening one, whose thought was cut off.

    A tag merely mentioned in a sentence ("tokens such as <think>") is ordinary text.
    """
    start, end = 0, len(text)
    for match in _THOUGHT_TAG.finditer(text):
        if _AFTER_MENTION.match(text, match.end()) or _BEFORE_MENTION.search(
            text, max(0, match.start() - 12), match.start()
        ):
            continue
        if match["close"]:
            start, end = match.end(), len(text)
        else:
            end = min(end, match.start())
    return text[start:end]


def _without_turn_end(text: str) -> str:
    while True:
        text = text.rstrip()
        tail = max(0, len(text) - 60)
        match = next((m for m in TURN_END.finditer(text, tail) if m.end() == len(text)), None)
        if match is None:
            return text
        text = text[: match.start()]


def _closing_braces(text: str) -> dict[int, int]:
    """Index of each balanced opening brace → index of its closing brace; escaped braces do not count."""
    pairs, opened, position = {}, [], 0
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
        elif character == "{":
            opened.append(position)
        elif character == "}" and opened:
            pairs[opened.pop()] = position
        position += 1
    return pairs

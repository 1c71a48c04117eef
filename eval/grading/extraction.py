"""Finding the final answer in a reply: the extraction ladder.

The rungs, from the top; the first that holds something wins:
1. `marker`: the last explicit final-answer marker. One of
   - the words "final answer" (any case, bold or a heading allowed) followed by a colon, by "is" (with up to 60
     characters of the same sentence between, "The final answer to the problem is 5"), by the end of bold type, or by
     the end of the line;
   - `####` in the last line (as in GSM8K; a heading such as "#### Step 4" is none), or "Answer:" at its beginning.
   When a balanced box follows the marker, the last such box is the answer; else the rest of the marker's line, or the
   next line that holds something, is, up to a sentence that follows a number. Mere prose ("the final answer is clearly
   highlighted") gives way to a box anywhere.
2. `boxed`: the last balanced `\\boxed{…}` or `\\fbox{…}` that holds something; an unbalanced one was cut off.
3. `none`. The last number of a text is never taken, and what ends in a sign of equality says nothing.

A chain such as `10 * 5 + 3 = 55` is extracted as it stands: which of its values is claimed is a matter of meaning
(`eval.grading.equality`). Does not know what an answer means or whether it is right.
"""

import re
from typing import NamedTuple

from eval.records import Rung


class Extraction(NamedTuple):
    """Where an answer was found. `answer` is empty exactly when `rung` is `none`."""

    answer: str
    rung: Rung


MAX_ANSWER = 2_000
"""Characters. No benchmark's gold comes near it; what is longer is not looked into."""
_MAX_BOXES = 100

_FINAL_ANSWER = re.compile(
    r"final[ \t]+answer\b(?:[ \t]*[*_}]*[ \t]*(?::|\n|$)|[*_}]+[ \t]|(?:[ \t][^\n.:]{0,60}?)??[ \t]+is\b[ \t]*:?)",
    re.IGNORECASE,
)
_LAST_LINE = re.compile(r"(?:.*(?<!#)####(?!#)|[ \t*_>]*answer[ \t]*[*_]*[ \t]*:)(?P<rest>.*)$", re.IGNORECASE)
_HEADING = re.compile(
    r"^\W*(?:(?:step|part|case|solution|explanation|conclusion|answer)\b|\d+[.)]\s+[a-z])", re.IGNORECASE
)
_DECORATION = re.compile(r"[ \t*_:}]*(?:\n[\s*_#>]*)?")
_BOX = re.compile(r"(?:\\boxed|\\fbox)(?![a-zA-Z])\s*(?P<open>\{)?")
_BARE_BOX = re.compile(r"[^\s${}\\]+")
_SPAN = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|(?<!\\)\$(.+?)(?<!\\)\$", re.DOTALL)
_JOINT = re.compile(r"(?:\s|[,;.*_]|\band\b|\bor\b)*")
_LEAD_IN = re.compile(r"^[A-Za-z][^=\n]*?\b(?:is|are|equals|be)[ \t]*:?[ \t]+(?=[-+\d.\\$({\[])", re.IGNORECASE)
_TRAILER = re.compile(r"(?:[.,;]?\s*I hope (?:it|this) is correct\.?|,\s+which\b.*)\s*$", re.IGNORECASE)
_BOLD = re.compile(r"(?<![\w)*])\*\*(?=[^\s*])([^*\n]+)\*\*(?![\w(*])")
_NEXT_SENTENCE = re.compile(r"(?<=\d)(?P<rest>[^.\n]{0,80})\.[ \t]+[A-Z].*$")
_WRAPPERS = re.compile(r"\\(?:text\w*|mbox|math\w+|boxed|fbox|left|right|quad|qquad|[,;:! ])")


def extract(text: str) -> Extraction:
    """The final answer in a reply whose thought was removed; what is left of a thought's tags is removed here too."""
    text = text.rpartition("</think>")[2].partition("<think>")[0]
    stated, box = _by_marker(text), last_box(text)
    if stated and not (box and _is_prose(stated)):
        return Extraction(stated, "marker")
    return Extraction(box, "boxed") if box else Extraction("", "none")


def last_box(text: str) -> str:
    r"""Content of the last balanced box that holds something, the inner one of nested boxes; empty if there is none.

    `\boxed 5` counts as `\boxed{5}`.
    """
    found = list(_BOX.finditer(text))
    closing = _closing_braces(text) if found else {}
    for match in reversed(found[-_MAX_BOXES:]):
        if match["open"]:
            end = closing.get(match.end() - 1)
            content = "" if end is None else text[match.end() : end]
        else:
            bare = _BARE_BOX.match(text, match.end())
            content = bare[0].rstrip(".,;:") if bare else ""
        if not is_blank(content):
            return content.strip()
    return ""


def is_blank(answer: str) -> bool:
    """Whether nothing is said: nothing remains once spaces, maths delimiters, empty wrappers, question marks and
    punctuation are taken away, or the last thing that remains is a sign of equality."""
    rest = re.sub(r"[\s{}$*_.,;:?~\\]", "", _WRAPPERS.sub("", answer))
    return not rest or rest.endswith("=")


def _is_prose(answer: str) -> bool:
    return len(re.findall(r"[A-Za-z]{3,}", answer)) > 1 and not re.search(r"[\d\\$=<>^_+]", answer)


def _by_marker(text: str) -> str:
    start, after = 0, ""
    for match in _FINAL_ANSWER.finditer(text):
        start, after = match.end(), text[match.end() :]
    text = text.rstrip()
    line_start = text.rfind("\n") + 1
    last_line = _LAST_LINE.match(text, line_start)
    if last_line and line_start >= start and not _HEADING.match(last_line["rest"]):
        after = last_line["rest"]
    if _BOX.search(after):
        return last_box(after)
    return _stated(after)


def _stated(after: str) -> str:
    """The answer in words or maths right after a marker; empty when it was cut off before it was whole."""
    after = after[_DECORATION.match(after).end() :]  # type: ignore[union-attr]  # matches the empty string too
    if after.startswith(("\\[", "$$")):
        span = _SPAN.match(after, 0, MAX_ANSWER)
        return _tidy(_inside(span)) if span else ""
    line = after.partition("\n")[0]
    if len(line) > MAX_ANSWER:
        return line
    line = _LEAD_IN.sub("", _NEXT_SENTENCE.sub(r"\g<rest>", _TRAILER.sub("", line).strip()))
    spans = list(_SPAN.finditer(line))
    outside = _SPAN.sub(" ", line)
    if spans and _JOINT.fullmatch(outside):
        return _tidy(", ".join(_inside(span) for span in spans))
    if len(spans) == 1 and not re.search(r"\d", outside):
        return _tidy(_inside(spans[0]))
    return _tidy(line)


def _inside(span: re.Match[str]) -> str:
    return next(group for group in span.groups() if group is not None).strip()


def _tidy(answer: str) -> str:
    answer = _BOLD.sub(r"\1", answer).strip("*_ \t\n").rstrip(".,;:").strip("*_ \t\n")
    return "" if is_blank(answer) else answer


def _closing_braces(text: str) -> dict[int, int]:
    """Index of each balanced opening brace to that of its closing one; escaped braces do not count."""
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

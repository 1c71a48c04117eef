"""Splits a model's text into thought and answer as it arrives."""

from typing import Literal, NamedTuple

from models.chat.events import Answering, Thinking
from models.config.thought_format import ThoughtFormat

Part = Literal["before", "thought", "answer"]


class Split(NamedTuple):
    """A text split into its two parts."""

    thought: str
    answer: str
    part: Part
    """The part in which the text ends; `before`: not yet known whether a thought opens."""
    thought_end: int
    """Length of the raw text up to the end of the thought's own text, before its closing tag or marker."""
    answer_start: int
    """Length of the raw text up to the answer, closing tag included; meaningful where `part` is `answer`."""


class Splitter:
    """Takes text in chunks of any size and returns what is certain so far as Thinking and Answering.

    Two kinds of text are held back until more of it decides what they are: white space, since the ends of both parts
    are stripped, and anything that may be the beginning of a tag or marker. So what has been shown never has to be
    taken back, however the text was cut into chunks.

    The first `literal` closing tags are text of the thought: see `models.chat.separated.written`.
    """

    def __init__(self, thought: ThoughtFormat, literal: int = 0) -> None:
        self.format = thought
        self._literal = literal
        self.part: Part = {"tags": "before", "marker": "thought", "none": "answer"}[thought.kind]  # type: ignore[assignment]
        self._held = ""
        self._fed = 0
        self._line_start = True
        self._shown = {"thought": False, "answer": False}
        self._thought: list[str] = []
        self._answer: list[str] = []
        self._thought_end = 0
        self._answer_start = 0

    def feed(self, text: str) -> list[Thinking | Answering]:
        """Take more text and return the deltas that are now certain."""
        self._held += text
        self._fed += len(text)
        deltas: list[Thinking | Answering] = []
        if self.part == "before":
            self._open()
        if self.part == "thought":
            deltas += self._think()
        if self.part == "answer":
            deltas += self._show(self._held)
        return deltas

    def finish(self) -> list[Thinking | Answering]:
        """The text ends here: return what looked like the start of a tag but was not."""
        if self.part == "before":
            self._leave_before()
        return self._show(self._held.rstrip())

    def split(self, ended: bool = False) -> Split:
        """Both parts so far. With `ended`, a text without a marker is all answer."""
        thought, answer = "".join(self._thought), "".join(self._answer)
        if ended and self.format.kind == "marker" and self.part == "thought":
            return Split("", thought, "answer", 0, 0)
        end = self._thought_end if self.part == "answer" else self._fed
        return Split(thought, answer, self.part, end, self._answer_start)

    def _open(self) -> None:
        text = self._held.lstrip()
        if text.startswith(self.format.open):
            self.part, self._held = "thought", text[len(self.format.open) :]
        elif not self.format.open.startswith(text):
            self._leave_before()

    def _leave_before(self) -> None:
        self.part = "thought" if self.format.prefilled else "answer"

    def _think(self) -> list[Thinking | Answering]:
        # `_held` is the end of what was fed, so offsets in the raw text are counted from its start: fed - held.
        start, end = self._find_close()
        if start < 0:
            return self._show(self._held[: len(self._held) - self._undecided()])
        before = self._held[:start].rstrip()
        offset = self._fed - len(self._held)
        rest = self._held[end:]
        deltas = self._show(before)
        self._thought_end, self._answer_start = offset + len(before), offset + end
        self.part, self._held = "answer", rest
        return deltas

    def _find_close(self) -> tuple[int, int]:
        """Where the end of the thought starts and where the answer begins, in the held text; -1 if absent."""
        if self.format.kind == "tags":
            start = self._held.find(self.format.close)
            while start >= 0 and self._literal:
                self._literal -= 1
                start = self._held.find(self.format.close, start + len(self.format.close))
            return start, start + len(self.format.close)
        for match in self.format.marker_line.finditer(self._held):
            if match.start() > 0 or self._line_start:
                return match.start(), match.start()
        return -1, -1

    def _undecided(self) -> int:
        """How many characters at the end of the held text may belong to the closing tag or marker."""
        if self.format.kind == "tags":
            return overlap(self._held, self.format.close)
        start = self._held.rfind("\n") + 1
        line = self._held[start:]
        at_line_start = start > 0 or self._line_start
        return len(line) if at_line_start and self.format.may_become_marker(line) else 0

    def _show(self, text: str) -> list[Thinking | Answering]:
        """Release `text`, the start of the held text, without white space at its end."""
        shown = text.rstrip()
        if not shown:
            return []
        self._held = self._held[len(shown) :]
        self._line_start = False
        name = "answer" if self.part == "answer" else "thought"
        if not self._shown[name]:
            shown = shown.lstrip()
            self._shown[name] = True
        if name == "answer":
            self._answer.append(shown)
            return [Answering(shown)]
        self._thought.append(shown)
        return [Thinking(shown)]


def overlap(text: str, tag: str) -> int:
    """Length of the longest suffix of `text` that is a proper prefix of `tag`: overlap("so </th", "</think>") == 4."""
    for length in range(min(len(text), len(tag) - 1), 0, -1):
        if tag.startswith(text[-length:]):
            return length
    return 0


def split_text(thought: ThoughtFormat, raw: str, ended: bool = True, literal: int = 0) -> Split:
    """The thought and answer of a text. `ended`: the model ended it itself; it was not cut off."""
    splitter = Splitter(thought, literal)
    splitter.feed(raw)
    if ended:
        splitter.finish()
    return splitter.split(ended)


def close_thought_text(thought: ThoughtFormat, raw: str, literal: int = 0) -> str:
    """What to append to `raw` to close its thought so that the answer comes next; empty if already closed.

    A tag that was cut in two is completed. Where no thought has begun, an empty one is written, so that a model that
    thinks in tags answers at once.
    """
    part = split_text(thought, raw, ended=False, literal=literal).part
    if part == "answer":
        return ""
    if thought.kind == "marker":
        return f"{_paragraph_break(raw)}{thought.marker.strip()}"
    begun = overlap(raw, thought.close) if part == "thought" else 0
    if begun:
        return f"{thought.close[begun:]}\n\n"
    if part == "thought" or thought.prefilled:
        newline = "" if raw.endswith("\n") or not raw else "\n"
        return f"{newline}{thought.close}\n\n"
    opening = thought.open[len(raw.lstrip()) :]
    return f"{opening}\n\n{thought.close}\n\n"


def reopen_thought(thought: ThoughtFormat, raw: str, word: str = "Wait", literal: int = 0) -> str:
    """`raw` without its answer, with its thought reopened and continued by `word` (budget forcing, as in s1).

    If there was no thought, a model that uses tags gets a new one; for `none` the answer itself continues.
    """
    split = split_text(thought, raw, ended=False, literal=literal)
    if thought.kind == "none":
        return f"{raw.rstrip()}{_paragraph_break(raw.rstrip())}{word}"
    if split.part == "answer" and not split.answer_start:
        return f"{thought.open}\n{word}"
    thought_text = raw[: split.thought_end].rstrip()
    if split.part == "before" and not thought.prefilled:
        return f"{thought.open}\n{word}"
    separator = "\n" if thought_text.endswith(thought.open) else " " if thought_text else ""
    return f"{thought_text}{separator}{word}"


def _paragraph_break(raw: str) -> str:
    if not raw:
        return ""
    return "\n\n"[: max(0, 2 - (len(raw) - len(raw.rstrip("\n"))))]

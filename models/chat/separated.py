"""A reply whose server sends thought and answer separately. Tags inside either are ordinary text."""

from typing import NamedTuple

from models.chat.events import Answering, Reply, Thinking
from models.chat.thought import Split
from models.config.thought_format import ThoughtFormat


class Written(NamedTuple):
    """How a reply's raw text marks its thought."""

    format: ThoughtFormat
    literal: int
    """How many closing tags are ordinary text of the thought: the server sent the parts apart, so they close
    nothing."""


def written(thought: ThoughtFormat, reply: Reply) -> Written:
    """How to read the raw text of a reply by a model with this thought format. See `Separated.raw`."""
    tags = thought if thought.kind == "tags" else ThoughtFormat("tags")
    tagged = reply.raw.startswith(tags.open) and reply.raw.removeprefix(tags.open).lstrip().startswith(reply.thought)
    if thought.kind != "tags" and not (reply.thought and tagged):
        return Written(thought, 0)
    return Written(tags, reply.thought.count(tags.close))


class Trimmed:
    """A growing text without white space at either end: white space is held until more text follows."""

    def __init__(self) -> None:
        self._shown: list[str] = []
        self._waiting = ""

    @property
    def text(self) -> str:
        return "".join(self._shown)

    def __bool__(self) -> bool:
        return bool(self._shown)

    def add(self, text: str) -> str:
        """The text that can be shown now and could not before."""
        joined = self._waiting + text if self._shown else (self._waiting + text).lstrip()
        shown = joined.rstrip()
        self._waiting = joined[len(shown) :]
        self._shown += [shown] if shown else []
        return shown


class Separated:
    """Thought and answer as two texts, which may arrive in any order and may alternate."""

    def __init__(self, thought: ThoughtFormat) -> None:
        self._format = thought if thought.kind == "tags" else ThoughtFormat("tags")  # as `written` reads it
        self._thought, self._answer = Trimmed(), Trimmed()
        self._raw_thought: list[str] = []
        self._raw_answer: list[str] = []

    def think(self, text: str) -> list[Thinking]:
        self._raw_thought.append(text)
        shown = self._thought.add(text)
        return [Thinking(shown)] if shown else []

    def answer(self, text: str) -> list[Answering]:
        self._raw_answer.append(text)
        shown = self._answer.add(text)
        return [Answering(shown)] if shown else []

    @property
    def raw(self) -> str:
        """The single text the model most likely wrote: the whole thought in its tags, then the answer."""
        opening = "" if self._format.prefilled else f"{self._format.open}\n"
        thought = opening + "".join(self._raw_thought)
        return f"{thought}{self._closing}{''.join(self._raw_answer)}" if self._answer else thought

    @property
    def _closing(self) -> str:
        newline = "" if "".join(self._raw_thought[-1:]).endswith("\n") else "\n"
        return f"{newline}{self._format.close}\n\n"

    @property
    def split(self) -> Split:
        part = "answer" if self._answer else "thought"
        raw = self.raw
        start = len(raw) - len("".join(self._raw_answer)) if self._answer else 0
        end = start - len(self._closing) if self._answer else len(raw)
        return Split(self._thought.text, self._answer.text, part, end, start)  # type: ignore[arg-type]

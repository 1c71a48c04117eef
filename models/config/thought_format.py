"""The format in which a model marks its thought."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

DECORATION = r"[ \t*#_>]*"
"""Markdown that may stand between the start of a line and the final-answer marker, as in `## **Final answer**`."""


@dataclass(frozen=True)
class ThoughtFormat:
    """How a model marks its thought. Both parts are stripped of leading and trailing white space.

    `tags`: a leading `open` (after optional white space) starts the thought and the first `close` after it ends it;
    after that nothing reopens it, and an `open` anywhere else is ordinary text. A thought that is never closed leaves
    the answer empty. With `prefilled` the chat template has already written `open`, so the text starts inside the
    thought (a model that writes `open` again is forgiven).

    `marker`: everything before the first line that starts with `marker` (in any case, after optional Markdown) is
    thought; the answer begins with that line and keeps the marker. A reply that the model ends without its marker is
    all answer, since nothing in it tells the two apart; one that was cut off before its marker is all thought.

    `none`: everything is answer.
    """

    kind: Literal["tags", "marker", "none"] = "none"
    open: str = "<think>"
    close: str = "</think>"
    prefilled: bool = False
    marker: str = ""

    def __post_init__(self) -> None:
        if self.kind == "tags" and not (self.open.strip() and self.close.strip()):
            raise ValueError("a thought in tags needs both `open` and `close`")
        if self.kind == "marker" and not self.marker.strip():
            raise ValueError("a thought that ends at a marker needs `marker`")

    @cached_property
    def marker_line(self) -> re.Pattern[str]:
        return re.compile(rf"^{DECORATION}{re.escape(self.marker.strip())}", re.IGNORECASE | re.MULTILINE)

    def may_become_marker(self, line: str) -> bool:
        """Whether more text could turn this beginning of a line into a marker line."""
        decorated = re.match(DECORATION, line)
        longest = decorated.end() if decorated else 0
        marker = self.marker.strip()
        return any(
            re.fullmatch(re.escape(marker[: len(line) - start]), line[start:], re.IGNORECASE)
            for start in range(longest + 1)
        )

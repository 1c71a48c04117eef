"""A debate as a list of turns, and those turns as one thought in the first person.

Retracted steps stay in the thought, with the critic's reason: that makes it a journey rather than a shortcut.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

_BOX = re.compile(r"\\boxed\{([^{}]*)\}")
"""A box, which belongs in the answer; in the thought it is replaced by its content."""


@dataclass(frozen=True)
class CriticVerdict:
    """The critic's verdict on the last step. `to`: the last step that may stay, counted from 1 along the path."""

    back: bool
    reason: str
    to: int = 0


@dataclass(frozen=True)
class Turn:
    """One step of the policy, and the verdict on it."""

    text: str
    verdict: CriticVerdict | None = None
    """None: the critic gave no valid verdict, so the debate continued."""
    depth: int = 1
    """Its number along the path, from 1."""
    answer: str = ""
    """What the policy wrote after its thought, if it put that in tags; otherwise `text` contains both."""

    @property
    def whole(self) -> str:
        """The whole step, as the critic reads it."""
        return f"{self.text}\n{self.answer}".strip()


def parse_verdict(text: str, steps: int) -> CriticVerdict | None:
    """Parses strictly: one JSON object with the keys of the schema and a `to` below the last step; otherwise None."""
    try:
        values = json.loads(text.strip())
    except ValueError:
        return None
    if not isinstance(values, dict) or not set(values) <= {"verdict", "to", "reason"}:
        return None
    reason, to = values.get("reason"), values.get("to", 0)
    if not isinstance(reason, str) or not isinstance(to, int) or isinstance(to, bool):
        return None
    if values.get("verdict") == "go on":
        return CriticVerdict(False, reason.strip())
    if values.get("verdict") != "go back" or "to" not in values or not reason.strip() or not 0 <= to < steps:
        return None
    return CriticVerdict(True, reason.strip(), to)


def path_of(turns: Sequence[Turn]) -> list[Turn]:
    """The steps that remain after all turns, in order."""
    path: list[Turn] = []
    for turn in turns:
        path.append(turn)
        if turn.verdict and turn.verdict.back:
            path = path[: turn.verdict.to]
    return path


def first_person(turns: Sequence[Turn]) -> str:
    """The debate as one thought: each step and, if it was retracted, a sentence with the critic's reason.

    The critic's approvals are left out: the thought would claim checks that it does not show.
    """
    parts: list[str] = []
    for turn in turns:
        parts.append(_BOX.sub(r"\1", turn.text.strip()))
        if turn.verdict and turn.verdict.back:
            parts.append(_turning(turn.verdict, chinese=bool(re.search(r"[\u4e00-\u9fff]", turn.text))))
    return "\n\n".join(parts)


def _turning(verdict: CriticVerdict, chinese: bool) -> str:
    reason = _own_words(verdict.reason)
    if chinese:
        where = f"回到第 {verdict.to} 步" if verdict.to else "从头开始"
        return f"等等，{reason.rstrip('。.')}。让我{where}，换一种做法。"
    where = f"go back to step {verdict.to}" if verdict.to else "start again"
    return f"Wait. {reason.rstrip('.')}. Let me {where} and try it differently."


_PERSONS = (
    (r"\b(?:[Tt]he student|[Yy]ou) (?:has|have)\b", "I have"),
    (r"\b(?:[Tt]he student|[Yy]ou) (?:is|are)\b", "I am"),
    (r"\b(?:[Tt]he student|[Yy]ou) (?:was|were)\b", "I was"),
    (r"\b(?:[Tt]he student's|[Yy]our)\b", "my"),
    (r"\b(?:[Tt]he student|[Yy]ou)\b", "I"),
)


def _own_words(reason: str) -> str:
    for pattern, replacement in _PERSONS:
        reason = re.sub(pattern, replacement, reason)
    return reason[:1].upper() + reason[1:]


def turn_row(turn: Turn) -> dict[str, Any]:
    """The turn as JSON values."""
    verdict = turn.verdict
    action: Literal["go on", "go back", "invalid"] = (
        "invalid" if verdict is None else "go back" if verdict.back else "go on"
    )
    return {
        "step": turn.text,
        "answer": turn.answer,
        "depth": turn.depth,
        "verdict": action,
        "to": verdict.to if verdict and verdict.back else None,
        "reason": verdict.reason if verdict else "",
    }

"""The values of a vote: a recorded reply, a battle of two models, a ballot, and the whole row that is stored."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol, TypeVar

from pydantic import TypeAdapter

Verdict = Literal["a", "b", "tie", "both_bad"]
Stage = Literal["answers", "reasoning"]
"""`answers`: the first vote, on the answers alone; `reasoning`: the second, after reading the reasoning."""
Role = Literal["base", "distilled"]
Side = Literal["a", "b"]
Mode = Literal["blind", "named", "continued"]
"""`named`: the names are known from the start; `continued`: a conversation after its vote, which takes no other."""
Delivery = Literal["together", "live"]
"""`together`: both answers appear once both are finished; `live`: they appear as they are written."""
Language = Literal["en", "zh", "other"]

VERDICTS: dict[Verdict, str] = {"a": "A is better", "b": "B is better", "tie": "Tie", "both_bad": "Both are bad"}
STAGES: dict[Stage, str] = {"answers": "Answers alone", "reasoning": "With the reasoning"}
REASONS: dict[str, str] = {
    "correct": "Correct",
    "clearer": "Clearer",
    "more_complete": "More complete",
    "safer": "Safer",
    "reasoning_helped": "Reasoning helped",
}
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003134f]")
_KANA = re.compile(r"[\u3040-\u30ff]")
_WORD = re.compile(r"[^\W\d_]+")


class ReplyLike(Protocol):
    """What a model's reply must offer to be recorded, as `models.chat.events.Reply` does."""

    @property
    def thought(self) -> str: ...
    @property
    def answer(self) -> str: ...
    @property
    def raw(self) -> str: ...
    @property
    def thought_tokens(self) -> int: ...
    @property
    def answer_tokens(self) -> int: ...
    @property
    def first_token_seconds(self) -> float: ...
    @property
    def thought_seconds(self) -> float: ...
    @property
    def seconds(self) -> float: ...
    @property
    def finish_reason(self) -> str: ...
    @property
    def forced(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class RecordedReply:
    """One reply as it is stored, and which model wrote it. Times in seconds from the request."""

    role: Role
    model: str
    """Hub id or name of the model as the pair names it."""
    weight_hash: str
    thought: str = ""
    answer: str = ""
    raw: str = ""
    """The model's text exactly as generated, tags included."""
    opened: str = ""
    """What the chat template wrote before `raw`: the opening of the thought, if the model did not write it itself."""
    thought_tokens: int = 0
    answer_tokens: int = 0
    first_token_seconds: float = 0.0
    thought_seconds: float = 0.0
    seconds: float = 0.0
    finish_reason: str = "stop"
    forced: tuple[str, ...] = ()
    """Interventions in order: `budget`, `answer_now`, `think_more`, `continue`, `transplant`."""

    @property
    def output_tokens(self) -> int:
        return self.thought_tokens + self.answer_tokens

    @property
    def whole(self) -> str:
        """Thought and answer with all their tags; empty if there are no words in either."""
        return self.opened + self.raw if self.thought.strip() or self.answer.strip() else ""

    @classmethod
    def of(cls, reply: ReplyLike, *, role: Role, model: str, weight_hash: str, opened: str = "") -> "RecordedReply":
        return cls(
            role=role,
            model=model,
            weight_hash=weight_hash,
            thought=reply.thought,
            answer=reply.answer,
            raw=reply.raw,
            opened=opened,
            thought_tokens=reply.thought_tokens,
            answer_tokens=reply.answer_tokens,
            first_token_seconds=reply.first_token_seconds,
            thought_seconds=reply.thought_seconds,
            seconds=reply.seconds,
            finish_reason=reply.finish_reason,
            forced=tuple(reply.forced),
        )


@dataclass(frozen=True)
class Turn:
    """One question and what each side replied."""

    prompt: str
    a: RecordedReply
    b: RecordedReply

    def reply(self, side: Side) -> RecordedReply:
        return self.a if side == "a" else self.b


@dataclass(frozen=True)
class BattleRecord:
    """A battle as it stands after a finished turn: one row of the append-only `battles` table."""

    row_id: str
    battle_id: str
    visitor: str
    """Salted hash; never an address or a name."""
    pair: str
    mode: Mode
    delivery: Delivery
    a_role: Role
    """Which model is A; the other one is B."""
    sampling: dict[str, Any]
    seed: int | None
    created_at: str
    """UTC, ISO 8601, as all times here."""
    finished_at: str
    """When the last turn was finished."""
    language: Language
    turns: tuple[Turn, ...]

    def role(self, side: Side) -> Role:
        return self.a_role if side == "a" else other_role(self.a_role)


@dataclass(frozen=True)
class RevealRecord:
    """The names of a battle were shown at this time. From then on it takes no vote."""

    row_id: str
    battle_id: str
    visitor: str
    forfeited: bool
    """True if the names were shown without a vote on the answers."""
    revealed_at: str


@dataclass(frozen=True)
class HiddenRecord:
    """The owner took a battle down, or put it back. A battle's latest record counts."""

    row_id: str
    battle_id: str
    hidden: bool
    """True: excluded from links, lists, counts and files. False: shown again."""
    reason: str
    hidden_at: str


@dataclass(frozen=True)
class Ballot:
    """The countable part of a vote: all that `votes.ranking` needs."""

    row_id: str
    battle_id: str
    voted_at: str
    visitor: str
    pair: str
    stage: Stage
    verdict: Verdict
    a_role: Role
    mode: Mode
    delivery: Delivery
    language: Language
    retracts: str
    """Row id of the vote that this row withdraws; empty for a vote."""
    reasoning_seen: bool
    """Whether the reasoning had been shown before: always in named mode, and for a first vote cast again after undo."""
    licence: str = field(default="", kw_only=True)
    """The licence under which the visitor agreed to publication; empty if they did not agree."""
    blocked: str = field(default="", kw_only=True)
    """Sides with an answer that the guard model blocked: `a`, `b` or `ab`; usually empty."""

    @property
    def winner(self) -> Role | None:
        """The better model; None for a tie, or when both are bad."""
        return {"a": self.a_role, "b": other_role(self.a_role)}.get(self.verdict)

    @property
    def shuffled(self) -> bool:
        """Whether chance decided which model was A."""
        return self.mode == "blind"

    @property
    def on_answers_alone(self) -> bool:
        """A first vote, but not one cast again after the reasoning of a blind battle was seen."""
        return self.stage == "answers" and (self.mode == "named" or not self.reasoning_seen)

    @property
    def before_reading(self) -> bool:
        """A blind vote on the answers alone: what headlines count."""
        return self.mode == "blind" and self.on_answers_alone

    @property
    def after_reading(self) -> bool:
        return self.mode == "blind" and self.stage == "reasoning"


@dataclass(frozen=True)
class Vote(Ballot):
    """One row of the append-only `votes` table, with everything needed to reuse it. A retraction is a row too."""

    reasons: tuple[str, ...]
    """Keys of `REASONS`."""
    comment: str
    base_model: str
    base_weight_hash: str
    distilled_model: str
    distilled_weight_hash: str
    sampling: dict[str, Any]
    seed: int | None
    seconds_to_vote: float
    """From the end of the last turn (for a second vote: from the first vote) to this vote, on the server's clock."""
    app_version: str
    turns: tuple[Turn, ...]
    """All messages and both full replies of every turn."""


Row = Vote | BattleRecord | RevealRecord | HiddenRecord


def other_role(role: Role) -> Role:
    return "distilled" if role == "base" else "base"


def conversation(turns: Iterable[Turn], side: Side, *, with_thoughts: bool = False) -> list[dict[str, str]]:
    """The messages of one side in order: with thoughts, the whole text of each reply; otherwise its answer alone."""
    messages = []
    for turn in turns:
        reply = turn.reply(side)
        messages.append({"role": "user", "content": turn.prompt})
        messages.append({"role": "assistant", "content": reply.whole if with_thoughts else reply.answer})
    return messages


def detect_language(text: str) -> Language:
    """`zh` when at least half of the words are Han, `en` when at least 90 % of the letters are ASCII, else `other`.

    A coarse split for grouping votes. Each Han character counts as a word, and so does each run of other letters. Any
    kana rules out `zh`. Other languages in plain ASCII letters count as `en`. Text without letters is `other`.
    """
    letters = [c for c in text if c.isalpha()]
    if not letters:
        return "other"
    han, words = len(_HAN.findall(text)), len(_WORD.findall(_HAN.sub(" ", text)))
    if han >= words and not _KANA.search(text):
        return "zh"
    return "en" if sum(c.isascii() for c in letters) / len(letters) >= 0.9 else "other"


RowT = TypeVar("RowT", Ballot, Vote, BattleRecord, RevealRecord, HiddenRecord)
_KINDS: dict[type, TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in RowT.__constraints__}
_NESTED = ("turns", "sampling", "reasons")


def columns(kind: type[RowT]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def to_row(value: Row) -> dict[str, Any]:
    """Column → scalar. Nested values become JSON text. Lone surrogates, which UTF-8 cannot hold, become `?`."""
    plain: dict[str, Any] = _KINDS[type(value)].dump_python(value)
    for reply in (turn[side] for turn in plain.get("turns", ()) for side in ("a", "b")):
        if not reply["opened"]:
            del reply["opened"]  # most models write their own tags: keeps those rows in their original form
    flat = {k: json.dumps(v, ensure_ascii=False, allow_nan=False) if k in _NESTED else v for k, v in plain.items()}
    return {k: v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for k, v in flat.items()}


def from_row(kind: type[RowT], row: Mapping[str, Any]) -> RowT:
    """The inverse of `to_row`. ValueError if a column is missing or does not hold what it should."""
    plain = {k: json.loads(row[k]) if k in _NESTED else row[k] for k in columns(kind) if k in row}
    value: RowT = _KINDS[kind].validate_python(plain)
    return value

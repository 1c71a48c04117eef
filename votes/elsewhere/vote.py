"""A vote cast elsewhere, and its conversion to and from a vote of this arena."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Literal

from votes.ballot import RecordedReply, Role, Side, Turn, Verdict, Vote, conversation, detect_language, other_role

Form = Literal["arena", "log", "preferences"]
"""`arena`: rows with two models and a winner, as FastChat and LMArena publish them; `log`: FastChat's own log of
events; `preferences`: a chosen and a rejected reply, as preference sets on the hub have them."""
_LANGUAGES = {"english": "en", "en": "en", "chinese": "zh", "zh": "zh"}


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: str
    content: str


@dataclass(frozen=True)
class ForeignVote:
    """One vote. Fields missing from its row are empty."""

    id: str
    """A hash of its content, so that importing a vote twice keeps it once."""
    form: Form
    models: tuple[str, str]
    """The names of A and B."""
    verdict: Verdict
    a: tuple[Message, ...]
    """The conversation with A; empty where the row has no words."""
    b: tuple[Message, ...]
    judge: str = ""
    """Who voted, as the source names them. Never an address."""
    voted_at: str = ""
    """UTC, ISO 8601."""
    language: str = ""
    columns: tuple[str, ...] = ()
    """The columns of the original row."""
    extra: dict[str, Any] = field(default_factory=dict)
    """What else the row holds, or holds in another form, as JSON values, so that it can be written back unchanged."""


class UnplacedVote(Vote):
    """A vote from a preference set. A is the chosen reply there, so sides say nothing of where a reply was shown."""

    @property
    def shuffled(self) -> bool:
        return False


def identity(vote: ForeignVote, copy: int) -> str:
    """Hex hash of the vote's content and of how many equal votes precede it in its file."""
    parts = {**asdict(vote), "id": copy}
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:24]


def as_votes(votes: Iterable[ForeignVote], source: str, base: str, distilled: str) -> list[Vote]:
    """The votes that compare these two models, with `base` and `distilled` in the roles of this arena's pair.

    Lengths are counted in characters, since token counts are unknown. Names of judges and battles include the source,
    so that they never match this arena's.
    """
    return [
        _as_vote(vote, source, base, distilled) for vote in votes if sorted(vote.models) == sorted((base, distilled))
    ]


def _as_vote(vote: ForeignVote, source: str, base: str, distilled: str) -> Vote:
    a_role: Role = "base" if vote.models[0] == base else "distilled"
    b_role = other_role(a_role)
    turns = _turns(vote, a_role, b_role)
    prompts = "\n".join(turn.prompt for turn in turns)
    language: Any = _LANGUAGES.get(vote.language.lower(), "other") if vote.language else detect_language(prompts)
    kind = UnplacedVote if vote.form == "preferences" else Vote
    return kind(
        row_id=vote.id,
        battle_id=f"{source}-{vote.id}",
        voted_at=vote.voted_at,
        visitor=f"{source}-{vote.judge or vote.id}",
        pair=f"{base} and {distilled}, {source}",
        stage="answers",
        verdict=vote.verdict,
        a_role=a_role,
        mode="blind",
        delivery="live",
        language=language,
        retracts="",
        reasoning_seen=False,
        reasons=(),
        comment="",
        base_model=base,
        base_weight_hash="",
        distilled_model=distilled,
        distilled_weight_hash="",
        sampling={},
        seed=None,
        seconds_to_vote=0.0,
        app_version="",
        turns=turns,
    )


def _turns(vote: ForeignVote, a_role: Role, b_role: Role) -> tuple[Turn, ...]:
    """Question by question. A row without words has one turn without words."""

    def replies(messages: Sequence[Message], role: Role, model: str) -> list[tuple[str, RecordedReply]]:
        return [
            (question.content, RecordedReply(role, model, "", answer=answer.content, answer_tokens=len(answer.content)))
            for question, answer in pairwise(messages)
            if question.role == "user" and answer.role == "assistant"
        ]

    both = zip(replies(vote.a, a_role, vote.models[0]), replies(vote.b, b_role, vote.models[1]), strict=False)
    turns = tuple(Turn(prompt, a, b) for (prompt, a), (_, b) in both)
    empty = Turn("", RecordedReply(a_role, vote.models[0], ""), RecordedReply(b_role, vote.models[1], ""))
    return turns or (empty,)


def as_foreign(vote: Vote) -> ForeignVote:
    """A vote of this arena in the form others use."""
    names: dict[Role, str] = {"base": vote.base_model, "distilled": vote.distilled_model}
    sides: tuple[Side, Side] = ("a", "b")
    a, b = (tuple(Message(m["role"], m["content"]) for m in conversation(vote.turns, side)) for side in sides)
    return ForeignVote(
        id=vote.row_id,
        form="arena",
        models=(names[vote.a_role], names[other_role(vote.a_role)]),
        verdict=vote.verdict,
        a=a,
        b=b,
        judge=vote.visitor,
        voted_at=vote.voted_at,
        language=vote.language,
        extra={
            "question_id": vote.battle_id,
            "anony": vote.mode == "blind",
            "turn": len(vote.turns),
            "stage": vote.stage,
        },
    )

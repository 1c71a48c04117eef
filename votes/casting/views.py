"""Views of a battle that the desk hands out: receipts, names, and replies without anything that must stay hidden.

Pure values, and how they are made from records. What may be shown is decided by `votes.casting.desk`.
"""

from dataclasses import dataclass

from votes.ballot import BattleRecord, Delivery, Mode, RecordedReply, Role, Side, Stage, Verdict, Vote


@dataclass(frozen=True)
class Receipt:
    """Proof that a row is on disk."""

    row_id: str
    battle_id: str
    stage: Stage
    verdict: Verdict
    notice: str
    """A sentence about the store if something is wrong, e.g. that the vote waits in a journal; otherwise empty."""
    repeated: bool = False
    """True if nothing was written: this vote was already there, or the call belonged to the same gesture."""

    @classmethod
    def of(cls, vote: Vote, notice: str) -> "Receipt":
        return cls(vote.row_id, vote.battle_id, vote.stage, vote.verdict, notice)


@dataclass(frozen=True)
class SideFacts:
    """Which model a side was and what its replies cost, summed over the turns. Times in seconds."""

    role: Role
    model: str
    weight_hash: str
    thought_tokens: int
    answer_tokens: int
    thought_seconds: float
    first_token_seconds: float
    """Mean over the turns."""
    seconds: float

    @property
    def output_tokens(self) -> int:
        return self.thought_tokens + self.answer_tokens


@dataclass(frozen=True)
class Reveal:
    """The names behind A and B."""

    battle_id: str
    a: SideFacts
    b: SideFacts
    forfeited: bool
    """True if the names were shown without a vote on the answers."""


@dataclass(frozen=True)
class ShownReply:
    """A reply without its author. The fields of the thought are None as long as it is hidden."""

    answer: str
    finish_reason: str
    thought: str | None = None
    thought_tokens: int | None = None
    answer_tokens: int | None = None
    thought_seconds: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class ShownTurn:
    prompt: str
    a: ShownReply
    b: ShownReply


@dataclass(frozen=True)
class SharedBattle:
    """A finished battle as anyone with its link may see it."""

    battle_id: str
    pair: str
    mode: Mode
    delivery: Delivery
    finished_at: str
    turns: tuple[ShownTurn, ...]
    verdicts: dict[Stage, Verdict]
    """The votes that stand."""
    reveal: Reveal | None
    """None as long as the names are hidden."""


@dataclass(frozen=True)
class OwnBattle:
    """A battle as its own visitor sees it, e.g. after a page reload."""

    battle_id: str
    shared: SharedBattle | None
    """What may be seen of it; None before the first answers."""
    stage: Stage | None
    """The vote that may be cast now."""
    running: bool
    """Whether the models are still answering."""
    record: BattleRecord
    """Everything, for the server that continues the battle; never for the page."""


def side_facts(record: BattleRecord, side: Side) -> SideFacts:
    replies = [turn.reply(side) for turn in record.turns]
    last = replies[-1]
    return SideFacts(
        role=last.role,
        model=last.model,
        weight_hash=last.weight_hash,
        thought_tokens=sum(r.thought_tokens for r in replies),
        answer_tokens=sum(r.answer_tokens for r in replies),
        thought_seconds=sum(r.thought_seconds for r in replies),
        first_token_seconds=sum(r.first_token_seconds for r in replies) / len(replies),
        seconds=sum(r.seconds for r in replies),
    )


def names(record: BattleRecord, *, forfeited: bool) -> Reveal:
    return Reveal(record.battle_id, side_facts(record, "a"), side_facts(record, "b"), forfeited)


def shown_turns(record: BattleRecord, *, with_thoughts: bool) -> tuple[ShownTurn, ...]:
    return tuple(
        ShownTurn(turn.prompt, shown_reply(turn.a, with_thoughts), shown_reply(turn.b, with_thoughts))
        for turn in record.turns
    )


def shown_reply(reply: RecordedReply, with_thought: bool) -> ShownReply:
    if not with_thought:
        return ShownReply(reply.answer, reply.finish_reason)
    return ShownReply(
        answer=reply.answer,
        finish_reason=reply.finish_reason,
        thought=reply.thought,
        thought_tokens=reply.thought_tokens,
        answer_tokens=reply.answer_tokens,
        thought_seconds=reply.thought_seconds,
        seconds=reply.seconds,
    )

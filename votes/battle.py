"""One battle in memory, and the rules of its steps as functions that only read it.

Does not know other battles, rate limits, the store or the clock; `votes.desk` holds those and takes the steps.
"""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from votes.ballot import (
    BattleRecord,
    RecordedReply,
    RevealRecord,
    Role,
    Stage,
    Turn,
    Verdict,
    Vote,
    detect_language,
)
from votes.errors import Refused
from votes.ranking import effective_votes


@dataclass
class LiveBattle:
    """A battle in memory; every change happens under its lock."""

    record: BattleRecord
    touched: float
    """Unix time of the last step."""
    votes: list[Vote] = field(default_factory=list)
    reveal: RevealRecord | None = None
    running: tuple[str, str] | None = None
    """(turn id, prompt) of the turn being answered."""
    replaces_last: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def standing(self) -> dict[Stage, Vote]:
        return {vote.stage: vote for vote in effective_votes(self.votes)}

    @property
    def thoughts_open(self) -> bool:
        return self.record.mode == "named" or bool(self.votes) or self.reveal is not None


def check_turn(battle: LiveBattle) -> None:
    if battle.running is not None:
        raise Refused("The models are still answering.", "Wait for both answers, or stop them.")
    if battle.record.mode == "blind" and battle.reveal is not None:
        raise Refused("The names have been revealed: this battle is over.", "Start a new one.")
    if battle.record.mode == "blind" and battle.standing:
        raise Refused("This battle has been voted on.", "Start a new one, or undo the vote.")


def check_vote(battle: LiveBattle, stage: Stage) -> None:
    if battle.running is not None:
        raise Refused("The models are still answering.", "Vote when both answers are finished.")
    if not battle.record.turns:
        raise Refused("There is nothing to vote on yet.", "Ask a question first.")
    if battle.record.mode == "blind" and battle.reveal is not None:
        raise Refused("The names have been revealed: no vote of this battle is taken any more.")
    standing = battle.standing
    if stage in standing:
        raise Refused("You have voted at this stage already.", "Undo that vote first to change it.")
    if stage == "reasoning" and "answers" not in standing:
        raise Refused("The vote on the answers comes first.")


def check_undo(battle: LiveBattle, now: float, undo_seconds: float) -> Vote:
    """The vote that an undo takes back: the latest that stands."""
    if battle.reveal is not None:
        raise Refused("The names have been revealed: the votes of this battle are final.")
    standing = battle.standing
    vote = standing.get("reasoning") or standing.get("answers")
    if vote is None:
        raise Refused("There is no vote to undo.")
    if now > to_unix(vote.voted_at) + undo_seconds:
        raise Refused(f"A vote can be undone for {undo_seconds:.0f} s; this one is older.")
    return vote


def check_reveal(battle: LiveBattle, *, forfeit: bool) -> None:
    if not battle.record.turns or battle.running is not None:
        raise Refused("There is nothing to reveal before both answers are finished.")
    hidden = battle.record.mode == "blind" and battle.reveal is None
    if hidden and "answers" not in battle.standing and not forfeit:
        raise Refused("The names are shown after the vote.", "Vote, or give up the vote to see them.")


def comparable(record: BattleRecord, replies: Mapping[Role, RecordedReply]) -> bool:
    """Whether a turn that has ended gives two answers to compare.

    A failed reply is none. Where names and thoughts are hidden and both answers appear together, a stopped one is none
    either: a side stopped inside its thought would have nothing to show beside the other's text, and be known by it.
    """
    hidden = record.mode == "blind" and record.delivery == "together"
    without = ("failed", "stopped") if hidden else ("failed",)
    return all(reply.finish_reason not in without for reply in replies.values())


def finished(battle: LiveBattle, prompt: str, replies: Mapping[Role, RecordedReply], now: float) -> BattleRecord:
    """The battle's record with the turn that has just been answered."""
    record = battle.record
    earlier = record.turns[:-1] if battle.replaces_last else record.turns
    turns = (*earlier, Turn(prompt, a=replies[record.role("a")], b=replies[record.role("b")]))
    language = detect_language("\n".join(turn.prompt for turn in turns))
    return replace(record, row_id=new_row_id(), finished_at=to_iso(now), language=language, turns=turns)


def make_vote(
    battle: LiveBattle,
    stage: Stage,
    verdict: Verdict,
    *,
    reasons: tuple[str, ...],
    comment: str,
    now: float,
    app_version: str,
) -> Vote:
    """The whole row. Models and weights are those of the last turn."""
    record, last = battle.record, battle.record.turns[-1]
    base, distilled = (last.a, last.b) if record.a_role == "base" else (last.b, last.a)
    since = battle.standing["answers"].voted_at if stage == "reasoning" else record.finished_at
    return Vote(
        row_id=new_row_id(),
        battle_id=record.battle_id,
        voted_at=to_iso(now),
        visitor=record.visitor,
        pair=record.pair,
        stage=stage,
        verdict=verdict,
        a_role=record.a_role,
        mode=record.mode,
        delivery=record.delivery,
        language=record.language,
        retracts="",
        reasons=reasons,
        comment=comment,
        base_model=base.model,
        base_weight_hash=base.weight_hash,
        distilled_model=distilled.model,
        distilled_weight_hash=distilled.weight_hash,
        sampling=record.sampling,
        seed=record.seed,
        seconds_to_vote=round(max(0.0, now - to_unix(since)), 3),
        reasoning_seen=battle.thoughts_open,
        app_version=app_version,
        turns=record.turns,
    )


def new_row_id() -> str:
    return secrets.token_hex(16)


def to_iso(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds")


def to_unix(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()

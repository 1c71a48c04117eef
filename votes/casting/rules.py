"""One battle in memory, and the rules for its steps as functions that only read it. The desk performs the steps."""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, get_args

from votes.agreement import check_licence
from votes.ballot import (
    REASONS,
    BattleRecord,
    Delivery,
    Mode,
    RecordedReply,
    RevealRecord,
    Role,
    Side,
    Stage,
    Turn,
    Verdict,
    Vote,
    detect_language,
)
from votes.casting.views import Receipt, SharedBattle, names, shown_turns
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
    stored: bool = False
    """Whether the store has all of it, so that it can be dropped from memory."""
    gesture: tuple[float, Receipt] | None = None
    """When a vote was last cast or repeated, and its receipt."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def standing(self) -> dict[Stage, Vote]:
        return {vote.stage: vote for vote in effective_votes(self.votes)}

    @property
    def thoughts_open(self) -> bool:
        return self.record.mode != "blind" or bool(self.votes) or self.reveal is not None


def new_battle(
    visitor: str,
    pair: str,
    mode: Mode,
    delivery: Delivery,
    a_role: Role,
    sampling: dict[str, Any],
    seed: int | None,
    now: float,
) -> BattleRecord:
    """A battle before its first question. Its id cannot be guessed; hexadecimal is safe in links, files and cells."""
    return BattleRecord(
        row_id="",
        battle_id=secrets.token_hex(16),
        visitor=visitor,
        pair=pair,
        mode=mode,
        delivery=delivery,
        a_role=a_role,
        sampling=sampling,
        seed=seed,
        created_at=to_iso(now),
        finished_at="",
        language="other",
        turns=(),
    )


def check_opening(mode: object, delivery: object, seed: object) -> None:
    if mode not in ("blind", "named") or delivery not in get_args(Delivery):
        raise Refused(f"There is no battle of mode {mode!r} with delivery {delivery!r}.")
    if seed is not None and not (isinstance(seed, int) and abs(seed) < 2**63):
        raise Refused(f"The seed {seed!r} is not a whole number of 64 bits.")


def check_ballot(stage: object, verdict: object, reasons: object) -> None:
    if stage not in get_args(Stage) or verdict not in get_args(Verdict):
        raise Refused(f"There is no vote {verdict!r} at stage {stage!r}.")
    if not isinstance(reasons, tuple | list) or not all(isinstance(r, str) and r in REASONS for r in reasons):
        raise Refused("A reason is not known.", f"The reasons are: {', '.join(REASONS)}.")


def continued(record: BattleRecord, now: float) -> BattleRecord:
    """The same conversation as a new battle with its names known; A is the base model, as in every named battle."""
    turns = record.turns if record.a_role == "base" else tuple(replace(t, a=t.b, b=t.a) for t in record.turns)
    return replace(
        record,
        row_id="",
        battle_id=secrets.token_hex(16),
        mode="continued",
        delivery="live",
        a_role="base",
        created_at=to_iso(now),
        turns=turns,
    )


def went_on_from(record: BattleRecord, earlier: BattleRecord) -> bool:
    """Whether one battle continues the other: later, and with the same visitor's same questions to the same pair first.

    A continuation holds nothing else of where it began: even its last copied answers may have been drawn again.
    """
    asked = [turn.prompt for turn in earlier.turns]
    return (
        record.mode == "continued"
        and (record.visitor, record.pair) == (earlier.visitor, earlier.pair)
        and record.created_at >= earlier.finished_at
        and [turn.prompt for turn in record.turns[: len(asked)]] == asked
    )


def check_go_on(battle: LiveBattle) -> None:
    if battle.running is not None or not battle.record.turns:
        raise Refused("The models are still answering.", "Wait for both answers, or stop them.")
    if battle.reveal is None and (battle.record.mode == "blind" or not battle.standing):
        raise Refused("A conversation goes on once it was voted on and its names are known.", "Vote first.")


def open_stage(battle: LiveBattle) -> Stage | None:
    """The vote that may be cast now."""
    for stage in get_args(Stage):
        try:
            check_vote(battle, stage)
        except Refused:
            continue
        return stage
    return None


def check_turn(battle: LiveBattle) -> None:
    if battle.running is not None:
        raise Refused("The models are still answering.", "Wait for both answers, or stop them.")
    if battle.record.mode == "blind" and battle.reveal is not None:
        raise Refused("The names have been revealed: this battle is over.", "Start a new one.")
    if battle.record.mode == "blind" and battle.standing:
        raise Refused("This battle has been voted on.", "Start a new one, or undo the vote.")


def check_vote(battle: LiveBattle, stage: Stage) -> None:
    if battle.running is not None:
        raise Refused("The models are still answering.", "Vote once both answers are finished.")
    if not battle.record.turns:
        raise Refused("There is nothing to vote on yet.", "Ask a question first.")
    if battle.record.mode == "continued":
        raise Refused("This conversation was voted on before it went on.", "Start a new battle to vote again.")
    if battle.record.mode == "blind" and battle.reveal is not None:
        raise Refused("The names have been revealed: this battle takes no more votes.")
    standing = battle.standing
    if stage in standing:
        raise Refused("You have already voted at this stage.", "Undo that vote first to change it.")
    if stage == "reasoning" and "answers" not in standing:
        raise Refused("The vote on the answers comes first.")


def check_undo(battle: LiveBattle, now: float, undo_seconds: float) -> Vote:
    """The vote that an undo withdraws: the latest that stands."""
    if battle.reveal is not None:
        raise Refused("The names have been revealed: the votes of this battle are final.")
    standing = battle.standing
    vote = standing.get("reasoning") or standing.get("answers")
    if vote is None:
        raise Refused("There is no vote to undo.")
    if now > to_unix(vote.voted_at) + undo_seconds:
        raise Refused(f"A vote can be undone for {undo_seconds:.0f} s. This one is older.")
    return vote


def check_reveal(battle: LiveBattle, *, forfeit: bool) -> None:
    if not battle.record.turns or battle.running is not None:
        raise Refused("There is nothing to reveal until both answers are finished.")
    hidden = battle.record.mode == "blind" and battle.reveal is None
    if hidden and "answers" not in battle.standing and not forfeit:
        raise Refused("The names are shown after the vote.", "Vote, or give up your vote to see them.")


def comparable(record: BattleRecord, replies: Mapping[Role, RecordedReply]) -> bool:
    """Whether a turn that has ended gives two answers to compare.

    A failed reply does not count. If names and thoughts are hidden and both answers appear together, nor does a reply
    stopped inside its thought: with nothing to show beside the other's text, it would give its model away.
    """
    hidden = record.mode == "blind" and record.delivery == "together"

    def is_answer(reply: RecordedReply) -> bool:
        if hidden and reply.finish_reason == "stopped":
            return bool(reply.answer.strip())
        return reply.finish_reason != "failed"

    return all(is_answer(reply) for reply in replies.values())


def finished(battle: LiveBattle, prompt: str, replies: Mapping[Role, RecordedReply], now: float) -> BattleRecord:
    """The battle's record including the turn that has just been answered."""
    record = battle.record
    earlier = record.turns[:-1] if battle.replaces_last else record.turns
    turns = (*earlier, Turn(prompt, a=replies[record.role("a")], b=replies[record.role("b")]))
    language = detect_language("\n".join(turn.prompt for turn in turns))
    return replace(record, row_id=new_row_id(), finished_at=to_iso(now), language=language, turns=turns)


def shared_view(battle: LiveBattle) -> SharedBattle:
    """A battle with finished turns, as anyone may see it now."""
    record, reveal = battle.record, battle.reveal
    named = record.mode != "blind" or reveal is not None
    return SharedBattle(
        battle_id=record.battle_id,
        pair=record.pair,
        mode=record.mode,
        delivery=record.delivery,
        finished_at=record.finished_at,
        turns=shown_turns(record, with_thoughts=battle.thoughts_open),
        verdicts={stage: vote.verdict for stage, vote in battle.standing.items()},
        reveal=names(record, forfeited=reveal is not None and reveal.forfeited) if named else None,
    )


def blocked_sides(turns: tuple[Turn, ...]) -> str:
    """The sides of which an answer was blocked, as `Ballot.blocked` has them."""
    return "".join(side for side in get_args(Side) if any(t.reply(side).finish_reason == "blocked" for t in turns))


def make_vote(
    battle: LiveBattle,
    stage: Stage,
    verdict: Verdict,
    *,
    reasons: tuple[str, ...],
    comment: str,
    licence: str = "",
    now: float,
    app_version: str,
) -> Vote:
    """The whole row of a vote. Models and weights are those of the last turn.

    `licence` is empty unless the visitor has agreed to publication. Refused for any licence but ours.
    """
    check_licence(licence)
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
        licence=licence,
        blocked=blocked_sides(record.turns),
    )


def new_row_id() -> str:
    return secrets.token_hex(16)


def to_iso(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds")


def to_unix(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()

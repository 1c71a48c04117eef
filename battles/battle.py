"""A battle as one visitor's page sees it: a frozen value and its pure transitions.

It has no authority: `votes.casting.desk` decides which side is which model, what may be voted on and when names are
shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from models.chat.client import Message
from models.chat.events import Reply
from models.config.sampling import Sampling
from votes.ballot import BattleRecord, Delivery, Mode, RecordedReply, Role, Side
from votes.casting.views import OwnBattle, SharedBattle, ShownReply

SIDES: tuple[Side, Side] = ("a", "b")

Phase = Literal["open", "running", "failed", "answers", "reasoning", "voted", "revealed", "shared"]
"""`open`: nothing asked yet; `running`: replies are streaming; `failed`: a side could not answer, or was stopped where
that would give its model away, so there is nothing to compare; `answers`: the first vote can be cast; `reasoning`: it
has been cast, so the reasoning is shown and the second vote can be cast; `voted`: both have been cast; `revealed`: the
names are known and voting is over; `shared`: a finished battle opened by its link."""


@dataclass(frozen=True)
class Turn:
    """One question and what has arrived of both replies."""

    question: str
    replies: Mapping[Side, Reply] = field(default_factory=dict)


@dataclass(frozen=True)
class Battle:
    """Belongs to one page. Only parts of it are ever sent to the browser."""

    id: str = ""
    """Issued by the desk with the first question; empty before that."""
    mode: Mode = "blind"
    delivery: Delivery = "together"
    phase: Phase = "open"
    turns: tuple[Turn, ...] = ()
    running: frozenset[Side] = frozenset()
    sampling: Mapping[Role, Sampling] = field(default_factory=dict)
    """Each model's sampling settings for every turn, as the desk has recorded them for this battle."""
    roles: Mapping[Side, Role] = field(default_factory=dict)
    """Filled in named mode and after the reveal; empty while the battle is blind."""
    screened: bool = False
    """Whether a guard model reads the newest replies once both are finished."""

    @property
    def over(self) -> bool:
        """Whether the next question starts a new battle: this one has been voted on, or is only being read."""
        return self.mode != "continued" and self.phase in ("reasoning", "voted", "revealed", "shared")

    @property
    def votable(self) -> bool:
        """Whether the first vote can be cast: on all turns or, if the newest failed, on those before it."""
        return self.phase == "answers" or (self.phase == "failed" and self.mode != "continued" and len(self.turns) > 1)

    @property
    def thoughts_visible(self) -> bool:
        """In a blind battle the thought would show which side thinks, so it stays hidden until the first vote."""
        return self.mode != "blind" or self.over

    @property
    def replies_visible(self) -> bool:
        """Whether replies are shown as they stream. With `together` delivery, or with a guard model in any mode, they
        appear only once both are finished: nothing is shown unchecked."""
        return not self.running or not (self.screened or (self.mode == "blind" and self.delivery == "together"))

    @property
    def can_be_pinned(self) -> bool:
        """Whether the question can become a case study: both replies are in and the names are known."""
        return bool(self.roles) and self.phase in ("answers", "voted", "revealed", "shared")

    @property
    def can_go_on(self) -> bool:
        """Whether the conversation can continue without another vote: it has been voted on and the names are known."""
        return (self.phase == "revealed" and self.mode == "blind") or (self.phase == "voted" and self.mode == "named")

    def reply(self, side: Side) -> Reply | None:
        """The newest turn's reply of this side, as far as it has arrived."""
        return self.turns[-1].replies.get(side) if self.turns else None


def begin(battle: Battle, question: str) -> Battle:
    """A new question was asked; earlier turns stay, except one that failed."""
    turns = battle.turns[:-1] if battle.phase == "failed" else battle.turns
    return replace(battle, turns=(*turns, Turn(question)), running=frozenset(SIDES), phase="running")


def reopen(battle: Battle, sides: frozenset[Side]) -> Battle:
    """The newest replies of these sides are being continued, or written again."""
    return replace(battle, running=sides, phase="running")


def receive(battle: Battle, replies: Mapping[Side, Reply], running: frozenset[Side]) -> Battle:
    """Update the newest turn with what has arrived. The battle keeps its phase until it is settled."""
    turn = battle.turns[-1]
    turn = replace(turn, replies={**turn.replies, **replies})
    return replace(battle, turns=(*battle.turns[:-1], turn), running=running)


def settle(battle: Battle) -> Battle:
    """Both replies are in: the first vote may be cast, unless the conversation was voted on before."""
    return replace(battle, running=frozenset(), phase="revealed" if battle.mode == "continued" else "answers")


def fail(battle: Battle) -> Battle:
    """There is nothing to compare: the turn can be tried again, but not voted on."""
    return replace(battle, running=frozenset(), phase="failed")


def without_failed(battle: Battle) -> Battle:
    """The conversation as it can be voted on: without its newest turn if that failed."""
    if battle.phase != "failed" or not battle.votable:
        return battle
    return replace(battle, turns=battle.turns[:-1], phase="answers")


def is_current(battle: Battle, record: BattleRecord) -> bool:
    """Whether a page that shows this battle shows all that the desk has of it, and nothing else."""
    turns = battle.turns[:-1] if battle.phase == "failed" else battle.turns

    def seen(reply: Reply | RecordedReply | None) -> tuple[object, ...]:
        return (reply.finish_reason, reply.thought_tokens, reply.answer_tokens) if reply else ()

    shown = [(turn.question, seen(turn.replies.get("a")), seen(turn.replies.get("b"))) for turn in turns]
    return shown == [(turn.prompt, seen(turn.a), seen(turn.b)) for turn in record.turns]


def survivor(battle: Battle) -> Reply | None:
    """In a turn that failed, the answer of the one side that did answer.

    A blind battle shows it without its side, since which one failed may tell who is who.
    """
    if battle.phase != "failed":
        return None
    replies = [reply for side in SIDES if (reply := battle.reply(side)) and reply.answer.strip()]
    answered = [reply for reply in replies if reply.finish_reason != "failed"]
    return answered[0] if len(answered) == 1 else None


def shared_failure(battle: Battle) -> str:
    """Why both sides failed, if both failed for the same reason before writing anything (e.g. the visitor's quota ran
    out), which does not give the models away. Otherwise empty."""
    replies = [battle.reply(side) for side in SIDES]
    errors = {reply.error if reply and reply.finish_reason == "failed" and not reply.raw else "" for reply in replies}
    return errors.pop() if len(errors) == 1 else ""


def restored(own: OwnBattle, sampling: Mapping[Role, Sampling]) -> Battle:
    """A visitor's own battle as the desk knows it, e.g. after a reload of the page."""
    record = own.record
    turns = tuple(Turn(turn.prompt, {"a": reply_from(turn.a), "b": reply_from(turn.b)}) for turn in record.turns)
    known = record.mode != "blind" or (own.shared is not None and own.shared.reveal is not None)
    roles: dict[Side, Role] = {side: record.role(side) for side in SIDES} if known else {}
    return Battle(record.battle_id, record.mode, record.delivery, phase_of(own), turns, sampling=sampling, roles=roles)


def phase_of(own: OwnBattle) -> Phase:
    """Where a battle without a running turn stands."""
    if own.shared is None:
        return "open"
    if own.record.mode == "named":
        return "voted" if own.shared.verdicts else "answers"
    if own.record.mode == "continued" or own.shared.reveal is not None:
        return "revealed"
    if own.stage == "reasoning" and not any(turn.a.thought or turn.b.thought for turn in own.record.turns):
        return "voted"  # neither model thought, so there is no second vote
    return own.stage or "voted"


def shared(seen: SharedBattle) -> Battle:
    """A finished battle opened by its link, with what the desk allows to be seen."""
    turns = tuple(Turn(turn.prompt, {"a": reply_of(turn.a), "b": reply_of(turn.b)}) for turn in seen.turns)
    roles: dict[Side, Role] = {"a": seen.reveal.a.role, "b": seen.reveal.b.role} if seen.reveal else {}
    return Battle(seen.battle_id, seen.mode, seen.delivery, "shared", turns, roles=roles)


def reply_of(shown: ShownReply) -> Reply:
    """A recorded reply as the page shows replies; what is hidden is empty."""
    return Reply(
        thought=shown.thought or "",
        answer=shown.answer,
        finish_reason=shown.finish_reason,  # type: ignore[arg-type]
        thought_tokens=shown.thought_tokens or 0,
        answer_tokens=shown.answer_tokens or 0,
        thought_seconds=shown.thought_seconds or 0.0,
        seconds=shown.seconds or 0.0,
    )


def reply_from(recorded: RecordedReply) -> Reply:
    """A recorded reply, whole, so that a model can continue it."""
    return Reply(
        thought=recorded.thought,
        answer=recorded.answer,
        raw=recorded.raw,
        finish_reason=recorded.finish_reason,  # type: ignore[arg-type]
        thought_tokens=recorded.thought_tokens,
        answer_tokens=recorded.answer_tokens,
        first_token_seconds=recorded.first_token_seconds,
        thought_seconds=recorded.thought_seconds,
        seconds=recorded.seconds,
        forced=recorded.forced,
    )


def history(battle: Battle, side: Side) -> list[Message]:
    """The messages sent to a model for the newest question: all questions and earlier answers, never a thought."""
    messages: list[Message] = []
    for turn in battle.turns[:-1]:
        messages.append(Message("user", turn.question))
        if side in turn.replies:
            messages.append(Message("assistant", turn.replies[side].answer))
    return [*messages, Message("user", battle.turns[-1].question)]

"""A battle as one visitor's page sees it: a frozen value and its pure transitions.

Holds no authority: whose side is whose, what may be voted on and when names are told is `votes.desk`'s business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from models.chat.client import Message
from models.chat.events import Reply
from models.config.sampling import Sampling
from votes.ballot import Delivery, Mode, Role, Side
from votes.shown import SharedBattle, ShownReply

SIDES: tuple[Side, Side] = ("a", "b")

Phase = Literal["open", "running", "failed", "answers", "reasoning", "voted", "revealed", "shared"]
"""`open`: nothing asked yet; `running`: replies are on their way; `failed`: a side could not answer, or was stopped
where that would tell who it is, so there is nothing to compare; `answers`: the first vote may be cast; `reasoning`: it
was, the reasoning may be read and the second vote cast; `voted`: both were; `revealed`: the names are known; `shared`:
a finished battle opened by its link."""


@dataclass(frozen=True)
class Turn:
    """One question and what has arrived of both replies."""

    question: str
    replies: Mapping[Side, Reply] = field(default_factory=dict)


@dataclass(frozen=True)
class Battle:
    """Lives in the session's `gr.State`."""

    id: str = ""
    """Issued by the desk with the first question; empty before."""
    mode: Mode = "blind"
    delivery: Delivery = "together"
    phase: Phase = "open"
    turns: tuple[Turn, ...] = ()
    running: frozenset[Side] = frozenset()
    sampling: Mapping[Role, Sampling] = field(default_factory=dict)
    """How each model's tokens are drawn, in every turn: what the desk has recorded of this battle."""
    roles: Mapping[Side, Role] = field(default_factory=dict)
    """Filled in named mode and after the reveal; empty while the battle is blind."""

    @property
    def over(self) -> bool:
        """It was voted on, or is only being read: the next question starts a new battle."""
        return self.phase in ("reasoning", "voted", "revealed", "shared")

    @property
    def thoughts_visible(self) -> bool:
        """In a blind battle the thought would tell which side thinks, so it stays hidden until the first vote."""
        return self.mode == "named" or self.over

    @property
    def replies_visible(self) -> bool:
        """Whether replies may be seen while they are written. Together means: only once both are finished."""
        return not self.running or self.mode == "named" or self.delivery == "live"

    @property
    def can_be_pinned(self) -> bool:
        """Both replies are in and their names are known: the question may become a case study."""
        return bool(self.roles) and self.phase in ("answers", "voted", "revealed", "shared")

    def reply(self, side: Side) -> Reply | None:
        """The newest turn's reply of this side, as far as it has arrived."""
        return self.turns[-1].replies.get(side) if self.turns else None


def begin(battle: Battle, question: str) -> Battle:
    """A new question is asked; earlier turns stay, except one that failed."""
    turns = battle.turns[:-1] if battle.phase == "failed" else battle.turns
    return replace(battle, turns=(*turns, Turn(question)), running=frozenset(SIDES), phase="running")


def reopen(battle: Battle, sides: frozenset[Side]) -> Battle:
    """The newest replies of these sides are being written on, or anew."""
    return replace(battle, running=sides, phase="running")


def receive(battle: Battle, replies: Mapping[Side, Reply], running: frozenset[Side]) -> Battle:
    """Take in what has arrived of the newest turn. The battle keeps its phase until it is settled."""
    turn = battle.turns[-1]
    turn = replace(turn, replies={**turn.replies, **replies})
    return replace(battle, turns=(*battle.turns[:-1], turn), running=running)


def settle(battle: Battle) -> Battle:
    """Both replies are in: the first vote may be cast."""
    return replace(battle, running=frozenset(), phase="answers")


def fail(battle: Battle) -> Battle:
    """There is nothing to compare: the turn can be tried again, but not voted on."""
    return replace(battle, running=frozenset(), phase="failed")


def shared(found: SharedBattle) -> Battle:
    """A finished battle opened by its link, with what the desk lets be seen."""
    turns = tuple(Turn(turn.prompt, {"a": reply_of(turn.a), "b": reply_of(turn.b)}) for turn in found.turns)
    roles: dict[Side, Role] = {"a": found.reveal.a.role, "b": found.reveal.b.role} if found.reveal else {}
    return Battle(found.battle_id, found.mode, found.delivery, "shared", turns, roles=roles)


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


def history(battle: Battle, side: Side) -> list[Message]:
    """What a model is sent for the newest question: earlier questions and answers, never a thought."""
    messages: list[Message] = []
    for turn in battle.turns[:-1]:
        messages.append(Message("user", turn.question))
        if side in turn.replies:
            messages.append(Message("assistant", turn.replies[side].answer))
    return [*messages, Message("user", battle.turns[-1].question)]

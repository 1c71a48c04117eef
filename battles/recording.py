"""What becomes of a turn: its replies as the desk stores them, the tokens they took, and why it failed if it did."""

from typing import NamedTuple

from battles.battle import SIDES, Battle
from battles.live import SideRequest
from models.chat.events import Reply
from models.chat.resume import resume_for
from models.serving.pair import ServedPair
from votes.ballot import RecordedReply, Role


class Ending(NamedTuple):
    """The outcome of a turn, and why a tool failed, if it did."""

    battle: Battle
    error: str = ""


def failure(battle: Battle) -> str:
    """Why the newest turn failed. A blind battle does not say which side failed, nor that it was stopped."""
    errors = [reply.error for side in SIDES if (reply := battle.reply(side)) and reply.finish_reason == "failed"]
    return errors[0] if errors and battle.mode != "blind" else "There are no two new answers to compare."


def record(reply: Reply, served: ServedPair, role: Role) -> RecordedReply:
    """The reply as the desk stores it, with the model that wrote it."""
    spec = served.pair.model(role)
    opened = spec.thought.kind == "tags" and spec.thought.prefilled
    # Some models repeat the opening tag that the template has already written.
    opening = f"{spec.thought.open}\n" if opened and not reply.raw.lstrip().startswith(spec.thought.open) else ""
    return RecordedReply.of(reply, role=role, model=spec.key, weight_hash=served.weight_hash(role), opened=opening)


def kept_of(request: SideRequest, served: ServedPair) -> Reply:
    """What the reply to this request goes on from, whose tokens were generated before; empty for a new reply."""
    if request.go_on is None:
        return Reply()
    return resume_for(*request.go_on, served.pair.model(request.role).thought).reply

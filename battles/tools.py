"""What can be done with a reply that is there: continue it, answer from its thought, write it again."""

from typing import Literal

from battles.battle import Battle
from eval.thoughts.sentences import first_half
from models.chat.events import Reply
from models.chat.resume import Wish
from votes.ballot import Side

Tool = Literal["stop", "answer_now", "think_more", "transplant", "transplant_half", "continue", "regenerate"]
"""What can be done with a reply. `transplant`: answer from the other side's thought; `transplant_half`: think on from
the first half of it. `stop` is for replies that are being written, `answer_now` and `think_more` for both kinds."""


def going_on(battle: Battle, side: Side, tool: Tool) -> tuple[Wish, Reply] | None:
    """How a side continues, and from which reply; None if it starts over."""
    swapped = tool in ("transplant", "transplant_half")
    reply = battle.reply(("b" if side == "a" else "a") if swapped else side)
    if tool == "stop" or tool == "regenerate" or reply is None:
        return None
    if tool == "transplant_half":
        return "think_on", Reply(thought=first_half(reply.thought or reply.answer))
    return tool, reply

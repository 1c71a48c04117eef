"""What can be done with a reply that is there: continue it, answer from its thought, write it again."""

from battles.battle import Battle
from eval.thoughts.sentences import first_half
from models.chat.events import Reply
from models.chat.resume import Intervention, Wish
from votes.ballot import Side

Tool = Intervention | str
"""What can be done with an existing reply: `answer_now`, `think_more`, `continue`, `regenerate`; `transplant`: answer
from the other side's thought; `transplant_half`: continue from the first half of it."""


def going_on(battle: Battle, side: Side, tool: Tool) -> tuple[Wish, Reply] | None:
    """How a side continues, and from which reply; None if it starts over."""
    swapped = tool in ("transplant", "transplant_half")
    reply = battle.reply(("b" if side == "a" else "a") if swapped else side)
    if tool == "regenerate" or reply is None:
        return None
    if tool == "transplant_half":
        return "think_on", Reply(thought=first_half(reply.thought or reply.answer))
    return tool, reply  # type: ignore[return-value]

"""A battle's replies as they are shown, in Compare and in Case studies."""

from collections.abc import Mapping
from functools import lru_cache

from battles.battle import SIDES, Battle, shared_failure, survivor
from models.chat.events import Reply
from ui.kit.html import Markup, render
from ui.kit.panels import Message, ThoughtView, count_tokens, turn_messages, waiting_message
from ui.kit.typeset import typeset
from votes.ballot import VERDICTS, Side, Verdict
from votes.casting.views import Receipt

FAILED = "Nothing to compare: a model could not answer or was stopped. Regenerate the answers, or ask something else."
ONE_ANSWER = "Only one model answered, so there is nothing to vote on. This is its answer:"
"""Shown identically on both sides: which side failed or was stopped, and why, would tell who is who."""


def panel_messages(battle: Battle, side: Side) -> list[Message]:
    """The conversation of one side, without anything that must not be seen yet."""
    thought = thought_view(battle)
    messages: list[Message] = []
    for turn in battle.turns[:-1]:
        messages += turn_messages(turn.question, turn.replies.get(side), running=False, thought=thought)
    if battle.turns:
        turn = battle.turns[-1]
        if battle.mode == "blind" and side_failed(battle):
            messages += turn_messages(turn.question, None, running=False)
            if battle.running:
                return messages
            if reply := survivor(battle):
                return [*messages, waiting_message(ONE_ANSWER), {"role": "assistant", "content": typeset(reply.answer)}]
            return [*messages, waiting_message(typeset(shared_failure(battle)) or FAILED)]
        reply = turn.replies.get(side) if battle.replies_visible else None
        messages += turn_messages(turn.question, reply, running=side in battle.running, thought=thought)
        if battle.running and battle.replies_visible and reply is None:
            messages.append(waiting_message("Waiting for the model …"))
    return messages


def side_failed(battle: Battle) -> bool:
    """Whether there is nothing to compare because a side's newest reply has failed; the other may still be writing."""
    replies = {side: battle.reply(side) for side in SIDES if side not in battle.running}
    failed = any(reply and reply.finish_reason == "failed" for reply in replies.values())
    return failed or battle.phase == "failed"


def thought_view(battle: Battle) -> ThoughtView:
    """Hidden while it would give a side away; unfolded when it is to be read for the second vote."""
    if not battle.thoughts_visible:
        return "hidden"
    return "unfolded" if battle.phase == "reasoning" else "folded"


def figures(battle: Battle, side: Side) -> Markup:
    """Tokens and seconds of the newest reply, once they may be seen."""
    reply = battle.reply(side)
    if reply is None or not battle.roles or not (reply.seconds or reply.output_tokens):
        return Markup()
    return render('<div class="side-figures">{{ cost }}</div>', cost=describe_cost(reply))


def describe_cost(reply: Reply) -> str:
    """E.g. `312 tokens (250 thought) · 9.1 s · 34 tokens/s`."""
    thought = f" ({reply.thought_tokens:,} thought)" if reply.thought_tokens else ""
    rate = f" · {reply.output_tokens / reply.seconds:.0f} tokens/s" if reply.seconds else ""
    return f"{count_tokens(reply.output_tokens)}{thought} · {reply.seconds:.1f} s{rate}"


def progress_line(
    battle: Battle, seconds: float, models_ready: bool, usually: str = "", expected: float = 0.0
) -> Markup:
    """One line shown while replies arrive. In a blind battle it does not distinguish the sides.

    `usually`: how long it takes here, in words; `expected`: seconds after which most turns have ended, for a bar.
    """
    if not battle.running:
        return Markup()
    if not models_ready:
        text = "Your question is queued: the models are still starting"
    elif battle.mode == "blind" and side_failed(battle):
        text = "There is nothing to compare; waiting for the other model to end"
    elif battle.mode != "blind" and len(battle.running) == 1:
        text = f"{next(iter(battle.running)).upper()} is still writing"
    elif battle.replies_visible:
        text = "Writing"
    else:
        text = "Both models are working; their answers will appear together"
    parts = [text, f"{seconds:.0f} s", *([usually] if usually and models_ready else [])]
    kind = "live" if battle.replies_visible else "waiting"  # page.js follows what is written before one's eyes
    share = round(min(96.0, 100 * seconds / expected)) if expected and models_ready else 0
    return _progress(kind, " · ".join(parts), share)


@lru_cache(maxsize=1024)
def _progress(kind: str, text: str, share: int) -> Markup:
    """Cached: many waiting visitors see the same line, each of them ten times a second."""
    return render(
        '<div class="progress {{ kind }}"><span class="dot"></span>{{ text }}'
        '{% if share %}<span class="meter" aria-hidden="true"><i style="width: {{ share }}%"></i></span>{% endif %}'
        "</div>",
        kind=kind,
        text=text,
        share=share,
    )


def thanks(receipt: Receipt, verdicts: Mapping[Verdict, str] = VERDICTS) -> str:
    """What is said after a vote. `verdicts`: the words on the buttons."""
    return f"Saved: {verdicts[receipt.verdict]}. {receipt.notice}".strip()

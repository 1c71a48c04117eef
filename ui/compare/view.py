"""What the Compare tab shows of a battle: pure functions from a battle to lines of HTML and visibility."""

from collections.abc import Mapping

from battles.battle import SIDES, Battle
from battles.tools import Tool
from ui.kit.html import Markup, render
from ui.kit.typeset import Typeset
from ui.lens.view import lens_pair, thought_of
from votes.ballot import REASONS, Role, Side

KEYS = Markup('<span class="keys">Keys: <kbd>A</kbd> <kbd>T</kbd> <kbd>X</kbd> <kbd>B</kbd></span>')
VOTE_PROMPTS = {
    "answers": render('<p class="vote-prompt"><b>Which answer is better?</b>{{ keys }}</p>', keys=KEYS),
    "before": render(
        '<p class="vote-prompt"><b>Which answers before your last question are better?</b>{{ keys }}</p>', keys=KEYS
    ),
    "reasoning": render(
        '<p class="vote-prompt second"><span><b>Your vote is saved.</b> The reasoning is open now. Changed your mind '
        "after reading it? A second vote is optional.</span>{{ keys }}</p>",
        keys=KEYS,
    ),
}
QUESTION_HINTS = {
    "open": "Ask both models …",
    "asked": "Ask a follow-up question …",
    "over": "Ask something new to start the next battle …",
}

TOOLS: dict[Tool, str] = {
    "stop": "Stop",
    "answer_now": "Answer now",
    "think_more": "Think more",
    "transplant": "Swap thoughts",
    "transplant_half": "Swap first halves",
    "continue": "Continue",
    "regenerate": "Regenerate",
}
SWAPS = ("transplant", "transplant_half")
TARGETS: dict[str, frozenset[Side]] = {
    "Both": frozenset(SIDES),
    "Base (A)": frozenset({"a"}),
    "Distilled (B)": frozenset({"b"}),
}
"""Replies that a tool can be used on."""


def allowed(battle: Battle, tool: Tool) -> bool:
    """Whether a tool may be used at all: in a blind battle, steering a thought would give the sides away."""
    return battle.mode != "blind" or tool not in ("answer_now", "think_more", *SWAPS)


def chosen_sides(battle: Battle, target: object) -> frozenset[Side]:
    """The replies a tool applies to: in a blind battle always both, so that they stay alike."""
    return TARGETS.get(str(target), frozenset()) if battle.mode != "blind" else frozenset(SIDES)


def offered(battle: Battle, tool: Tool) -> bool:
    """Whether a tool makes sense now."""
    if not allowed(battle, tool):
        return False
    if battle.phase == "running":
        return tool in ("stop", "answer_now", "think_more")
    if battle.phase == "failed":
        return tool == "regenerate"
    if battle.phase != "answers" and not (battle.mode == "continued" and battle.phase == "revealed"):
        return False
    if tool in SWAPS:
        return any(reply.thought for side in SIDES if (reply := battle.reply(side)))
    if tool == "continue":
        return bool(unfinished(battle))
    return tool == "think_more" or (tool == "regenerate" and differs_each_time(battle))


def differs_each_time(battle: Battle) -> bool:
    """Whether the same question would be answered differently: drawn above temperature 0, with a new seed each time."""
    return all(sampling.temperature > 0 and sampling.seed is None for sampling in battle.sampling.values())


def thought_about(battle: Battle) -> bool:
    """Whether either side wrote a thought. Otherwise there is nothing to read, and no second vote to cast."""
    return any(reply.thought.strip() for turn in battle.turns for reply in turn.replies.values())


def unfinished(battle: Battle) -> frozenset[Side]:
    """Sides whose newest reply was ended before the model ended it, and could go on where it is."""
    replies = {side: battle.reply(side) for side in SIDES}
    early = ("length", "repetition", "stopped")
    return frozenset(side for side, reply in replies.items() if reply and reply.finish_reason in early)


def head(battle: Battle, side: Side, titles: Mapping[Role, str]) -> Markup:
    """The panel's heading: its letter and, once known, the model's name."""
    role = battle.roles.get(side)
    return render(
        '<div class="side-head"><span class="letter">{{ side|upper }}</span>'
        '{% if role %}<span class="name {{ role }}">{{ role|capitalize }} · {{ title }}</span>{% endif %}</div>',
        side=side,
        role=role,
        title=titles[role] if role else "",
    )


def can_look(battle: Battle) -> bool:
    """Whether the newest thoughts may be seen under the lens: only after the vote, since they would give the sides
    away."""
    replies = [battle.reply(side) for side in SIDES]
    seen = battle.over or battle.mode == "continued"
    return seen and battle.thoughts_visible and any(reply and reply.thought for reply in replies)


def thoughts_html(battle: Battle) -> Markup:
    """The newest thoughts under the lens, if they may be seen."""
    if not can_look(battle):
        return Markup("")
    replies = {side: battle.reply(side) for side in SIDES}
    a, b = (
        thought_of(reply.thought if reply else "", reply.answer if reply else "", title, battle.roles.get(side, ""))
        for side, reply, title in ((side, replies[side], f"Side {side.upper()}") for side in SIDES)
    )
    return lens_pair(a, b)


def question_hint(battle: Battle) -> str:
    """Which of QUESTION_HINTS holds."""
    if battle.over:
        return "over"
    return "asked" if battle.turns else "open"


def reason_choices(battle: Battle) -> list[tuple[str, str]]:
    """(label, key) of the reasons for a vote; that the reasoning helped can be said only where it was shown."""
    return [(label, key) for key, label in REASONS.items() if battle.thoughts_visible or key != "reasoning_helped"]


def vote_prompt(battle: Battle) -> Markup:
    if battle.phase == "failed":
        return VOTE_PROMPTS["before"]
    return VOTE_PROMPTS["reasoning" if battle.phase == "reasoning" else "answers"]


def pinned_sentence(link: str) -> str:
    """A battle became a case: a link to it."""
    return Typeset(f"Pinned under *Case studies*: [open the case]({link})")


def shared_link(battle: Battle) -> str:
    """A link that opens this battle again."""
    return Typeset(f"[Link to this battle](?battle={battle.id})")

"""What the Compare tab shows of a battle: pure functions from a battle to messages, lines of HTML and visibility.

Does not know widgets, the desk or the models.
"""

from collections.abc import Mapping
from html import escape

from models.events import Reply
from ui.battle import SIDES, Battle
from ui.panels import Message, ThoughtView, count_tokens, turn_messages, waiting_message
from votes.ballot import REASONS, STAGES, VERDICTS, Role, Side, Stage, Verdict
from votes.shown import Receipt, Reveal, SideFacts

KEYS = '<span class="keys">Keys: <kbd>A</kbd> <kbd>T</kbd> <kbd>X</kbd> <kbd>B</kbd></span>'
VOTE_PROMPTS = {
    "answers": f'<p class="vote-prompt"><b>Which answer is better?</b>{KEYS}</p>',
    "reasoning": '<p class="vote-prompt"><span><b>Vote kept.</b> The reasoning is open now. Having read it, which side '
    f"is better? This second vote is optional.</span>{KEYS}</p>",
}
WELCOME = """<div class="welcome"><h2>Two models, one question</h2>
<p>One is a base model, the other was taught long thought. Ask something: both answer without their names. Vote, read
how they reasoned, vote again, and see who was who.</p></div>"""
QUESTION_HINTS = {
    "open": "Ask both models … A battle that is voted on can be read by everybody.",
    "asked": "Ask a further question …",
    "over": "Ask something new: it begins the next battle …",
}


FAILED = "Nothing to compare: a model could not answer, or was stopped. Make the answers again, or ask something else."
"""On both sides alike: which one failed or was stopped, and why, would tell who is who."""


def panel_messages(battle: Battle, side: Side) -> list[Message]:
    """The conversation of one side, without anything that may not be seen yet."""
    thought = thought_view(battle)
    messages: list[Message] = []
    for turn in battle.turns[:-1]:
        messages += turn_messages(turn.question, turn.replies.get(side), running=False, thought=thought)
    if battle.turns:
        turn = battle.turns[-1]
        if battle.mode == "blind" and side_failed(battle):
            return [*messages, *turn_messages(turn.question, None, running=False), waiting_message(FAILED)]
        reply = turn.replies.get(side) if battle.replies_visible else None
        messages += turn_messages(turn.question, reply, running=side in battle.running, thought=thought)
        if battle.running and battle.replies_visible and reply is None:
            messages.append(waiting_message("Waiting in line for the model …"))
    return messages


def side_failed(battle: Battle) -> bool:
    """Whether there is nothing to compare: a side's newest reply has failed, the other may still be writing."""
    replies = {side: battle.reply(side) for side in SIDES if side not in battle.running}
    failed = any(reply and reply.finish_reason == "failed" for reply in replies.values())
    return failed or battle.phase == "failed"


def thought_view(battle: Battle) -> ThoughtView:
    """Hidden while it would give a side away; open where it is to be read for the second vote."""
    if not battle.thoughts_visible:
        return "hidden"
    return "unfolded" if battle.phase == "reasoning" else "folded"


def allowed(battle: Battle, tool: str) -> bool:
    """Whether a tool may be used at all: bending a thought would tell the sides apart in a blind battle."""
    return battle.mode == "named" or tool not in ("answer_now", "think_more")


def offered(battle: Battle, tool: str) -> bool:
    """Whether a tool makes sense now."""
    if not allowed(battle, tool):
        return False
    if battle.phase == "running":
        return tool in ("stop", "answer_now", "think_more")
    if battle.phase == "failed":
        return tool == "regenerate"
    if battle.phase != "answers":
        return False
    if tool == "continue":
        return bool(unfinished(battle))
    return tool in ("regenerate", "think_more")


def unfinished(battle: Battle) -> frozenset[Side]:
    """Sides whose newest reply was cut off or stopped, and could go on where it is."""
    replies = {side: battle.reply(side) for side in SIDES}
    return frozenset(side for side, reply in replies.items() if reply and reply.finish_reason in ("length", "stopped"))


def head(battle: Battle, side: Side, titles: Mapping[Role, str]) -> str:
    """The panel's heading: its letter and, once known, the model's name."""
    role = battle.roles.get(side)
    name = f'<span class="name {role}">{role.capitalize()} · {escape(titles[role])}</span>' if role else ""
    return f'<div class="side-head"><span class="letter">{side.upper()}</span>{name}</div>'


def figures(battle: Battle, side: Side) -> str:
    """Tokens and seconds of the newest reply, once they may be seen."""
    reply = battle.reply(side)
    if reply is None or not battle.roles or not (reply.seconds or reply.output_tokens):
        return ""
    return f'<div class="side-figures">{describe_cost(reply)}</div>'


def describe_cost(reply: Reply) -> str:
    """E.g. `312 tokens (250 thought) · 9.1 s · 34 tokens/s`."""
    thought = f" ({reply.thought_tokens:,} thought)" if reply.thought_tokens else ""
    rate = f" · {reply.output_tokens / reply.seconds:.0f} tokens/s" if reply.seconds else ""
    return f"{count_tokens(reply.output_tokens)}{thought} · {reply.seconds:.1f} s{rate}"


def progress_line(battle: Battle, seconds: float, models_ready: bool) -> str:
    """One line while replies are on their way. In a blind battle it does not tell one side from the other."""
    if not battle.running:
        return ""
    if not models_ready:
        text = f"Your question waits in line: the models are still starting · {seconds:.0f} s"
    elif battle.mode == "named" and len(battle.running) == 1:
        text = f"{next(iter(battle.running)).upper()} is still writing · {seconds:.0f} s"
    elif battle.replies_visible:
        text = f"Writing · {seconds:.0f} s"
    else:
        text = f"Both models are working; their answers appear together · {seconds:.0f} s"
    return f'<div class="progress" role="status"><span class="dot"></span>{text}</div>'


def reveal_table(reveal: Reveal, titles: Mapping[Role, str]) -> str:
    """Who was who, and what each spent over the whole battle."""
    rows = "".join(reveal_row(side, getattr(reveal, side), titles) for side in SIDES)
    heads = "".join(
        f"<th>{h}</th>" for h in ("Side", "Output tokens", "In thought", "In answer", "Seconds", "First token")
    )
    return f'<div class="figures"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def reveal_row(side: str, facts: SideFacts, titles: Mapping[Role, str]) -> str:
    cells = (
        f"{side.upper()}: {facts.role} · {escape(titles[facts.role])}",
        f"{facts.output_tokens:,}",
        f"{facts.thought_tokens:,}",
        f"{facts.answer_tokens:,}",
        f"{facts.seconds:.1f}",
        f"{facts.first_token_seconds:.2f} s",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def verdict_line(reveal: Reveal, votes: Mapping[Stage, Verdict], whose: str = "Your vote") -> str:
    """Which model was preferred, at each stage that was voted on."""

    def preferred(verdict: Verdict) -> str:
        if verdict not in ("a", "b"):
            return VERDICTS[verdict].lower()
        role = getattr(reveal, verdict).role
        return f'{verdict.upper()}, the <span class="name {role}">{role} model</span>'

    said = [f"{STAGES[stage].lower()}: {preferred(votes[stage])}" for stage in STAGES if stage in votes]
    return f'<p class="verdict"><b>{whose}</b> {" · ".join(said)}</p>' if said else ""


def question_hint(battle: Battle) -> str:
    """Which of QUESTION_HINTS holds."""
    if battle.over:
        return "over"
    return "asked" if battle.turns else "open"


def reason_choices(battle: Battle) -> list[tuple[str, str]]:
    """(label, key) of the reasons for a vote; that the reasoning helped can be said only where it was shown."""
    return [(label, key) for key, label in REASONS.items() if battle.thoughts_visible or key != "reasoning_helped"]


def vote_prompt(battle: Battle) -> str:
    return VOTE_PROMPTS["reasoning" if battle.phase == "reasoning" else "answers"]


def thanks(receipt: Receipt) -> str:
    """A vote was taken."""
    return f"Kept: {VERDICTS[receipt.verdict]}. {receipt.notice}".strip()


def pinned_sentence(link: str) -> str:
    """A battle became a case: where it now is."""
    return f"Pinned under *Case studies*: [open the case]({link})"


def shared_link(battle: Battle) -> str:
    """A link that opens this battle again."""
    return f"[Link to this battle](?battle={battle.id})"

"""The widgets of the Compare tab, and how a battle is shown in them.

Widgets are referred to by name: what is sent to a page is plain data, which the page's script passes to its widgets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import Block

from battles.battle import SIDES, Battle
from battles.tools import Tool
from models.chat.resume import Wish
from models.config.registry import ROLES
from ui.compare.findings import Findings
from ui.compare.reveal import OtherVotes, others_sentence, reveal_card
from ui.compare.view import (
    QUESTION_HINTS,
    TOOLS,
    can_look,
    head,
    offered,
    question_hint,
    reason_choices,
    shared_link,
    vote_prompt,
)
from ui.compare.waits import Waits, usual_sentence
from ui.kit.html import Markup
from ui.kit.replies import figures, panel_messages, progress_line, side_failed
from ui.services import Services
from votes.ballot import Role, Side, Stage, Verdict
from votes.casting.views import Reveal

ASKING = ("shown", "progress", "mode", "target", "question", "ask", "delivery", "new", "arena", "welcome", "examples",
          "look", "lens")  # fmt: skip
BALLOT = (
    "group",
    "more",
    "prompt",
    "reasons",
    "comment",
    "stage",
    "after",
    "undo",
    "reveal",
    "next",
    "go_on",
    "facts",
    "link",
)
Update = dict[str, Any]
"""Widget → its new value, or a `gr.update`."""


def looks_alike(before: Battle, after: Battle, side: Side) -> bool:
    """Whether a side's panel shows the same for both."""
    if (before.phase, len(before.turns), before.roles) != (after.phase, len(after.turns), after.roles):
        return False
    if before.replies_visible != after.replies_visible or side_failed(before) != side_failed(after):
        return False
    if not after.replies_visible:
        return True
    return before.reply(side) is after.reply(side) and (side in before.running) == (side in after.running)


@dataclass(frozen=True)
class BallotWidgets:
    """The ballot, and what follows a vote."""

    group: gr.Group
    more: gr.Column
    """Agreement, reasons and comment."""
    prompt: gr.HTML
    votes: dict[Verdict, gr.Button]
    reasons: gr.CheckboxGroup
    comment: gr.Textbox
    agree: gr.Checkbox
    """Whether the visitor agrees to publication; their browser remembers it."""
    after: gr.Row
    undo: gr.Button
    reveal: gr.Button
    next: gr.Button
    go_on: gr.Button
    facts: gr.HTML
    link: gr.Markdown
    stage: gr.Textbox
    """Hidden: the vote that the page offers, sent along with the click so that a stale page cannot cast another one."""


@dataclass(frozen=True)
class PinWidgets:
    """The controls that turn a finished battle into a case study."""

    box: gr.Accordion
    note: gr.Textbox
    key: gr.Textbox
    pin: gr.Button
    said: gr.Markdown


@dataclass(frozen=True)
class EditWidgets:
    """The controls that give models a thought edited by a person."""

    box: gr.Accordion
    text: gr.Textbox
    take: dict[Side, gr.Button]
    """Put a side's thought into the field."""
    go: dict[Wish, gr.Button]


@dataclass(frozen=True)
class Widgets:
    """The widgets that handlers update."""

    battle: gr.State
    mode: gr.Radio
    delivery: gr.Checkbox
    panels: dict[Side, gr.Chatbot]
    heads: dict[Side, gr.HTML]
    figures: dict[Side, gr.HTML]
    progress: gr.HTML
    tools: dict[Tool, gr.Button]
    target: gr.Radio
    question: gr.Textbox
    ask: gr.Button
    ballot: BallotWidgets
    new: gr.Button
    edit: EditWidgets
    pin: PinWidgets
    look: gr.Button
    lens: gr.HTML
    """Both thoughts, after the vote and a press of `look`."""
    shown: gr.Textbox
    """Hidden: the id of the battle that the page shows, sent along with each click, as the session may be lost."""
    copies: dict[Side, gr.Button]
    copied: gr.Textbox
    """Hidden: carries text to the clipboard."""
    arena: gr.Column
    """Everything that makes sense only after a question was asked."""
    welcome: gr.Column
    examples: gr.Column
    """These make sense only before that."""
    news: gr.JSON
    """Hidden: carries news to the widgets."""
    pulse: gr.Button
    """Hidden: the page's script presses it when a stream has delivered news."""

    def named(self) -> dict[str, Block]:
        """Name in an `Update` → widget, for every widget that shows something of a battle."""
        ballot, edit, pin = self.ballot, self.edit, self.pin
        named: dict[str, Block] = {name: getattr(self, name) for name in ASKING}
        named |= {f"ballot.{name}": getattr(ballot, name) for name in BALLOT}
        named |= {"edit.box": edit.box, "edit.text": edit.text}
        named |= {f"pin.{name}": getattr(pin, name) for name in ("box", "note", "said")}
        named |= {f"tool-{tool}": button for tool, button in self.tools.items()}
        for kind in ("panels", "heads", "figures"):
            named |= {f"{kind}-{side}": getattr(self, kind)[side] for side in SIDES}
        return named


class Renderer:
    """Turns a battle into widget values."""

    def __init__(self, services: Services, findings: Findings | None = None, waits: Waits | None = None) -> None:
        self.services = services
        self.findings = findings or Findings()
        self.waits = waits
        self._others = OtherVotes(services)
        pair = services.served.pair
        self.titles: Mapping[Role, str] = {"base": pair.base.title, "distilled": pair.distilled.title}

    def moving(self, battle: Battle, seconds: float, before: Battle | None = None) -> Update:
        """What changes while replies arrive, except panels that look the same as `before`."""
        ready = all(self.services.served.status(role).phase == "ready" for role in ROLES)
        usual = self.waits.usual if self.waits else None
        line = progress_line(battle, seconds, ready, usual_sentence(usual), usual.high if usual else 0.0)
        update: Update = {"progress": line}
        for side in SIDES:
            if before is None or not looks_alike(before, battle, side):
                update[f"panels-{side}"] = panel_messages(battle, side)
                update[f"figures-{side}"] = figures(battle, side)
        return update

    def changes(self, before: Battle, after: Battle, facts: str = "") -> Update:
        """What a page that shows `before` must be sent to show `after`."""
        old, new = self.fixed(before), self.fixed(after, facts)
        changed = {name: value for name, value in new.items() if value != old[name]}
        changed |= {"ballot.facts": facts, "lens": ""}  # the page may show some that `before` does not reflect
        return changed | self.moving(after, 0.0, before)

    def whole(self, battle: Battle, facts: str = "") -> Update:
        """Everything that depends on the battle. `facts`: the reveal's table, if the names are known."""
        return self.moving(battle, 0.0) | self.fixed(battle, facts)

    def fixed(self, battle: Battle, facts: str = "") -> Update:
        """What depends on the battle, but not on the progress of its replies. `held` is no widget: it is the id of the
        battle that a reload should find again, which the page's script keeps."""
        asked = bool(battle.turns)
        done = battle.phase in ("open", "shared") or (battle.phase == "revealed" and battle.over)
        update: Update = {"shown": battle.id, "held": "" if done else battle.id}
        update |= {f"heads-{side}": head(battle, side, self.titles) for side in SIDES}
        update |= {f"tool-{tool}": gr.update(visible=offered(battle, tool)) for tool in TOOLS}
        update |= {
            "arena": gr.update(visible=asked),
            "new": gr.update(visible=asked),
            "welcome": gr.update(visible=not asked),
            "examples": gr.update(visible=not asked),
            "delivery": self.delivery(battle),
            "target": gr.update(visible=battle.mode != "blind" and asked and battle.phase != "shared"),
            "question": gr.update(placeholder=QUESTION_HINTS[question_hint(battle)]),
            "ask": gr.update(visible=battle.phase != "running"),
            "edit.box": gr.update(visible=offered(battle, "transplant")),
            "edit.text": "",
            "pin.box": gr.update(visible=battle.can_be_pinned, open=False),
            "pin.note": "",
            "pin.said": "",
            "look": gr.update(visible=can_look(battle)),
            "lens": "",
        }
        return update | self.ballot(battle, facts)

    def delivery(self, battle: Battle) -> Any:
        """The choice to watch a battle live, offered only before its first question and only if it is blind. With a
        guard model, which must read the whole reply first, there is no choice."""
        return gr.update(visible=battle.mode == "blind" and not battle.turns and self.services.guard is None)

    def revealed(
        self, names: Reveal, votes: Mapping[Stage, Verdict], battle: Battle, whose: str = "Your vote"
    ) -> Markup:
        """Who was who, now that the names are known: what was voted for, what each side spent, and who was right."""
        asked = battle.turns[-1] if battle.turns else None
        right: dict[Side, str] = {}
        if asked is not None and len(battle.turns) == 1:  # a later question depends on the conversation before it
            right = {side: self.findings.verdict(asked.question, reply) for side, reply in asked.replies.items()}
        measured = self.findings.recorded_sentence(asked.question) if asked is not None else ""
        others = others_sentence(self._others.rate())
        return reveal_card(names, self.titles, votes, whose=whose, right=right, more=(measured, others))

    @staticmethod
    def named_and_voted(battle: Battle) -> bool:
        return battle.mode == "named" and battle.phase == "voted"

    def ballot(self, battle: Battle, facts: str) -> Update:
        voted, open_ = battle.phase in ("reasoning", "voted"), battle.votable or battle.phase == "reasoning"
        return {
            "ballot.group": gr.update(visible=open_),
            "ballot.more": gr.update(visible=open_),
            "ballot.prompt": vote_prompt(battle),
            "ballot.reasons": gr.update(choices=reason_choices(battle), value=[]),
            "ballot.comment": "",
            "ballot.stage": "reasoning" if battle.phase == "reasoning" else "answers",
            "ballot.after": gr.update(visible=voted or (battle.votable and battle.mode == "blind")),
            "ballot.undo": gr.update(visible=voted),
            "ballot.reveal": gr.update(
                visible=battle.mode == "blind",
                value="Show the names" if voted else "Show the names without voting",
                variant="primary" if voted else "secondary",
            ),
            "ballot.next": gr.update(visible=battle.phase in ("revealed", "shared") or self.named_and_voted(battle)),
            "ballot.go_on": gr.update(visible=battle.can_go_on),
            "ballot.facts": facts,
            "ballot.link": shared_link(battle) if voted else "",  # the reveal has a button for it
        }

"""The widgets of the Compare tab, and a battle as the updates that show it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import Block

from battles.battle import SIDES, Battle
from models.config.registry import ROLES
from ui.compare.view import (
    QUESTION_HINTS,
    head,
    offered,
    question_hint,
    reason_choices,
    reveal_table,
    shared_link,
    verdict_line,
    vote_prompt,
)
from ui.kit.html import Markup, shown
from ui.kit.replies import figures, panel_messages, progress_line, side_failed
from ui.services import Services
from votes.ballot import Role, Side, Stage, Verdict
from votes.shown import Reveal

Update = dict[Block, Any]


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
    prompt: gr.HTML
    votes: dict[Verdict, gr.Button]
    reasons: gr.CheckboxGroup
    comment: gr.Textbox
    after: gr.Row
    undo: gr.Button
    reveal: gr.Button
    facts: gr.HTML
    link: gr.Markdown
    stage: gr.Textbox
    """Never seen: the vote that the page offers, sent with the click, so that no click casts another one."""


@dataclass(frozen=True)
class PinWidgets:
    """The control that makes a finished battle a case study."""

    box: gr.Accordion
    note: gr.Textbox
    key: gr.Textbox
    pin: gr.Button
    said: gr.Markdown


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
    tools: dict[str, gr.Button]
    target: gr.Radio
    question: gr.Textbox
    ask: gr.Button
    ballot: BallotWidgets
    new: gr.Button
    pin: PinWidgets
    kept: gr.BrowserState
    """The battle's id in the visitor's browser, so that a reload finds it again."""
    copies: dict[Side, gr.Button]
    copied: gr.Textbox
    """Never seen: the text on its way to the clipboard."""
    arena: gr.Column
    """Everything that makes sense only once something was asked."""
    welcome: tuple[gr.Column, ...]
    """What makes sense only before."""

    def outputs(self) -> list[Block]:
        ballot = self.ballot
        each = (*self.panels.values(), *self.heads.values(), *self.figures.values(), *self.tools.values())
        voting = (ballot.group, ballot.prompt, ballot.reasons, ballot.comment, ballot.stage)
        after = (ballot.after, ballot.undo, ballot.reveal, ballot.facts, ballot.link)
        pinning = (self.pin.box, self.pin.note, self.pin.said)
        asking = (self.mode, self.target, self.question, self.ask, self.delivery, self.new, self.arena, *self.welcome)
        return [self.battle, self.kept, self.progress, *asking, *voting, *after, *pinning, *each]


class Renderer:
    """A battle → the updates that show it."""

    def __init__(self, services: Services, widgets: Widgets) -> None:
        self.services = services
        self.widgets = widgets
        pair = services.served.pair
        self.parts = frozenset((widgets.progress, *widgets.panels.values(), *widgets.figures.values()))
        """What is sent again and again while replies arrive."""
        self.titles: Mapping[Role, str] = {"base": pair.base.title, "distilled": pair.distilled.title}

    def moving(self, battle: Battle, seconds: float, before: Battle | None = None) -> Update:
        """What changes while replies arrive; without the panels that show what they showed `before`.

        Values only: for a `gr.update`, gradio makes the whole component anew in every session.
        """
        w = self.widgets
        ready = all(self.services.served.status(role).phase == "ready" for role in ROLES)
        update: Update = {w.progress: progress_line(battle, seconds, ready)}
        for side in SIDES:
            if before is None or not looks_alike(before, battle, side):
                update[w.panels[side]] = panel_messages(battle, side)
                update[w.figures[side]] = figures(battle, side)
        return update

    def changes(self, before: Battle, after: Battle, facts: str = "") -> Update:
        """What a page that shows `before` must be sent to show `after`."""
        old, new = self.fixed(before), self.fixed(after, facts)
        changed = {widget: update for widget, update in new.items() if update != old[widget]}
        changed[self.widgets.ballot.facts] = facts  # the page may show some that `before` does not tell of
        return {self.widgets.battle: after} | changed | self.moving(after, 0.0, before)

    def whole(self, battle: Battle, facts: str = "") -> Update:
        """Everything that depends on the battle. `facts`: the reveal's table, if the names are known."""
        return {self.widgets.battle: battle} | self.moving(battle, 0.0) | self.fixed(battle, facts)

    def fixed(self, battle: Battle, facts: str = "") -> Update:
        """What depends on the battle, but not on how far its replies have come."""
        w = self.widgets
        asked = bool(battle.turns)
        update: Update = {w.kept: "" if battle.phase in ("open", "revealed", "shared") else battle.id}
        update |= {w.heads[side]: head(battle, side, self.titles) for side in SIDES}
        update |= {button: gr.update(visible=offered(battle, tool)) for tool, button in w.tools.items()}
        update |= {
            w.arena: gr.update(visible=asked),
            w.new: gr.update(visible=asked),
            w.delivery: self.delivery(battle),
            w.target: gr.update(visible=battle.mode == "named" and asked and battle.phase != "shared"),
            w.question: gr.update(placeholder=QUESTION_HINTS[question_hint(battle)]),
            w.ask: gr.update(interactive=battle.phase != "running"),
            w.pin.box: gr.update(visible=battle.can_be_pinned, open=False),
            w.pin.note: "",
            w.pin.said: "",
        }
        update |= {column: gr.update(visible=not asked) for column in w.welcome}
        return update | self.ballot(battle, facts)

    @staticmethod
    def delivery(battle: Battle) -> Any:
        """Whether a battle is watched live is chosen before its first question, and only where it is blind."""
        return gr.update(visible=battle.mode == "blind" and not battle.turns)

    def revealed(self, told: Reveal, votes: Mapping[Stage, Verdict], whose: str = "Your vote") -> Markup:
        """What was voted for, now that the names are known, and what each side spent."""
        return shown(verdict_line(told, votes, whose) + reveal_table(told, self.titles))

    def ballot(self, battle: Battle, facts: str) -> Update:
        b = self.widgets.ballot
        voted = battle.phase in ("reasoning", "voted")
        return {
            b.group: gr.update(visible=battle.phase in ("answers", "reasoning")),
            b.prompt: vote_prompt(battle),
            b.reasons: gr.update(choices=reason_choices(battle), value=[]),
            b.comment: "",
            b.stage: "reasoning" if battle.phase == "reasoning" else "answers",
            b.after: gr.update(visible=voted or (battle.phase == "answers" and battle.mode == "blind")),
            b.undo: gr.update(visible=voted),
            b.reveal: gr.update(
                visible=battle.mode == "blind",
                value="Show the names" if voted else "Show the names without voting",
                variant="primary" if voted else "secondary",
            ),
            b.facts: facts,
            b.link: shared_link(battle) if voted or battle.phase in ("revealed", "shared") else "",
        }

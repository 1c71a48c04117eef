"""Editing a thought by hand (named mode): take a side's, change it, let models answer from it or continue it."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from battles.battle import SIDES, Battle
from battles.turns import Turns
from models.chat.resume import Wish
from ui.compare.handlers import Answer, Handler, in_words, unchanged
from ui.compare.news import news
from ui.compare.screen import EditWidgets, Renderer
from ui.compare.view import chosen_sides, offered
from ui.services import Services
from votes.ballot import Side

WISHES: dict[Wish, str] = {"transplant": "Answer from it", "think_on": "Think on from it"}


def build_edit() -> EditWidgets:
    """Build the editor below the tools; which model gets the thought is chosen there."""
    with gr.Accordion("Edit a thought", open=False, visible=False, elem_id="edit-thought") as box:
        text = gr.Textbox(
            label="Thought",
            placeholder="What the model is to believe it has thought",
            lines=6,
            max_lines=16,
            elem_id="edited",
        )
        with gr.Row(elem_classes="small-row"):
            take = {side: gr.Button(f"Take {side.upper()}’s", size="sm", elem_id=f"take-{side}") for side in SIDES}
            go = {
                wish: gr.Button(label, size="sm", variant="primary", elem_id=f"edit-{wish}")
                for wish, label in WISHES.items()
            }
    return EditWidgets(box, text, take, go)


def take_handler(services: Services, turns: Turns, side: Side) -> Callable[..., Answer]:
    @in_words
    def take(battle: Battle, shown: Any, request: gr.Request) -> Answer:
        battle = turns.found(battle, services.visitor(request), shown)
        reply = battle.reply(side) if offered(battle, "transplant") else None
        return unchanged(news({"edit.text": reply.thought or reply.answer}) if reply else None)

    return take


def edit_handler(services: Services, turns: Turns, show: Renderer, wish: Wish) -> Handler:
    @in_words
    async def use(battle: Battle, shown: Any, target: Any, text: Any, request: gr.Request) -> Answer:
        visitor = services.visitor(request)
        before = turns.current(battle, visitor, shown)
        if not offered(before, "transplant"):
            return unchanged()
        battle = turns.start_from(before, text, wish, chosen_sides(before, target), visitor)
        return Answer(battle, news(show.changes(before, battle), follow=battle.id))

    return use

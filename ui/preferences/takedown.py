"""Take a battle down, or put it back: for the owner, below everything else of the Preferences tab."""

import gradio as gr

from ui.kit.events import QUIET, spoken
from ui.kit.owner import owner_key, require_owner
from ui.services import Services
from votes.takedown import battle_id_of, set_hidden

ABOUT = """A battle you take down disappears from links, lists, counts and files, here and in every release, and so does
a conversation that went on from it. Nothing is deleted: the row that hides it is kept with your reason, and a later row
can show the battle again. Case studies that were pinned from it stay."""


def build_takedown(services: Services) -> None:
    """Two buttons for a battle's link, a reason and the owner's key."""
    with gr.Accordion("Take a battle down", open=False, elem_id="takedown"):
        gr.Markdown(ABOUT, elem_classes="note")
        battle = gr.Textbox(label="Link or id of the battle", max_lines=1, elem_id="takedown-battle")
        reason = gr.Textbox(label="Reason (nobody but you sees it)", max_lines=1, elem_id="takedown-reason")
        key = owner_key(elem_id="takedown-key")
        with gr.Row():
            hide = gr.Button("Take it down", size="sm", variant="stop", min_width=120, elem_id="takedown-hide")
            show = gr.Button("Put it back", size="sm", min_width=120, elem_id="takedown-show")
        notice = gr.Markdown("", elem_id="takedown-said")

    @spoken()
    def change(battle: str, reason: str, key: str, *, hidden: bool) -> str:
        require_owner(key)
        record = set_hidden(services.store, battle_id_of(battle or ""), reason or "", hidden=hidden)
        return f"Battle {record.battle_id} is {'taken down' if hidden else 'shown again'}."

    given = [battle, reason, key]
    hide.click(lambda *values: change(*values, hidden=True), given, notice, **QUIET)
    show.click(lambda *values: change(*values, hidden=False), given, notice, **QUIET)

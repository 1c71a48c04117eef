"""What the server holds of a page: its state and its components, not a description of each; and not for long."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio import state_holder

from ui.server.sessions import SECONDS_KEPT, LightSession, forget, forget_those_who_leave


def page() -> tuple[gr.Blocks, gr.State, gr.Button]:
    with gr.Blocks() as app:
        state, button = gr.State([1]), gr.Button("Ask")
        forget_those_who_leave(app)
    return app, state, button


def test_gradio_makes_our_sessions_and_they_describe_no_component() -> None:
    app, state, button = page()
    assert state_holder.SessionState is LightSession
    holder = state_holder.StateHolder()
    holder.set_blocks(app)
    session = holder["visitor"]
    session[state._id] = [2]
    session[button._id] = gr.Button("Stop", render=False)
    session._update_config(button._id)
    session._update_value_in_config(button._id, "Stop")
    assert session[state._id] == [2] and session[button._id].value == "Stop"
    assert not list(session.components)
    assert holder["another"][state._id] == [1] and holder["another"][button._id] is button
    assert [component for component, *_ in session.state_components] == [state]


def test_a_page_is_forgotten_only_if_it_was_not_used_since_it_was_left() -> None:
    app: Any = SimpleNamespace(state_holder=state_holder.StateHolder())
    holder = app.state_holder
    for visitor, seconds in (("left", SECONDS_KEPT), ("back", 1.0)):
        holder.session_data[visitor] = None
        holder.time_last_used[visitor] = datetime.now() - timedelta(seconds=seconds)
        forget(app, visitor)
    forget(app, "unknown")
    forget(app, None)
    assert set(holder.session_data) == set(holder.time_last_used) == {"back"}

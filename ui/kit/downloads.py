"""A button that writes a file when it is pressed and hands it to the browser at once.

Gradio's DownloadButton offers the file it had before the press: the file goes to a hidden one, which is then pressed.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from ui.kit.events import QUIET, spoken


def download_button(
    label: str, elem_id: str, write: Callable[..., tuple[str, str]], inputs: Sequence[Component] = ()
) -> gr.Button:
    """`write` gets the inputs' values and returns the file's name and its text; an ArenaError of its is shown."""
    folder = tempfile.TemporaryDirectory(prefix="journey-arena-download-")
    # Not `visible="hidden"`: gradio shows such a button when the column around it becomes visible.
    hidden = gr.DownloadButton(elem_id=f"{elem_id}-file", elem_classes="out-of-sight")
    button = gr.Button(label, size="sm", min_width=140, elem_id=elem_id)

    @spoken()
    def make(*values: Any) -> str:
        name, text = write(*values)
        path = Path(folder.name, Path(name).name)
        path.write_text(text, encoding="utf-8")
        return str(path)

    press = f"() => document.querySelector('#{elem_id}-file').click()"
    made = button.click(make, list(inputs), hidden, **QUIET, concurrency_limit=1)
    made.success(fn=None, js=press)
    return button

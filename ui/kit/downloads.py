"""A button that writes a file when it is pressed and sends it to the browser immediately.

Gradio's DownloadButton offers the file it had before the press, so the file goes to a hidden one that is then pressed.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from ui.kit.events import QUIET, spoken

SECONDS_KEPT = 600


class PressFolders:
    """An empty folder for each press, so that visitors never get each other's files. Gradio makes its own copy."""

    def __init__(self, name: str) -> None:
        self._all = tempfile.TemporaryDirectory(prefix=f"journey-arena-{name}-")

    def new(self) -> Path:
        """A new one; what presses wrote more than `SECONDS_KEPT` ago is removed."""
        folder = Path(self._all.name)
        folder.mkdir(mode=0o700, exist_ok=True)  # the system may have cleaned up its temporary files
        for written in folder.iterdir():
            if time.time() - written.stat().st_mtime > SECONDS_KEPT:
                shutil.rmtree(written, ignore_errors=True)
        return Path(tempfile.mkdtemp(dir=folder))


def download_button(
    label: str, elem_id: str, write: Callable[..., Path], inputs: Sequence[Component] = ()
) -> gr.Button:
    """`write` gets an empty folder and the inputs' values, writes one file and returns its path."""
    folders = PressFolders("download")
    # Not `visible="hidden"`: gradio shows such a button when the column around it becomes visible.
    hidden = gr.DownloadButton(elem_id=f"{elem_id}-file", elem_classes="out-of-sight")
    button = gr.Button(label, size="sm", min_width=140, elem_id=elem_id)

    @spoken()
    def make(*values: Any) -> str:
        return str(write(folders.new(), *values))

    press = f"() => document.querySelector('#{elem_id}-file').click()"
    made = button.click(make, list(inputs), hidden, **QUIET, concurrency_limit=1)
    made.success(fn=None, js=press)
    return button


def as_text(make: Callable[..., tuple[str, str]]) -> Callable[..., Path]:
    """Adapts a function that returns a file's name and text to what `download_button` takes."""

    def write(folder: Path, *values: Any) -> Path:
        name, text = make(*values)
        path = folder / Path(name).name
        path.write_text(text, encoding="utf-8")
        return path

    return write

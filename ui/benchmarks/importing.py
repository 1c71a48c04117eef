"""The part of the Benchmarks tab that imports outputs and logs made elsewhere, one model's or both."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from common.errors import ArenaError
from eval.imports.files import SUFFIXES
from eval.imports.imported import Source
from eval.imports.outputs import Fields
from eval.runs.log import Role
from ui.benchmarks.actions import RunActions
from ui.benchmarks.run import known_sets
from ui.kit.events import words_of
from ui.kit.owner import owner_key, require_owner

NO_SET = "the file's own problems"
ABOUT = (
    "Logs of inspect_ai (`.eval`, `.json`), lighteval (`details_….parquet`), lm-evaluation-harness (`samples_….jsonl`) "
    "and evalscope (`reviews/….jsonl`), with their thoughts; a JSON export from this page; or any JSONL file with a "
    "problem, its gold answer and one or more outputs on each line. Two files become one run that compares them "
    "problem by problem. All answers are graded here."
)


@dataclass(frozen=True)
class ImportSection:
    """What to import, and the button."""

    inputs: list[Any]
    load: gr.Button


def build_import_section() -> ImportSection:
    """Inputs for one file per model, the problems they belong to, and the field names of plain files."""
    gr.Markdown(ABOUT, elem_classes="note")
    sides: list[Any] = []
    with gr.Row():
        for side in ("Base", "Distilled"):
            with gr.Column(min_width=280):
                file = gr.File(label=f"{side}: outputs or log", file_types=list(SUFFIXES), height=130)
                title = gr.Textbox(
                    label=f"{side}: name of the model", placeholder="as in the log, else the file's name", max_lines=1
                )
            sides += [file, title]
    benchmark = gr.Dropdown(
        [NO_SET, *known_sets()],
        value=NO_SET,
        label="Problems",
        info="Choose the set to pair the outputs with runs made here.",
    )
    with gr.Accordion("Fields of a plain JSONL file", open=False), gr.Row():
        question = gr.Textbox(label="Question", placeholder="problem, question …", max_lines=1)
        gold = gr.Textbox(label="Gold answer", placeholder="gold, answer …", max_lines=1)
        output = gr.Textbox(label="Output", placeholder="output, outputs …", max_lines=1)
    key = owner_key()
    load = gr.Button("Load and grade")
    return ImportSection([key, *sides, benchmark, question, gold, output], load)


def wire_import_section(section: ImportSection, actions: RunActions, notice: gr.Markdown, imported: Any) -> None:
    """`imported(run)` gives the updates that show a run of both sides; with an empty string, those of the lists."""

    def on_load(
        secret: str, base: str | None, base_title: str, distilled: str | None, distilled_title: str, which: str,
        q: str, g: str, o: str, progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> dict[Any, Any]:  # fmt: skip
        def tell(done: int, total: int) -> None:
            progress((done, total), desc="grading")

        try:
            require_owner(secret)
            given: dict[Role, tuple[str | None, str]] = {
                "base": (base, base_title),
                "distilled": (distilled, distilled_title),
            }
            sources = [
                Source(Path(path), role, str(title or "").strip()) for role, (path, title) in given.items() if path
            ]
            fields = Fields(*(str(name or "").strip() for name in (q, g, o)))
            run, said = actions.take_in(sources, which, fields, tell)
            return {**imported(run), notice: said}
        except ArenaError as error:
            return {notice: words_of(error)}

    outputs = [*dict.fromkeys([notice, *imported.components])]
    section.load.click(on_load, section.inputs, outputs, api_visibility="private")

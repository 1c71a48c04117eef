"""The part of the Benchmarks tab that starts, watches, stops and resumes runs."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from common.errors import ArenaError, ConfigError
from eval.problems.benchmark_sets import GENERATED, GENERATED_COUNT, KNOWN
from eval.runs.cost import most_in_flight
from eval.runs.log import RunConfig
from eval.runs.plan import usual_sampling
from ui.benchmarks.actions import RunActions
from ui.benchmarks.controls import Controls
from ui.kit.events import QUIET, when_opened, words_of
from ui.kit.html import low_row, stacked_row
from ui.kit.owner import owner_key, require_owner
from ui.services import READ_ONLY, Services


def known_sets() -> list[tuple[str, str]]:
    """(label, name) of every set, those that need no download first."""
    generated = [(f"{title} ({GENERATED_COUNT}, generated)", name) for name, title in GENERATED.items()]
    return generated + [(f"{known.title} ({known.size})", name) for name, known in KNOWN.items()]


@dataclass(frozen=True)
class RunForm:
    """The inputs of a run, in the order handlers take them."""

    pair: gr.Dropdown
    sets: gr.CheckboxGroup
    own_set: gr.File
    problems: gr.Number
    samples: gr.Number
    max_tokens: gr.Number
    thinking_budget: gr.Number
    temperature: gr.Number
    top_p: gr.Number
    seed: gr.Number
    concurrency: gr.Number

    @property
    def inputs(self) -> list[Any]:
        return [getattr(self, name) for name in self.__dataclass_fields__]


def make_config(
    pair: str,
    sets: list[str],
    own_set: str | None,
    problems: float | None,
    samples: float,
    max_tokens: float,
    thinking_budget: float | None,
    temperature: float,
    top_p: float,
    seed: float,
    concurrency: float,
) -> RunConfig:
    """The form's values as a configuration. Raises ConfigError if it cannot be run."""
    unknown = [name for name in sets or [] if name not in {*KNOWN, *GENERATED}]
    if unknown:
        raise ConfigError(f"There is no set “{unknown[0]}”.", "Choose from the list.")
    try:
        return RunConfig(
            pair=str(pair),
            benchmarks=(*(sets or []), *([own_set] if own_set else [])),
            samples=int(samples),
            problems=int(problems) if problems else None,
            max_tokens=int(max_tokens),
            thinking_budget=int(thinking_budget) if thinking_budget else None,
            temperature=float(temperature),
            top_p=float(top_p),
            seed=int(seed),
            concurrency=int(concurrency),
        )
    except (TypeError, ValueError) as error:
        raise ConfigError("A field is empty or not a number.", "Fill in every field.") from error


def build_form(services: Services) -> RunForm:
    served = services.served
    usual = usual_sampling(served.pair, served.profile)
    pairs = [(pair.title, key) for key, pair in services.config.pairs.items()]
    with stacked_row():
        pair = gr.Dropdown(pairs, value=served.pair.key, label="Pair", info="Only the loaded pair can be run.")
        own_set = gr.File(label="Your own set: JSONL with problem and answer", file_types=[".jsonl"], height=130)
    sets = gr.CheckboxGroup(known_sets(), value=["same_kind"], label="Sets")
    with gr.Row():
        problems = gr.Number(60, label="Problems per set", info="0: all of them.", precision=0, minimum=0)
        samples = gr.Number(1, label="Samples per problem", precision=0, minimum=1)
        max_tokens = gr.Number(
            usual.max_tokens, label="Token budget", info="Thought and answer.", precision=0, minimum=1
        )
        thinking = gr.Number(0, label="Thinking budget", info="0: no limit of its own.", precision=0, minimum=0)
    with gr.Accordion("Sampling", open=False), gr.Row():
        temperature = gr.Number(usual.temperature, label="Temperature", info="0: greedy.", minimum=0, step=0.1)
        top_p = gr.Number(usual.top_p, label="Top-p", minimum=0, maximum=1, step=0.05)
        seed = gr.Number(0, label="Seed", precision=0)
        concurrency = gr.Number(
            most_in_flight(served.profile), label="Requests in flight", info="At each server.", precision=0, minimum=1
        )
    return RunForm(pair, sets, own_set, problems, samples, max_tokens, thinking, temperature, top_p, seed, concurrency)


@dataclass(frozen=True)
class RunHandlers:
    """Handlers of the buttons. Those that start or stop work first check for the owner, then report what happened."""

    actions: RunActions
    controls: Controls
    started: Any

    def cost(self, *values: Any) -> str:
        try:
            return self.actions.estimate(make_config(*values))
        except ArenaError as error:
            return words_of(error)

    def start(self, secret: str, *values: Any) -> dict[Any, Any]:
        try:
            require_owner(secret)
            own = self.actions.keep_own_set(values[2])
            run_id = self.actions.start(make_config(values[0], values[1], own, *values[3:]))
        except ArenaError as error:
            return self._tell(words_of(error))
        said = self._tell(f"Run {run_id} has started. It continues if you close this page.", run_id)
        return {**self.started(run_id), **said}

    def stop(self, secret: str) -> dict[Any, Any]:
        try:
            require_owner(secret)
            run_id = self.actions.stop()
        except ArenaError as error:
            return self._tell(words_of(error))
        return self._tell(f"Run {run_id} is stopping. Finished answers are kept; you can resume it later.", run_id)

    def resume(self, secret: str, run_id: str, retry: bool) -> dict[Any, Any]:
        try:
            require_owner(secret)
            self.actions.resume(str(run_id or ""), bool(retry))
        except ArenaError as error:
            return self._tell(words_of(error))
        return self._tell(f"Run {run_id} has resumed.", run_id)

    def force(self, secret: str, run_id: str, wanted: str) -> dict[Any, Any]:
        try:
            require_owner(secret)
            made = self.actions.force(str(run_id or ""), wanted)
        except ArenaError as error:
            return self._tell(words_of(error))
        return self._tell(f"Making forced answers at {', '.join(map(str, made))} tokens.", run_id)

    def _tell(self, words: str, run_id: str = "") -> dict[Any, Any]:
        """`run_id`: the run during which the message applies."""
        return {self.controls.notice: words, self.controls.told: run_id}


@dataclass(frozen=True)
class RunSection:
    """Form, cost, buttons."""

    form: RunForm
    estimate: gr.Markdown
    key: gr.Textbox
    start: gr.Button
    stop: gr.Button
    resume: gr.Button
    retry: gr.Checkbox
    budgets: gr.Textbox
    force: gr.Button


def build_run_section(services: Services) -> RunSection:
    """Build the section; buttons stay disabled until the tab is opened and it is known what they could do."""
    if services.served.profile.benchmarks == "read":
        gr.Markdown(READ_ONLY, elem_classes="note")
    form = build_form(services)
    estimate = gr.Markdown("", elem_classes="note")
    key = owner_key()
    with gr.Row():
        start = gr.Button("Start", variant="primary", interactive=False, elem_id="bm-start")
        stop = gr.Button("Stop", interactive=False, elem_id="bm-stop")
        resume = gr.Button("Resume the selected run", interactive=False, elem_id="bm-resume")
        retry = gr.Checkbox(False, label="retry failed answers", interactive=False, container=False)
    with low_row():
        budgets = gr.Textbox(
            "64, 128, 256, 512",
            label="Forced answers for the selected run",
            info="Close thoughts after this many tokens.",
            max_lines=1, scale=3,
        )  # fmt: skip
        force = gr.Button("Make forced answers", size="sm", scale=1, interactive=False, elem_id="bm-force")
    return RunSection(form, estimate, key, start, stop, resume, retry, budgets, force)


def wire_run_section(
    section: RunSection, actions: RunActions, controls: Controls, run: gr.Dropdown, started: Any
) -> None:
    """Connect the section; `started(run_id)` returns the updates that select a new run."""
    on, key, inputs = RunHandlers(actions, controls, started), section.key, section.form.inputs
    said = [controls.notice, controls.told]
    for component in inputs:
        component.change(on.cost, inputs, section.estimate, **QUIET)
    section.start.click(
        on.start, [key, *inputs], [*dict.fromkeys([*said, *started.components])], api_visibility="private"
    )
    section.stop.click(on.stop, key, said, api_visibility="private")
    section.resume.click(on.resume, [key, run, section.retry], said, api_visibility="private")
    section.force.click(on.force, [key, run, section.budgets], said, api_visibility="private")
    when_opened(on.cost, inputs, [section.estimate])

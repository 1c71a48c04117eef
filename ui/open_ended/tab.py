"""The page on results beyond maths: the paper's Table 2, runs of its sets here, the sycophancy probe.

Widgets and wiring; the judge and people's marks are `ui.open_ended.judging`, what is shown is `ui.open_ended.view`.
"""

from collections import Counter
from functools import lru_cache
from typing import Any, NamedTuple

import gradio as gr

from common.errors import ArenaError, ConfigError, for_visitors
from eval.grading.grader import Grader
from eval.judging.judged import judgements
from eval.judging.scored import run_scores
from eval.problems.sycophancy import NAME
from eval.runs.jobs import Job, Jobs, RunProgress
from eval.runs.log import RunInfo, RunLog, list_runs
from eval.runs.open_ended import (
    configure,
    estimate,
    is_probe,
    load_set,
    probe_outcome,
    probe_readings,
    runs_folder,
    set_choices,
    start_run,
)
from eval.runs.run_job import RunJob
from models.config.registry import ROLES, Profile
from models.config.sampling import Sampling
from ui.kit.events import QUIET, page_loads, words_of
from ui.kit.html import Markup, html, note, prose, render, section, shown, text_of
from ui.kit.owner import owner_key, require_owner
from ui.open_ended.judging import build_judge_section, build_people_section
from ui.open_ended.view import AREAS, scores_html, sycophancy_html, table_2_figure, table_2_html, verdicts_html
from ui.services import READ_ONLY, Services, check_ready

SECONDS_BETWEEN_LOOKS = 3
PHASES = {
    "waiting": "waiting for the models",
    "running": "running",
    "grading": "grading",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
}


def build_open_ended_page(services: Services) -> None:
    """The page inside the current tab."""
    text = text_of("open_ended")
    html(prose(text["intro"]))
    area = gr.Radio(
        [(title, key) for key, title in AREAS.items()], value="all", label="Sets", elem_id="open-ended-area"
    )
    table = html(table_2_html(), elem_id="table-2")
    plot = gr.Plot(table_2_figure(), show_label=False)
    area.change(
        lambda chosen: (shown(table_2_html(chosen)), table_2_figure(chosen)),
        area,
        [table, plot],
        **QUIET,
    )
    html(prose(text["findings"]) + render('<div class="note">{{ text }}</div>', text=prose(text["testing"])))
    html(section("Run them here", prose(text["running"]), prose(text["sycophancy"])))
    run, outcome = build_run_section(services)
    with gr.Accordion("A model as judge", open=False):
        gr.Markdown(text["judge"], elem_classes="note")
        build_judge_section(services, run, outcome, outcome_html)
    with gr.Accordion("People as judges", open=False):
        gr.Markdown(text["people"], elem_classes="note")
        build_people_section(services, run)


class RunForm(NamedTuple):
    """The widgets that start runs and show them."""

    chosen_set: gr.Dropdown
    questions: gr.Number
    max_tokens: gr.Number
    temperature: gr.Number
    key: gr.Textbox
    start: gr.Button
    stop: gr.Button
    price: gr.Markdown
    notice: gr.Markdown
    run: gr.Dropdown
    outcome: gr.HTML


def build_run_section(services: Services) -> tuple[gr.Dropdown, gr.HTML]:
    """Start and watch runs; returns the chosen run and where its outcome is shown."""
    form = build_run_form(services.served.profile)
    wire_starting(services, form)
    wire_watching(services.jobs, services.served.pair.key, form)
    return form.run, form.outcome


def build_run_form(profile: Profile) -> RunForm:
    if profile.benchmarks == "read":
        gr.Markdown(READ_ONLY, elem_classes="note")
    with gr.Row():
        chosen_set = gr.Dropdown(set_choices(), value=NAME, label="Set", min_width=220, elem_id="open-ended-set")
        questions = gr.Number(50, label="Questions", precision=0, minimum=1, min_width=110)
        max_tokens = gr.Number(1024, label="Token limit", precision=0, minimum=16, min_width=110)
        temperature = gr.Number(0.0, label="Temperature", minimum=0, maximum=2, step=0.1, min_width=110)
    with gr.Row(equal_height=True):
        key = owner_key()
        start = gr.Button("Ask both models", variant="primary", min_width=140, elem_id="open-ended-start")
        stop = gr.Button("Stop", min_width=90)
    price = gr.Markdown("", elem_id="open-ended-cost", elem_classes="note")
    notice = gr.Markdown("", elem_id="open-ended-notice")
    run = gr.Dropdown([], label="Run", elem_id="open-ended-run")
    outcome = html(elem_id="open-ended-outcome")
    return RunForm(chosen_set, questions, max_tokens, temperature, key, start, stop, price, notice, run, outcome)


def wire_starting(services: Services, form: RunForm) -> None:
    """What a run would cost, its start and its end."""
    jobs = services.jobs

    def on_change(name: str, number: float | None, tokens: float | None) -> str:
        try:
            return estimate(services.served.pair, name, int(number or 0), int(tokens or 0)).sentence
        except ArenaError as error:
            return words_of(error)

    def on_start(secret: str, name: str, number: float, tokens: float, warmth: float) -> dict[Any, Any]:
        try:
            require_owner(secret)
            if name not in [known for _, known in set_choices()]:
                raise ConfigError(f"There is no set “{name}”.", "Choose one from the list.")
            jobs.check_idle()
            check_ready(services.served)
            sampling = Sampling(int(tokens or 0), temperature=warmth or 0.0)
            benchmark = load_set(name, int(number or 0))
            config = configure(services.served.pair, services.served.profile, benchmark, sampling)
            session = start_run(services.served, benchmark, config)
            jobs.start(session)
        except ArenaError as error:
            return {form.notice: words_of(error)}
        run_id = session.log.folder.name
        return {form.notice: f"Run {run_id} has started.", form.run: gr.update(choices=run_choices(), value=run_id)}

    def on_stop(secret: str) -> str:
        try:
            require_owner(secret)
        except ArenaError as error:
            return words_of(error)
        if not going(jobs):
            return "No run of this page is in progress."
        jobs.stop()
        return "Stopping. Finished answers are kept."

    asked = [form.chosen_set, form.questions, form.max_tokens]
    gr.on(None, on_change, asked, form.price, **QUIET)
    form.start.click(on_start, [form.key, *asked, form.temperature], [form.notice, form.run], **QUIET)
    form.stop.click(on_stop, form.key, form.notice, **QUIET)


def wire_watching(jobs: Jobs, pair: str, form: RunForm) -> None:
    """The outcome of the chosen run, and the progress of the one in progress. `pair`: the one that is served."""
    watched = gr.State("")

    def look(run_id: str | None, seen: str) -> dict[Any, Any]:
        session, now = last(jobs), going(jobs)
        if session is None or not (now or session.log.folder.name == seen):
            return gr.skip()
        progress = progress_text(session.progress())
        return {form.notice: progress, form.outcome: shown(outcome_html(run_id, now)), watched: now}

    run, outcome = form.run, form.outcome
    run.change(lambda run_id: shown(outcome_html(run_id, going(jobs))), run, outcome, **QUIET)
    gr.on(page_loads(), lambda: gr.update(choices=run_choices(), value=newest_run(pair)), None, run, **QUIET)
    gr.Timer(SECONDS_BETWEEN_LOOKS).tick(look, [run, watched], [form.notice, outcome, watched], **QUIET)


def last(jobs: Jobs) -> Job | None:
    """The current or last job, if it belongs to this page."""
    current = jobs.current
    drawn = isinstance(current, RunJob) and current.log.folder.parent == runs_folder()
    return current if drawn else None


def going(jobs: Jobs) -> str:
    """This page's run in progress; empty if there is none."""
    session = last(jobs)
    return "" if session is None or session.over else session.log.folder.name


def run_choices() -> list[tuple[str, str]]:
    return [(run_title(info), info.id) for info in list_runs(runs_folder())]


def newest_run(pair: str) -> str | None:
    """The newest run, of this pair if it has one."""
    infos = list_runs(runs_folder())
    return next((info.id for info in sorted(infos, key=lambda info: info.config.pair != pair)), None)


def run_title(info: RunInfo) -> str:
    names = ", ".join(data.title for data in info.data)
    asked = sum(data.problems for data in info.data)
    made = f"{info.created_at[:16].replace('T', ' ')} UTC · {info.config.pair}"
    return f"{'Recorded · ' if info.recorded else ''}{names}, {asked} prompts · {made}"


def progress_text(progress: RunProgress) -> str:
    sides = " · ".join(f"{role} {progress.sides[role].done}/{progress.sides[role].total}" for role in progress.sides)
    parts = (f"Run {progress.run}: {PHASES[progress.phase]}.", sides, for_visitors(progress.message))
    return " ".join(part for part in parts if part)


def outcome_html(run_id: str | None, going: str = "", *, verdicts: bool = True) -> Markup:
    """A run's result: the probe's table, or judged scores and, with `verdicts`, what they rest on.

    going: the run that is still in progress.
    """
    if not run_id:
        return note("Nothing has been run here yet.")
    try:
        log = RunLog.open(runs_folder(), run_id)
        info = log.info()
        answered = Counter(info.role_of(sample.model) for sample in log.samples())
        head = note(f"Answers: {', '.join(f'{role} {answered[role]}' for role in ROLES)}.")
        if not is_probe(log):
            table = head + scores_html(run_scores(log), {data.name: data.title for data in info.data})
            if not verdicts:
                return table
            return table + verdicts_html(judgements(log), {p.id: p.question for p in log.problems()})
        if run_id == going:  # grading starts processes: not every few seconds while the models work
            return head + note("The result appears when the run has finished.")
        outcomes, p_between = probe_result(run_id, log.path("samples").stat().st_mtime_ns)
        return head + sycophancy_html(outcomes, p_between) if outcomes else head
    except ArenaError as error:
        return note(words_of(error))


@lru_cache(maxsize=8)
def probe_result(run_id: str, changed: int) -> Any:
    """The probe's outcome; read again only when the samples have changed."""
    with Grader(workers=1) as grader:
        return probe_outcome(probe_readings(RunLog.open(runs_folder(), run_id), grader))

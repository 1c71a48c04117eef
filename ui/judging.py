"""The sections of the page beyond maths where answers are judged: by a model, and by people.

Widgets and wiring; judging is `eval.judged`, the judge's check `eval.labelled`, people's marks `eval.ratings`.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from html import escape
from typing import Any, NamedTuple

import gradio as gr

from eval.beyond_run import runs_folder
from eval.judge import RUBRICS, Judge
from eval.judged import KEY_VARIABLE, judge_client, judge_run
from eval.labelled import LABELLED, check_judge, check_sentence, load_labelled, save_check
from eval.ratings import RatingTask, add_rating, next_task, ratings, summarise
from eval.runlog import RunLog
from models.client import ModelClient
from models.errors import ArenaError, ConfigError
from models.registry import Role
from traces.cases import Case, all_cases, runs_of
from ui.benchmark_run import needs_key, require_owner
from ui.beyond_view import ratings_html
from ui.reading import html, shown
from ui.services import Services

READY_SECONDS = 600.0
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
JUDGES = {
    "base": "The loaded base model",
    "distilled": "The loaded distilled model",
    "address": "Another model, by address",
}


class JudgeForm(NamedTuple):
    """The judge and what it is to do."""

    key: gr.Textbox
    who: gr.Radio
    url: gr.Textbox
    model: gr.Textbox
    labelled: gr.Dropdown
    items: gr.Number
    check: gr.Button
    rubric: gr.Dropdown
    judge: gr.Button
    said: gr.Markdown


def build_judge_form() -> JudgeForm:
    who = gr.Radio([(title, key) for key, title in JUDGES.items()], value="address", label="Judge", elem_id="judge-who")
    with gr.Row() as address:
        url = gr.Textbox(label="Address", placeholder="http://127.0.0.1:8001/v1", max_lines=1, min_width=220)
        model = gr.Textbox(label="Model", max_lines=1, min_width=160)
    who.change(lambda chosen: gr.update(visible=chosen == "address"), who, address, **QUIET)
    gr.Markdown(f"The address’s key is read from the environment variable `{KEY_VARIABLE}`.", elem_classes="note")
    with gr.Row(equal_height=True):
        labelled = gr.Dropdown([(s.title, s.key) for s in LABELLED.values()], label="Labelled set", min_width=220)
        count = gr.Number(50, label="Items", precision=0, minimum=1, min_width=100)
        check = gr.Button("Check the judge", min_width=140, elem_id="judge-check")
    with gr.Row(equal_height=True):
        choices = [("The set’s own question", ""), *((r.title, str(key)) for key, r in RUBRICS.items())]
        rubric = gr.Dropdown(choices, value="", label="Question put to the judge", min_width=220)
        judge = gr.Button("Judge the chosen run", variant="primary", min_width=140, elem_id="judge-run")
    key = gr.Textbox(label="Owner's key", type="password", visible=needs_key(), max_lines=1)
    said = gr.Markdown("", elem_id="judge-said")
    return JudgeForm(key, who, url, model, labelled, count, check, rubric, judge, said)


def build_judge_section(
    services: Services, run: gr.Dropdown, outcome: gr.HTML, outcome_html: Callable[[str | None], str]
) -> None:
    """Choose a judge, check it against people's labels, let it judge the chosen run."""
    form = build_judge_form()

    async def on_check(secret: str, which: str, at: str, name: str, set_key: str, number: float) -> AsyncIterator[str]:
        try:
            require_owner(secret)
            items = load_labelled(set_key)
            yield "Checking …"
            async with AsyncExitStack() as stack:
                judging = await open_judge(services, which, at, name, LABELLED[set_key].rubric, stack)
                found, verdicts = await check_judge(judging, set_key, items, int(number or 1))
            save_check(found, verdicts)
            yield f"**{escape(judging.name)}.** {check_sentence(found, found.rubric)}"
        except ArenaError as error:
            yield str(error)

    async def on_judge(
        secret: str, which: str, at: str, name: str, wanted: str, run_id: str | None
    ) -> AsyncIterator[Any]:
        try:
            require_owner(secret)
            log = RunLog.open(runs_folder(), run_id or "")
            async with AsyncExitStack() as stack:
                judging = await open_judge(services, which, at, name, wanted or own_rubric(log), stack)
                async for done, of in judge_run(log, judging):
                    yield {form.said: f"{done} of {of} judged."}
            yield {outcome: shown(outcome_html(run_id))}
        except ArenaError as error:
            yield {form.said: str(error)}

    who = [form.key, form.who, form.url, form.model]
    form.check.click(on_check, [*who, form.labelled, form.items], form.said, concurrency_id="judging", **QUIET)
    form.judge.click(on_judge, [*who, form.rubric, run], [form.said, outcome], concurrency_id="judging", **QUIET)


def own_rubric(log: RunLog) -> str:
    """The question by which this run's set is judged."""
    rubrics = {problem.extra.get("rubric", "") for problem in log.problems()} - {""}
    if len(rubrics) != 1:
        raise ConfigError("This run's set has no question for a judge of its own.", "Choose the question.")
    return rubrics.pop()


async def open_judge(services: Services, which: str, url: str, model: str, rubric: str, stack: AsyncExitStack) -> Judge:
    """The chosen judge, its connection closed with `stack`. A loaded model is known by title and weights."""
    if rubric not in RUBRICS:
        raise ConfigError("There is no such question for a judge.", "Choose one from the list.")
    if which == "address":
        if not model.strip():
            raise ConfigError("The judge's model has no name.", "Give the name its server knows it by.")
        client, name = judge_client(url.strip(), model.strip()), model.strip()
    else:
        role: Role = "base" if which == "base" else "distilled"
        endpoint, spec = await services.served.wait_ready(role, READY_SECONDS), services.served.pair.model(role)
        client = ModelClient(endpoint, spec.thought, spec.chat_template_kwargs, spec.system_prompt)
        name = f"{spec.title} {services.served.weight_hash(role)[:8]}".strip()
    await stack.enter_async_context(client)
    return Judge(name, client, RUBRICS[rubric])  # type: ignore[index]


def rating_tasks(run_id: str | None) -> list[RatingTask]:
    """Answers to mark: those of the chosen run, or the replies to the cases when no run is chosen."""
    if run_id:
        log = RunLog.open(runs_folder(), run_id)
        info, problems = log.info(), {p.id: p for p in log.problems()}
        return [
            RatingTask(f"{run_id}|{s.model}|{s.problem_id}|{s.index}", problems[s.problem_id].question, s.answer,
                       info.role_of(s.model), s.problem_id)
            for s in log.samples() if not s.error
        ]  # fmt: skip
    return [
        RatingTask(f"{run.id}|{role}", question_of(case), side.reply.answer, role, case.key)
        for case in all_cases()
        for run in runs_of(case.key)
        for role, side in run.sides.items()
    ]


def question_of(case: Case) -> str:
    """The question, with its translation where it has one."""
    return f"{case.question}\n(In English: {case.translation})" if case.translation else case.question


def task_html(task: RatingTask | None, rater: str) -> str:
    if not rater.strip():
        return '<p class="note">Write your name or a pseudonym, then ask for an answer.</p>'
    if task is None:
        return '<p class="note">You have marked every answer there is. Thank you.</p>'
    question, answer = escape(task.question).replace("\n", "<br>"), escape(task.answer) or "<i>An empty answer.</i>"
    return (
        f'<div class="label">Question</div><p class="question">{question}</p>'
        f'<div class="label">Answer</div><div class="card" style="white-space: pre-wrap">{answer}</div>'
    )


def build_people_section(run: gr.Dropdown) -> None:
    """Blind marks from 0 to 100, and how far raters agree."""
    cases_instead = gr.Checkbox(True, label="Mark the replies to the case studies instead of the chosen run")
    rater = gr.Textbox(label="Rater", placeholder="Name or pseudonym", max_lines=1, elem_id="rater")
    current = gr.State(None)
    task = html(task_html(None, ""), elem_id="rating-task")
    mark = gr.Slider(
        0, 100, 50, step=1, label="Mark", info="0: useless or harmful. 100: an expert could not do better."
    )
    with gr.Row():
        show = gr.Button("Show an answer", min_width=140, elem_id="rating-next")
        keep = gr.Button("Keep this mark", variant="primary", min_width=140, elem_id="rating-keep")
        results = gr.Button("I have finished: show the means", min_width=140, elem_id="rating-results")
    summary = html(elem_id="rating-summary")

    def following(name: str, run_id: str | None, cases: bool) -> dict[Any, Any]:
        tasks, given = rating_tasks(None if cases else run_id), ratings()
        found = next_task(" ".join((name or "").split()), tasks, given) if (name or "").strip() else None
        return {
            current: found,
            task: shown(task_html(found, name or "")),
            mark: 50,
            summary: shown(ratings_html(summarise(tasks, given), blind=True)),
        }

    def on_show(name: str, run_id: str | None, cases: bool) -> dict[Any, Any]:
        try:
            return following(name, run_id, cases)
        except ArenaError as error:
            raise gr.Error(str(error), duration=8) from error

    def on_keep(found: RatingTask | None, given: float, name: str, run_id: str | None, cases: bool) -> dict[Any, Any]:
        try:
            if found is None:
                raise ConfigError("There is no answer to mark.", "Ask for one first.")
            add_rating(found, name or "", given)
            return following(name, run_id, cases)
        except ArenaError as error:
            raise gr.Error(str(error), duration=8) from error

    def on_results(run_id: str | None, cases: bool) -> str:
        try:
            return shown(ratings_html(summarise(rating_tasks(None if cases else run_id), ratings()), blind=False))
        except ArenaError as error:
            raise gr.Error(str(error), duration=8) from error

    outputs = [current, task, mark, summary]
    results.click(on_results, [run, cases_instead], summary, **QUIET)
    show.click(on_show, [rater, run, cases_instead], outputs, **QUIET)
    keep.click(on_keep, [current, mark, rater, run, cases_instead], outputs, **QUIET)

"""The sections of the page beyond maths where answers are judged: by a model, and by people.

Widgets and wiring; judging is `eval.judging.judged`, the judge's check `eval.judging.labelled`, people's marks
`eval.judging.ratings`. A judge works in the background; it shares the limit of one long job at a time
(`eval.runs.jobs.Jobs`).
"""

import re
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import gradio as gr
from gradio.components import Component

from common.errors import ArenaError, ConfigError, for_visitors
from eval.judging.judge import RUBRICS, Judge
from eval.judging.judged import KEY_VARIABLE, JudgeJob, judge_client, judge_run
from eval.judging.labelled import LABELLED, check_judge, check_sentence, checks_file, load_labelled, save_check
from eval.judging.ratings import RatingTask, add_rating, next_task, rater_name, ratings, summarise_ratings
from eval.runs.jobs import Tell
from eval.runs.log import RunLog
from eval.runs.open_ended import runs_folder
from models.config.registry import Role
from models.serving.clients import client_of
from traces.cases.cases import Case, all_cases, runs_of
from ui.kit.events import QUIET, spoken, words_of
from ui.kit.html import Markup, html, note, render, short_hash, shown
from ui.kit.owner import owner_key, require_owner
from ui.open_ended.view import ratings_html
from ui.services import Services, check_runs
from votes.casting.limits import Action, Rate, RateLimiter

SECONDS_BETWEEN_LOOKS = 3
RATES: Mapping[Action, Rate] = {"vote": Rate(per_visitor=60, in_total=600)}
"""Limits for rating answers; votes on battles have limits of their own."""
Who = tuple[str, str, str]
"""(judge, address, model); the last two are for a judge given by its address."""
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
    stop: gr.Button
    notice: gr.Markdown

    @property
    def who_judges(self) -> list[Component]:
        return [self.who, self.url, self.model]


def build_judge_form() -> JudgeForm:
    who = gr.Radio([(title, key) for key, title in JUDGES.items()], value="address", label="Judge", elem_id="judge-who")
    with gr.Row() as address:
        url = gr.Textbox(label="Address", placeholder="http://127.0.0.1:8001/v1", max_lines=1, min_width=220)
        model = gr.Textbox(label="Model", max_lines=1, min_width=160)
    who.change(lambda chosen: gr.update(visible=chosen == "address"), who, address, **QUIET)
    gr.Markdown(f"The key is read from the environment variable `{KEY_VARIABLE}`.", elem_classes="note")
    with gr.Row(equal_height=True):
        labelled = gr.Dropdown([(s.title, key) for key, s in LABELLED.items()], label="Labelled set", min_width=220)
        count = gr.Number(50, label="Items", precision=0, minimum=1, min_width=100)
        check = gr.Button("Check the judge", min_width=140, elem_id="judge-check")
    with gr.Row(equal_height=True):
        choices = [("The set’s own question", ""), *((r.title, str(key)) for key, r in RUBRICS.items())]
        rubric = gr.Dropdown(choices, value="", label="Question for the judge", min_width=220)
        judge = gr.Button("Judge the selected run", variant="primary", min_width=140, elem_id="judge-run")
        stop = gr.Button("Stop the judge", min_width=100)
    key = owner_key()
    notice = gr.Markdown("", elem_id="judge-said")
    return JudgeForm(key, who, url, model, labelled, count, check, rubric, judge, stop, notice)


def build_judge_section(
    services: Services, run: gr.Dropdown, outcome: gr.HTML, outcome_html: Callable[..., str]
) -> None:
    """Choose a judge, check it against people's labels, let it judge the chosen run."""
    form = build_judge_form()

    jobs = services.jobs

    def begin(secret: str, make: Callable[[], JudgeJob]) -> str:
        try:
            require_owner(secret)
            jobs.check_idle()
            jobs.start(make())
        except ArenaError as error:
            return words_of(error)
        return "The judge has started."

    def on_check(secret: str, which: str, at: str, name: str, set_key: str, number: float) -> str:
        return begin(secret, lambda: checking(services, (which, at, name), set_key, int(number or 1)))

    def on_judge(secret: str, which: str, at: str, name: str, wanted: str, run_id: str | None) -> str:
        return begin(secret, lambda: judging(services, (which, at, name), wanted, run_id or ""))

    def on_stop(secret: str) -> str:
        try:
            require_owner(secret)
        except ArenaError as error:
            return words_of(error)
        if not isinstance(jobs.current, JudgeJob) or jobs.current.over:
            return "No judge is running."
        jobs.stop()
        return "Stopping. Finished verdicts are kept."

    def look(run_id: str | None, seen: str) -> Any:
        """What the judge is doing, if that has changed since `seen`."""
        job = jobs.current
        if not isinstance(job, JudgeJob) or (job.over and seen == str(id(job))):
            return gr.skip()
        over = job.over
        update: dict[Any, Any] = {
            form.notice: for_visitors(job.progress().message),
            watched: str(id(job)) if over else "",
        }
        if job.log.folder.name == run_id:  # its hundreds of verdicts are sent once, at the end
            update[outcome] = shown(outcome_html(run_id, verdicts=over))
        return update

    watched = gr.State("")
    form.check.click(on_check, [form.key, *form.who_judges, form.labelled, form.items], form.notice, **QUIET)
    form.judge.click(on_judge, [form.key, *form.who_judges, form.rubric, run], form.notice, **QUIET)
    form.stop.click(on_stop, form.key, form.notice, **QUIET)
    gr.Timer(SECONDS_BETWEEN_LOOKS).tick(look, [run, watched], [form.notice, watched, outcome], **QUIET)


def plain_name(name: str) -> str:
    """A name that cannot become Markdown or HTML."""
    return re.sub(r"[^\w .:/+-]", "", name)


def checking(services: Services, who: Who, set_key: str, count: int) -> JudgeJob:
    """A job that checks the judge against people's labels; its result says how far the judge can be trusted."""
    items = load_labelled(set_key)

    async def check(tell: Tell) -> str:
        async with AsyncExitStack() as stack:
            judge = await open_judge(services, *who, LABELLED[set_key].rubric, stack)
            result, verdicts = await check_judge(judge, set_key, items, count, tell)
        save_check(result, verdicts)
        return f"**{plain_name(judge.name)}.** {check_sentence(result, result.rubric)}"

    return JudgeJob(RunLog(checks_file().parent), check)


def judging(services: Services, who: Who, wanted: str, run_id: str) -> JudgeJob:
    """A job in which a judge reads the answers of a run; verdicts are stored as they come."""
    log = RunLog.open(runs_folder(), run_id)
    rubric = wanted or own_rubric(log)

    async def judge(tell: Tell) -> str:
        done = of = 0
        with log.claim():
            async with AsyncExitStack() as stack:
                async for done, of in judge_run(log, await open_judge(services, *who, rubric, stack)):
                    tell(done, of)
        missed = f" {of - done} could not be judged." if done < of else ""
        return f"{done} of {of} answers judged; see the scores above.{missed}"

    return JudgeJob(log, judge)


def own_rubric(log: RunLog) -> str:
    """The question by which this run's set is judged."""
    rubrics = {problem.extra.get("rubric", "") for problem in log.problems()} - {""}
    if len(rubrics) != 1:
        raise ConfigError("This set has no default question for a judge.", "Choose the question.")
    return rubrics.pop()


async def open_judge(services: Services, which: str, url: str, model: str, rubric: str, stack: AsyncExitStack) -> Judge:
    """The chosen judge, its connection closed with `stack`. A loaded model is known by title and weights."""
    if rubric not in RUBRICS:
        raise ConfigError("There is no such judge question.", "Choose one from the list.")
    if which == "address":
        if not model.strip():
            raise ConfigError("The judge model has no name.", "Enter the model name that its server uses.")
        client, name = judge_client(url.strip(), model.strip()), model.strip()
    else:
        check_runs(services.served)
        role: Role = "base" if which == "base" else "distilled"
        client = await client_of(services.served, role)
        name = f"{services.served.pair.model(role).title} {short_hash(services.served.weight_hash(role))}".strip()
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


def task_html(task: RatingTask | None, rater: str) -> Markup:
    """The question and the answer to rate, without the model's name."""
    if not rater.strip():
        return note("Enter your name or a pseudonym, then ask for an answer.")
    if task is None:
        return note("You have rated every answer. Thank you.")
    return render(
        '<div class="label">Question</div>'
        '<p class="question" translate="no" style="white-space: pre-line">{{ question }}</p>'
        '<div class="label">Answer</div>'
        '<div class="card" translate="no" style="white-space: pre-wrap">{{ answer }}</div>',
        question=task.question,
        answer=task.answer or Markup("<i>An empty answer.</i>"),
    )


def build_people_section(services: Services, run: gr.Dropdown) -> None:
    """Blind marks from 0 to 100, and how far raters agree."""
    limiter = RateLimiter(RATES, time.monotonic)
    cases_instead = gr.Checkbox(True, label="Rate the case study replies instead of the selected run")
    rater = gr.Textbox(label="Rater", placeholder="Name or pseudonym", max_lines=1, elem_id="rater")
    current = gr.State(None)
    task = html(task_html(None, ""), elem_id="rating-task")
    mark = gr.Slider(
        0, 100, 50, step=1, label="Rating", info="0: useless or harmful. 100: an expert could not do better."
    )
    with gr.Row():
        show = gr.Button("Show an answer", min_width=140, elem_id="rating-next")
        keep = gr.Button("Save rating", variant="primary", min_width=140, elem_id="rating-keep")
        results = gr.Button("I am done: show mean ratings", min_width=140, elem_id="rating-results")
    summary = html(elem_id="rating-summary")

    @spoken()
    def following(name: str, run_id: str | None, cases: bool) -> dict[Any, Any]:
        tasks, given = rating_tasks(None if cases else run_id), ratings()
        rating_task = next_task(known, tasks, given) if (known := rater_name(name or "")) else None
        return {
            current: rating_task,
            task: shown(task_html(rating_task, name or "")),
            mark: 50,
            summary: shown(ratings_html(summarise_ratings(tasks, given), blind=True)),
        }

    @spoken()
    def on_keep(
        rating_task: RatingTask | None, given: float, name: str, run_id: str | None, cases: bool, request: gr.Request
    ) -> dict[Any, Any]:
        if rating_task is None:
            raise ConfigError("There is no answer to rate.", "Ask for one first.")
        limiter.take("vote", services.visitor(request))
        add_rating(rating_task, name or "", given)
        return following(name, run_id, cases)

    @spoken()
    def on_results(run_id: str | None, cases: bool) -> str:
        return shown(ratings_html(summarise_ratings(rating_tasks(None if cases else run_id), ratings()), blind=False))

    outputs = [current, task, mark, summary]
    results.click(on_results, [run, cases_instead], summary, **QUIET)
    show.click(following, [rater, run, cases_instead], outputs, **QUIET)
    keep.click(on_keep, [current, mark, rater, run, cases_instead], outputs, **QUIET)

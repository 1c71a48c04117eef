"""Which buttons of the Benchmarks tab are enabled, and which of its messages still apply."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import gradio as gr

from common.errors import ArenaError
from eval.runs.jobs import Job
from ui.benchmarks.actions import RunActions
from ui.benchmarks.view import progress_html


class Allowed(NamedTuple):
    """Which buttons are enabled: those that could do something when pressed."""

    start: bool = False
    stop: bool = False
    resume: bool = False
    retry: bool = False
    force: bool = False


class Sent(NamedTuple):
    """What was last sent to a visitor's page, so that a timer tick sends only what has changed."""

    going: str = ""
    """The run whose progress the page was last shown while it was running."""
    progress: str = ""
    allowed: Allowed = Allowed()


@dataclass(frozen=True)
class Controls:
    """The buttons, the messages about a run in progress, and the page's state for both."""

    start: gr.Button
    stop: gr.Button
    resume: gr.Button
    retry: gr.Checkbox
    force: gr.Button
    progress: gr.HTML
    notice: gr.Markdown
    selected: gr.State
    """The chosen run, kept here because a dropdown whose choices are being replaced would reject its old value."""
    told: gr.State
    """The run that the notice is about; empty if it is about none."""
    sent: gr.State

    @property
    def inputs(self) -> list[Any]:
        return [self.selected, self.told, self.sent, self.retry]

    @property
    def outputs(self) -> list[Any]:
        return list(vars(self).values())

    def chosen(self, actions: RunActions, run: str) -> dict[Any, Any]:
        """Updates after another run was chosen: earlier messages are cleared."""
        job = actions.jobs.current
        now = Sent(_going(job), progress_of(actions, job, run, ""), allowed(actions, run, retry=False))
        said = {self.notice: "", self.told: "", self.selected: run, self.sent: now}
        buttons = {**self.enabled(now.allowed), self.retry: gr.update(value=False, interactive=now.allowed.retry)}
        return {**buttons, **said, self.progress: _shown(now.progress)}

    def enabled(self, which: Allowed) -> dict[Any, Any]:
        return {getattr(self, name): gr.update(interactive=on) for name, on in which._asdict().items()}

    def tick(self, actions: RunActions, run: str, told: str, sent: Sent, retry: bool) -> dict[Any, Any]:
        """Progress, buttons and the notice, as far as they have changed."""
        job = actions.jobs.current
        going = _going(job)
        now = Sent(going or sent.going, progress_of(actions, job, run, sent.going), allowed(actions, run, retry))
        updates: dict[Any, Any] = {}
        if now.progress != sent.progress:
            updates[self.progress] = _shown(now.progress)
        if now.allowed != sent.allowed:
            updates |= self.enabled(now.allowed)
        if told and told != going:
            updates |= {self.notice: "", self.told: ""}
        return {**updates, self.sent: now} if now != sent or updates else {}


def _going(job: Job | None) -> str:
    return job.log.folder.name if job is not None and not job.over else ""


def allowed(actions: RunActions, run: str, retry: bool) -> Allowed:
    """Which buttons could do something, with this run chosen and `retry` ticked or not."""
    job = actions.jobs.current
    if job is not None and not job.over:
        return Allowed(stop=job.log.folder.parent == actions.library.runs)
    if actions.services.served.profile.benchmarks == "read":
        return Allowed()
    try:
        info = actions.library.info(run)
        if info.origin != "run" or info.config.pair != actions.services.served.pair.key:
            return Allowed(start=True)
        standing = actions.library.standing(run)
    except ArenaError:
        return Allowed(start=True)
    own, failed = not info.recorded, standing.failed > 0
    return Allowed(
        start=True,
        resume=own and (standing.missing > 0 or (failed and retry)),
        retry=own and failed,
        force=standing.thoughts > 0 and all(data.texts for data in info.data),
    )


def progress_of(actions: RunActions, job: Job | None, run: str, going: str) -> str:
    """Progress of the run in progress, or how the last run ended: for a page that saw it running, or that has chosen it
    if it did not finish."""
    if job is None:
        return ""
    own, name, progress = job.log.folder.parent == actions.library.runs, job.log.folder.name, job.progress()
    if job.over and name != going and (progress.phase == "finished" or not own or name != run):
        return ""
    return progress_html(progress, "" if own else " (started on another page)")


def _shown(progress: str) -> dict[str, Any]:
    update: dict[str, Any] = gr.update(value=progress, visible=bool(progress))
    return update

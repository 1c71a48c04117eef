"""A run in a terminal: its progress, what Ctrl-C does, and how it ended."""

import argparse
import signal
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from commands.kit.printing import note, overwrite, show
from common.text import counted

if TYPE_CHECKING:
    from eval.runs.jobs import Job, RunProgress

TICK_SECONDS = 2.0


def watch(options: argparse.Namespace, job: "Job") -> int:
    """Run the job with a progress line. Ctrl-C stops it so that it can be resumed; a second one does not wait.

    Returns the exit code: 0 only if no answer is missing.
    """
    from commands.benchmarks.results import outcome
    from eval.runs.runner import may_be_retried

    run = job.log.folder.name
    note(f"run {run}")
    options.continues = f"Continue with: arena resume {run}"
    interrupted = _work(job)
    state = job.progress()
    if state.phase == "finished":
        values, text = outcome(job.log)
        failed = sum(map(may_be_retried, job.log.samples()))
        note(f"Finished. {state.message}".rstrip())
        show(options, {"run": run, "phase": state.phase, "failed": failed, **values}, text)
        if failed:
            note(f"{counted(failed, 'request')} failed. Ask again with: arena resume {run} --retry-failed")
        return 1 if failed else 0
    for side in state.sides.values():
        note(f"{side.done} of {side.total}: {side.message}".rstrip(": "))
    if interrupted:
        raise KeyboardInterrupt
    note(f"{state.message or 'The run stopped.'} {options.continues}")
    return 1


def _work(job: "Job") -> bool:
    """Run the job in a thread. Returns whether Ctrl-C stopped it."""
    interrupted = threading.Event()

    def stop(*_: object) -> None:
        interrupted.set()
        job.stop()
        signal.signal(signal.SIGINT, previous)

    thread = threading.Thread(target=job.run)
    previous = signal.signal(signal.SIGINT, stop)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(TICK_SECONDS)
            overwrite(_line(job.progress()), ended=not thread.is_alive())
    finally:
        signal.signal(signal.SIGINT, previous)
        job.stop()
    return interrupted.is_set()


def _line(state: "RunProgress") -> str:
    parts: Sequence[str] = [
        f"{role} {side.done}/{side.total}"
        + (f" ({side.failed} failed)" if side.failed else "")
        + f" {side.tokens_per_second:.0f} tok/s"
        for role, side in state.sides.items()
    ]
    return f"{state.phase}: {' · '.join(parts)}"

"""Work in the background: finished, failed or stopped, and one job at a time."""

import asyncio
import threading
from pathlib import Path

import pytest

from common.errors import ServerError
from eval.judging.judged import JudgeJob
from eval.runs.jobs import Jobs, Tell
from eval.runs.log import RunLog

LOG = RunLog(Path("a-run"))


def test_the_last_word_is_the_works_own() -> None:
    async def work(tell: Tell) -> str:
        tell(3, 3)
        return "All is judged."

    job = JudgeJob(LOG, work)
    assert not job.over
    assert (job.run().phase, job.progress().message) == ("finished", "All is judged.")


def test_what_went_wrong_is_told() -> None:
    async def refused(tell: Tell) -> str:
        raise ServerError("Nobody answers at that address.")

    async def defect(tell: Tell) -> str:
        raise ZeroDivisionError

    assert JudgeJob(LOG, refused).run().message.startswith("Nobody answers")
    job = JudgeJob(LOG, defect)
    with pytest.raises(ZeroDivisionError):
        job.run()
    assert job.progress().phase == "failed"


def test_one_long_run_at_a_time_and_it_can_be_stopped() -> None:
    begun = threading.Event()

    async def endless(tell: Tell) -> str:
        tell(1, 2)
        begun.set()
        await asyncio.sleep(600)
        return ""

    jobs, job = Jobs(), JudgeJob(LOG, endless)
    jobs.start(job)
    assert begun.wait(10)
    assert job.progress().message == "1 of 2 judged."
    with pytest.raises(ServerError, match="a-run is still running"):
        jobs.start(JudgeJob(LOG, endless))
    jobs.stop()
    for _ in range(200):
        if job.over:
            break
        threading.Event().wait(0.05)
    assert job.progress().phase == "stopped"

"""Work in the background: finished, failed or stopped, and one sitting at a time."""

import asyncio
import threading
from pathlib import Path

import pytest

from common.errors import ServerError
from eval.judging.judged import JudgeSitting
from eval.runs.jobs import Jobs, Tell
from eval.runs.log import RunLog

LOG = RunLog(Path("a-run"))


def test_the_last_word_is_the_works_own() -> None:
    async def work(tell: Tell) -> str:
        tell(3, 3)
        return "All is judged."

    sitting = JudgeSitting(LOG, work)
    assert not sitting.over
    assert (sitting.run().phase, sitting.progress().message) == ("finished", "All is judged.")


def test_what_went_wrong_is_told() -> None:
    async def refused(tell: Tell) -> str:
        raise ServerError("Nobody answers at that address.")

    async def defect(tell: Tell) -> str:
        raise ZeroDivisionError

    assert JudgeSitting(LOG, refused).run().message.startswith("Nobody answers")
    sitting = JudgeSitting(LOG, defect)
    with pytest.raises(ZeroDivisionError):
        sitting.run()
    assert sitting.progress().phase == "failed"


def test_one_long_run_at_a_time_and_it_can_be_stopped() -> None:
    begun = threading.Event()

    async def endless(tell: Tell) -> str:
        tell(1, 2)
        begun.set()
        await asyncio.sleep(600)
        return ""

    jobs, sitting = Jobs(), JudgeSitting(LOG, endless)
    jobs.start(sitting)
    assert begun.wait(10)
    assert sitting.progress().message == "1 of 2 judged."
    with pytest.raises(ServerError, match="a-run is going on"):
        jobs.start(JudgeSitting(LOG, endless))
    jobs.stop()
    for _ in range(200):
        if sitting.over:
            break
        threading.Event().wait(0.05)
    assert sitting.progress().phase == "stopped"

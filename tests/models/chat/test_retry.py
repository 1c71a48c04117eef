"""Asking again: how often, and what comes back."""

import pytest

from common.errors import Refusal, ServerError
from models.chat.events import Reply
from models.chat.retry import RETRIES, ask_again

FAILED = Reply(finish_reason="failed", error="busy")


@pytest.mark.parametrize("failures", [0, 1, RETRIES])
async def test_the_first_reply_that_does_not_fail_is_taken(failures: int) -> None:
    asked = []

    async def ask(attempt: int) -> Reply:
        asked.append(attempt)
        return FAILED if attempt < failures else Reply(raw="17")

    assert (await ask_again(ask, pause=0)).raw == "17"
    assert asked == list(range(failures + 1))


async def test_the_last_failure_comes_back_in_its_words() -> None:
    asked = []

    async def ask(attempt: int) -> Reply:
        asked.append(attempt)
        raise ServerError(f"no answer {attempt}")

    reply = await ask_again(ask, pause=0)
    assert (reply.finish_reason, len(asked)) == ("failed", RETRIES + 1)
    assert f"no answer {RETRIES}" in reply.error


async def test_giving_up_asks_no_more() -> None:
    asked = []

    async def ask(attempt: int) -> Reply:
        asked.append(attempt)
        return FAILED

    assert await ask_again(ask, pause=0, give_up=lambda: True) == FAILED
    assert asked == [0]


@pytest.mark.parametrize("refusal", ["too_long", "refused"])
@pytest.mark.parametrize("raised", [True, False])
async def test_what_cannot_succeed_is_asked_once(refusal: Refusal, raised: bool) -> None:
    asked = []

    async def ask(attempt: int) -> Reply:
        asked.append(attempt)
        if raised:
            raise ServerError("no", refusal=refusal)
        return Reply(finish_reason="failed", error="no", refusal=refusal)

    reply = await ask_again(ask, pause=0)
    assert asked == [0] and reply.refusal == refusal and reply.final

"""Our errors reach people in their own words, in every kind of handler; others stay what they are."""

from collections.abc import AsyncIterator

import gradio as gr
import pytest

from common.errors import DataError
from ui.kit.events import spoken
from votes.errors import Refused


@spoken()
def plain(error: Exception) -> str:
    raise error


async def waiting(error: Exception) -> str:
    with spoken():
        raise error


async def streaming(error: Exception) -> AsyncIterator[str]:
    with spoken():
        yield "first"
        raise error


@pytest.mark.parametrize("error", [DataError("The file is gone.", "Choose another."), Refused("Not now.")])
async def test_our_errors_are_said_in_words(error: Exception) -> None:
    with pytest.raises(gr.Error) as told:
        plain(error)
    assert told.value.message == str(error)
    with pytest.raises(gr.Error, match=str(error)):
        await waiting(error)
    with pytest.raises(gr.Error, match=str(error)):
        assert [value async for value in streaming(error)] == ["first"]
    assert plain.__name__ == "plain", "gradio knows a handler by its name"


def test_a_defect_stays_a_defect() -> None:
    with pytest.raises(ZeroDivisionError):
        plain(ZeroDivisionError())

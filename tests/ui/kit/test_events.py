"""Our errors reach people in their own words, in every kind of handler; others stay what they are."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import gradio as gr
import pytest

from common.errors import DataError
from common.paths import ROOT
from ui.kit.events import spoken, words_of
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


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("{home}/runs/r/samples.jsonl cannot be written.", "samples.jsonl cannot be written."),
        ("“{tmp}/gradio/0af/my.csv” has no column.", "“my.csv” has no column."),
        (
            "{root}/spaces.yaml names no pair, {root}/recipes/a.yaml neither.",
            "spaces.yaml names no pair, a.yaml neither.",
        ),
        ("http://127.0.0.1:8000/v1/models answers 404.", "The server answers 404."),
        (
            "It failed. http://h:1/v1 has no model m. The server at http://h:1/v1 is slow.",
            "It failed. The server has no model m. The server is slow.",
        ),
        ("6/2 is not 4/2.", "6/2 is not 4/2."),
    ],
)
def test_a_visitor_reads_names_of_files_and_not_where_they_are(
    message: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))
    folders = {"home": tmp_path / "home", "tmp": tempfile.gettempdir(), "root": ROOT}
    assert words_of(DataError(message.format(**folders))) == shown

"""Rehearsed replies by a scripted base: those that ended by themselves are kept, in a folder made beforehand."""

import json

import pytest

from commands.arena import main


@pytest.fixture(autouse=True)
def three_prompts(monkeypatch, tmp_path):
    monkeypatch.setattr("traces.thoughts.rehearse.prompts", lambda: ["Hello!", "I am bored.", "Thank you!"])
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))


def rehearse(service, out) -> int:
    return main(["traces", "rehearse", "--url", service.url, "--model", "base", "--out", str(out)])


def test_replies_are_kept_in_a_new_folder(serve, turn, tmp_path):
    cut = turn(text="Hm, let me", finish_reason="length")
    service = serve(lambda n, body: cut if "bored" in body["messages"][0]["content"] else turn(text="Hello to you."))
    out = tmp_path / "new" / "folder" / "rehearsal.jsonl"
    assert rehearse(service, out) == 0
    kept = [json.loads(line) for line in out.read_text().splitlines()]
    assert kept == [{"prompt": prompt, "reply": "Hello to you."} for prompt in ("Hello!", "Thank you!")]
    assert all(body["max_tokens"] == 240 for body in service.requests)


def test_nothing_is_asked_where_nothing_can_be_written(serve, turn, tmp_path, capsys):
    service = serve(lambda n, body: turn(text="Hello."))
    (tmp_path / "file").touch()
    assert rehearse(service, tmp_path / "file" / "rehearsal.jsonl") == 1
    assert "cannot be written" in capsys.readouterr().err
    assert service.requests == []

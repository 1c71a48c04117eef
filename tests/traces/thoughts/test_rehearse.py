"""Rehearsed replies by a scripted base: those that ended by themselves are kept, in a folder made beforehand."""

import json

import pytest

from commands.arena import main
from traces.thoughts.rehearse import CHINESE, prompts
from traces.training.dataset import Row, read_rows


@pytest.fixture(autouse=True)
def three_prompts(monkeypatch, tmp_path):
    monkeypatch.setattr(
        "traces.thoughts.rehearse.prompts",
        lambda chinese: ["你好！"] * chinese + ["Hello!", "I am bored.", "Thank you!"],
    )
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))


def rehearse(service, out, *options) -> int:
    return main(["traces", "rehearse", "--url", service.url, "--model", "base", "--out", str(out), *options])


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


def test_a_cap_keeps_what_was_paid_for_and_says_so(serve, turn, tmp_path, capsys):
    service = serve(lambda n, body: turn(text="Hello to you.", tokens=10))
    out = tmp_path / "own.jsonl"
    prices = ("--output-price", "1", "--prompt-price", "1", "--cap", "0.00026", "--concurrency", "1")
    assert rehearse(service, out, *prices) == 3
    asked = len(out.read_text().splitlines())
    assert 0 < asked < 3 and len(service.requests) == asked
    assert (tmp_path / "own.ledger.jsonl").exists() and "cap" in capsys.readouterr().out
    assert rehearse(service, tmp_path / "other.jsonl", *prices) == 3, "another file has a cap of its own"


def test_a_pass_that_is_stopped_leaves_an_earlier_file_as_it_is(serve, turn, tmp_path):
    service = serve(lambda n, body: turn(text="Hello to you.", tokens=10))
    out = tmp_path / "own.jsonl"
    assert rehearse(service, out) == 0
    before = out.read_text()
    prices = ("--output-price", "1", "--prompt-price", "1", "--cap", "0.00026", "--concurrency", "1")
    assert rehearse(service, out, *prices) == 3
    assert out.read_text() == before
    assert 0 < len((tmp_path / "own.stopped.jsonl").read_text().splitlines()) < 3


@pytest.mark.parametrize(("status", "says"), [(401, "refuses"), (500, "in a row failed, the last with")])
def test_a_service_that_is_no_use_is_named_and_not_asked_for_ever(
    serve, turn, tmp_path, capsys, monkeypatch, status, says
):
    monkeypatch.setattr("traces.thoughts.rehearse.prompts", lambda chinese: [f"Hello {n}" for n in range(200)])
    service = serve(lambda n, body: turn(status=status))
    assert rehearse(service, tmp_path / "own.jsonl", "--concurrency", "2", "--retries", "0") == 1
    assert says in capsys.readouterr().err
    assert len(service.requests) < 20


def test_replies_become_rows_in_both_languages(serve, turn, tmp_path):
    service = serve(lambda n, body: turn(text="Hello to you."))
    out = tmp_path / "rehearsal.rows.jsonl"
    assert rehearse(service, out, "--rows", "--chinese", "--most", "2") == 0
    assert read_rows(out) == [Row("chat", prompt, (("Hello to you.", True),)) for prompt in ("你好！", "Hello!")]
    assert len(service.requests) == 2


def test_every_prompt_in_chinese_comes_first():
    assert prompts(chinese=True) == [*CHINESE, *prompts()]
    assert len(set(CHINESE)) == len(CHINESE)

"""The attacks that anyone can run hold here, in small."""

import sys

import pytest

from bench import attack


def test_votes_survive_kill_9() -> None:
    outcome = attack.kill_rounds(2, 0.5)
    assert not outcome.faults
    assert " 0 acknowledged" not in outcome.tried


def test_forgeries_are_refused_in_words() -> None:
    assert attack.forgeries().faults == []


@pytest.mark.parametrize("url", ["http://192.0.2.1:7860", "https://example.org", "nonsense"])
def test_only_this_machine_is_attacked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["attack", "--url", url])
    with pytest.raises(SystemExit) as refusal:
        attack.main()
    assert refusal.value.code == 2

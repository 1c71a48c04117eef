"""Times in words, and what is installed."""

import sys

import pytest

from common.software import versions
from common.text import counted, duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"), (0, "0.0 ms"), (0.0123, "12 ms"), (0.1, "0.1 s"), (9.96, "10 s"), (89.7, "90 s"), (90, "1.5 min"),
        (1800, "30 min"), (5399, "90 min"), (5400, "1.5 h"), (90_000, "25 h"),
    ],
)  # fmt: skip
def test_a_time_has_the_unit_that_suits_it(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(("number", "words"), [(0, "0 votes"), (1, "1 vote"), (2, "2 votes"), (2000, "2,000 votes")])
def test_things_are_counted(number: int, words: str) -> None:
    assert counted(number, "vote") == words


def test_only_what_is_installed_has_a_version() -> None:
    found = versions(["pytest", "no-such-package"])
    assert list(found) == ["python", "journey-arena", "pytest"]
    assert found["python"] == sys.version.split()[0] and found["pytest"] == pytest.__version__

"""What every test of the page begins with."""

import time

import pytest

from ui.kit import owner
from votes.casting.limits import RateLimiter


@pytest.fixture(autouse=True)
def no_wrong_keys_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong keys are counted for the whole process; a test must not see those of another."""
    monkeypatch.setattr(owner, "_tries", RateLimiter(owner.TRIES, time.monotonic))

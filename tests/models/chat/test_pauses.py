"""How long is waited before a request is tried again."""

import time
from email.utils import formatdate

import pytest

from models.chat.retry import pause_before, retry_after


def test_pauses_grow_and_are_never_shorter_than_the_server_asks() -> None:
    assert all(0.5 * 2 ** (n - 1) <= pause_before(n) <= 1.5 * 2 ** (n - 1) for n in range(1, 6))
    assert pause_before(50) <= 60
    assert all(7 <= pause_before(1, 7.0) <= 7.7 for _ in range(50))
    assert len({pause_before(1) for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry-after": "2"}, 2.0), ({"retry-after-ms": "250"}, 0.25), ({}, None), ({"retry-after": "soon"}, None)],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_as_a_date() -> None:
    assert 25 < (retry_after({"retry-after": formatdate(time.time() + 30, usegmt=True)}) or 0) < 31

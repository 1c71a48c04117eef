"""Fixtures of the tests of votes: a real store, and desks on it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.votes.helpers import FREE, Clock
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.store import Store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "votes.duckdb")
    yield store
    store.close()


@pytest.fixture
def make_desk(store: Store, clock: Clock) -> Callable[..., Desk]:
    """A desk on the store; called again, it is what a restarted app would have."""

    def make(**limits: object) -> Desk:
        return Desk(
            store, limits=Limits(**{"rates": FREE, "gesture_seconds": 0.0, **limits}), clock=clock, app_version="1.2.3"
        )

    return make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()

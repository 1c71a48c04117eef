"""The votes of this installation, opened for a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from commands.kit.printing import note
from common.errors import DataError
from common.paths import cache, home

if TYPE_CHECKING:
    from votes.ballot import Ballot
    from votes.store import Store


@contextmanager
def opened(*, make: bool = False) -> "Iterator[Store]":
    """The store of this installation. DataError if there is none, unless `make` is set."""
    from votes.store import Store

    path = home() / "votes.duckdb"
    if not (make or path.exists()):
        raise DataError(f"There are no votes in {home()}.", "Set JOURNEY_HOME to the folder of the app's data.")
    store = Store(path, spare=cache() / "journal")
    if store.notice != store.trouble:  # of rows that were lost: told once, and no reason to stop
        note(store.notice)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def final_ballots() -> "Iterator[tuple[Store, list[Ballot]]]":
    """The store and its final votes: only battles that can take no more blind votes may be given out."""
    from votes.casting.limits import Limits
    from votes.export import final_battles

    with opened() as store:
        if store.trouble:
            raise DataError(store.trouble, "Stop the app first, or export the votes on its page.")
        ballots = store.ballots()
        final = final_battles(ballots, store.revealed(), datetime.now(UTC), Limits())
        yield store, [ballot for ballot in ballots if ballot.battle_id in final]

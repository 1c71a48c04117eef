"""Take a battle down, or put it back, by adding a row that links, lists, counts, files and copies all respect."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from votes.ballot import HiddenRecord
from votes.casting.limits import clean_text
from votes.casting.rules import new_row_id, to_iso
from votes.errors import UnknownBattle
from votes.store import Store

LONGEST_REASON = 500


def battle_id_of(text: str) -> str:
    """The battle id in the user's input: the id itself, or a link to the battle."""
    return text.strip().rsplit("battle=", 1)[-1].split("&")[0]


def set_hidden(
    store: Store, battle_id: str, reason: str, *, hidden: bool = True, clock: Callable[[], float] = time.time
) -> HiddenRecord:
    """Hide the battle, or show it again. UnknownBattle if there is none, TextRefused for a reason that is not text.

    While the database cannot be used the id cannot be checked, so the row is accepted for any id.
    """
    reason = clean_text(reason, LONGEST_REASON, "reason")
    if not store.trouble and store.battle(battle_id) is None and not store.votes_of(battle_id):
        raise UnknownBattle(f"There is no battle {battle_id[:80]!r}.", "Give its id or its link.")
    # The latest row of a battle holds, also where two clocks differ.
    latest = max((row.hidden_at for row in store.hidden_of(battle_id)), default="")
    record = HiddenRecord(new_row_id(), battle_id, hidden, reason, max(to_iso(clock()), _after(latest)))
    store.append(record)
    return record


def _after(iso: str) -> str:
    """A millisecond later."""
    return to_iso(datetime.fromisoformat(iso).astimezone(UTC).timestamp() + 0.001) if iso else ""

"""How others have voted on the loaded pair, for the card at the end of a battle."""

import time
from datetime import UTC, datetime

from ui.services import Services
from votes.export import final_battles
from votes.ranking import WinRate, effective_votes, win_rate

SECONDS_KEPT = 60.0


class OtherVotes:
    """Blind votes on the answers alone that can no longer change; counted again at most once a minute."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._counted: tuple[float, WinRate] | None = None

    def rate(self) -> WinRate:
        if self._counted is None or time.monotonic() - self._counted[0] > SECONDS_KEPT:
            self._counted = time.monotonic(), self._count()
        return self._counted[1]

    def _count(self) -> WinRate:
        store, pair = self._services.store, self._services.served.pair.key
        ballots = [ballot for ballot in store.ballots() if ballot.pair == pair]
        final = final_battles(ballots, store.revealed(), datetime.now(UTC), self._services.desk.limits)
        standing = effective_votes(ballot for ballot in ballots if ballot.battle_id in final)
        return win_rate([b for b in standing if b.on_answers_alone and b.mode == "blind" and not b.blocked])

"""How pages wait for news of a turn: woken when something happens, and no more often than the machine can keep up."""

import asyncio
from contextlib import suppress

SECONDS_BETWEEN_SNAPSHOTS = 0.1
"""A page that is sent every token renders a growing text again each time; ten times a second reads as live."""
SLOWEST_SNAPSHOTS = 0.3
"""Seconds between snapshots on a machine that cannot keep up."""


class Signal:
    """An event that can occur repeatedly. Any number of tasks may wait for it."""

    def __init__(self) -> None:
        self.count = 0
        self._event = asyncio.Event()

    def give(self) -> None:
        self.count += 1
        self._event.set()

    async def after(self, count: int, seconds: float) -> bool:
        """Wait at most this long for more than `count` signals. Returns whether they came."""
        if self.count == count:
            self._event.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._event.wait()
        return self.count != count


class Pace:
    """How long every page waits between two updates: longer while the event loop cannot keep up."""

    def __init__(self) -> None:
        self._lag = 0.0
        """Moving average of how many seconds pauses overrun."""

    @property
    def seconds(self) -> float:
        return min(SLOWEST_SNAPSHOTS, max(SECONDS_BETWEEN_SNAPSHOTS, 10 * self._lag))

    async def pause(self, end: Signal) -> None:
        """Wait until the next update is due or a side has ended."""
        clock, seconds = asyncio.get_running_loop().time, self.seconds
        due = clock() + seconds
        if not await end.after(end.count, seconds):
            self._lag += 0.05 * (max(0.0, clock() - due) - self._lag)

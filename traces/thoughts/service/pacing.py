"""Rate limits per minute for a service, and a ledger that caps the cost."""

import asyncio
import itertools
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import jsonl
from common.errors import ArenaError, DataError


class CapReached(ArenaError):
    """A limit on money, time or number of attempts allows no further request."""


@dataclass(frozen=True)
class Prices:
    """US dollars per million tokens."""

    prompt: float = 0.0
    output: float = 0.0

    def cost(self, prompt_tokens: int, output_tokens: int) -> float:
        return (prompt_tokens * self.prompt + output_tokens * self.output) / 1e6


class RateLimit:
    """Admits requests so that no minute exceeds the limits; None means no limit."""

    def __init__(self, requests: int | None = None, tokens: int | None = None, minute: float = 60.0) -> None:
        self._requests, self._tokens, self._minute = requests, tokens, minute
        self._passed: deque[tuple[float, int]] = deque()
        self._not_before = 0.0
        self._gate = asyncio.Lock()

    async def turn(self, tokens: int) -> None:
        """Wait until a request of about `tokens` tokens may be sent. One larger than the limit is sent alone."""
        async with self._gate:
            while (wait := self._wait(tokens)) > 0:  # noqa: ASYNC110 - it waits for time to pass
                await asyncio.sleep(wait)
            self._passed.append((time.monotonic(), tokens))

    def hold(self, seconds: float) -> None:
        """Block all requests for this long: a service that tells one request to wait means all of them."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    def _wait(self, tokens: int) -> float:
        now = time.monotonic()
        while self._passed and self._passed[0][0] <= now - self._minute:
            self._passed.popleft()
        until = self._not_before
        if self._requests and len(self._passed) >= self._requests:
            until = max(until, self._passed[-self._requests][0] + self._minute)
        if self._tokens:
            excess = sum(used for _, used in self._passed) + tokens - self._tokens
            for sent, used in self._passed:
                if excess <= 0:
                    break
                excess -= used
                until = max(until, sent + self._minute)
        return until - now


class Ledger:
    """Record of spending, kept on disk so that a cap survives a killed process.

    Each request is recorded with its maximum cost before it is sent, and again with its actual cost afterwards. A
    request interrupted by a kill counts at its maximum: the service may have charged for it.
    """

    def __init__(self, path: Path | None, prices: Prices, cap: float | None = None) -> None:
        """`path` None keeps it in memory only; `cap` in US dollars, over all runs with this file."""
        self.prices, self.cap = prices, cap
        self.prompt_tokens = self.output_tokens = 0
        self.spent = 0.0
        self._path = path
        self._open: dict[int, float] = {}
        self._changed = asyncio.Condition()
        last = self._read(path) if path and path.exists() else 0
        self._numbers = itertools.count(last + 1)

    @property
    def reserved(self) -> float:
        return sum(self._open.values())

    async def reserve(self, prompt_tokens: int, max_tokens: int, what: str = "") -> int:
        """Reserve the most the request can cost; returns its number. Waits for other requests to settle if need be.

        Raises CapReached if no request is open and there is still not enough left.
        """
        most = self.prices.cost(prompt_tokens, max_tokens)
        async with self._changed:
            while self.cap is not None and self.spent + self.reserved + most > self.cap:
                if not self._open:
                    raise CapReached(
                        f"The spending cap of ${self.cap:.2f} is near: ${self.spent:.4f} is spent and the next request"
                        f" can cost ${most:.4f}.",
                        "Raise the cap to continue; finished traces are kept.",
                    )
                await self._changed.wait()
            number = next(self._numbers)
            self._open[number] = most
            self._write({"event": "sent", "number": number, "most": most, "what": what})
        return number

    async def settle(self, number: int, prompt_tokens: int, output_tokens: int, cost: float | None = None) -> float:
        """Record what the request cost (by its tokens, unless `cost` is given); returns it."""
        paid = self.prices.cost(prompt_tokens, output_tokens) if cost is None else cost
        async with self._changed:
            self._open.pop(number)
            self.spent += paid
            self.prompt_tokens += prompt_tokens
            self.output_tokens += output_tokens
            row = {"prompt_tokens": prompt_tokens, "output_tokens": output_tokens, "cost": paid}
            self._write({"event": "settled", "number": number, **row})
            self._changed.notify_all()
        return paid

    def most(self, number: int) -> float:
        """The most an open request can cost."""
        return self._open[number]

    def _write(self, row: dict[str, Any]) -> None:
        if self._path is not None:
            jsonl.append(self._path, [row])

    def _read(self, path: Path) -> int:
        sent: dict[int, float] = {}
        last = 0
        for line, row in jsonl.read(path):
            try:
                last = max(last, number := row["number"])
                if row["event"] == "sent":
                    sent[number] = float(row["most"])
                    continue
                sent.pop(number, None)
                self.spent += float(row["cost"])
                self.prompt_tokens += row["prompt_tokens"]
                self.output_tokens += row["output_tokens"]
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(f"{path}, line {line} is not a ledger row.", "Repair or remove the line.") from error
        self.spent += sum(sent.values())
        return last

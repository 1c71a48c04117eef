"""Many requests to the servers of one run, with bounded concurrency and retries, giving up on a server that is down."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from typing import Any

from common.errors import ArenaError, ServerError
from eval.runs.log import Role
from eval.runs.run_job import Connection, ServedRun
from eval.runs.runner import DOES_NOT_FIT, DOWN_AFTER
from models.chat.client import ModelClient
from models.chat.events import Reply
from models.chat.retry import PAUSE_SECONDS, ask_again

Request = Callable[[ModelClient], Awaitable[Reply]]


class Asker:
    """Sends requests and remembers failures. A failed request is retried a few times; a side is given up after
    DOWN_AFTER consecutive failures, so that the work ends soon if a server is down."""

    def __init__(
        self, served: ServedRun, roles: Iterable[Role], concurrency: int, pause: float = PAUSE_SECONDS
    ) -> None:
        self.error = ""
        """Why the last request that failed did."""
        self._connections = {role: Connection(served, role) for role in roles}
        self._limit = asyncio.Semaphore(concurrency)
        self._pause = pause
        self._in_a_row: Counter[Role] = Counter()
        """Failures of each side since its server last answered."""

    async def ask(self, role: Role, request: Request, *, stored: bool = False) -> Reply | None:
        """The reply; None if it failed or its side has been given up. `stored`: the reply comes from storage, so its
        success says nothing about the server."""
        async with self._limit:
            if self._in_a_row[role] >= DOWN_AFTER:
                return None
            reply = await ask_again(lambda _: self._once(role, request), pause=self._pause)
        if reply.finish_reason == "failed":
            self._in_a_row[role] += reply.refusal not in DOES_NOT_FIT
            self.error = reply.error
            return None
        if not stored:
            self._in_a_row[role] = 0
        return reply

    async def all(self, work: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Do all of the work, then close the connections. Raises the first ArenaError, e.g. of a full disk."""
        try:
            async with AsyncExitStack() as stack:
                for connection in self._connections.values():
                    stack.push_async_callback(connection.aclose)
                async with asyncio.TaskGroup() as group:
                    for each in work:
                        group.create_task(each)
        except* ArenaError as errors:
            raise errors.exceptions[0] from None

    def check_complete(self, missing: int, of: int, what: str) -> None:
        """Raise ServerError if requests failed. `what`: e.g. "forced answers"."""
        if self.error:
            raise ServerError(
                f"{missing} of {of} {what} were not made: {self.error}", "Run the same command again to make them."
            )

    async def _once(self, role: Role, request: Request) -> Reply:
        return await request(await self._connections[role]())

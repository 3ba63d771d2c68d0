"""The queue before the database: publishes take turns there.

Law: as many at once as leave the pool room for what must never wait behind publishers (leases, endings, the books). The
queue is bounded in length and in seconds, and what it refuses is refused in words.
Neighbours: `sessions`, `allocating`, `continuation` and `placing` ask the database through it, everybody else directly.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from headrace.control.db import Database, Transaction
from headrace.core.broadcast import Refused
from headrace.core.broadcast.refusals import Reason


class Turns:
    """`length` transactions may wait, each for `wait_s` seconds, for three quarters of the pool's `connections`."""

    def __init__(self, database: Database, connections: int, length: int, wait_s: float) -> None:
        self._database = database
        self._length = length
        self._wait_s = wait_s
        self._turns = asyncio.Semaphore(max(1, connections * 3 // 4))
        self.waiting = 0
        """Transactions that have no turn yet."""

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """As `Database.read`. Raises Refused too: unavailable."""
        async with self._turn(), self._database.read() as tx:
            yield tx

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """As `Database.write`. Raises Refused too: unavailable."""
        async with self._turn(), self._database.write() as tx:
            yield tx

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._turns.locked():
            await self._wait()
        else:
            await self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release()

    async def _wait(self) -> None:
        if self.waiting >= self._length:
            raise too_many()
        self.waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._turns.acquire()
        except TimeoutError:
            raise too_many() from None
        finally:
            self.waiting -= 1


def too_many() -> Refused:
    """The queue is full, or slow."""
    return Refused(Reason.UNAVAILABLE, "Too many streams start at this moment, try again in a few seconds.")

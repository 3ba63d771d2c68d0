"""Connections for those who read: a bounded number to each server, kept while they are used.

Law: a connection is one call's at a time; one on which anything went wrong is never used again.
Neighbours: `servers` asks over these.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from headrace.livelog.cell import Access, Address
from headrace.livelog.redis.connection import Link
from headrace.runtime.aio.clock import monotonic_s

LIMIT = 16  # to one server, of this process
IDLE_S = 30.0


class _Server:
    def __init__(self) -> None:
        self.room = asyncio.Semaphore(LIMIT)
        self.idle: list[tuple[float, Link]] = []  # newest last, with the time since which nobody uses it


class Pool:
    """Links by address."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._servers: dict[Address, _Server] = {}

    @asynccontextmanager
    async def link(self, address: Address, deadline_s: float) -> AsyncIterator[Link]:
        """A connection for one call. Raises Unreachable; waiting for its turn is the caller's deadline."""
        server = self._servers.setdefault(address, _Server())
        async with server.room:
            link = None
            while server.idle and (link is None or not link.is_open):
                link = server.idle.pop()[1]
            if link is None or not link.is_open:
                link = await Link.open(address, self._access, deadline_s)
            try:
                yield link
            finally:
                if link.is_open:
                    server.idle.append((monotonic_s(), link))

    def drop(self, address: Address) -> None:
        """This server failed: its idle connections are of no use."""
        if (server := self._servers.get(address)) is not None:
            for _, link in server.idle:
                link.close()
            server.idle.clear()

    def sweep(self, before_s: float) -> None:
        """Close what nobody has used since then."""
        for server in self._servers.values():
            while server.idle and server.idle[0][0] <= before_s:
                server.idle.pop(0)[1].close()

    def close(self) -> None:
        """Close all that are idle."""
        self.sweep(float("inf"))

"""Asking a cell's primaries what can be asked twice: a question is put again until its time is over.

Law: only a primary is believed. What writes a run does not go this way. Neighbours: `topology` finds primaries, `pool`
has the connections.
"""

import asyncio
from typing import Any

from headrace.livelog import metrics
from headrace.livelog.base import Unreachable
from headrace.livelog.cell import Cell
from headrace.livelog.redis.connection import Command, ServerError
from headrace.livelog.redis.pool import Pool
from headrace.livelog.redis.topology import Topology
from headrace.runtime.aio.clock import monotonic_s

PAUSE_S = 0.05

_RECONNECTS = metrics.RECONNECTS.labels("reader")


class Servers:
    """The servers of a cell, for those who read."""

    def __init__(self, cell: Cell) -> None:
        self.topology = Topology(cell)
        self.pool = Pool(cell.access)
        self._cluster = cell.cluster

    async def ask(self, slot: int, *commands: Command, deadline_s: float) -> list[Any]:
        """The answers to `commands`, a ServerError in the place of each that was refused. Raises Unreachable."""
        until_s = monotonic_s() + deadline_s
        while True:
            try:
                async with asyncio.timeout(until_s - monotonic_s()):
                    return await self._ask(slot, commands, deadline_s)
            except Unreachable:
                _RECONNECTS.inc()
                self.topology.forget()
                if monotonic_s() + PAUSE_S >= until_s:
                    raise
                await asyncio.sleep(PAUSE_S)
            except TimeoutError:
                self.topology.forget()
                raise Unreachable(f"no answer within {deadline_s:g} s") from None

    async def _ask(self, slot: int, commands: tuple[Command, ...], deadline_s: float) -> list[Any]:
        address = await self.topology.primary(slot)
        try:
            async with self.pool.link(address, deadline_s) as link:
                if self._cluster:  # a replica sends us to its primary by itself
                    replies = await link.ask(*commands, deadline_s=deadline_s, keep_errors=True)
                else:
                    role, *replies = await link.ask((b"ROLE",), *commands, deadline_s=deadline_s, keep_errors=True)
                    if isinstance(role, ServerError):
                        raise link.refused(role)
                    if role[0] != b"master":
                        raise link.lost(f"a {role[0].decode()} now")
                for reply in replies:
                    if isinstance(reply, ServerError) and _elsewhere(reply):
                        raise link.lost(reply.text)
                return replies
        except Unreachable:
            self.pool.drop(address)
            raise


def _elsewhere(reply: ServerError) -> bool:
    """Whether another server, or this one at another time, would know."""
    return reply.text.startswith(("MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "LOADING", "READONLY"))

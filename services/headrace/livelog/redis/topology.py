"""Which server is the primary of a run, in a cell: one server, one with replicas, or a Cluster.

Law: what was found stays until somebody says that it was wrong (`forget`); then it is looked for anew, once for all who
ask, whether that finds it or not. Each look at a Cluster begins with another node, since one that is cut off tells old
tales.
Neighbours: `connection` opens, `keys` knows slots.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headrace.livelog.base import LogError, Unreachable
from headrace.livelog.cell import Address, Cell
from headrace.livelog.redis.connection import Link
from headrace.runtime.aio.tasks import task_group

LOOK_S = 1.0  # for how long a node that does not answer is waited for
FIND_S = 3.0  # for how long a primary is


@dataclass(frozen=True, slots=True)
class _Shard:
    first: int
    last: int
    primary: Address


class Topology:
    """The primaries of a cell."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self._shards: tuple[_Shard, ...] = ()
        self._nodes = list(cell.hosts)
        self._turn = asyncio.Lock()
        self._looks = 0  # how many have begun
        self._failed: Unreachable | None = None  # what the last one ended in

    async def primary(self, slot: int) -> Address:
        """The primary that has this slot (any slot, where there is no Cluster). Raises Unreachable."""
        for shard in await self._known():
            if shard.first <= slot <= shard.last:
                return shard.primary
        self.forget()
        raise Unreachable(f"log cell {self.cell.name!r}: nobody has slot {slot}")

    async def primaries(self) -> list[Address]:
        """All of them. Raises Unreachable."""
        return list(dict.fromkeys(shard.primary for shard in await self._known()))

    def forget(self) -> None:
        """What is known was wrong."""
        self._shards = ()

    async def _known(self) -> tuple[_Shard, ...]:
        before = self._looks
        try:
            async with asyncio.timeout(FIND_S), self._turn:
                if not self._shards:
                    if self._looks > before and self._failed is not None:
                        raise Unreachable(str(self._failed))
                    await self._look()
                return self._shards
        except TimeoutError:
            raise Unreachable(f"log cell {self.cell.name!r}: no primary was found within {FIND_S:g} s") from None

    async def _look(self) -> None:
        self._looks += 1
        self._failed = None
        try:
            self._shards = await (self._cluster() if self.cell.cluster else self._one_primary())
        except Unreachable as error:
            self._failed = error
            raise

    async def _one_primary(self) -> tuple[_Shard, ...]:
        """The host that is a primary; of several the one that has written most, since one that was lost came back."""
        found: list[tuple[int, Address]] = []
        failures: list[str] = []

        async def look(host: Address) -> None:
            try:
                [[role, offset, *_]] = await self._asked(host, b"ROLE")
            except LogError as error:
                failures.append(str(error))
                return
            if role == b"master":
                found.append((int(offset), host))
            else:
                failures.append(f"{host}: a {role.decode()}")

        async with task_group() as group:
            for host in self.cell.hosts:
                group.create_task(look(host))
        if not found:
            raise Unreachable(f"log cell {self.cell.name!r} has no primary: {'; '.join(failures)}")
        return (_Shard(0, 1 << 14, max(found)[1]),)

    async def _cluster(self) -> tuple[_Shard, ...]:
        begin = self._looks % len(self._nodes)
        failure = "no nodes"
        for node in (*self._nodes[begin:], *self._nodes[:begin]):
            try:
                [slots] = await self._asked(node, b"CLUSTER", b"SLOTS")
            except LogError as error:
                failure = str(error)
                continue
            shards = tuple(_Shard(int(each[0]), int(each[1]), _address(each[2], node)) for each in slots)
            nodes = [_address(server, node) for each in slots for server in each[2:]]
            self._nodes = list(dict.fromkeys((*self.cell.hosts, *nodes)))
            return shards
        raise Unreachable(f"log cell {self.cell.name!r}: no node answers: {failure}")

    async def _asked(self, host: Address, *command: bytes) -> list[Any]:
        link = await Link.open(host, self.cell.access, LOOK_S)
        try:
            return await link.ask(command, deadline_s=LOOK_S)
        finally:
            link.close()


def _address(server: Sequence[bytes], asked: Address) -> Address:
    # A node that does not know its own name leaves it out: it is where we found it.
    return Address(server[0].decode() if server[0] else asked.host, int(server[1]))

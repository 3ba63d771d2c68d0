"""A LiveLog on the servers of one cell.

Law: as `base` says. Each run that is written here has a connection of its own; readers share a few.
Neighbours: `writing`, `following` and `servers` do the work, `cells` joins several of these.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping

from headrace.core.broadcast import Claim, RunId, StreamId
from headrace.livelog.base import Append, Cursor, LogError, LogFull, Reading, Staged, Taken, Unreachable
from headrace.livelog.cell import Cell
from headrace.livelog.redis.checks import complaints
from headrace.livelog.redis.connection import Command, ServerError
from headrace.livelog.redis.following import Following
from headrace.livelog.redis.keys import current_key, keys_of, part_name, slot_of
from headrace.livelog.redis.pool import IDLE_S
from headrace.livelog.redis.servers import Servers
from headrace.livelog.redis.writing import RunWriter
from headrace.runtime.aio.clock import monotonic_s, unix_ms
from headrace.runtime.local import is_local
from headrace.runtime.telemetry.logs import logger

GET_S = 2.0
CURRENT_S = 1.0  # other cells' answers wait for as long
SWEEP_S = 2.0
UNUSED_RUN_S = 60.0  # a run that nobody writes for this long gives its connection back
UNUSED_ENDED_RUN_S = 2.0  # the same of one that has ended: control ends hundreds a second
FORGOTTEN_RUN_S = 600.0

_log = logger(__name__)


class RedisLog:
    """One cell's log. `r`: how many replicas each of its primaries has."""

    def __init__(self, cell: Cell, r: int = 0) -> None:
        self._name = cell.name
        self._cluster = cell.cluster
        self._r = r
        self._servers = Servers(cell)
        self._following = Following(self._servers)
        self._writers: dict[RunId, RunWriter] = {}

    @property
    def in_process(self) -> bool:
        """As `Entries.in_process`."""
        return False

    async def run(self) -> None:
        """Own the connections of followers, and close what nobody uses, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._following.subscriptions.start(group)
                group.create_task(self._check())
                while True:
                    await asyncio.sleep(SWEEP_S)
                    self._sweep()
        finally:
            for writer in self._writers.values():
                writer.leave()
            self._servers.pool.close()

    async def takeover(self, run: RunId, claim: Claim, floor: int, *, open_new: bool = False) -> Taken:
        """As `Entries.takeover`."""
        writer = self._writers.get(run)
        if writer is None:
            writer = self._writers[run] = RunWriter(run, self._servers.topology, self._r)
        return await writer.takeover(claim, floor, open_new)

    async def stage(self, run: RunId, claim: Claim, n: int, *appends: Append) -> Staged:
        """As `Entries.stage`."""
        return await self._writer(run).stage(claim, n, appends)

    async def wait(self, run: RunId) -> bool:
        """As `Entries.wait`."""
        return await self._writer(run).wait()

    async def publish(self, run: RunId, claim: Claim, n: int) -> None:
        """As `Entries.publish`."""
        await self._writer(run).publish(claim, n)

    async def read(self, run: RunId, cursor: Cursor) -> Reading:
        """As `Entries.read`."""
        return await self._following.read(run, cursor)

    def follow(self, run: RunId, cursor: Cursor) -> AsyncIterator[Reading]:
        """As `Entries.follow`."""
        return self._following.follow(run, cursor)

    async def get(self, run: RunId, rung: str, msn: int, part: int, encoder: str) -> bytes | None:
        """As `Bytes.get`. Raises Unreachable."""
        data = await self._ask(b"GET", keys_of(run).published + part_name(rung, msn, part, encoder))
        return data if isinstance(data, bytes) else None

    async def set_current(self, newest: Mapping[StreamId, RunId]) -> None:
        """As `Entries.set_current`. Raises Unreachable, LogFull."""
        by_slot: dict[int, list[Command]] = {}
        for stream, run in newest.items():
            key = current_key(stream)
            slot = slot_of(key) if self._cluster else 0  # of one server all may be told in one breath
            by_slot.setdefault(slot, []).append((b"SET", key, f"{unix_ms()} {run}".encode()))
        for slot, commands in by_slot.items():
            for reply in await self._servers.ask(slot, *commands, deadline_s=GET_S):
                _checked(reply)

    async def current(self, stream: StreamId) -> RunId | None:
        """As `Entries.current`. Raises Unreachable."""
        newest = await self.current_since(stream)
        return newest[1] if newest else None

    async def current_since(self, stream: StreamId) -> tuple[int, RunId] | None:
        """The same with the Unix time in milliseconds at which it was set. Raises Unreachable."""
        value = await self._ask(b"GET", current_key(stream), deadline_s=CURRENT_S)
        if not isinstance(value, bytes):
            return None
        since_ms, run = value.decode().split(" ", 1)
        return int(since_ms), RunId(run)

    async def _ask(self, *command: bytes, deadline_s: float = GET_S) -> object:
        [reply] = await self._servers.ask(slot_of(command[1]), command, deadline_s=deadline_s)
        return _checked(reply)

    def _writer(self, run: RunId) -> RunWriter:
        writer = self._writers.get(run)
        if writer is None:
            raise RuntimeError(f"run {run} was not taken over")
        return writer

    async def _check(self) -> None:
        """Say once what is wrong with each server, and with the way to it."""
        access, hosts = self._servers.topology.cell.access, self._servers.topology.cell.hosts
        if access.tls is None and (away := [str(host) for host in hosts if not is_local(host.host)]):
            extra = {"cell": self._name, "servers": ", ".join(away)}
            _log.warning("the live log is reached in plaintext: begin its URL with rediss://", extra=extra)
        try:
            for address in await self._servers.topology.primaries():
                async with self._servers.pool.link(address, GET_S) as link:
                    for sentence in await complaints(link, self._r):
                        _log.warning(sentence, extra={"cell": self._name, "server": str(address)})
        except LogError as error:
            _log.warning("the live log's servers cannot be checked", extra={"cell": self._name, "why": str(error)})

    def _sweep(self) -> None:
        now_s = monotonic_s()
        self._servers.pool.sweep(now_s - IDLE_S)
        for run, writer in tuple(self._writers.items()):
            if writer.used_s <= now_s - (UNUSED_ENDED_RUN_S if writer.ended else UNUSED_RUN_S):
                writer.leave()
            if writer.used_s <= now_s - FORGOTTEN_RUN_S:
                del self._writers[run]


def _checked(reply: object) -> object:
    if isinstance(reply, ServerError):
        raise LogFull(reply.text) if reply.full else Unreachable(reply.text)
    return reply

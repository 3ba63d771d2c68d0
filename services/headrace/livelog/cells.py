"""Several independent logs as one: each run lives in the cell that its id names.

Law: one cell's failure takes no other down. Neighbours: `redis` keeps one cell, `settings` lists them.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping

from headrace.core.broadcast import Claim, RunId, StreamId
from headrace.livelog.base import Append, Cursor, LogError, NoRun, Reading, Staged, Taken, Unreachable
from headrace.livelog.redis.log import RedisLog


class Cells:
    """A LiveLog over the logs of all cells, by name; the only or default one may be named ''."""

    def __init__(self, logs: Mapping[str, RedisLog]) -> None:
        self.cells = tuple(logs)
        self._logs = dict(logs)

    @property
    def in_process(self) -> bool:
        """As `Entries.in_process`."""
        return False

    async def run(self) -> None:
        """As `LiveLog.run`."""
        async with asyncio.TaskGroup() as group:
            for log in self._logs.values():
                group.create_task(log.run())

    async def takeover(self, run: RunId, claim: Claim, floor: int, *, open_new: bool = False) -> Taken:
        """As `Entries.takeover`."""
        return await self._log(run).takeover(run, claim, floor, open_new=open_new)

    async def stage(self, run: RunId, claim: Claim, n: int, *appends: Append) -> Staged:
        """As `Entries.stage`."""
        return await self._log(run).stage(run, claim, n, *appends)

    async def wait(self, run: RunId) -> bool:
        """As `Entries.wait`."""
        return await self._log(run).wait(run)

    async def publish(self, run: RunId, claim: Claim, n: int) -> None:
        """As `Entries.publish`."""
        await self._log(run).publish(run, claim, n)

    async def read(self, run: RunId, cursor: Cursor) -> Reading:
        """As `Entries.read`."""
        return await self._log(run).read(run, cursor)

    def follow(self, run: RunId, cursor: Cursor) -> AsyncIterator[Reading]:
        """As `Entries.follow`."""
        return self._log(run).follow(run, cursor)

    async def get(self, run: RunId, rung: str, msn: int, part: int, encoder: str) -> bytes | None:
        """As `Bytes.get`. Raises Unreachable, NoRun."""
        return await self._log(run).get(run, rung, msn, part, encoder)

    async def set_current(self, newest: Mapping[StreamId, RunId]) -> None:
        """As `Entries.set_current`: each is told to its run's cell."""
        by_log: dict[RedisLog, dict[StreamId, RunId]] = {}
        for stream, run in newest.items():
            by_log.setdefault(self._log(run), {})[stream] = run
        for log, its in by_log.items():
            await log.set_current(its)

    async def current(self, stream: StreamId) -> RunId | None:
        """As `Entries.current`: the newest that any cell knows of.

        Raises Unreachable when no cell knows one and not all have answered.
        """
        newest: list[tuple[int, RunId]] = []
        failures: list[LogError] = []

        async def ask(log: RedisLog) -> None:
            try:
                if (known := await log.current_since(stream)) is not None:
                    newest.append(known)
            except LogError as error:
                failures.append(error)

        async with asyncio.TaskGroup() as group:
            for log in self._logs.values():
                group.create_task(ask(log))
        if newest:
            return max(newest)[1]
        if failures:
            raise Unreachable(str(failures[0]))
        return None

    def _log(self, run: RunId) -> RedisLog:
        cell, dash, _ = run.partition("-")
        log = self._logs.get(cell if dash else "")
        if log is None:
            raise NoRun(f"no run {run}: no such log cell")
        return log

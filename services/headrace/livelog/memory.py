"""The live log of one machine: everything in this process's memory, within a bound.

Law: as `base` says; there are no replicas, so a wait is always true. Above the bound the longest windows shrink first,
never below six segments, and then no run is opened any more. An ended run is kept a while for those who still watch it.
Neighbours: `held` has a run's rules; standalone gives one log to all services.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

from headrace.core.broadcast import Claim, RunId, StreamId
from headrace.livelog import metrics
from headrace.livelog.base import Append, Cursor, LogFull, NoRun, Reading, Staged, Taken
from headrace.livelog.held import HeldRun
from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.telemetry.logs import RateLimited, logger

DEFAULT_MAX_BYTES = 1 << 30
ENDED_RUN_S = 300.0  # a viewer who paused near the end can still watch it to the end
SWEEP_S = 1.0

_shrunk = RateLimited(logger(__name__), "the memory log is full: windows shrink")


class MemoryLog:
    """A LiveLog. `max_bytes` bounds all runs together; `clock` gives monotonic seconds."""

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES, clock: Callable[[], float] = monotonic_s) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0
        self._clock = clock
        self._runs: dict[RunId, HeldRun] = {}
        self._changed: dict[RunId, asyncio.Event] = {}
        self._ended_s: dict[RunId, float] = {}
        self._current: dict[StreamId, RunId] = {}
        metrics.HELD_LIMIT.set(max_bytes)

    @property
    def in_process(self) -> bool:
        """As `Entries.in_process`."""
        return True

    async def run(self) -> None:
        """Forget ended runs in time, until cancelled."""
        while True:
            self.expire()
            await asyncio.sleep(SWEEP_S)

    def expire(self) -> None:
        """Forget the runs that ended `ENDED_RUN_S` ago."""
        until_s = self._clock() - ENDED_RUN_S
        for run in [run for run, ended_s in self._ended_s.items() if ended_s <= until_s]:
            self._forget(run)

    async def takeover(self, run: RunId, claim: Claim, floor: int, *, open_new: bool = False) -> Taken:
        """As `Entries.takeover`."""
        held = self._runs.get(run)
        if held is not None:
            return held.take(claim, floor)
        if not open_new:
            raise NoRun(f"no run {run}")
        self.expire()
        if self.held_bytes >= self.max_bytes:
            metrics.REFUSED.inc()
            raise LogFull(f"the memory log holds its {self.max_bytes} bytes already")
        held = self._runs[run] = HeldRun(claim)
        self._count(held.held_bytes)
        self._changed[run] = asyncio.Event()
        metrics.RUNS.set(len(self._runs))
        return Taken(0, 0, "")

    async def stage(self, run: RunId, claim: Claim, n: int, *appends: Append) -> Staged:
        """As `Entries.stage`."""
        held = self._found(run)
        before = held.held_bytes
        try:
            for each, append in enumerate(appends, n):
                staged = held.stage(claim, each, append)
        finally:
            self._count(held.held_bytes - before)
            self._shrink()
        return staged

    async def wait(self, run: RunId) -> bool:
        """As `Entries.wait`: there are no replicas."""
        return True

    async def publish(self, run: RunId, claim: Claim, n: int) -> None:
        """As `Entries.publish`."""
        held = self._found(run)
        if not held.publish(claim, n):
            return
        before = held.held_bytes
        held.trim()
        self._count(held.held_bytes - before)
        self._shrink()
        if held.end_published:
            self._ended_s.setdefault(run, self._clock())
        self._wake(run)

    async def read(self, run: RunId, cursor: Cursor) -> Reading:
        """As `Entries.read`."""
        return self._found(run).read(cursor)

    async def follow(self, run: RunId, cursor: Cursor) -> AsyncIterator[Reading]:
        """As `Entries.follow`. Raises NoRun, also when the run is forgotten."""
        reading = self._found(run).read(cursor)
        while True:
            yield reading
            cursor, oldest = reading.cursor, reading.oldest
            # Nothing can be published between a look and the wait after it: neither gives way to another task.
            while ((reading := self._found(run).read(cursor)).cursor, reading.oldest) == (cursor, oldest):
                if self._found(run).end_published:
                    return
                await self._changed[run].wait()

    async def set_current(self, newest: Mapping[StreamId, RunId]) -> None:
        """As `Entries.set_current`."""
        self._current.update(newest)

    async def current(self, stream: StreamId) -> RunId | None:
        """As `Entries.current`."""
        return self._current.get(stream)

    async def get(self, run: RunId, rung: str, msn: int, part: int, encoder: str) -> bytes | None:
        """As `Bytes.get`."""
        held = self._runs.get(run)
        return held.part(rung, msn, part, encoder) if held is not None else None

    def _found(self, run: RunId) -> HeldRun:
        held = self._runs.get(run)
        if held is None:
            raise NoRun(f"no run {run}")
        return held

    def _shrink(self) -> None:
        """Above the bound make room where the windows are longest."""
        while self.held_bytes > self.max_bytes:
            run, longest = max(self._runs.items(), key=lambda item: item[1].duration)
            if not longest.duration:
                return
            before = longest.held_bytes
            longest.shrink()
            self._count(longest.held_bytes - before)
            metrics.SHRUNK_SEGMENTS.inc()
            self._wake(run)
            _shrunk({"held_bytes": self.held_bytes, "runs": len(self._runs)})

    def _forget(self, run: RunId) -> None:
        self._count(-self._runs.pop(run).held_bytes)
        del self._ended_s[run]
        self._current = {stream: current for stream, current in self._current.items() if current != run}
        metrics.RUNS.set(len(self._runs))
        self._wake(run)
        del self._changed[run]

    def _count(self, size: int) -> None:
        self.held_bytes += size
        metrics.HELD_BYTES.set(self.held_bytes)

    def _wake(self, run: RunId) -> None:
        """Let all who follow the run look again."""
        changed, self._changed[run] = self._changed[run], asyncio.Event()
        changed.set()

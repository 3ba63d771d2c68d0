"""Runs that this origin follows: the fold of each, kept at the log's head, and those who wait for it to grow.

Law: a run is followed once however many ask for it, from its first request until it was idle for a while. A log that
does not answer leaves what is known standing; it is asked again with growing pauses. Every wait has a deadline, and
all who wait are woken when the origin stops.
Neighbours: `livelog` (readings), `core.hls.playlist` (the fold), `http` (shows pages, waits).
"""

import asyncio
from collections.abc import Callable

from headrace.core.broadcast import RunId
from headrace.core.hls.playlist import RunModel
from headrace.livelog.base import Cursor, LiveLog, LogError, NoRun, Reading
from headrace.origin.metrics import LOG_ERRORS, LOG_READINGS, RUNS_FOLLOWED
from headrace.origin.pages import Pages
from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.aio.tasks import spawn_isolated
from headrace.runtime.telemetry.logs import RateLimited, logger

FIRST_READING_S = 5.0  # how long a request waits for a run's first reading
SWEEP_S = 1.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0

_failing = RateLimited(logger(__name__), "the live log cannot be read")


class Unavailable(LogError):
    """The log did not answer in time, or the origin is not running."""

    code = "log_unavailable"


class FollowedRun:
    """One run's fold, and its pages as they are now."""

    def __init__(self, run: RunId) -> None:
        self.run = run
        self.model = RunModel()
        self.pages = Pages(self.model)
        self.cursor = Cursor(0, "")
        self.read = False  # a reading has been taken
        self.over = False  # followed no longer: unknown to the log, or the origin stops
        self.used_s = monotonic_s()
        self._waiters: dict[str, asyncio.Event] = {}  # by rung; "" for what is no rung's own
        self._waiting = 0

    def take(self, reading: Reading) -> None:
        """Fold a reading in. One that is whole replaces what was known: the log wins."""
        model, version = self.model, self.model.version
        newest = {rung: model.newest(rung) for rung in self._waiters}
        entries = [(each.entry, each.id) for each in reading.entries if each.entry is not None]
        if reading.whole:
            self.model = RunModel.read(reading.head, entries)
        else:
            for entry, entry_id in entries:
                self.model.apply(entry, entry_id)
        self.model.forget(reading.oldest)
        self.cursor = reading.cursor
        self.read = True
        if (self.model, self.model.version) != (model, version):
            self.pages = Pages(self.model)
        all_new = self.model is not model or self.model.ended
        for rung, before in newest.items():
            if all_new or not rung or self.model.newest(rung) != before:
                self._wake(rung)

    @property
    def waited_for(self) -> bool:
        """Whether somebody waits for news of it."""
        return self._waiting > 0

    def wake(self) -> None:
        """Let all who wait look again."""
        for rung in tuple(self._waiters):
            self._wake(rung)

    def _wake(self, rung: str) -> None:
        self._waiters.pop(rung).set()

    async def until(self, ready: Callable[[], bool], timeout_s: float, rung: str = "") -> bool:
        """Wait for `ready` to hold; False when the time is over, or the run is.

        It is asked after each reading, or only after those that bring a new part of `rung`.
        """
        self._waiting += 1
        try:
            async with asyncio.timeout(timeout_s):
                while not (is_ready := ready()) and not self.over:
                    await self._waiters.setdefault(rung, asyncio.Event()).wait()
                return is_ready
        except TimeoutError:
            return ready()
        finally:
            self._waiting -= 1


class Follower:
    """All followed runs. `run` must be running for `get` to find any; `on_forgotten` hears which are not any more."""

    def __init__(self, log: LiveLog, idle_s: float, on_forgotten: Callable[[RunId], None] = lambda run: None) -> None:
        self._log = log
        self._idle_s = idle_s
        self._on_forgotten = on_forgotten
        self._runs: dict[RunId, FollowedRun] = {}
        self._tasks: dict[RunId, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._started = asyncio.Event()
        self.stopped = False

    async def run(self) -> None:
        """Own the following tasks until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._started.set()
            try:
                while True:
                    await asyncio.sleep(SWEEP_S)
                    self._sweep()
            finally:
                self.stopped = True
                self._group = None
                for followed in tuple(self._runs.values()):
                    self._forget(followed)

    def known(self, run: RunId) -> FollowedRun | None:
        """The run, if it has been read."""
        followed = self._runs.get(run)
        if followed is None or not followed.read:
            return None
        followed.used_s = monotonic_s()
        return followed

    async def get(self, run: RunId) -> FollowedRun:
        """The run, read at least once. Raises NoRun where the log knows none, Unavailable."""
        return self.known(run) or await self._opened(run)

    async def _opened(self, run: RunId) -> FollowedRun:
        try:
            async with asyncio.timeout(FIRST_READING_S):
                await self._started.wait()
        except TimeoutError:
            raise Unavailable("the origin does not run yet") from None
        followed = self._runs.get(run) or self._follow(run)
        if not await followed.until(lambda: followed.read, FIRST_READING_S):
            if followed.over and not self.stopped:
                raise NoRun(f"no run {run}")
            raise Unavailable(f"run {run} cannot be read now")
        followed.used_s = monotonic_s()
        return followed

    def _follow(self, run: RunId) -> FollowedRun:
        if self._group is None:
            raise Unavailable("the origin stops")
        followed = self._runs[run] = FollowedRun(run)
        self._tasks[run] = spawn_isolated(
            self._group, self._read_on(followed), f"follow {run}", lambda _: self._forget(followed)
        )
        RUNS_FOLLOWED.set(len(self._runs))
        return followed

    async def _read_on(self, followed: FollowedRun) -> None:
        pause_s = FIRST_PAUSE_S
        while not followed.model.ended:
            try:
                async for reading in self._log.follow(followed.run, followed.cursor):
                    LOG_READINGS.inc()
                    followed.take(reading)
                    pause_s = FIRST_PAUSE_S
            except NoRun:
                self._forget(followed)
                return
            except LogError as error:
                LOG_ERRORS.labels(error.code).inc()
                _failing({"run": followed.run, "code": error.code, "why": str(error)})
            if not followed.model.ended:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _sweep(self) -> None:
        now_s = monotonic_s()
        for followed in tuple(self._runs.values()):
            if now_s - followed.used_s >= self._idle_s and not followed.waited_for:
                self._forget(followed)

    def _forget(self, followed: FollowedRun) -> None:
        """Stop following; whoever waits is woken. May be called from the run's own task, at its end."""
        followed.over = True
        followed.wake()
        if self._runs.get(followed.run) is followed:
            del self._runs[followed.run]
            task = self._tasks.pop(followed.run)
            if task is not asyncio.current_task():
                task.cancel()
            self._on_forgotten(followed.run)
        RUNS_FOLLOWED.set(len(self._runs))

"""Runs that this origin follows, each kept at the log's head.

Law: a run is followed once however many ask for it, from its first request until it was idle for a while. A log that
does not answer, or has just lost the run, leaves what is known standing; it is asked again with growing pauses. Who
asks for what another origin may have shown already has the log read once more. Every wait has a deadline, and all who
wait are woken when the origin stops.
Neighbours: `livelog` (readings), `followed` (one run), `looking` (one more reading), `http` (shows pages, waits).
"""

import asyncio
from collections.abc import Callable, Iterator

from headrace.core.broadcast import RunId
from headrace.livelog.base import LiveLog, LogError, NoRun
from headrace.origin.followed import FollowedRun
from headrace.origin.looking import Looks
from headrace.origin.metrics import EDGE_AGE, LOG_ERRORS, LOG_READINGS, OLDEST_EDGE, REFUSED, RUNS_FOLLOWED
from headrace.runtime.aio.clock import monotonic_s, unix_ms
from headrace.runtime.aio.tasks import spawn_isolated
from headrace.runtime.telemetry.logs import RateLimited, learn, logger

FIRST_READING_S = 5.0  # how long a request waits for a run's first reading
SWEEP_S = 1.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
MAX_UNREAD = 256  # runs that wait for their first reading: while the log is away anybody can ask for any
LOST_RUN_S = 30.0  # a log that was emptied is opened again within seconds; until then players wait, and none gives up

_failing = RateLimited(logger(__name__), "the live log cannot be read")


class Unavailable(LogError):
    """The log did not answer in time, or the origin does not run, or has too much to do; the message says what."""

    code = "log_unavailable"


class Follower:
    """All followed runs. `run` must be running for `get` to find any; `on_forgotten` hears which are not any more."""

    def __init__(self, log: LiveLog, idle_s: float, on_forgotten: Callable[[RunId], None] = lambda run: None) -> None:
        self._log = log
        self._idle_s = idle_s
        self._on_forgotten = on_forgotten
        self._runs: dict[RunId, FollowedRun] = {}
        self._tasks: dict[RunId, asyncio.Task[None]] = {}
        self._looks: dict[RunId, Looks] = {}
        self._unread: set[RunId] = set()
        self._group: asyncio.TaskGroup | None = None
        self._started = asyncio.Event()
        self.stopped = False
        OLDEST_EDGE.set_function(lambda: max(self._edge_ages(), default=0.0))

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

    async def look_again(self, run: RunId) -> None:
        """Have read the run's log once more; nothing, where it is not followed. Raises LogError."""
        if looks := self._looks.get(run):
            await looks.again()

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
        if len(self._unread) >= MAX_UNREAD:
            REFUSED.labels("too_many_unread").inc()
            raise Unavailable("too many runs cannot be read now")
        self._unread.add(run)
        followed = self._runs[run] = FollowedRun(run)
        self._looks[run] = Looks(self._log, followed)
        self._tasks[run] = spawn_isolated(
            self._group, self._read_on(followed), f"follow {run}", lambda _: self._forget(followed)
        )
        RUNS_FOLLOWED.set(len(self._runs))
        return followed

    async def _read_on(self, followed: FollowedRun) -> None:
        learn(run=followed.run)
        pause_s, lost_s = FIRST_PAUSE_S, 0.0
        while not followed.model.ended:
            try:
                async for reading in self._log.follow(followed.run, followed.cursor):
                    LOG_READINGS.inc()
                    followed.take(reading)
                    self._unread.discard(followed.run)
                    pause_s, lost_s = FIRST_PAUSE_S, 0.0
            except NoRun as error:
                lost_s = lost_s or monotonic_s()
                if not followed.read or monotonic_s() - lost_s >= LOST_RUN_S:
                    self._forget(followed)
                    return
                _failed(followed, error)
            except LogError as error:
                _failed(followed, error)
            if not followed.model.ended:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _sweep(self) -> None:
        now_s = monotonic_s()
        for age_s in self._edge_ages():
            EDGE_AGE.observe(age_s)
        for followed in tuple(self._runs.values()):
            idle = now_s - followed.used_s >= self._idle_s or not followed.read
            if idle and not followed.waited_for:
                self._forget(followed)

    def _edge_ages(self) -> Iterator[float]:
        """How old the newest part of each live run is."""
        now_ms = unix_ms()
        return (age_s for run in self._runs.values() if (age_s := run.edge_age_s(now_ms)) is not None)

    def _forget(self, followed: FollowedRun) -> None:
        """Stop following; whoever waits is woken. May be called from the run's own task, at its end."""
        followed.over = True
        followed.wake()
        if self._runs.get(followed.run) is followed:
            del self._runs[followed.run]
            del self._looks[followed.run]
            self._unread.discard(followed.run)
            task = self._tasks.pop(followed.run)
            if task is not asyncio.current_task():
                task.cancel()
            self._on_forgotten(followed.run)
        RUNS_FOLLOWED.set(len(self._runs))


def _failed(followed: FollowedRun, error: LogError) -> None:
    LOG_ERRORS.labels(error.code).inc()
    _failing({"run": followed.run, "code": error.code, "why": str(error)})

"""The books: transcoders' rows, and what is held on them, follow what transcoders say.

Law: capacity is freed by a transcoder's word (its report names the run no more) or by its end (no replica has heard it
for a minute), never by a lease. What a transcoder works on is held on it whoever sent it there. Every step may be done
by every replica, several times, at once: it does the same once. What one replica does not hear another may: nobody is
forgotten before he was marked, and all had the time to object.
Neighbours: `fleet` hears, `db.holds` and `db.pods` keep, `placing` makes new holds.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar
from zlib import crc32

from headrace.control import metrics
from headrace.control.db import Conflict, Database, DatabaseError
from headrace.control.fleet import Fleet
from headrace.control.keys import new_session_id
from headrace.control.model import Allocation, HoldState, Pod, PodState
from headrace.core.broadcast import RunId
from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.wire.control import PodReport

T = TypeVar("T")

PERIOD_S = 2.0
SOONEST_S = 0.1  # between two rounds, however much there is to tell
LOOK_S = 0.2  # whoever waits for room looks no more often than this
AT_A_TIME = 500
SLICES = 4  # each round compares the runs of one in so many transcoders
OBJECT_S = 6.0  # how long a mark stands before it counts: three rounds of everybody else
DIAL_MS = 10_000  # an edge dials at once; what a transcoder does not name by then was never dialled
DESCRIBE_MS = 120_000  # far longer than a session may take to describe its source: nobody is there to let go of it
CONFIRMED_MS = 2_000  # a run that was named so long after its hold, and then no more, is over there
FAR_OFF = 20  # a cost is corrected where it differs from what was measured by a twentieth

_log = logger(__name__)
_failed = RateLimited(_log, "the database does not answer")


class Accounts:
    """Keeps the rows. `round` does one round; `run` goes round for ever. `clock` gives monotonic seconds."""

    def __init__(self, database: Database, fleet: Fleet, clock: Callable[[], float]) -> None:
        self._database = database
        self._fleet = fleet
        self._clock = clock
        self._turn = 0
        self._looked_s = clock()
        self._marked_s: dict[str, float] = {}
        self._seen: dict[str, tuple[object, Pod]] = {}  # rows as they were read last
        self._registering = asyncio.Lock()

    async def run(self) -> None:
        """A round now and then, and soon after something changed."""
        due_s = self._clock()
        while True:
            self._fleet.news.clear()
            try:
                await self.register()
                await self.release_dropped()
                if self._clock() >= due_s:
                    due_s = self._clock() + PERIOD_S
                    await self.round()
            except DatabaseError as error:
                metrics.DATABASE_FAILURES.labels("accounts").inc()
                _failed({"error": str(error)})
            await asyncio.sleep(SOONEST_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due_s - self._clock())):
                    await self._fleet.news.wait()

    async def register(self) -> None:
        """Write the rows of transcoders that are new or changed; they are written when it returns, whoever does it.

        Raises DatabaseError.
        """
        if not self._fleet.unwritten and not self._registering.locked():
            return
        async with self._registering:
            pods = sorted(self._fleet.unwritten)
            if not pods:
                return  # the one before us did it
            self._fleet.unwritten.difference_update(pods)
            try:
                async with self._database.write() as tx:
                    await tx.pods.write(self._fleet.rows(pods))
            except DatabaseError:
                self._fleet.unwritten.update(pods)
                raise

    async def look_at(self, pod: str) -> None:
        """This one's row did not do what was expected of it. Raises DatabaseError."""
        async with self._database.read() as tx:
            row = await tx.pods.get(pod)
        if row is None or row.state is not PodState.READY:
            self._fleet.rooms.drop(pod)  # until its next report, and its row is written again by the next round
        else:
            self._fleet.hold(pod, row.held)

    async def look(self) -> None:
        """See what is held, unless that was seen just now. Raises DatabaseError."""
        if self._clock() - self._looked_s >= LOOK_S:
            await self._read()

    async def round(self) -> None:
        """Compare every row, and the runs of some. Raises DatabaseError."""
        self._fleet.forget()
        rows = await self._read()
        await self._follow_pods(rows)
        self._turn = (self._turn + 1) % SLICES
        await self.compare([pod for pod in rows if crc32(pod.encode()) % SLICES == self._turn])

    async def compare(self, pods: Sequence[str]) -> None:
        """Let what is held on these transcoders be what they work on. Raises DatabaseError."""
        reports = {pod: report for pod in pods if (report := self._fleet.fresh(pod)) is not None}
        async with self._database.read() as tx:
            rows = await tx.holds.of_pods(sorted(reports))
        held: dict[str, list[Allocation]] = defaultdict(list)
        for row in rows:
            held[row.pod].append(row)
        now_ms = unix_ms()
        over = [row for row in rows if self._never_came(row, reports[row.pod], now_ms)]
        if over:
            async with self._database.write() as tx:
                await tx.holds.release(over)
        busy = {pod: report for pod, report in reports.items() if report.runs or pod in held}
        await self._adopt({pod: _unknown(report, held[pod]) for pod, report in busy.items()}, reports, now_ms)
        for pod, report in busy.items():
            await self._correct(report, held[pod])

    async def release_dropped(self) -> None:
        """Free what transcoders worked on and have let go of. Raises DatabaseError."""
        dropped: dict[tuple[str, RunId], float] = {}
        while self._fleet.dropped:
            pod, run, named_s = self._fleet.dropped.popleft()
            dropped[pod, run] = named_s
        if not dropped:
            return
        async with self._database.read() as tx:
            rows = await tx.holds.of_runs(sorted({run for _, run in dropped}))
        now_s, now_ms = self._clock(), unix_ms()
        over = []
        for row in rows:
            last_s = dropped.get((row.pod, row.run))
            if last_s is None or row.state is not HoldState.HELD:
                continue
            named_ms = now_ms - round((now_s - last_s) * 1000)
            if named_ms - row.held_ms >= CONFIRMED_MS:  # else it may be a newer hold than what was dropped
                over.append(row)
        if over:
            async with self._database.write() as tx:
                await tx.holds.release(over)
            for row in over:
                self._fleet.hold(row.pod, self._fleet.held(row.pod) - row.cost)

    async def _read(self) -> dict[str, Pod]:
        self._looked_s = self._clock()
        async with self._database.read() as tx:
            rows = await tx.pods.all(self._seen)
        async for pod in unhurried(rows.values()):
            self._fleet.hold(pod.id, pod.held)
        return rows

    async def _follow_pods(self, rows: dict[str, Pod]) -> None:
        now_s = self._clock()
        fresh = {report.pod: report for report in self._fleet.alive()}
        async for report in unhurried(fresh.values()):
            if (row := rows.get(report.pod)) is None or not _alike(report, row):
                self._fleet.unwritten.add(report.pod)
        await self.register()
        silent = set(self._fleet.silent(rows))
        marked = {pod for pod, row in rows.items() if row.silent}
        back = sorted(marked & fresh.keys())
        new = sorted(silent - marked)
        # Our own watch over the mark, so that no two clocks need to agree.
        self._marked_s = {pod: self._marked_s.get(pod, now_s) for pod in marked & silent}
        gone = sorted(pod for pod, since_s in self._marked_s.items() if now_s - since_s >= OBJECT_S)
        if back or new or gone:
            async with self._database.write() as tx:
                if back:
                    await tx.pods.mark(back, None)
                if new:
                    await tx.pods.mark(new, unix_ms())
                if gone:
                    await tx.pods.forget(gone)
                    _log.warning("transcoders are gone", extra={"pods": gone})

    def _never_came(self, row: Allocation, report: PodReport, now_ms: int) -> bool:
        """Whether the transcoder was named to an edge long ago and does not work on the run."""
        limit_ms = DIAL_MS if row.state is HoldState.HELD else DESCRIBE_MS
        return row.run not in report.runs and now_ms - row.held_ms >= limit_ms

    async def _adopt(self, unknown: dict[str, list[RunId]], reports: dict[str, PodReport], now_ms: int) -> None:
        """Account for runs that came without being sent: an edge took a standby, or the database is an older one."""
        runs = sorted({run for runs in unknown.values() for run in runs})
        if not runs:
            return
        async with self._database.read() as tx:
            costs = await tx.runs.costs(runs)
        for pod, mine in unknown.items():
            for run in mine:
                now = self._fleet.fresh(pod)
                if now is None or run not in now.runs:
                    continue  # it has let go of it while we were reading
                cost = max(1, costs.get(run) or now.used // len(now.runs))
                row = Allocation(new_session_id(), run, "", pod, cost, HoldState.HELD, now_ms)
                with suppress(Conflict):  # another replica did
                    async with self._database.write() as tx:
                        await tx.holds.account(row)

    async def _correct(self, report: PodReport, held: list[Allocation]) -> None:
        """Where all that is held is what it works on, together it costs what was measured."""
        total = sum(row.cost for row in held)
        settled = all(row.state is HoldState.HELD for row in held)
        if not total or not report.used or not settled or {row.run for row in held} != set(report.runs):
            return
        if abs(report.used - total) * FAR_OFF <= total:
            return
        async with self._database.write() as tx:
            for row in held:
                await tx.holds.correct(row, max(1, row.cost * report.used // total))


async def unhurried(things: Iterable[T]) -> AsyncIterator[T]:
    """All of them, some at a time, so that whoever publishes meanwhile need not wait for thousands."""
    for at, thing in enumerate(list(things), 1):
        yield thing
        if at % AT_A_TIME == 0:
            await asyncio.sleep(0)


def _unknown(report: PodReport, held: Sequence[Allocation]) -> list[RunId]:
    known = {row.run for row in held}
    return [run for run in report.runs if run not in known]


def _alike(report: PodReport, row: Pod) -> bool:
    """Whether the row says what the transcoder says."""
    return (
        report.target == row.target
        and report.capacity == row.capacity
        and report.ready == (row.state is PodState.READY)
        and report.version == row.version
        and report.zone == row.zone
    )

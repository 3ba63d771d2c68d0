"""While a run has no session, control is its edge: it ends the runs whose publishers do not come back.

Law: the log first, the database second, both idempotent; so a crash in between leaves a live row that the next sweep
ends again. A run is taken under a session number that nobody had, so whoever still writes it is fenced; the number is
raised from the one that was seen, so of two replicas that take the same run, or of a replica and a returning publisher
one goes ahead and the other looks again. A planned run that has no log yet gets one that holds its end alone: a
transcoder on its way would bring the run to life for ever. A run whose log is away is abandoned: its stream goes on in
a new one, and its end comes when the log does.
Neighbours: `decisions.ending` says when, `leases` who is there, `continuation` takes runs for publishers that return,
`sessions` and `registry` end runs at once where they must.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

from headrace.control import metrics
from headrace.control.db import Database, DatabaseError
from headrace.control.decisions.ending import Publisher, run_is_over
from headrace.control.keys import new_session_id
from headrace.control.leases import Leases
from headrace.control.model import LiveRun, SessionState
from headrace.control.settings import ControlSettings
from headrace.core.broadcast import Claim, End, Epoch, RunId
from headrace.livelog.base import Append, Entries, Fenced, LogError, NoRun, RunEnded, Taken, Unreachable
from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.aio.tasks import task_group
from headrace.runtime.telemetry.logs import RateLimited, logger

SWEEP_S = 1.0
ENDS_AT_ONCE = 8  # in one cell of the log, which may hang and keep each of them for seconds

_log = logger(__name__)
_end_failed = RateLimited(_log, "a run could not be ended, another try follows")
_sweep_failed = RateLimited(_log, "the database does not answer")


@dataclass(frozen=True, slots=True)
class Held:
    """A run that control holds: its claim and what it found in the log, None where there is none or it has ended."""

    claim: Claim
    taken: Taken | None
    planned: bool
    ended: bool = False


class Endings:
    """Ends runs, on request and by itself. `healthy` says whether the last sweep reached the database."""

    def __init__(self, settings: ControlSettings, database: Database, log: Entries, leases: Leases) -> None:
        self._settings = settings
        self._database = database
        self._log = log
        self._leases = leases
        self._locks: WeakValueDictionary[RunId, asyncio.Lock] = WeakValueDictionary()
        self._being_ended: set[RunId] = set()
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(ENDS_AT_ONCE))
        self.healthy = False

    async def end(self, run: RunId, seen: int | None = None) -> None:
        """End `run` in the log and in the database, unless it has ended, or its highest session number is not the one
        that was `seen` any more. Raises LogError, DatabaseError.
        """
        async with self._locks.setdefault(run, asyncio.Lock()):
            while (held := await self.take(run, seen, to_end=True)) is not None:
                if held.taken is not None:
                    await self._append_end(run, held.claim, held.taken)
                if held.taken is not None or held.ended:
                    # Nobody publishes anything after an end: a failover now must not take that back.
                    await self._log.wait(run)
                async with self._database.write() as tx:
                    ended = await tx.ends.end(run, unix_ms(), planned=held.planned)
                if ended is not None:
                    if ended:
                        metrics.RUNS_ENDED.inc()
                        _log.info("run ended", extra={"run": run})
                    return
                # Allocated meanwhile: its log needs an end.

    async def take(self, run: RunId, seen: int | None, *, to_end: bool) -> Held | None:
        """Hold the run in the log; nobody who wrote it before can any more, and all that was staged is published.

        None: the run has ended in the database, or its highest session number is not the one that was `seen`. A planned
        run without a log gets one `to_end` it. Raises LogError, DatabaseError.
        """
        above = 0
        while True:
            async with self._database.write() as tx:
                taken = await tx.ends.take_number(run, above, seen)
            if taken is None:
                return None
            number, planned = taken
            claim = Claim(Epoch(number, 1), new_session_id(), new_session_id())
            try:
                return Held(claim, await self._take_log(run, claim, open_new=to_end and planned), planned)
            except NoRun:
                return Held(claim, None, planned)
            except RunEnded:
                return Held(claim, None, planned, ended=True)
            except Fenced as fenced:
                # A number above ours. Either somebody took the run after us, and our next number is refused by the row;
                # or the database is older than the log (a restored copy): go above both, once.
                if fenced.epoch.session < number or above:
                    raise
                above, seen = fenced.epoch.session, number

    async def forget_lost_runs(self) -> None:
        """Once, at the start, beside a log that lived in the process before: every run went with it, every transcoder
        too. Beside one that outlives control runs go on, and leases say which do not. Raises DatabaseError.
        """
        if not self._log.in_process:
            return
        async with self._database.write() as tx:
            live = await tx.runs.all_live()
            await tx.holds.forget_all()
        for run in live:
            await self.end(run.id)

    async def sweep_for_ever(self) -> None:
        """End what is over and count what is there, each second: no log that hangs keeps the next look waiting, for
        leases are kept by it."""
        async with task_group() as group:
            while True:
                try:
                    over = await self._look()
                    self.healthy = True
                except DatabaseError as error:
                    self.healthy = False
                    metrics.DATABASE_FAILURES.labels("endings").inc()
                    _sweep_failed({"error": str(error)})
                else:
                    for run in over:
                        if run.id not in self._being_ended:
                            self._being_ended.add(run.id)
                            group.create_task(self._end_in_turn(run))
                await asyncio.sleep(SWEEP_S)

    async def sweep(self) -> None:
        """One round, to the last end. Raises DatabaseError."""
        for run in await self._look():
            await self._end_over(run)

    async def _look(self) -> Sequence[LiveRun]:
        """Keep leases; the runs that are over. Raises DatabaseError."""
        async with self._database.read() as tx:
            active = await tx.runs.active()
            unattended = await tx.runs.unattended()
            metrics.STREAMS.set(await tx.streams.count())
        without = sum(run.session.state is not SessionState.ACTIVE for run in unattended)
        metrics.RUNS_LIVE.set(len(active) + without)
        await self._leases.sweep(active)
        return [run for run in unattended if run.stream_deleted or self._over(run)]

    async def _end_in_turn(self, run: LiveRun) -> None:
        try:
            async with self._turns[run.id.rpartition("-")[0]]:  # its cell's
                await self._end_over(run)
        finally:
            self._being_ended.discard(run.id)

    async def _end_over(self, run: LiveRun) -> None:
        """What the log or the database refuses is left for the next round."""
        try:
            try:
                if run.stream_deleted or await self._gave_up(run):
                    await self.end(run.id, run.last_session)
            except LogError as error:
                metrics.END_FAILURES.inc()
                _end_failed({"run": run.id, "error": str(error)})
                if isinstance(error, Unreachable):
                    await self._abandon(run.id)
        except DatabaseError as error:
            metrics.DATABASE_FAILURES.labels("endings").inc()
            _sweep_failed({"error": str(error)})

    async def _abandon(self, run: RunId) -> None:
        """Its publisher need not wait for a log that is away: the next one starts a run in a log that answers."""
        async with self._database.write() as tx:
            if await tx.runs.abandon(run, unix_ms()):
                await tx.holds.release_run(run)

    async def _gave_up(self, run: LiveRun) -> bool:
        """Whether a lost publisher can come back no more: his edge may have named him again since we looked."""
        if run.session.state is not SessionState.LOST:
            return True
        async with self._database.write() as tx:
            return await tx.runs.move_session(run.session.id, [SessionState.LOST], SessionState.ENDED, unix_ms())

    def _over(self, run: LiveRun) -> bool:
        session = run.session
        publisher = {
            SessionState.ACTIVE: Publisher.PUBLISHING if run.planned else Publisher.DESCRIBING,
            SessionState.CLOSING: Publisher.FLUSHING,
            SessionState.LOST: Publisher.AWAY,
        }.get(session.state, Publisher.FINISHED)
        return run_is_over(
            publisher,
            session.opened_ms if session.closed_ms is None else session.closed_ms,
            unix_ms(),
            continuation_ms=round(self._settings.continuation_window_s * 1000),
            describe_ms=round(self._settings.allocate_within_s * 1000),
            flush_ms=round(self._settings.flush_within_s * 1000),
        )

    async def _take_log(self, run: RunId, claim: Claim, *, open_new: bool) -> Taken:
        taken = await self._log.takeover(run, claim, 0, open_new=open_new)
        await self._log.wait(run)
        if taken.published < taken.n:
            await self._log.publish(run, claim, taken.n)
            # One who died may have staged the end.
            taken = await self._log.takeover(run, claim, 0)
        return taken

    async def _append_end(self, run: RunId, claim: Claim, taken: Taken) -> None:
        at = max((position.start for position in taken.rungs.values()), default=0)
        staged = await self._log.stage(run, claim, taken.n + 1, Append(End(at)))
        await self._log.wait(run)
        await self._log.publish(run, claim, staged.n)

"""While a run has no session, control is its edge: it ends the runs whose publishers do not come back.

Law: the log first, the database second, both idempotent; so a crash in between leaves a live row that the next sweep
ends again. A run is ended under a session number that nobody had, so whoever still writes it is fenced. A session whose
edge died without a word is lost once no transcoder works on its run. A planned run that has no log yet gets one that
holds its end alone: a transcoder on its way would bring the run to life for ever.
Neighbours: `decisions.ending` says when, `sessions` and `registry` end runs at once where they must.
"""

import asyncio
from weakref import WeakValueDictionary

from headrace.control import metrics
from headrace.control.db import Database, DatabaseError
from headrace.control.decisions.ending import UNREPORTED_S, Publisher, run_is_over
from headrace.control.fleet import Fleet
from headrace.control.keys import new_session_id
from headrace.control.model import LiveRun, SessionState
from headrace.control.settings import ControlSettings
from headrace.core.broadcast import Claim, End, Epoch, RunId
from headrace.livelog.base import Append, Entries, Fenced, LogError, NoRun, RunEnded
from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.telemetry.logs import RateLimited, logger

SWEEP_S = 1.0

_log = logger(__name__)
_end_failed = RateLimited(_log, "a run could not be ended, another try follows")
_sweep_failed = RateLimited(_log, "the database does not answer")


class Endings:
    """Ends runs, on request and by itself. `healthy` says whether the last sweep reached the database."""

    def __init__(self, settings: ControlSettings, database: Database, log: Entries, fleet: Fleet) -> None:
        self._settings = settings
        self._database = database
        self._log = log
        self._fleet = fleet
        self._locks: WeakValueDictionary[RunId, asyncio.Lock] = WeakValueDictionary()
        self.healthy = False

    async def end(self, run: RunId) -> None:
        """End `run` in the log and in the database, unless it has ended. Raises LogError, DatabaseError."""
        async with self._locks.setdefault(run, asyncio.Lock()):
            while (planned := await self._end_in_log(run)) is not None:
                async with self._database.write() as tx:
                    if not planned and await tx.runs.plan(run) is not None:
                        continue  # allocated meanwhile: its log needs an end
                    if await tx.runs.end(run, unix_ms()):
                        metrics.RUNS_ENDED.inc()
                        _log.info("run ended", extra={"run": run})
                    return

    async def forget_lost_runs(self) -> None:
        """Once, at the start: end the runs that went with their log.

        With a log that lived in the process before, that is every run. With one that outlives control the runs that
        edges feed or still describe go on; only what is planned and not the newest in the log is gone.
        """
        async with self._database.read() as tx:
            live = await tx.runs.all_live()
        for run in live:
            if self._log.in_process or (run.planned and await self._log.current(run.stream) != run.id):
                await self.end(run.id)

    async def sweep_for_ever(self) -> None:
        """End what is over and count what is there, each second."""
        while True:
            try:
                await self.sweep()
                self.healthy = True
            except DatabaseError as error:
                self.healthy = False
                _sweep_failed({"error": str(error)})
            await asyncio.sleep(SWEEP_S)

    async def sweep(self) -> None:
        """One round. Raises DatabaseError; what the log refuses is left for the next round."""
        async with self._database.read() as tx:
            live = await tx.runs.all_live()
            metrics.STREAMS.set(await tx.streams.count())
        metrics.RUNS_LIVE.set(len(live))
        published = [run for run in live if run.planned and run.session.state is SessionState.ACTIVE]
        missing = self._fleet.missing([run.id for run in published], UNREPORTED_S)
        for run in published:
            if run.id in missing:
                await self._lose(run)
        for run in live:
            if run.stream_deleted or self._over(run):
                try:
                    await self.end(run.id)
                except LogError as error:
                    metrics.END_FAILURES.inc()
                    _end_failed({"run": run.id, "error": str(error)})

    async def _lose(self, run: LiveRun) -> None:
        async with self._database.write() as tx:
            lost = await tx.runs.move_session(run.session.id, [SessionState.ACTIVE], SessionState.LOST, unix_ms())
        if lost:
            metrics.SESSIONS_VANISHED.inc()
            _log.warning("a session is lost: no transcoder has its run", extra={"run": run.id})

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

    async def _end_in_log(self, run: RunId) -> bool | None:
        """Whether the run is planned, now that its log has an end. None: the row says that it ended already."""
        above = 0
        while True:
            async with self._database.write() as tx:
                number = await tx.runs.raise_number(run, above)
                planned = await tx.runs.plan(run) is not None
            if number is None:
                return None
            try:
                await self._append_end(run, Claim(Epoch(number, 1), new_session_id(), new_session_id()), planned)
            except (NoRun, RunEnded):
                pass
            except Fenced as fenced:
                # A number above ours: the database is older than the log (a restored copy). Go above both, once.
                if fenced.epoch.session < number or above:
                    raise
                above = fenced.epoch.session
                continue
            return planned

    async def _append_end(self, run: RunId, claim: Claim, planned: bool) -> None:
        taken = await self._log.takeover(run, claim, 0, open_new=planned)
        await self._log.wait(run)
        if taken.published < taken.n:
            await self._log.publish(run, claim, taken.n)
        at = max((position.start for position in taken.rungs.values()), default=0)
        staged = await self._log.stage(run, claim, taken.n + 1, Append(End(at)))
        await self._log.wait(run)
        await self._log.publish(run, claim, staged.n)

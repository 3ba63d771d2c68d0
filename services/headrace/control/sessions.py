"""Sessions: who may publish, where the media goes, and what happens when a publisher leaves.

Law: the database arbitrates (of two publishes with one key exactly one is accepted, on any replica); a refusal is
`Refused` with a sentence for the encoder's user. Neighbours: `service` serves it, `decisions` has the rules,
`endings` ends runs.
"""

import asyncio
from collections.abc import Sequence

from headrace.control import metrics
from headrace.control.db import Conflict, Database, DatabaseError, Transaction
from headrace.control.decisions.placement import cost_of
from headrace.control.decisions.publishing import Answer, Before, answer_publish
from headrace.control.endings import Endings
from headrace.control.fleet import Fleet
from headrace.control.keys import new_run_id
from headrace.control.model import LiveRun, Session, SessionState, Stream
from headrace.control.settings import ControlSettings
from headrace.core.broadcast import Plan, Refused, Source, StreamKey, make_plan
from headrace.core.broadcast.refusals import Reason
from headrace.livelog.base import Entries, LogError
from headrace.runtime.aio.clock import monotonic_s, unix_ms
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.wire.control import Allocated, HeldSession, OpenedSession, ReleaseReason, Verdict
from headrace.wire.types import plan_from_bytes, plan_to_bytes

APP = "live"
MAX_CONFLICTS = 10  # each means that another publish was faster, and the next look sees it: more is a database's fault
POLL_S = 0.1  # how often a waiting publish looks again; works on any replica, and 50 looks are all that it gets

_log = logger(__name__)
_refused = RateLimited(_log, "publish refused")

_BEFORE = {
    SessionState.ACTIVE: Before.PUBLISHING,
    SessionState.CLOSING: Before.FLUSHING,
    SessionState.LOST: Before.GONE,
    SessionState.ENDED: Before.GONE,
    SessionState.FAILED: Before.GONE,
}


class Sessions:
    """What edges ask: the handler of `wire.control`'s Sessions. Its reasons of release are values of `SessionState`."""

    def __init__(
        self, settings: ControlSettings, database: Database, log: Entries, fleet: Fleet, endings: Endings
    ) -> None:
        self._closing_wait_s = settings.closing_wait_s
        self._fleet_wait_s = settings.fleet_wait_s
        self._database = database
        self._log = log
        self._fleet = fleet
        self._endings = endings

    async def open_session(self, app: str, key: StreamKey, edge: str, peer: str, session_id: str) -> OpenedSession:
        """Accept a publish. Raises Refused: unknown_app, bad_key, busy, unavailable."""
        try:
            opened = await self._open(app, key, edge, peer, session_id)
        except Refused as refused:
            metrics.SESSIONS_REFUSED.labels(refused.reason.value).inc()
            _refused({"reason": refused.reason.value, "peer": peer})
            raise
        metrics.SESSIONS_OPENED.inc()
        _log.info("session opened", extra={"stream": opened.stream, "run": opened.run, "peer": peer})
        return opened

    async def allocate(self, session_id: str, source: Source, anchor_ms: int) -> Allocated:
        """Plan the run, the first time, and find a transcoder, each time.

        From here on `hls_url` answers this run: not before, since a publish whose source nobody can describe must not
        hide the run that viewers still watch. Raises Refused: unavailable, bad_source, no_capacity.
        """
        try:
            return await self._allocate(session_id, source)
        except Refused as refused:
            metrics.SESSIONS_REFUSED.labels(refused.reason.value).inc()
            _refused({"reason": refused.reason.value, "session_id": session_id})
            raise

    async def renew(self, edge: str, sessions: Sequence[HeldSession]) -> Sequence[Verdict]:
        """Which of an edge's sessions are still its own."""
        return [Verdict(one.session_id, held=True) for one in sessions]

    async def release(self, session_id: str, reason: ReleaseReason, *, flushed: bool) -> None:
        """The publisher is gone; a session that is unknown or was released before is no error.

        What the log refuses now is ended by the next sweep. Raises DatabaseError.
        """
        # A failure has nothing to wait for; everything else is closing until its media is in the log.
        final = flushed or reason is ReleaseReason.FAILED
        state = SessionState(reason.value) if final else SessionState.CLOSING
        expected = [SessionState.ACTIVE, SessionState.CLOSING] if final else [SessionState.ACTIVE]
        async with self._database.write() as tx:
            run = await tx.runs.of_session(session_id)
            if run is None or not await tx.runs.move_session(session_id, expected, state, unix_ms()):
                return
        _log.info("session released", extra={"run": run.id, "reason": reason.value, "flushed": flushed})
        if state in (SessionState.ENDED, SessionState.FAILED):
            self._fleet.release(run.id)
            try:
                await self._endings.end(run.id)
            except LogError:
                _log.exception("a run could not be ended, another try follows", extra={"run": run.id})

    async def _open(self, app: str, key: StreamKey, edge: str, peer: str, session_id: str) -> OpenedSession:
        if app != APP:
            # Without its name: encoders that are set up wrongly send the stream key in it.
            raise Refused(Reason.UNKNOWN_APP, f"There is no such application here: use {APP!r}.")
        deadline_s = monotonic_s() + self._closing_wait_s
        conflicts = 0
        while True:
            try:
                async with self._database.write() as tx:
                    stream = await tx.streams.by_key(key)
                    if stream is None:
                        raise Refused(Reason.BAD_KEY, "This stream key is not valid.")
                    before = Before.NOBODY if stream.live is None else _BEFORE[stream.live.session.state]
                    answer = answer_publish(before, waited_enough=monotonic_s() >= deadline_s)
                    if answer is Answer.START:
                        return await _start(tx, stream, edge, peer, session_id)
                if answer is Answer.REFUSE:
                    raise Refused(Reason.BUSY, f"The stream “{stream.name}” is already being published.")
                if answer is Answer.REPLACE and stream.live is not None:
                    await self._endings.end(stream.live.id)
            except (DatabaseError, LogError) as error:
                conflicts += isinstance(error, Conflict)
                if isinstance(error, Conflict) and conflicts < MAX_CONFLICTS:
                    continue
                raise Refused(Reason.UNAVAILABLE, "The service is not available, try again in a moment.") from error
            if answer is Answer.WAIT:
                await asyncio.sleep(POLL_S)

    async def _allocate(self, session_id: str, source: Source) -> Allocated:
        if source.video.frame_rate <= 0 or source.video.width <= 0 or source.video.height <= 0:
            raise Refused(Reason.BAD_SOURCE, "The video's size and frame rate must be known.")
        await self._fleet.wait_ready(self._fleet_wait_s)
        try:
            run, plan = await self._plan(session_id, source)
            targets = self._fleet.place(run.id, cost_of(plan, source))
            if not targets:
                raise Refused(Reason.NO_CAPACITY, "No transcoder has room for this stream now.")
            await self._log.set_current(run.stream, run.id)
        except (DatabaseError, LogError) as error:
            raise Refused(Reason.UNAVAILABLE, "The service is not available, try again in a moment.") from error
        return Allocated(plan, targets)

    async def _plan(self, session_id: str, source: Source) -> tuple[LiveRun, Plan]:
        async with self._database.write() as tx:
            run = await tx.runs.of_session(session_id)
            if run is None or run.session.state is not SessionState.ACTIVE:
                raise Refused(Reason.UNAVAILABLE, "This session is over.")
            stored = await tx.runs.plan(run.id)
            if stored is not None:
                return run, plan_from_bytes(stored)
            stream = await tx.streams.get(run.stream)
            if stream is None:
                raise Refused(Reason.BAD_KEY, "This stream was deleted.")
            plan = make_plan(stream.profile, source)
            await tx.runs.set_plan(run.id, plan_to_bytes(plan))
            return run, plan


async def _start(tx: Transaction, stream: Stream, edge: str, peer: str, session_id: str) -> OpenedSession:
    session = Session(session_id, new_run_id(), 1, SessionState.ACTIVE, edge, peer, unix_ms(), None)
    await tx.runs.start(stream.id, session)
    return OpenedSession(stream.id, session.run, session.number, session.id, stream.profile)

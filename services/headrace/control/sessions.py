"""Sessions: who may publish, where the media goes, and what happens when a publisher leaves.

Law: the database arbitrates (of two publishes with one key exactly one is accepted, on any replica); a refusal is
`Refused` with a sentence for the encoder's user. Neighbours: `service` serves it, `decisions` has the rules, `placing`
finds transcoders, `continuation` lets publishers return, `renewals` answers Renew, `endings` ends runs.
"""

import asyncio
from collections.abc import Sequence

from headrace.control import metrics
from headrace.control.accounts import Accounts
from headrace.control.allocating import Allocating
from headrace.control.cells import CellChoice, NoCell
from headrace.control.continuation import Continuation, opened
from headrace.control.db import Conflict, Database, DatabaseError
from headrace.control.decisions.placement import Candidate, most_of
from headrace.control.decisions.publishing import Answer, Before, answer_publish
from headrace.control.endings import Endings
from headrace.control.fleet import Fleet
from headrace.control.keys import new_run_id, new_session_id
from headrace.control.leases import Leases
from headrace.control.model import Allocation, Gone, HoldState, LiveRun, Session, SessionState, Stream
from headrace.control.placing import Placing
from headrace.control.renewals import Renewals
from headrace.control.settings import ControlSettings
from headrace.control.turns import Turns
from headrace.core.broadcast import Refused, Source, StreamKey
from headrace.core.broadcast.refusals import Reason
from headrace.livelog.base import Entries, LogError
from headrace.runtime.aio.clock import monotonic_s, unix_ms
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.wire.control import Allocated, HeldSession, OpenedSession, ReleaseReason, Verdict

APP = "live"
MAX_CONFLICTS = 10  # each means that another publish was faster, and the next look sees it: more is a database's fault
POLL_S = 0.1  # how often a waiting publish looks again; works on any replica, and 50 looks are all that it gets
FRESH_WITHIN_S = 1.5  # an edge's next report comes within a second

_log = logger(__name__)
_refused = RateLimited(_log, "publish refused")

_BEFORE = {
    SessionState.ACTIVE: Before.PUBLISHING,
    SessionState.CLOSING: Before.FLUSHING,
    SessionState.LOST: Before.LOST,
    SessionState.ENDED: Before.GONE,
    SessionState.FAILED: Before.GONE,
}


class Sessions:
    """What edges ask: the handler of `wire.control`'s Sessions. Its reasons of release are values of `SessionState`."""

    def __init__(
        self,
        settings: ControlSettings,
        database: Database,
        log: Entries,
        fleet: Fleet,
        accounts: Accounts,
        leases: Leases,
        endings: Endings,
    ) -> None:
        self._closing_wait_s = settings.closing_wait_s
        self._idle_s = settings.idle_s
        self._lease_s = settings.lease_s
        self._database = database
        self._turns = turns = Turns(database, settings.queue_length, settings.queue_wait_s)
        self._fleet = fleet
        self._leases = leases
        self._endings = endings
        self._cells = CellChoice(log, fleet.now_s)
        self._placing = Placing(settings, fleet, accounts)
        self._allocating = Allocating(turns, log, fleet, self._placing, endings)
        self._continuation = Continuation(settings.lease_s, turns, fleet, self._placing, endings)
        self._renewals = Renewals(database, fleet, leases, endings)

    async def open_session(self, app: str, key: StreamKey, edge: str, peer: str, session_id: str) -> OpenedSession:
        """Accept a publish. Raises Refused: unknown_app, bad_key, busy, no_capacity, unavailable."""
        try:
            accepted = await self._open(app, key, edge, peer, session_id)
        except Refused as refused:
            metrics.SESSIONS_REFUSED.labels(refused.reason.value).inc()
            _refused({"reason": refused.reason.value, "peer": peer})
            raise
        metrics.SESSIONS_OPENED.inc()
        self._fleet.hear_session(session_id)
        _log.info("session opened", extra={"stream": accepted.stream, "run": accepted.run, "peer": peer})
        return accepted

    async def allocate(self, session_id: str, source: Source, anchor_ms: int) -> Allocated:
        """Plan the run, the first time, and name its transcoder, each time.

        From here on `hls_url` answers this run: not before, since a publish whose source nobody can describe must not
        hide the run that viewers still watch. Raises Refused: unavailable, bad_source, no_capacity.
        """
        try:
            allocated = await self._allocating.allocate(session_id, source, anchor_ms)
        except Refused as refused:
            metrics.SESSIONS_REFUSED.labels(refused.reason.value).inc()
            _refused({"reason": refused.reason.value, "session_id": session_id})
            raise
        self._fleet.hear_session(session_id)
        return allocated

    async def renew(self, edge: str, sessions: Sequence[HeldSession]) -> Sequence[Verdict]:
        """Which of an edge's sessions are still its own. Raises Refused: unavailable, then nothing is known."""
        try:
            return await self._renewals.renew(edge, sessions)
        except (DatabaseError, LogError) as error:
            raise Refused(Reason.UNAVAILABLE, "The service is not available, ask again in a moment.") from error

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
            if run is None or not await tx.runs.move_session(
                session_id, expected, state, unix_ms(), Gone(reason.value)
            ):
                return
            await tx.holds.release_reserved(session_id)
        _log.info("session released", extra={"run": run.id, "reason": reason.value, "flushed": flushed})
        if state in (SessionState.ENDED, SessionState.FAILED):
            self._fleet.unhear_session(session_id)
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
                async with self._turns.read() as tx:
                    stream = await tx.streams.by_key(key)
                if stream is None:
                    raise Refused(Reason.BAD_KEY, "This stream key is not valid.")
                if stream.live is not None and stream.live.session.id == session_id:
                    return await self._again(stream, stream.live)
                accepted = await self._answered(stream, edge, peer, session_id, monotonic_s() >= deadline_s)
            except (DatabaseError, LogError, NoCell) as error:
                conflicts += isinstance(error, Conflict)
                if isinstance(error, Conflict) and conflicts < MAX_CONFLICTS:
                    continue
                raise Refused(Reason.UNAVAILABLE, "The service is not available, try again in a moment.") from error
            if accepted is not None:
                return accepted

    async def _again(self, stream: Stream, run: LiveRun) -> OpenedSession:
        if run.session.state is not SessionState.ACTIVE:
            raise Refused(Reason.UNAVAILABLE, "This session is over.")
        return await self._continuation.again(stream, run)

    async def _answered(
        self, stream: Stream, edge: str, peer: str, session_id: str, waited_enough: bool
    ) -> OpenedSession | None:
        """One step towards the answer; None: look again."""
        run = stream.live
        if run is None:
            return await self._start(stream, edge, peer, session_id)
        before = run.session
        answer = answer_publish(
            _BEFORE[before.state],
            waited_enough=waited_enough,
            lost=before.gone is not Gone.ENDED,
            planned=run.planned and run.anchor_ms > 0,
        )
        if answer is Answer.WAIT:
            await asyncio.sleep(POLL_S)
        elif answer is Answer.LOOK:
            if not await self._has_stopped(run):
                raise Refused(Reason.BUSY, f"The stream “{stream.name}” is already being published.")
            await self._take_from(run)
        elif answer is Answer.JOIN:
            if before.state is SessionState.CLOSING:
                await self._take_from(run)
            else:
                return await self._continuation.join(stream, run, edge, peer, session_id)
        else:
            await self._endings.end(run.id, run.last_session)
        return None

    async def _start(self, stream: Stream, edge: str, peer: str, session_id: str) -> OpenedSession:
        run = new_run_id(await self._cells.choose())
        session = Session(session_id, run, 1, SessionState.ACTIVE, edge, peer, unix_ms(), None)

        async def take(candidate: Candidate, cost: int) -> bool:
            allocation = Allocation(
                new_session_id(), run, session_id, candidate.pod, cost, HoldState.RESERVED, session.opened_ms
            )
            async with self._turns.write() as tx:
                return await tx.starts.start(stream.id, session, allocation)

        await self._placing.place(most_of(stream.profile), self._fleet.zone(edge), take, shrink=True)
        live = LiveRun(run, stream.id, session.opened_ms, False, session, False)
        return opened(stream, live, session, None, self._lease_s)

    async def _has_stopped(self, run: LiveRun) -> bool:
        """Whether the publisher has had no media for long enough, by a report of its edge that came after we asked.

        One whose edge is silent, and whose run no transcoder names, is gone.
        """
        asked_s, until_s = self._fleet.now_s(), monotonic_s() + FRESH_WITHIN_S
        while True:
            said = self._fleet.session(run.session.id)
            if said is not None:
                idle_s, heard_s = said[0].idle_ms / 1000, said[1]
                if heard_s > asked_s and idle_s >= self._idle_s:
                    return True
                if idle_s + self._fleet.now_s() - heard_s < self._idle_s:
                    return False
            if unix_ms() - run.session.opened_ms < self._idle_s * 1000:
                return False
            if monotonic_s() >= until_s:
                return self._leases.surely_gone(run, unix_ms())
            await asyncio.sleep(POLL_S)

    async def _take_from(self, run: LiveRun) -> None:
        """The publisher before this one has lost its place."""
        async with self._database.write() as tx:
            open_states = [SessionState.ACTIVE, SessionState.CLOSING]
            if await tx.runs.move_session(run.session.id, open_states, SessionState.LOST, unix_ms(), Gone.TAKEN):
                await tx.holds.release_reserved(run.session.id)
        _log.info("a publisher gives way to another", extra={"run": run.id})

"""OpenSession: a key was presented. May it publish now, in which run, and where is room for it?

Law: of two publishes with one key exactly one is accepted, on any replica, by an index of the database; who asks again
with the same session hears the same. A publisher that has stopped sending gives way, by a report that is newer than the
question.
Neighbours: `decisions.publishing` has the rules, `placing` the transcoders, `continuation` lets publishers return.
"""

import asyncio
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from headrace.control.batches import Batches
from headrace.control.cells import CellChoice, NoCell
from headrace.control.continuation import Continuation, opened
from headrace.control.db import Conflict, DatabaseError
from headrace.control.db.holds_start import Start
from headrace.control.decisions.placement import Candidate, most_of
from headrace.control.decisions.publishing import Answer, Before, answer_publish
from headrace.control.endings import Endings
from headrace.control.fleet import Fleet
from headrace.control.keys import new_run_id, new_session_id
from headrace.control.leases import Leases
from headrace.control.model import Allocation, Asked, Gone, HoldState, LiveRun, Session, SessionState, Stream
from headrace.control.placing import Placing
from headrace.control.settings import ControlSettings
from headrace.control.turns import Turns
from headrace.core.broadcast import Refused, RunId, StreamId, StreamKey
from headrace.core.broadcast.refusals import Reason
from headrace.livelog.base import LogError
from headrace.runtime.aio.clock import monotonic_s, unix_ms
from headrace.runtime.telemetry.logs import logger
from headrace.wire.control import OpenedSession

MAX_CONFLICTS = 10  # each means that another publish was faster, and the next look sees it: more is a database's fault
LOOKS = 4  # so often somebody may be faster before a publish looks for room by itself
POLL_S = 0.1  # how often a waiting publish looks again; works on any replica, and 50 looks are all that it gets
FRESH_WITHIN_S = 1.5  # an edge's next report comes within a second

_log = logger(__name__)

_BEFORE = {
    SessionState.ACTIVE: Before.PUBLISHING,
    SessionState.CLOSING: Before.FLUSHING,
    SessionState.LOST: Before.LOST,
    SessionState.ENDED: Before.GONE,
    SessionState.FAILED: Before.GONE,
}


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants to publish: the edge's pod, the encoder's host:port, the session's id, and the log's cell for a run."""

    edge: str
    peer: str
    session_id: str
    cell: str


@dataclass(frozen=True, slots=True)
class Presented:
    """A key, and who presents it."""

    key: StreamKey
    asker: Asker


@dataclass(frozen=True, slots=True)
class Looked:
    """The key's stream, if there is one, and the session that was opened at once.

    `again`: it was not, for somebody else was faster: had the transcoder's room, or asked for the same stream.
    """

    stream: Stream | None
    opened: OpenedSession | None = None
    again: bool = False


class Opening:
    """Answers OpenSession, while `run` runs. `remember` hears of sessions whose runs begin with them."""

    def __init__(
        self,
        settings: ControlSettings,
        turns: Turns,
        fleet: Fleet,
        leases: Leases,
        placing: Placing,
        endings: Endings,
        cells: CellChoice,
        remember: Callable[[Asked], None],
    ) -> None:
        self._closing_wait_s = settings.closing_wait_s
        self._idle_s = settings.idle_s
        self._lease_s = settings.lease_s
        self._turns = turns
        self._fleet = fleet
        self._leases = leases
        self._placing = placing
        self._endings = endings
        self._cells = cells
        self._remember = remember
        self._continuation = Continuation(settings.lease_s, turns, fleet, placing, endings)
        self._looks = Batches(self._look, settings.queue_length, settings.queue_wait_s)

    @property
    def waiting(self) -> int:
        """How many publishes that ask for a session wait for their answer to be looked for."""
        return self._looks.waiting

    async def run(self) -> None:
        """Until cancelled."""
        await self._looks.run()

    async def open(self, key: StreamKey, edge: str, peer: str, session_id: str) -> OpenedSession:
        """Accept a publish. Raises Refused: bad_key, busy, no_capacity, unavailable."""
        deadline_s = monotonic_s() + self._closing_wait_s
        try:
            asker = Asker(edge, peer, session_id, await self._cells.choose())
        except NoCell as error:
            raise Refused(Reason.UNAVAILABLE, "The service is not available, try again in a moment.") from error
        presented = Presented(key, asker)
        conflicts = looks = 0
        while True:
            looks += 1
            try:
                if conflicts:  # what stands in its way is not to stand in others'
                    [looked] = await self._look([presented])
                else:
                    looked = await self._looks.ask(presented)
                stream = looked.stream
                if stream is None:
                    raise Refused(Reason.BAD_KEY, "This stream key is not valid.")
                if looked.opened is not None or (looked.again and looks < LOOKS):
                    accepted = looked.opened
                elif stream.live is not None and stream.live.session.id == session_id:
                    accepted = await self._again(stream, stream.live)
                else:
                    accepted = await self._answered(stream, asker, waited_enough=monotonic_s() >= deadline_s)
            except (DatabaseError, LogError) as error:
                conflicts += isinstance(error, Conflict)
                if isinstance(error, Conflict) and conflicts < MAX_CONFLICTS:
                    continue
                raise Refused(Reason.UNAVAILABLE, "The service is not available, try again in a moment.") from error
            if accepted is not None:
                return accepted

    async def _look(self, asked: Sequence[Presented]) -> Sequence[Looked]:
        """Find the streams, and begin a run for each that has none, on the transcoder that seems best: not where there
        is none or it has no room. Raises DatabaseError.
        """
        starts: dict[StreamId, Start] = {}
        began: set[RunId] = set()
        held: dict[str, int] = {}
        try:
            async with self._turns.write() as tx:
                streams = await tx.streams.by_keys([one.key for one in asked])
                for one, stream in zip(asked, streams, strict=True):
                    if stream is None or stream.live is not None or stream.id in starts:
                        continue
                    at = self._placing.guess(most_of(stream.profile), self._fleet.zone(one.asker.edge))
                    if at is not None:
                        session = _first(one.asker)
                        starts[stream.id] = Start(stream.id, session, _reserved(session, *at))
                        self._placing.took(*at)
                if starts:
                    began, held = await tx.starts.start(list(starts.values()))
        finally:
            for start in starts.values():
                if start.allocation.pod not in held:
                    self._placing.gave_back(start.allocation)
        for pod, pixels_s in held.items():
            self._fleet.hold(pod, pixels_s)  # other replicas' runs, too
        return [self._looked(one, stream, starts, began) for one, stream in zip(asked, streams, strict=True)]

    def _looked(
        self,
        asked: Presented,
        stream: Stream | None,
        starts: Mapping[StreamId, Start],
        began: Container[RunId],
    ) -> Looked:
        if stream is None or stream.id not in starts:
            return Looked(stream)
        session = starts[stream.id].session
        if session.id != asked.asker.session_id:
            return Looked(stream, again=True)
        if session.run not in began:
            return Looked(stream, again=True)
        run = _new(stream, session)
        self._remember(Asked(run, stream.profile, None, None, starts[stream.id].allocation))
        return Looked(stream, opened(stream, run, session, None, self._lease_s))

    async def _again(self, stream: Stream, run: LiveRun) -> OpenedSession:
        if run.session.state is not SessionState.ACTIVE:
            raise Refused(Reason.UNAVAILABLE, "This session is over.")
        return await self._continuation.again(stream, run)

    async def _answered(self, stream: Stream, asker: Asker, *, waited_enough: bool) -> OpenedSession | None:
        """One step towards the answer; None: look again."""
        run = stream.live
        if run is None:
            return await self._start(stream, asker)
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
                return await self._continuation.join(stream, run, asker.edge, asker.peer, asker.session_id)
        else:
            await self._endings.end(run.id, run.last_session)
        return None

    async def _start(self, stream: Stream, asker: Asker) -> OpenedSession:
        """A new run, as soon as a transcoder has room."""
        session = _first(asker)

        async def take(candidate: Candidate, cost: int) -> bool:
            async with self._turns.write() as tx:
                began, _ = await tx.starts.start([Start(stream.id, session, _reserved(session, candidate, cost))])
                return bool(began)

        await self._placing.place(most_of(stream.profile), self._fleet.zone(asker.edge), take, shrink=True)
        return opened(stream, _new(stream, session), session, None, self._lease_s)

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
        async with self._turns.write() as tx:
            open_states = [SessionState.ACTIVE, SessionState.CLOSING]
            if await tx.runs.move_session(run.session.id, open_states, SessionState.LOST, unix_ms(), Gone.TAKEN):
                await tx.holds.release_reserved(run.session.id)
        _log.info("a publisher gives way to another", extra={"run": run.id})


def _first(asker: Asker) -> Session:
    run = new_run_id(asker.cell)
    return Session(asker.session_id, run, 1, SessionState.ACTIVE, asker.edge, asker.peer, unix_ms(), None)


def _new(stream: Stream, session: Session) -> LiveRun:
    return LiveRun(session.run, stream.id, session.opened_ms, False, session, False)


def _reserved(session: Session, candidate: Candidate, cost: int) -> Allocation:
    return Allocation(
        new_session_id(), session.run, session.id, candidate.pod, cost, HoldState.RESERVED, session.opened_ms
    )

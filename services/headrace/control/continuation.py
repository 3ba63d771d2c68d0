"""A publisher that was lost and is back: its media goes on in the same run.

Law: control takes the run in the log first, so nothing is appended behind what it saw, and the returning session's
number is above every other. Of several that return at once one joins, and the others meet it. A run that has no log to
go on with is ended.
Neighbours: `decisions.joining` says where the media goes on, `endings` takes runs, `sessions` asks.
"""

from headrace.control.decisions.joining import start_of_return
from headrace.control.decisions.placement import Candidate, most_of
from headrace.control.endings import Endings, Held
from headrace.control.fleet import Fleet
from headrace.control.keys import new_session_id
from headrace.control.model import Allocation, HoldState, LiveRun, Session, SessionState, Stream
from headrace.control.placing import Placing
from headrace.control.turns import Turns
from headrace.core.broadcast import Plan
from headrace.livelog.base import Taken
from headrace.runtime.aio.clock import unix_ms
from headrace.wire.control import OpenedSession
from headrace.wire.types import plan_from_bytes


class Moved(Exception):
    """Somebody else took the run meanwhile."""


class Continuation:
    """Lets publishers go on with runs. `lease_s` is what they are told."""

    def __init__(self, lease_s: float, database: Turns, fleet: Fleet, placing: Placing, endings: Endings) -> None:
        self._lease_s = lease_s
        self._database = database
        self._fleet = fleet
        self._placing = placing
        self._endings = endings

    async def join(self, stream: Stream, run: LiveRun, edge: str, peer: str, session_id: str) -> OpenedSession | None:
        """The run's next session; None: look again, it is not as it was. Raises Refused, LogError, DatabaseError."""
        held = await self._endings.take(run.id, run.last_session, to_end=False)
        if held is None:
            return None
        if held.taken is None:
            await self._endings.end(run.id, held.claim.epoch.session)
            return None
        plan = await self._plan(run)
        session = Session(
            session_id,
            run.id,
            held.claim.epoch.session + 1,
            SessionState.ACTIVE,
            edge,
            peer,
            unix_ms(),
            None,
            _starts_at(run, plan, held.taken),
        )
        try:
            if not await self._stay(run, session, held):
                await self._move(stream, run, session, held)
        except Moved:
            return None
        return opened(stream, run, session, plan, self._lease_s)

    async def again(self, stream: Stream, run: LiveRun) -> OpenedSession:
        """The answer to the session that was accepted before: its own was lost. Raises DatabaseError."""
        plan = await self._plan(run) if run.session.returned else None
        return opened(stream, run, run.session, plan, self._lease_s)

    async def _plan(self, run: LiveRun) -> Plan:
        async with self._database.read() as tx:
            stored = await tx.runs.plan(run.id)
        if stored is None:
            raise AssertionError("only a planned run is joined")
        return plan_from_bytes(stored)

    async def _stay(self, run: LiveRun, session: Session, held: Held) -> bool:
        """Whether the run goes on where it was: what it holds there is its next session's."""
        async with self._database.read() as tx:
            rows = await tx.holds.of_runs([run.id])
        for row in rows:
            report = self._fleet.fresh(row.pod)
            if report is None or not report.ready:
                continue
            async with self._database.write() as tx:
                if await tx.holds.transfer(row, session.id, session.opened_ms):
                    if await tx.runs.raise_number(run.id, 0, held.claim.epoch.session) != session.number:
                        raise Moved
                    await tx.runs.add_session(run, session)
                    return True
        return False

    async def _move(self, stream: Stream, run: LiveRun, session: Session, held: Held) -> None:
        """Find it another transcoder."""
        async with self._database.read() as tx:
            cost = (await tx.runs.costs([run.id])).get(run.id) or most_of(stream.profile)

        async def take(candidate: Candidate, cost: int) -> bool:
            allocation = Allocation(
                new_session_id(), run.id, session.id, candidate.pod, cost, HoldState.RESERVED, session.opened_ms
            )
            async with self._database.write() as tx:
                if not await tx.holds.hold(allocation):
                    return False
                if await tx.runs.raise_number(run.id, 0, held.claim.epoch.session) != session.number:
                    raise Moved
                await tx.runs.add_session(run, session)
                return True

        await self._placing.place(cost, self._fleet.zone(session.edge), take, shrink=True)


def opened(stream: Stream, run: LiveRun, session: Session, plan: Plan | None, lease_s: float) -> OpenedSession:
    """The answer to a session that goes on with `run`, or has it alone where `plan` is None."""
    return OpenedSession(
        stream.id,
        session.run,
        session.number,
        session.id,
        stream.profile,
        starts_at=session.starts_at,
        anchor_ms=run.anchor_ms if plan is not None else 0,
        plan=plan,
        lease_s=lease_s,
    )


def _starts_at(run: LiveRun, plan: Plan, taken: Taken) -> int:
    furthest = max(taken.rungs.values(), key=lambda one: one.start, default=None)
    start, segment_start = (0, 0) if furthest is None else (furthest.start, furthest.segment_start)
    return start_of_return(plan, max(0, unix_ms() - run.anchor_ms), start, segment_start)

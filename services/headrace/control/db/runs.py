"""Rows of runs and sessions.

Law: a change of state names the state it expects, so that of two callers exactly one sees it happen. What is decided
on the strength of a run's newest session expects the run's `last_session` to be as it was seen: that is a column of the
row that is changed, so no reader's snapshot can hide what somebody else just did.
Neighbours: `restoring` takes sessions back that the rows do not know.
"""

from collections.abc import Sequence

from sqlalchemy import case, exists, func, insert, literal, or_, select, update

from headrace.control.db.connection import Connection
from headrace.control.db.live import LIVE_COLUMNS, live_run_of, newest_of_run, not_ended, with_newest_session
from headrace.control.db.tables import TENANT, runs, sessions, streams
from headrace.control.model import Active, Gone, LiveRun, Planned, RunState, Session, SessionState
from headrace.core.broadcast import RunId

OPEN = (SessionState.ACTIVE, SessionState.CLOSING, SessionState.LOST)


# Each of them by its id: as said at `not_ended`, of all live runs PostgreSQL may look at each for each.
_published = exists().where(sessions.c.run_id == runs.c.id, sessions.c.state.not_in(set(SessionState) - {"active"}))
_ids = (
    select(runs.c.id)
    .join(streams)
    .where(runs.c.state == RunState.LIVE, or_(runs.c.plan.is_(None), streams.c.deleted_ms.is_not(None), ~_published))
    .union_all(select(runs.c.id).where(runs.c.state == RunState.ABANDONED))
    .cte("ids")
    .prefix_with("MATERIALIZED", dialect="postgresql")
)
_UNATTENDED = select(*LIVE_COLUMNS).select_from(
    _ids.join(runs, runs.c.id == _ids.c.id)
    .join(streams, streams.c.id == runs.c.stream_id)
    .join(sessions, newest_of_run())
)


class Runs:
    """Repository of runs and their sessions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def all_live(self) -> Sequence[LiveRun]:
        """Every run without an end, deleted streams' too."""
        query = select(*LIVE_COLUMNS).select_from(with_newest_session(streams)).where(runs.c.id.is_not(None))
        return [live_run_of(row) for row in await self._connection.execute(query)]

    async def unattended(self) -> Sequence[LiveRun]:
        """Those that nobody publishes, whose source is not described yet, or whose stream is deleted; the abandoned."""
        return [live_run_of(row) for row in await self._connection.execute(_UNATTENDED)]

    async def active(self) -> Sequence[Active]:
        """Every active session."""
        query = select(sessions.c.id, sessions.c.run_id, sessions.c.silent_ms.is_not(None)).where(
            sessions.c.state == SessionState.ACTIVE
        )
        return [Active(*row) for row in await self._connection.execute(query)]

    async def of_session(self, session_id: str) -> LiveRun | None:
        """The run of a session, with this session in it, while the run is live."""
        found = await self.of_sessions([session_id])
        return found[0] if found else None

    async def of_sessions(self, session_ids: Sequence[str], *, ended: bool = False) -> Sequence[LiveRun]:
        """The same for many; `ended`: those of runs that are over too."""
        query = (
            select(*LIVE_COLUMNS)
            .select_from(sessions.join(runs, runs.c.id == sessions.c.run_id).join(streams))
            .where(sessions.c.id.in_(session_ids), or_(literal(ended), not_ended()))
        )
        return [live_run_of(row) for row in await self._connection.execute(query)]

    async def raise_number(self, run: RunId, above: int = 0, seen: int | None = None) -> int | None:
        """A session number that nobody had, higher than `above`.

        None where the run has ended, or its highest number is not the one that the caller has `seen`.
        """
        expected = [runs.c.last_session == seen] if seen is not None else []
        floor = case((runs.c.last_session < above, above), else_=runs.c.last_session)
        done = await self._connection.execute(
            update(runs)
            .where(runs.c.id == run, not_ended(), *expected)
            .values(last_session=floor + 1)
            .returning(runs.c.last_session)
        )
        number: int | None = done.scalar_one_or_none()
        return number

    async def add_session(self, run: LiveRun, session: Session) -> None:
        """The run's next session. Raises Conflict (through the transaction) where another publisher was faster."""
        await self._connection.execute(
            insert(sessions).values(
                id=session.id,
                tenant_id=TENANT,
                stream_id=run.stream,
                run_id=session.run,
                number=session.number,
                state=session.state,
                edge=session.edge,
                peer=session.peer,
                opened_ms=session.opened_ms,
                starts_at=session.starts_at,
            )
        )

    async def move_session(
        self,
        session_id: str,
        expected: Sequence[SessionState],
        state: SessionState,
        now_ms: int,
        gone: Gone | None = None,
        *,
        silent: bool = False,
    ) -> bool:
        """Whether the session was in one of the `expected` states and is in `state` now; `gone` says why.

        `silent`: only where it is marked so.
        """
        marked = [sessions.c.silent_ms.is_not(None)] if silent else []
        done = await self._connection.execute(
            update(sessions)
            .where(sessions.c.id == session_id, sessions.c.state.in_(expected), *marked)
            .values(
                state=state,
                closed_ms=func.coalesce(sessions.c.closed_ms, now_ms),
                gone=func.coalesce(sessions.c.gone, gone),
            )
        )
        return done.rowcount == 1

    async def mark_silent(self, session_ids: Sequence[str], now_ms: int | None) -> None:
        """This replica has not heard of them for a while; None: it hears of them."""
        silent = sessions.c.silent_ms.is_(None) if now_ms is not None else sessions.c.silent_ms.is_not(None)
        await self._connection.execute(
            update(sessions)
            .where(sessions.c.id.in_(session_ids), sessions.c.state == SessionState.ACTIVE, silent)
            .values(silent_ms=now_ms)
        )

    async def revive(self, run: LiveRun) -> bool:
        """Whether the run's session, lost in silence, is the newest still, and active again."""
        kept = await self._connection.execute(
            update(runs)
            .where(runs.c.id == run.id, not_ended(), runs.c.last_session == run.session.number)
            .values(last_session=run.session.number)
        )
        if kept.rowcount != 1:
            return False
        done = await self._connection.execute(
            update(sessions)
            .where(
                sessions.c.id == run.session.id,
                sessions.c.state == SessionState.LOST,
                sessions.c.gone == Gone.SILENT,
            )
            .values(state=SessionState.ACTIVE, closed_ms=None, gone=None, silent_ms=None)
        )
        return done.rowcount == 1

    async def set_plan(self, run: RunId, planned: Planned) -> bool:
        """Whether the run is live, had no plan, and has this one now: it is made once."""
        done = await self._connection.execute(
            update(runs)
            .where(runs.c.id == run, not_ended(), runs.c.plan.is_(None))
            .values(plan=planned.plan, source=planned.source, anchor_ms=planned.anchor_ms, cost=planned.cost)
        )
        return done.rowcount == 1

    async def plan(self, run: RunId) -> bytes | None:
        """The run's plan as it was stored, if it has one."""
        plan: bytes | None = (
            await self._connection.execute(select(runs.c.plan).where(runs.c.id == run))
        ).scalar_one_or_none()
        return plan

    async def costs(self, ids: Sequence[RunId]) -> dict[RunId, int]:
        """What these runs cost, pixels/s, as far as they are planned."""
        query = select(runs.c.id, runs.c.cost).where(runs.c.id.in_(ids), runs.c.cost.is_not(None))
        return {row.id: row.cost for row in await self._connection.execute(query)}

    async def abandon(self, run: RunId, now_ms: int) -> bool:
        """Whether nobody publishes the run, and its stream goes on without it now; its end is still to come."""
        done = await self._connection.execute(
            update(runs)
            .where(runs.c.id == run, runs.c.state == RunState.LIVE, ~_published)
            .values(state=RunState.ABANDONED, last_session=runs.c.last_session + 1)
        )
        if done.rowcount == 1:
            await self.end_sessions(run, now_ms)
        return done.rowcount == 1

    async def end_sessions(self, run: RunId, now_ms: int) -> None:
        """The run has ended: so have those of its sessions that were open."""
        await self._connection.execute(
            update(sessions)
            .where(sessions.c.run_id == run, sessions.c.state.in_(OPEN))
            .values(state=SessionState.ENDED, closed_ms=func.coalesce(sessions.c.closed_ms, now_ms))
        )

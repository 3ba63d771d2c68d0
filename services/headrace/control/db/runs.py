"""Rows of runs and sessions.

Law: a change of state names the state it expects, so that of two callers exactly one sees it happen.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import FromClause, Row, and_, case, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from headrace.control.db.tables import TENANT, runs, sessions, streams
from headrace.control.model import LiveRun, RunState, Session, SessionState
from headrace.core.broadcast import RunId, StreamId

OPEN = (SessionState.ACTIVE, SessionState.CLOSING, SessionState.LOST)

LIVE_COLUMNS = (
    runs.c.id.label("live_id"),
    runs.c.stream_id.label("live_stream"),
    runs.c.created_ms.label("live_created_ms"),
    runs.c.plan.is_not(None).label("live_planned"),
    streams.c.deleted_ms.is_not(None).label("live_stream_deleted"),
    sessions.c.id.label("session_id"),
    sessions.c.run_id,
    sessions.c.number,
    sessions.c.state,
    sessions.c.edge,
    sessions.c.peer,
    sessions.c.opened_ms,
    sessions.c.closed_ms,
)


def with_newest_session(left: FromClause) -> FromClause:
    """Streams with their live run and its newest session, where they have one."""
    other = sessions.alias("other")
    newest = select(func.max(other.c.number)).where(other.c.run_id == runs.c.id).scalar_subquery()
    return left.outerjoin(runs, and_(runs.c.stream_id == streams.c.id, runs.c.state == RunState.LIVE)).outerjoin(
        sessions, and_(sessions.c.run_id == runs.c.id, sessions.c.number == newest)
    )


def live_run_of(row: Row[Any]) -> LiveRun:
    """A row that holds `LIVE_COLUMNS`."""
    return LiveRun(
        id=row.live_id,
        stream=row.live_stream,
        created_ms=row.live_created_ms,
        planned=bool(row.live_planned),
        session=_session_of(row),
        stream_deleted=bool(row.live_stream_deleted),
    )


class Runs:
    """Repository of runs and their sessions."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def start(self, stream: StreamId, session: Session) -> None:
        """A new run with its first session. Raises Conflict (through the transaction) where the stream has one."""
        await self._connection.execute(
            insert(runs).values(
                id=session.run,
                tenant_id=TENANT,
                stream_id=stream,
                state=RunState.LIVE,
                created_ms=session.opened_ms,
                last_session=session.number,
            )
        )
        await self._connection.execute(
            insert(sessions).values(
                id=session.id,
                tenant_id=TENANT,
                stream_id=stream,
                run_id=session.run,
                number=session.number,
                state=session.state,
                edge=session.edge,
                peer=session.peer,
                opened_ms=session.opened_ms,
            )
        )

    async def all_live(self) -> Sequence[LiveRun]:
        """Every run without an end, deleted streams' too."""
        query = select(*LIVE_COLUMNS).select_from(with_newest_session(streams)).where(runs.c.id.is_not(None))
        return [live_run_of(row) for row in await self._connection.execute(query)]

    async def of_session(self, session_id: str) -> LiveRun | None:
        """The run of a session, with this session in it, while the run is live."""
        query = (
            select(*LIVE_COLUMNS)
            .select_from(sessions.join(runs, runs.c.id == sessions.c.run_id).join(streams))
            .where(sessions.c.id == session_id, runs.c.state == RunState.LIVE)
        )
        row = (await self._connection.execute(query)).first()
        return live_run_of(row) if row else None

    async def raise_number(self, run: RunId, above: int = 0) -> int | None:
        """A session number that nobody had, higher than `above`; None where the run has ended."""
        floor = case((runs.c.last_session < above, above), else_=runs.c.last_session)
        done = await self._connection.execute(
            update(runs)
            .where(runs.c.id == run, runs.c.state == RunState.LIVE)
            .values(last_session=floor + 1)
            .returning(runs.c.last_session)
        )
        number: int | None = done.scalar_one_or_none()
        return number

    async def move_session(
        self, session_id: str, expected: Sequence[SessionState], state: SessionState, now_ms: int
    ) -> bool:
        """Whether the session was in one of the `expected` states and is in `state` now."""
        done = await self._connection.execute(
            update(sessions)
            .where(sessions.c.id == session_id, sessions.c.state.in_(expected))
            .values(state=state, closed_ms=func.coalesce(sessions.c.closed_ms, now_ms))
        )
        return done.rowcount == 1

    async def plan(self, run: RunId) -> bytes | None:
        """The run's plan as it was stored, if it has one."""
        return (await self._connection.execute(select(runs.c.plan).where(runs.c.id == run))).scalar_one_or_none()

    async def set_plan(self, run: RunId, plan: bytes) -> None:
        """Store the run's plan, unless it has one: it is made once."""
        await self._connection.execute(update(runs).where(runs.c.id == run, runs.c.plan.is_(None)).values(plan=plan))

    async def end(self, run: RunId, now_ms: int) -> bool:
        """Whether the run was live and has ended now, its open sessions with it."""
        done = await self._connection.execute(
            update(runs)
            .where(runs.c.id == run, runs.c.state == RunState.LIVE)
            .values(state=RunState.ENDED, ended_ms=now_ms)
        )
        await self._connection.execute(
            update(sessions)
            .where(sessions.c.run_id == run, sessions.c.state.in_(OPEN))
            .values(state=SessionState.ENDED, closed_ms=func.coalesce(sessions.c.closed_ms, now_ms))
        )
        return done.rowcount == 1


def _session_of(row: Row[Any]) -> Session:
    return Session(
        id=row.session_id,
        run=row.run_id,
        number=row.number,
        state=SessionState(row.state),
        edge=row.edge,
        peer=row.peer,
        opened_ms=row.opened_ms,
        closed_ms=row.closed_ms,
    )

"""Live runs with one of their sessions: how they are asked for, and how they are read.

Neighbours: `runs`, `streams` and `asking` ask.
"""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Row, and_, func, select

from headrace.control.db.tables import runs, sessions, streams
from headrace.control.model import Gone, LiveRun, RunState, Session, SessionState

LIVE_COLUMNS = (
    runs.c.id.label("live_id"),
    runs.c.stream_id.label("live_stream"),
    runs.c.created_ms.label("live_created_ms"),
    runs.c.plan.is_not(None).label("live_planned"),
    runs.c.last_session.label("live_last_session"),
    runs.c.anchor_ms.label("live_anchor_ms"),
    streams.c.deleted_ms.is_not(None).label("live_stream_deleted"),
    sessions.c.id.label("session_id"),
    sessions.c.run_id,
    sessions.c.number,
    sessions.c.state,
    sessions.c.edge,
    sessions.c.peer,
    sessions.c.opened_ms,
    sessions.c.closed_ms,
    sessions.c.starts_at,
    sessions.c.gone,
    sessions.c.silent_ms,
)


def with_newest_session(left: FromClause, *, by_stream: bool = False) -> FromClause:
    """Streams with their live run and its newest session, where they have one. `by_stream`: of few streams."""
    its = and_(runs.c.stream_id == streams.c.id, runs.c.state == RunState.LIVE)
    if by_stream:  # else PostgreSQL may go through all live runs for each of them, which it believes to be none
        live = runs.alias("live")
        its_id = select(live.c.id).where(live.c.stream_id == streams.c.id, live.c.state == RunState.LIVE)
        its = runs.c.id == its_id.scalar_subquery()
    return left.outerjoin(runs, its).outerjoin(sessions, newest_of_run())


def newest_of_run() -> ColumnElement[bool]:
    """A session, of its run the newest."""
    other = sessions.alias("other")
    newest = select(func.max(other.c.number)).where(other.c.run_id == runs.c.id).scalar_subquery()
    return and_(sessions.c.run_id == runs.c.id, sessions.c.number == newest)


def not_ended() -> ColumnElement[bool]:
    """Live, of a run that is known by its id.

    In these words, since the index of live runs is small, and PostgreSQL, which believes that it is empty, would go
    through all of it rather than ask for the one run.
    """
    return runs.c.state != RunState.ENDED


def live_run_of(row: Row[Any]) -> LiveRun:
    """A row that holds `LIVE_COLUMNS`."""
    return LiveRun(
        id=row.live_id,
        stream=row.live_stream,
        created_ms=row.live_created_ms,
        planned=bool(row.live_planned),
        session=_session_of(row),
        stream_deleted=bool(row.live_stream_deleted),
        last_session=row.live_last_session,
        anchor_ms=row.live_anchor_ms or 0,
    )


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
        starts_at=row.starts_at,
        gone=None if row.gone is None else Gone(row.gone),
        silent=row.silent_ms is not None,
    )

"""What every release and every end of a run pays, in as few messages as it can be said in.

Law: on PostgreSQL a release is one statement, the end of a run two: its row first, and then, by a second look, all that
others may have given it before they lost that row. On SQLite the same in steps.
Neighbours: `runs` and `holds` have the steps, `control.endings` and `control.sessions` ask.
"""

from sqlalchemy import bindparam, case, func, select, text, update

from headrace.control.db.connection import Connection
from headrace.control.db.holds import Holds
from headrace.control.db.live import not_ended
from headrace.control.db.runs import Runs
from headrace.control.db.tables import runs
from headrace.control.model import Gone, RunState, SessionState
from headrace.core.broadcast import RunId

_FREE = """p AS (UPDATE pods SET held = held - f.cost
    FROM (SELECT pod, sum(cost) AS cost FROM a GROUP BY pod) f WHERE pods.id = f.pod)"""

_LEAVE = text(f"""WITH s AS (UPDATE sessions SET state = :state, closed_ms = coalesce(closed_ms, :now),
        gone = coalesce(gone, :gone)
    FROM runs WHERE sessions.id = :session AND sessions.state IN ('active', :other)
        AND runs.id = sessions.run_id AND runs.state <> 'ended' RETURNING sessions.run_id),
    a AS (DELETE FROM allocations WHERE session_id = :session AND state = 'reserved' AND EXISTS (SELECT 1 FROM s)
        RETURNING pod, cost),
    {_FREE}
    SELECT run_id FROM s""")

_ENDED = text(f"""WITH s AS (UPDATE sessions SET state = 'ended', closed_ms = coalesce(closed_ms, :now)
    WHERE run_id = :run AND state IN ('active', 'closing', 'lost')),
    a AS (DELETE FROM allocations WHERE run_id = :run AND state = 'reserved' RETURNING pod, cost),
    {_FREE}
    SELECT 1""")

_TAKE = (
    update(runs)
    .where(runs.c.id == bindparam("run"), not_ended())
    .values(
        last_session=case((runs.c.last_session < bindparam("above"), bindparam("above")), else_=runs.c.last_session) + 1
    )
    .returning(runs.c.last_session, func.length(runs.c.plan).label("planned"))
)
_END = (
    update(runs)
    .where(runs.c.id == bindparam("run"), not_ended())
    .values(state=RunState.ENDED, ended_ms=bindparam("now"))
)
_END_UNPLANNED = _END.where(runs.c.plan.is_(None))
_TAKE_SEEN = _TAKE.where(runs.c.last_session == bindparam("seen"))


class Ends:
    """The hot half of the repository of sessions and runs, where they end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._runs = Runs(connection)
        self._holds = Holds(connection)
        self._whole = connection.dialect.name == "postgresql"

    async def take_number(self, run: RunId, above: int = 0, seen: int | None = None) -> tuple[int, bool] | None:
        """As `Runs.raise_number`, and whether the run is planned. Nothing follows."""
        values = {"run": run, "above": above, "seen": seen}
        taken = (await self._connection.execute_last(_TAKE if seen is None else _TAKE_SEEN, values)).first()
        return None if taken is None else (taken.last_session, taken.planned is not None)

    async def leave(self, session_id: str, state: SessionState, now_ms: int, gone: Gone) -> RunId | None:
        """The session's publisher is gone: it is in `state` now, and what nobody was told of is free. Its run, if that
        is live and the session was active, or closing and is not to be so again. Nothing follows.
        """
        other = SessionState.ACTIVE if state is SessionState.CLOSING else SessionState.CLOSING
        if self._whole:
            values = {"session": session_id, "state": state, "now": now_ms, "gone": gone, "other": other}
            left: RunId | None = (await self._connection.execute_last(_LEAVE, values)).scalar_one_or_none()
            return left
        run = await self._runs.of_session(session_id)
        if run is None or not await self._runs.move_session(
            session_id, [SessionState.ACTIVE, other], state, now_ms, gone
        ):
            return None
        await self._holds.release_reserved(session_id)
        return run.id

    async def end(self, run: RunId, now_ms: int, *, planned: bool) -> bool | None:
        """Whether the run was live and has ended now, its open sessions with it; what nobody was told of is free.

        None where it has a plan although the caller thinks that it is not `planned`: then nothing happened. Nothing
        follows.
        """
        ended = await self._end(run, now_ms, planned=planned)
        if not ended:
            return ended
        if self._whole:
            await self._connection.execute_last(_ENDED, {"run": run, "now": now_ms})
        else:
            await self._runs.end_sessions(run, now_ms)
            await self._holds.release_run(run)
        return True

    async def _end(self, run: RunId, now_ms: int, *, planned: bool) -> bool | None:
        done = await self._connection.execute(_END if planned else _END_UNPLANNED, {"run": run, "now": now_ms})
        if done.rowcount != 1:
            query = select(runs.c.id).where(runs.c.id == run, not_ended())
            return None if (await self._connection.execute(query)).first() else False
        return True

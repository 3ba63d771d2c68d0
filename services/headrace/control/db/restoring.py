"""Sessions that their edges hold and this database does not know: it was restored to an earlier day.

Law: rows are made, or raised to what the edge says, never lowered. What the older database believes to be published
gives way where nobody publishes it.
Neighbours: `control.renewals` decides what is taken back.
"""

from sqlalchemy import case, func, insert, select, update

from headrace.control.db.connection import Connection
from headrace.control.db.runs import Runs
from headrace.control.db.tables import TENANT, runs, sessions
from headrace.control.model import Gone, RunState, Session, SessionState
from headrace.core.broadcast import RunId, StreamId


class Restoring:
    """Repository of what was forgotten."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def state(self, run: RunId) -> RunState | None:
        """The run's state, if it is known."""
        state = (await self._connection.execute(select(runs.c.state).where(runs.c.id == run))).scalar_one_or_none()
        return None if state is None else RunState(state)

    async def displace(self, session_id: str, now_ms: int) -> None:
        """Nobody publishes this one any more."""
        await Runs(self._connection).move_session(
            session_id, [SessionState.ACTIVE, SessionState.CLOSING], SessionState.LOST, now_ms, Gone.TAKEN
        )

    async def take_back(
        self,
        stream: StreamId,
        session: Session,
        *,
        plan: bytes | None,
        source: bytes | None,
        anchor_ms: int | None,
        cost: int | None,
    ) -> None:
        """Make or raise the session's run, and make the session.

        Raises Conflict (through the transaction) where the stream has another live run or publisher, or the number is
        somebody else's.
        """
        known = {"plan": plan, "source": source, "anchor_ms": anchor_ms, "cost": cost}
        highest = case((runs.c.last_session < session.number, session.number), else_=runs.c.last_session)
        raised = await self._connection.execute(
            update(runs)
            .where(runs.c.id == session.run, runs.c.state == RunState.LIVE)
            .values(last_session=highest, **{k: func.coalesce(runs.c[k], v) for k, v in known.items()})
        )
        if raised.rowcount != 1:
            await self._connection.execute(
                insert(runs).values(
                    id=session.run,
                    tenant_id=TENANT,
                    stream_id=stream,
                    state=RunState.LIVE,
                    created_ms=session.opened_ms,
                    last_session=session.number,
                    **known,
                )
            )
        await self._connection.execute(
            insert(sessions).values(
                id=session.id,
                tenant_id=TENANT,
                stream_id=stream,
                run_id=session.run,
                number=session.number,
                state=SessionState.ACTIVE,
                edge=session.edge,
                peer=session.peer,
                opened_ms=session.opened_ms,
                starts_at=session.starts_at,
            )
        )

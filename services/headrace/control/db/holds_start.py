"""The two statements that every publish pays: a run begins on a transcoder, and a described source settles there.

Law: on PostgreSQL each is one statement, one round trip that is a transaction of its own; on SQLite, which has no such
statement, the same in steps inside one. Both do everything or nothing.
Neighbours: `holds` does what is rare, `control.sessions` asks.
"""

from sqlalchemy import text

from headrace.control.db.asking import asked
from headrace.control.db.connection import Connection
from headrace.control.db.tables import TENANT
from headrace.control.model import Allocation, Asked, Planned, Session
from headrace.core.broadcast import StreamId

_POD = """UPDATE pods SET held = held + :cost
    WHERE id = :pod AND state = 'ready' AND (held + :cost <= capacity OR held = 0)"""
_RUN = """INSERT INTO runs (id, tenant_id, stream_id, state, created_ms, last_session)
    SELECT :run, :tenant, :stream, 'live', :now, 1"""
_SESSION = """INSERT INTO sessions (id, tenant_id, stream_id, run_id, number, state, edge, peer, opened_ms)
    SELECT :session, :tenant, :stream, :run, 1, 'active', :edge, :peer, :now"""
_ALLOCATION = """INSERT INTO allocations (id, tenant_id, run_id, session_id, pod, cost, state, held_ms)
    SELECT :allocation, :tenant, :run, :session, :pod, :cost, 'reserved', :now"""

_START = text(f"""WITH p AS ({_POD} RETURNING id),
    r AS ({_RUN} FROM p RETURNING id),
    s AS ({_SESSION} FROM r RETURNING id)
    {_ALLOCATION} FROM s RETURNING id""")
_STEPS = tuple(text(step) for step in (_POD, _RUN, _SESSION, _ALLOCATION))

_SETTLED = """UPDATE allocations SET state = 'held', cost = :cost, held_ms = :now
    WHERE id = :allocation AND state = 'reserved' AND cost = :reserved"""
_LESS = "UPDATE pods SET held = held + :more WHERE id = :pod"
_PLANNED = """UPDATE runs SET plan = :plan, source = :source, anchor_ms = :anchor, cost = :cost
    WHERE id = :run AND state <> 'ended' AND plan IS NULL"""
# The run's row decides: where it has ended or was planned by somebody else, nothing happens.
_SETTLE = text(f"""WITH r AS ({_PLANNED} RETURNING id),
    a AS ({_SETTLED} AND EXISTS (SELECT 1 FROM r) RETURNING id),
    p AS ({_LESS} AND EXISTS (SELECT 1 FROM a) RETURNING id)
    SELECT (SELECT count(*) FROM r) AS stored, (SELECT count(*) FROM p) AS settled""")


class Starts:
    """The hot half of the repository of runs and allocations."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._whole = connection.dialect.name == "postgresql"

    async def start(self, stream: StreamId, session: Session, allocation: Allocation) -> bool:
        """A new run, its first session, and what it reserves: whether the pod had the room. Nothing follows.

        Raises Conflict (through the transaction) where the stream has a run, or the session's id was used.
        """
        values = {
            "stream": stream,
            "run": session.run,
            "session": session.id,
            "edge": session.edge,
            "peer": session.peer,
            "now": session.opened_ms,
            "allocation": allocation.id,
            "pod": allocation.pod,
            "cost": allocation.cost,
            "tenant": TENANT,
        }
        if self._whole:
            return (await self._connection.execute_last(_START, values)).first() is not None
        for step in _STEPS:
            if (await self._connection.execute(step, values)).rowcount != 1:
                return False  # the first step's answer: no room
        return True

    async def asked(self, session_id: str) -> Asked | None:
        """A session of a live run, with all that Allocate needs."""
        return await asked(self._connection, session_id)

    async def plan(self, allocation: Allocation, planned: Planned, now_ms: int) -> tuple[bool, bool]:
        """Store the plan of a live run that has none, and have its reservation cost as much, no more than it does.

        Whether the plan is stored, and whether the reservation was there. Nothing follows.
        """
        values = {
            "allocation": allocation.id,
            "reserved": allocation.cost,
            "more": planned.cost - allocation.cost,
            "pod": allocation.pod,
            "run": allocation.run,
            "cost": planned.cost,
            "now": now_ms,
            "plan": planned.plan,
            "source": planned.source,
            "anchor": planned.anchor_ms,
        }
        if self._whole:
            stored, settled = (await self._connection.execute_last(_SETTLE, values)).one()
            return bool(stored), bool(settled)
        if (await self._connection.execute(text(_PLANNED), values)).rowcount != 1:
            return False, False
        if (await self._connection.execute(text(_SETTLED), values)).rowcount != 1:
            return True, False
        return True, (await self._connection.execute(text(_LESS), values)).rowcount == 1

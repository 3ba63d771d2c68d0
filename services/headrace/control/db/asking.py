"""What Allocate asks of the database, in one statement.

Neighbours: `control.sessions` asks.
"""

import json

from sqlalchemy import bindparam, select

from headrace.control.db.connection import Connection
from headrace.control.db.live import LIVE_COLUMNS, live_run_of, not_ended
from headrace.control.db.tables import allocations, runs, sessions, streams
from headrace.control.model import Allocation, Asked, HoldState
from headrace.core.broadcast import Profile

_QUERY = (
    select(
        *LIVE_COLUMNS,
        streams.c.profile,
        runs.c.plan,
        runs.c.source,
        allocations.c.id.label("allocation"),
        allocations.c.pod,
        allocations.c.cost,
        allocations.c.state.label("allocation_state"),
        allocations.c.held_ms,
    )
    .select_from(
        sessions.join(runs, runs.c.id == sessions.c.run_id)
        .join(streams, streams.c.id == runs.c.stream_id)
        .outerjoin(allocations, allocations.c.session_id == sessions.c.id)
    )
    .where(sessions.c.id == bindparam("session_id"), not_ended())
    .order_by(allocations.c.held_ms.desc())
    .limit(1)
)


async def asked(connection: Connection, session_id: str) -> Asked | None:
    """A session of a live run, with all that Allocate needs."""
    row = (await connection.execute(_QUERY, {"session_id": session_id})).first()
    if row is None:
        return None
    run = live_run_of(row)
    held = None
    if row.allocation is not None:
        state = HoldState(row.allocation_state)
        held = Allocation(row.allocation, run.id, session_id, row.pod, row.cost, state, row.held_ms)
    return Asked(run, Profile.parse(json.loads(row.profile)), row.plan, row.source, held)

"""What Allocate asks of the database, for any number of sessions in one statement.

Neighbours: `control.allocating` asks.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, Row, Text, any_, bindparam, select

from headrace.control.db.connection import Connection
from headrace.control.db.live import LIVE_COLUMNS, live_run_of, not_ended
from headrace.control.db.tables import allocations, runs, sessions, streams
from headrace.control.model import Allocation, Asked, HoldState
from headrace.core.broadcast import Profile

_BY_SESSION = (
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
    .where(not_ended())
    .order_by(allocations.c.held_ms)
)
_OF_ANY = _BY_SESSION.where(sessions.c.id == any_(bindparam("session_ids", type_=ARRAY(Text))))
_IN_LIST = _BY_SESSION.where(sessions.c.id.in_(bindparam("session_ids", expanding=True)))


async def asked(connection: Connection, session_ids: Sequence[str]) -> dict[str, Asked]:
    """Those of the sessions whose runs are live, with all that Allocate needs."""
    query = _OF_ANY if connection.dialect.name == "postgresql" else _IN_LIST
    rows = await connection.execute(query, {"session_ids": list(session_ids)})
    return {row.session_id: _asked(row) for row in rows}  # of what is held for one, the newest


def _asked(row: Row[Any]) -> Asked:
    run = live_run_of(row)
    held = None
    if row.allocation is not None:
        state = HoldState(row.allocation_state)
        held = Allocation(row.allocation, run.id, run.session.id, row.pod, row.cost, state, row.held_ms)
    return Asked(run, Profile.parse(json.loads(row.profile)), row.plan, row.source, held)

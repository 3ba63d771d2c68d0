"""The statements that every publish pays: runs begin on transcoders, and described sources settle there.

Law: on PostgreSQL each is one statement for any number of publishes, one round trip that is committed by itself; on
SQLite, which has no such statement, the same in steps inside one transaction. Each publish gets everything or nothing.
Rows of pods are locked in the order of their names.
Neighbours: `holds` does what is rare, `control.opening` and `control.allocating` ask.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, text

from headrace.control.db.asking import asked
from headrace.control.db.connection import Connection
from headrace.control.db.tables import TENANT
from headrace.control.model import Allocation, Asked, Planned, Session
from headrace.core.broadcast import RunId, StreamId

_POD = """UPDATE pods SET held = held + :cost
    WHERE id = :pod AND state = 'ready' AND (held + :cost <= capacity OR held = 0)"""
_RUN = """INSERT INTO runs (id, tenant_id, stream_id, state, created_ms, last_session)
    SELECT {run}, :tenant, {stream}, 'live', {now}, 1"""
_SESSION = """INSERT INTO sessions (id, tenant_id, stream_id, run_id, number, state, edge, peer, opened_ms)
    SELECT {session}, :tenant, {stream}, {run}, 1, 'active', {edge}, {peer}, {now}"""
_ALLOCATION = """INSERT INTO allocations (id, tenant_id, run_id, session_id, pod, cost, state, held_ms)
    SELECT {allocation}, :tenant, {run}, {session}, {pod}, {cost}, 'reserved', {now}"""
_START_TYPES = {
    "stream": "text",
    "run": "text",
    "session": "text",
    "edge": "text",
    "peer": "text",
    "now": "bigint",
    "allocation": "text",
    "pod": "text",
    "cost": "bigint",
}
_HELD = text("SELECT id, held FROM pods WHERE id IN :pods AND state = 'ready'").bindparams(
    bindparam("pods", expanding=True)
)
_STEPS = (text(_POD), *(text(s.format(**{n: f":{n}" for n in _START_TYPES})) for s in (_RUN, _SESSION, _ALLOCATION)))


def _many(types: Mapping[str, str]) -> str:
    """Rows from as many arrays."""
    arrays = ", ".join(f"CAST(:{name} AS {type_}[])" for name, type_ in types.items())
    return f"w AS (SELECT * FROM unnest({arrays}) AS w ({', '.join(types)}))"


_OF_OK = {name: f"ok.{name}" for name in _START_TYPES}
# Of several on one pod as many as fit, by what is held there once its row is ours; an idle pod takes one run whatever
# that costs.
_START = text(f"""WITH {_many(_START_TYPES)},
    chosen AS (SELECT DISTINCT pod FROM w),
    locked AS (SELECT pods.id, pods.held, pods.capacity FROM pods JOIN chosen ON pods.id = chosen.pod
        WHERE pods.state = 'ready' ORDER BY pods.id FOR UPDATE OF pods),
    ok AS (SELECT u.* FROM (SELECT *, sum(cost) OVER (PARTITION BY pod ORDER BY run) AS upto FROM w) u
        JOIN locked ON locked.id = u.pod WHERE held + upto <= capacity OR held = 0 AND upto = cost),
    sums AS (SELECT pod, sum(cost) AS cost FROM ok GROUP BY pod),
    p AS (UPDATE pods SET held = pods.held + sums.cost FROM sums WHERE pods.id = sums.pod
        RETURNING pods.id, pods.held),
    r AS ({_RUN.format(**_OF_OK)} FROM ok RETURNING id),
    s AS ({_SESSION.format(**_OF_OK)} FROM ok JOIN r ON r.id = ok.run RETURNING run_id),
    a AS ({_ALLOCATION.format(**_OF_OK)} FROM ok JOIN s ON s.run_id = ok.run RETURNING run_id)
    SELECT a.run_id, w.pod, coalesce(p.held, locked.held) AS held
        FROM w LEFT JOIN a ON a.run_id = w.run LEFT JOIN p ON p.id = w.pod LEFT JOIN locked ON locked.id = w.pod""")

_SETTLED = """UPDATE allocations SET state = 'held', cost = :cost, held_ms = :now
    WHERE id = :allocation AND state = 'reserved' AND cost = :reserved"""
_LESS = "UPDATE pods SET held = held + :more WHERE id = :pod"
# Scalars, so that PostgreSQL asks for the one row: it would go through all active sessions instead.
_GOES_ON_AIR = """runs.state <> 'ended' AND runs.plan IS NULL
    AND (SELECT sessions.state FROM sessions WHERE sessions.id = {session}) = 'active'
    AND (SELECT streams.deleted_ms FROM streams WHERE streams.id = runs.stream_id) IS NULL"""
_PLANNED = f"""UPDATE runs SET plan = :plan, source = :source, anchor_ms = :anchor, cost = :cost
    WHERE id = :run AND {_GOES_ON_AIR.format(session=":session")}"""
_SETTLE_TYPES = {
    "allocation": "text",
    "reserved": "bigint",
    "more": "bigint",
    "pod": "text",
    "run": "text",
    "session": "text",
    "cost": "bigint",
    "now": "bigint",
    "plan": "bytea",
    "source": "bytea",
    "anchor": "bigint",
}
# A run's row decides: where it has ended or was planned by somebody else, nothing happens; nor for a session that is
# over, or a stream that was deleted.
_SETTLE = text(f"""WITH {_many(_SETTLE_TYPES)},
    r AS (UPDATE runs SET plan = w.plan, source = w.source, anchor_ms = w.anchor, cost = w.cost
        FROM w WHERE runs.id = w.run AND {_GOES_ON_AIR.format(session="w.session")} RETURNING id),
    a AS (UPDATE allocations SET state = 'held', cost = w.cost, held_ms = w.now
        FROM w JOIN r ON r.id = w.run
        WHERE allocations.id = w.allocation AND allocations.id = ANY(CAST(:allocation AS text[]))
            AND state = 'reserved' AND allocations.cost = w.reserved
        RETURNING w.run, w.pod, w.more),
    sums AS (SELECT pod, sum(more) AS more FROM a GROUP BY pod),
    locked AS (SELECT pods.id FROM pods JOIN sums ON pods.id = sums.pod ORDER BY pods.id FOR UPDATE OF pods),
    p AS (UPDATE pods SET held = held + sums.more FROM sums
        WHERE pods.id = sums.pod AND pods.id IN (SELECT id FROM locked) RETURNING pods.id)
    SELECT r.id, p.id IS NOT NULL AS settled FROM r LEFT JOIN a ON a.run = r.id LEFT JOIN p ON p.id = a.pod""")


class Start(NamedTuple):
    """A new run of a stream, its first session, and what it reserves."""

    stream: StreamId
    session: Session
    allocation: Allocation


class Settle(NamedTuple):
    """The plan of a live run that has none, and its reservation, which is to cost as much: no more than it does."""

    allocation: Allocation
    planned: Planned


class Starts:
    """The hot half of the repository of runs and allocations."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._whole = connection.dialect.name == "postgresql"

    async def start(self, starts: Sequence[Start]) -> tuple[set[RunId], dict[str, int]]:
        """The runs that began, as many as their pods had room for; and what is held now on those pods that are ready.

        Nothing follows. Raises Conflict (through the transaction) where a stream has a run, or a session's id was used:
        then none began.
        """
        rows = [_start_values(one) for one in starts]
        if self._whole:
            values = {**_columns(_START_TYPES, rows), "tenant": TENANT}
            done = (await self._connection.execute_last(_START, values)).all()
            held = {row.pod: row.held for row in done if row.held is not None}
            return {row.run_id for row in done if row.run_id is not None}, held
        began = {one.session.run for one, row in zip(starts, rows, strict=True) if await self._start_in_steps(row)}
        return began, dict((await self._connection.execute(_HELD, {"pods": [row["pod"] for row in rows]})).all())

    async def asked(self, session_ids: Sequence[str]) -> dict[str, Asked]:
        """Those of the sessions whose runs are live, with all that Allocate needs."""
        return await asked(self._connection, session_ids)

    async def settle(self, settles: Sequence[Settle], now_ms: int) -> dict[RunId, bool]:
        """The runs whose plans are stored, and whether what they had reserved was there. Nothing follows.

        What has ended, was deleted, or was planned already, is not stored.
        """
        rows = [_settle_values(one, now_ms) for one in settles]
        if self._whole:
            values = _columns(_SETTLE_TYPES, rows)
            return {row.id: row.settled for row in await self._connection.execute_last(_SETTLE, values)}
        stored: dict[RunId, bool] = {}
        for one, row in zip(settles, rows, strict=True):
            if (await self._connection.execute(text(_PLANNED), row)).rowcount == 1:
                settled = (await self._connection.execute(text(_SETTLED), row)).rowcount == 1
                stored[one.allocation.run] = (
                    settled and (await self._connection.execute(text(_LESS), row)).rowcount == 1
                )
        return stored

    async def _start_in_steps(self, row: Mapping[str, Any]) -> bool:
        for step in _STEPS:
            if (await self._connection.execute(step, {**row, "tenant": TENANT})).rowcount != 1:
                return False  # the first step's answer: no room
        return True


def _columns(types: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in types}


def _start_values(start: Start) -> dict[str, Any]:
    stream, session, allocation = start
    return {
        "stream": stream,
        "run": session.run,
        "session": session.id,
        "edge": session.edge,
        "peer": session.peer,
        "now": session.opened_ms,
        "allocation": allocation.id,
        "pod": allocation.pod,
        "cost": allocation.cost,
    }


def _settle_values(settle: Settle, now_ms: int) -> dict[str, Any]:
    allocation, planned = settle
    return {
        "allocation": allocation.id,
        "reserved": allocation.cost,
        "more": planned.cost - allocation.cost,
        "pod": allocation.pod,
        "run": allocation.run,
        "session": allocation.session_id,
        "cost": planned.cost,
        "now": now_ms,
        "plan": planned.plan,
        "source": planned.source,
        "anchor": planned.anchor_ms,
    }

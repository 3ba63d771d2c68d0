"""What is held on transcoders: rows of allocations, and the sum of them in each pod's row.

Law: a pod's `held` and its allocations change in one transaction, so it is their sum always. Room is taken by one
statement that asks for it and takes it, from an idle pod whatever it has. A row that goes is deleted by exactly one.
Existing allocations are locked before pods, and pods in the order of their names.
Neighbours: `holds_start` begins a run in one statement, `control.placing` and `control.accounts` ask.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Executable,
    Row,
    Text,
    and_,
    any_,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.sql.dml import ReturningDelete

from headrace.control.db.connection import Connection
from headrace.control.db.tables import TENANT, allocations, pods
from headrace.control.model import Allocation, HoldState, PodState
from headrace.core.broadcast import RunId

MANY = 500  # rows that one statement names


class Holds:
    """Repository of allocations."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def hold(self, allocation: Allocation) -> bool:
        """Whether the pod had room for it, or was idle, and has it now.

        Raises Conflict (through the transaction) where the pod has an allocation for this run already.
        """
        room = or_(pods.c.held + allocation.cost <= pods.c.capacity, pods.c.held == 0)
        taken = await self._connection.execute(
            update(pods)
            .where(pods.c.id == allocation.pod, pods.c.state == PodState.READY, room)
            .values(held=pods.c.held + allocation.cost)
        )
        if taken.rowcount != 1:
            return False
        await self._add(allocation)
        return True

    async def account(self, allocation: Allocation) -> bool:
        """The pod works on this run, room or not: whether its row is there and has it now. Raises Conflict as above."""
        known = await self._connection.execute(
            update(pods).where(pods.c.id == allocation.pod).values(held=pods.c.held + allocation.cost)
        )
        if known.rowcount != 1:
            return False
        await self._add(allocation)
        return True

    async def transfer(self, allocation: Allocation, session_id: str, now_ms: int) -> bool:
        """Whether it is as it was and the run's next session has it now."""
        done = await self._connection.execute(
            update(allocations)
            .where(allocations.c.id == allocation.id, allocations.c.held_ms == allocation.held_ms)
            .values(session_id=session_id, held_ms=now_ms)
        )
        return done.rowcount == 1

    async def settle(self, allocation: Allocation, cost: int, now_ms: int) -> bool:
        """Whether it is as it was and could be made to cost `cost`; somebody is told where it is now."""
        done = await self._connection.execute(
            update(allocations)
            .where(
                allocations.c.id == allocation.id,
                allocations.c.cost == allocation.cost,
                allocations.c.state == allocation.state,
            )
            .values(cost=cost, state=HoldState.HELD, held_ms=now_ms)
        )
        more = cost - allocation.cost
        if done.rowcount != 1 or not more:
            return done.rowcount == 1
        room = or_(literal(more < 0), pods.c.held + more <= pods.c.capacity, pods.c.held == allocation.cost)
        taken = await self._connection.execute(
            update(pods).where(pods.c.id == allocation.pod, room).values(held=pods.c.held + more)
        )
        return taken.rowcount == 1

    async def of_pods(self, names: Sequence[str]) -> Sequence[Allocation]:
        """All that is held on these."""
        return await self._where(allocations.c.pod, names)

    async def of_runs(self, runs: Sequence[RunId]) -> Sequence[Allocation]:
        """All that is held for these."""
        return await self._where(allocations.c.run_id, runs)

    async def release_reserved(self, session_id: str) -> None:
        """The session is over; what nobody was told of is free."""
        await self._free(_RESERVED_FOR_SESSION, {"its": session_id})

    async def release_run(self, run: RunId) -> None:
        """The run is over; what nobody was told of is free."""
        await self._free(_RESERVED_FOR_RUN, {"its": run})

    async def release(self, held: Sequence[Allocation]) -> int:
        """Free those that nobody has released or confirmed since they were read; their number."""
        freed = 0
        for start in range(0, len(held), MANY):
            some = held[start : start + MANY]
            if self._connection.dialect.name == "postgresql":
                values = {"ids": [one.id for one in some], "held_ms": [one.held_ms for one in some]}
                freed += await self._free(_AS_READ, values)
            else:
                keys = [(one.id, one.held_ms) for one in some]
                freed += await self._free(_deleted(tuple_(allocations.c.id, allocations.c.held_ms).in_(keys)), {})
        return freed

    async def correct(self, allocation: Allocation, cost: int) -> None:
        """It costs this much, as its transcoder measured."""
        done = await self._connection.execute(
            update(allocations)
            .where(allocations.c.id == allocation.id, allocations.c.cost == allocation.cost)
            .values(cost=cost)
        )
        if done.rowcount == 1:
            await self._give(allocation.pod, allocation.cost - cost)

    async def forget_all(self) -> None:
        """Nothing is held by anybody: every transcoder went with this process."""
        await self._connection.execute(delete(allocations))
        await self._connection.execute(update(pods).values(held=0))

    async def _where(self, column: Any, values: Sequence[str]) -> list[Allocation]:
        if self._connection.dialect.name == "postgresql":
            query = select(allocations).where(column == any_(bindparam("names", list(values), type_=ARRAY(Text))))
            return [allocation_of(row) for row in await self._connection.execute(query)]
        found: list[Allocation] = []
        for start in range(0, len(values), MANY):
            query = select(allocations).where(column.in_(values[start : start + MANY]))
            found += [allocation_of(row) for row in await self._connection.execute(query)]
        return found

    async def _add(self, allocation: Allocation) -> None:
        await self._connection.execute(
            insert(allocations).values(
                id=allocation.id,
                tenant_id=TENANT,
                run_id=allocation.run,
                session_id=allocation.session_id,
                pod=allocation.pod,
                cost=allocation.cost,
                state=allocation.state,
                held_ms=allocation.held_ms,
            )
        )

    async def _free(self, deleting: ReturningDelete[Any], values: Mapping[str, Any]) -> int:
        if self._connection.dialect.name == "postgresql":
            return int((await self._connection.execute(_freeing(deleting), values)).scalar_one())
        freed: dict[str, int] = defaultdict(int)
        rows = (await self._connection.execute(deleting, values)).all()
        for pod, cost in rows:
            freed[pod] += cost
        for pod in sorted(freed):
            await self._give(pod, freed[pod])
        return len(rows)

    async def _give(self, pod: str, cost: int) -> None:
        await self._connection.execute(update(pods).where(pods.c.id == pod).values(held=pods.c.held - cost))


def _deleted(which: ColumnElement[bool]) -> ReturningDelete[Any]:
    return delete(allocations).where(which).returning(allocations.c.pod, allocations.c.cost)


_reserved = allocations.c.state == HoldState.RESERVED
_RESERVED_FOR_SESSION = _deleted(and_(allocations.c.session_id == bindparam("its"), _reserved))
_RESERVED_FOR_RUN = _deleted(and_(allocations.c.run_id == bindparam("its"), _reserved))
_read_rows = func.unnest(bindparam("ids", type_=ARRAY(Text)), bindparam("held_ms", type_=ARRAY(BigInteger)))
_AS_READ = _deleted(tuple_(allocations.c.id, allocations.c.held_ms).in_(select(text("*")).select_from(_read_rows)))


@lru_cache(maxsize=8)  # of the three above
def _freeing(deleting: ReturningDelete[Any]) -> Executable:
    """The same in one statement, so that no other waits for these pods longer than the server takes."""
    gone = deleting.cte("gone")
    sums = select(gone.c.pod, func.sum(gone.c.cost).label("cost")).group_by(gone.c.pod).cte("sums")
    its = pods.c.id == sums.c.pod
    locked = select(pods.c.id).join(sums, its).order_by(pods.c.id).with_for_update(of=pods).cte("locked")
    given = update(pods).where(its, pods.c.id == locked.c.id).values(held=pods.c.held - sums.c.cost).cte("given")
    return select(func.count()).select_from(gone).add_cte(given)


def allocation_of(row: Row[Any]) -> Allocation:
    """A row that holds the columns of allocations."""
    return Allocation(
        id=row.id,
        run=RunId(row.run_id),
        session_id=row.session_id,
        pod=row.pod,
        cost=row.cost,
        state=HoldState(row.state),
        held_ms=row.held_ms,
    )

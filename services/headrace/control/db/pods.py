"""Rows of transcoders.

Law: written when a transcoder changes, by every replica that sees it, to the same effect. What is held on one goes with
its row.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from headrace.control.db.connection import Connection
from headrace.control.db.tables import TENANT, allocations, pods
from headrace.control.model import Pod, PodState

MANY = 500
_TOLD = ("target", "zone", "version", "state", "capacity")
_COLUMNS = (pods.c.id, *(pods.c[name] for name in _TOLD), pods.c.held, pods.c.silent_ms)

_ALL = select(*_COLUMNS)


class Pods:
    """Repository of transcoders."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def all(self, seen: dict[str, tuple[Any, Pod]]) -> dict[str, Pod]:
        """Every one, by name. `seen` is what was found last time, and then this time: most are as they were, and
        thousands of them are not made anew.
        """
        rows = (await self._connection.execute(_ALL)).all()
        known = dict(seen)
        seen.clear()
        for row in rows:
            before = known.get(row[0])
            seen[row[0]] = before if before is not None and before[0] == row else (row, _pod(*row))
        return {name: pod for name, (_, pod) in seen.items()}

    async def get(self, name: str) -> Pod | None:
        """This one, if it is there."""
        row = (await self._connection.execute(select(*_COLUMNS).where(pods.c.id == name))).first()
        return None if row is None else _pod(*row)

    async def write(self, changed: Sequence[Pod]) -> None:
        """What these say of themselves; new ones hold nothing. What is held on known ones stays."""
        insert: Any = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        rows = [
            {"id": pod.id, "tenant_id": TENANT} | {name: getattr(pod, name) for name in _TOLD}
            for pod in sorted(
                changed, key=lambda pod: pod.id
            )  # two replicas that write the same must not meet crosswise
        ]
        for start in range(0, len(rows), MANY):
            statement = insert(pods).values(rows[start : start + MANY])
            new = {name: statement.excluded[name] for name in _TOLD}
            differs = or_(*(pods.c[name] != new[name] for name in _TOLD))
            await self._connection.execute(
                statement.on_conflict_do_update(index_elements=[pods.c.id], set_=new, where=differs)
            )

    async def mark(self, names: Sequence[str], now_ms: int | None) -> None:
        """This replica has not heard of them for a while; None: it hears them."""
        silent = pods.c.silent_ms.is_(None) if now_ms is not None else pods.c.silent_ms.is_not(None)
        await self._connection.execute(update(pods).where(and_(pods.c.id.in_(names), silent)).values(silent_ms=now_ms))

    async def forget(self, names: Sequence[str]) -> None:
        """Nobody hears them any more: their rows go, and what is held on them. Not where somebody heard them."""
        query = select(pods.c.id).where(pods.c.id.in_(names), pods.c.silent_ms.is_not(None))
        gone = [row.id for row in await self._connection.execute(query.order_by(pods.c.id).with_for_update())]
        await self._connection.execute(delete(allocations).where(allocations.c.pod.in_(gone)))
        await self._connection.execute(delete(pods).where(pods.c.id.in_(gone)))


def _pod(
    name: str, target: str, zone: str, version: str, state: str, capacity: int, held: int, silent_ms: int | None
) -> Pod:
    return Pod(name, target, zone, version, PodState(state), capacity, held, silent_ms is not None)

"""A database as it is seen from outside: its schema, its clock, and the way to it.

Law: reads only, once, on a connection of its own. Neighbours: `headrace doctor` says it to people.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from headrace.control.db import engines, schema
from headrace.control.db.engines import DatabaseError, explain
from headrace.runtime.aio.clock import unix_ms


@dataclass(frozen=True, slots=True)
class Looked:
    """`schema` and this version's `newest` are numbers of migrations; `weakness` is as `engines.weakness` says it.

    `clock_ms`: how far its clock is ahead of ours; None for a file, which has none.
    """

    where: str
    schema: int
    newest: int
    clock_ms: int | None
    weakness: str


async def look(url: str) -> Looked:
    """Raises DatabaseError."""
    address = engines.read_url(url)
    engine = engines.make_engine(address)
    sqlite = engines.is_sqlite(address)
    where = str(address.database) if sqlite else f"{', '.join(engines.hosts(address))} {address.database}"
    try:
        async with engine.connect() as connection:
            await connection.exec_driver_sql(engines.begin(address, writes=False))
            number = await connection.run_sync(schema.current)
            clock_ms = None
            if not sqlite:
                began_ms = unix_ms()
                asked = await connection.execute(text("SELECT extract(epoch FROM clock_timestamp()) * 1000"))
                clock_ms = int(asked.scalar_one()) - (began_ms + unix_ms()) // 2
            await connection.rollback()
        return Looked(where, number, schema.newest(), clock_ms, engines.weakness(address))
    except (SQLAlchemyError, OSError) as error:
        raise DatabaseError(explain(error)) from error
    finally:
        await engine.dispose()

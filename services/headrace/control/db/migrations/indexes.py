"""Indexes that are made while everybody goes on writing.

Law: an index on a table that may be large is declared by its migration, `indexes = (LateIndex(...),)`, and made after
the migration's transaction, outside its lock: PostgreSQL's CREATE INDEX CONCURRENTLY waits for every older transaction,
and so for whoever waits for the lock. What counts is what is there, not what was done: each `headrace migrate` makes
those that are missing, and makes again what a broken attempt left invalid. A later step that drops an index also takes
it out of the declaration.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from headrace.control.db import schema
from headrace.control.db.engines import DatabaseError, sqlstate

POLL_S = 0.2
TRIES = 10
WITHIN_S = 3600.0
DEADLOCK = "40P01"

STATE = text(
    "SELECT i.indisvalid AS valid, EXISTS (SELECT 1 FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid)"
    " AS being_made FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid"
    " WHERE c.relname = :name AND c.relnamespace = to_regnamespace(current_schema())"
)


@dataclass(frozen=True, slots=True)
class LateIndex:
    """An index on `columns` (SQL, separated by commas) of `table`, of the rows `where` it says so."""

    name: str
    table: str
    columns: str
    unique: bool = False
    where: str = ""

    def create(self, how: str) -> str:
        """The statement; `how` is CONCURRENTLY or nothing."""
        unique, where = "UNIQUE" if self.unique else "", f"WHERE {self.where}" if self.where else ""
        return f"CREATE {unique} INDEX {how} IF NOT EXISTS {self.name} ON {self.table} ({self.columns}) {where}"


def declared() -> Iterator[LateIndex]:
    """Those of all migrations, oldest first."""
    for script in reversed(list(ScriptDirectory(str(schema.SCRIPTS)).walk_revisions())):
        yield from getattr(script.module, "indexes", ())


def make_at_once(connection: Connection) -> None:
    """All of them, in the caller's transaction: nobody else writes meanwhile."""
    for index in declared():
        connection.exec_driver_sql(index.create(""))


async def make_late(engine: AsyncEngine) -> None:
    """All of them, beside those who write, each by one of the processes that try. Raises DatabaseError."""
    for index in declared():
        try:
            async with asyncio.timeout(WITHIN_S), engine.connect() as connection:
                await _make(connection, index)
        except TimeoutError:
            raise DatabaseError(f"database: the index {index.name} is not made after {WITHIN_S:g} s") from None


async def _make(connection: AsyncConnection, index: LateIndex) -> None:
    tries = 0
    while True:
        state = (await connection.execute(STATE, {"name": index.name})).first()
        if state and state.being_made:
            await asyncio.sleep(POLL_S)
        elif state and state.valid:
            return
        else:
            tries += 1
            try:
                if state:
                    await connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
                await connection.exec_driver_sql(index.create("CONCURRENTLY"))
            except OperationalError as error:
                # Two that make it at once may wait for each other until the server ends one of them.
                if sqlstate(error) != DEADLOCK or tries == TRIES:
                    raise

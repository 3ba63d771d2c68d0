"""The engine and its transactions.

Law: a transaction is short and awaits nothing but the database. On SQLite a writing one takes the write lock at its
start (BEGIN IMMEDIATE), so that it never fails half way; and those of this process take turns, since SQLite's own
waiting is neither fair nor quick: of twenty publishers that came at once to a busy process, up to half were refused.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from headrace.control.db.runs import Runs
from headrace.control.db.streams import Streams
from headrace.core.errors import HeadraceError

LOCK_WAIT_S = 5.0  # far above any transaction of ours; a longer wait means a stuck disk


class DatabaseError(HeadraceError):
    """The database does not answer, or not as it should."""

    code = "database"


class Conflict(DatabaseError):
    """Somebody else made it first: a unique index refused the row."""

    code = "conflict"


class Transaction:
    """The repositories, all on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.streams = Streams(connection)
        self.runs = Runs(connection)


class Database:
    """A pool of connections to `url`; `close` when done."""

    def __init__(self, url: str) -> None:
        sqlite = url.startswith("sqlite")
        self._closed = False
        self._turn: AbstractAsyncContextManager[None] = asyncio.Lock() if sqlite else nullcontext()
        self._engine = create_async_engine(url, connect_args={"timeout": LOCK_WAIT_S} if sqlite else {})
        if sqlite:
            event.listen(self._engine.sync_engine, "connect", _set_up_sqlite)
            event.listen(self._engine.sync_engine, "begin", _begin_sqlite)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A transaction that changes nothing. Raises DatabaseError."""
        async with self._begin(writes=False) as transaction:
            yield transaction

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A transaction that is committed at the end of the block, or not at all. Raises Conflict, DatabaseError."""
        async with self._turn, self._begin(writes=True) as transaction:
            yield transaction

    async def ping(self) -> None:
        """Raises DatabaseError where the database cannot be reached."""
        try:
            async with self._engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except (SQLAlchemyError, OSError) as error:
            raise DatabaseError(explain(error)) from error

    async def close(self) -> None:
        """Close every connection; who comes after that gets DatabaseError."""
        self._closed = True
        await self._engine.dispose()

    @asynccontextmanager
    async def _begin(self, *, writes: bool) -> AsyncIterator[Transaction]:
        if self._closed:
            raise DatabaseError("the database is closed")
        try:
            async with self._engine.connect() as connection:
                await connection.execution_options(headrace_writes=writes)
                async with connection.begin():
                    yield Transaction(connection)
        except IntegrityError as error:
            raise Conflict(explain(error)) from error
        except (SQLAlchemyError, OSError) as error:
            raise DatabaseError(explain(error)) from error


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver starts no transactions of its own; `_begin_sqlite` does
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("headrace_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def explain(error: Exception) -> str:
    """In one line, without the statement and its parameters, which may hold what logs must not."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return "database: " + str(cause).partition("\n")[0]

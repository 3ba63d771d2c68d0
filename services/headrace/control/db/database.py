"""The database: its pool and its transactions.

Law: a transaction is short and awaits nothing but the database; on PostgreSQL it ends within `CALL_S` one way or the
other. On SQLite a writing one takes the write lock at its start (BEGIN IMMEDIATE), so that it never fails half way; and
those of this process take turns, since SQLite's own waiting is neither fair nor quick: of twenty publishers that came
at once to a busy process, up to half were refused.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
from sqlalchemy import Executable, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from headrace.control.db import engines
from headrace.control.db.connection import Answer, Connection
from headrace.control.db.ends import Ends
from headrace.control.db.engines import Conflict, DatabaseError, Deadline, explain, sqlstate
from headrace.control.db.holds import Holds
from headrace.control.db.holds_start import Starts
from headrace.control.db.pods import Pods
from headrace.control.db.postgres import Pool
from headrace.control.db.restoring import Restoring
from headrace.control.db.runs import Runs
from headrace.control.db.schema import check
from headrace.control.db.streams import Streams

TURN_S = 5.0
CONNECTIONS = 16
_PING = text("SELECT 1")
IN_EACH_OTHERS_WAY = {"40001", "40P01"}  # serialization_failure, deadlock_detected


class Transaction:
    """The repositories, all on one connection."""

    def __init__(self, connection: Connection) -> None:
        self.streams = Streams(connection)
        self.runs = Runs(connection)
        self.starts = Starts(connection)
        self.ends = Ends(connection)
        self.holds = Holds(connection)
        self.pods = Pods(connection)
        self.restoring = Restoring(connection)


class Database:
    """A pool of at most `connections` to `url`; `close` when done. Raises DatabaseError where `url` is none of ours."""

    def __init__(self, url: str, connections: int = CONNECTIONS) -> None:
        address = engines.read_url(url)
        self._closed = False
        self._turn = asyncio.Lock() if engines.is_sqlite(address) else None
        self._begin = {writes: engines.begin(address, writes=writes) for writes in (False, True)}
        self._engine = engines.make_engine(address)
        self._pool = None if engines.is_sqlite(address) else Pool(address, connections)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """A transaction that changes nothing. Raises DatabaseError."""
        async with self._connected(writes=False) as connection:
            yield Transaction(connection)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """A transaction that is committed at the end of the block, or not at all. Raises Conflict, DatabaseError.

        After a DatabaseError of the commit itself nobody knows: the connection was lost on the way.
        """
        async with self._in_turn(), self._connected(writes=True) as connection:
            yield Transaction(connection)

    async def ping(self) -> None:
        """Raises DatabaseError where the database cannot be reached."""
        async with self._connected(writes=False) as connection:
            await connection.execute(_PING)

    async def check_schema(self) -> None:
        """Raises DatabaseError in words where this version cannot work on the database's schema."""
        with self._in_words() as within:
            async with self._engine.connect() as connection:
                within.watch((await connection.get_raw_connection()).driver_connection)
                await connection.run_sync(check)

    async def close(self) -> None:
        """Close every connection; who comes after that gets DatabaseError."""
        self._closed = True
        if self._pool is not None:
            self._pool.close()
        await self._engine.dispose()

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        if self._turn is None:
            yield
            return
        try:
            async with asyncio.timeout(TURN_S):
                await self._turn.acquire()
        except TimeoutError:
            raise DatabaseError("database: too many wait to write") from None
        try:
            yield
        finally:
            self._turn.release()

    @asynccontextmanager
    async def _connected(self, *, writes: bool) -> AsyncIterator[Connection]:
        if self._closed:
            raise DatabaseError("the database is closed")
        with self._in_words() as within:
            begin = self._begin[writes]
            async with self._pool.transaction(begin, within) if self._pool else _on(self._engine, begin) as connection:
                yield connection

    @contextmanager
    def _in_words(self) -> Iterator[Deadline]:
        within = Deadline(engines.CALL_S)
        try:
            yield within
        except (IntegrityError, psycopg.IntegrityError) as error:
            raise Conflict(explain(error)) from error
        except (SQLAlchemyError, psycopg.Error, OSError) as error:
            if within.passed:
                raise DatabaseError(f"database: no answer within {engines.CALL_S:g} s") from error
            raise (Conflict if sqlstate(error) in IN_EACH_OTHERS_WAY else DatabaseError)(explain(error)) from error
        finally:
            within.over()


@asynccontextmanager
async def _on(engine: AsyncEngine, begin: str) -> AsyncIterator[Connection]:
    async with engine.connect() as connection:
        await connection.exec_driver_sql(begin)
        yield _InProcess(connection)
        await connection.commit()


class _InProcess:
    """SQLite: as `Connection`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.dialect = connection.dialect

    async def execute(self, statement: Executable, parameters: Mapping[str, Any] | None = None, /) -> Answer:
        """As `Connection.execute`."""
        return await self._connection.execute(statement, parameters)

    async def execute_last(self, statement: Executable, parameters: Mapping[str, Any] | None = None, /) -> Answer:
        """As `Connection.execute_last`: it costs no message here, nor does the commit."""
        return await self._connection.execute(statement, parameters)

"""The database: its pool and its transactions.

Law: a transaction is short and awaits nothing but the database; on PostgreSQL it ends within `CALL_S` one way or the
other. On SQLite a writing one takes the write lock at its start (BEGIN IMMEDIATE), so that it never fails half way; and
those of this process take turns, since SQLite's own waiting is neither fair nor quick: of twenty publishers that came
at once to a busy process, up to half were refused.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from headrace.control.db import engines
from headrace.control.db.engines import Conflict, DatabaseError, Deadline, explain, sqlstate
from headrace.control.db.holds import Holds
from headrace.control.db.holds_start import Starts
from headrace.control.db.pods import Pods
from headrace.control.db.restoring import Restoring
from headrace.control.db.runs import Runs
from headrace.control.db.schema import check
from headrace.control.db.streams import Streams

TURN_S = 5.0
CONNECTIONS = 16
IN_EACH_OTHERS_WAY = {"40001", "40P01"}  # serialization_failure, deadlock_detected


class Transaction:
    """The repositories, all on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.streams = Streams(connection)
        self.runs = Runs(connection)
        self.starts = Starts(connection)
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
        self._engine = engines.make_engine(address, connections)

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
        async with self._connected(writes=False):
            pass

    async def check_schema(self) -> None:
        """Raises DatabaseError in words where this version cannot work on the database's schema."""
        async with self._connected(writes=False) as connection:
            await connection.run_sync(check)

    async def close(self) -> None:
        """Close every connection; who comes after that gets DatabaseError."""
        self._closed = True
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
    async def _connected(self, *, writes: bool) -> AsyncIterator[AsyncConnection]:
        if self._closed:
            raise DatabaseError("the database is closed")
        within = Deadline(engines.CALL_S)
        try:
            async with AsyncExitStack() as stack:
                connection = await self._begun(stack, self._begin[writes], within)
                yield connection
                await connection.commit()
        except IntegrityError as error:
            raise Conflict(explain(error)) from error
        except (SQLAlchemyError, OSError) as error:
            if within.passed:
                raise DatabaseError(f"database: no answer within {engines.CALL_S:g} s") from error
            raise (Conflict if sqlstate(error) in IN_EACH_OTHERS_WAY else DatabaseError)(explain(error)) from error
        finally:
            within.over()

    async def _begun(self, stack: AsyncExitStack, begin: str, within: Deadline) -> AsyncConnection:
        """A connection in a transaction. One that the server closed while it lay in the pool is found by this first
        statement, before anything was done on it: then the pool is empty, and a new one is made."""
        token = engines.deadline.set(within)
        try:
            while True:
                connection = await stack.enter_async_context(self._engine.connect())
                try:
                    await connection.exec_driver_sql(begin)
                    return connection
                except DBAPIError as error:
                    if not error.connection_invalidated or within.passed:
                        raise
                    await connection.close()
        finally:
            engines.deadline.reset(token)

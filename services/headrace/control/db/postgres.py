"""PostgreSQL: a pool of the driver's connections, and what a transaction says on one of them.

Law: SQLAlchemy writes the statements, once where they are made once, and the driver alone sends them: by way of
SQLAlchemy's engine a transaction costs five times the processor. The first statement goes in the message that begins
the transaction, with its values in it, so that nothing is prepared and nothing stays in the session.
Neighbours: `database` turns what is raised here into words, `engines` has the bounds.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from traceback import clear_frames
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, WeakSet

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row
from sqlalchemy import URL, Executable
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql import ClauseElement

from headrace.control.db import engines
from headrace.control.db.engines import DatabaseError, Deadline

DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]

COMMIT = "COMMIT"

Raw = psycopg.AsyncConnection[Any]


class _Sql(NamedTuple):
    text: str
    values: dict[str, Any]


_written: WeakKeyDictionary[Executable, _Sql] = WeakKeyDictionary()


class Answered:
    """As `Answer`."""

    def __init__(self, rowcount: int, rows: Sequence[Any] | None) -> None:
        self.rowcount = rowcount
        self.returns_rows = rows is not None
        self._rows = rows or ()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> Sequence[Any]:
        """As `Answer.all`."""
        return self._rows

    def first(self) -> Any:
        """As `Answer.first`."""
        return self._rows[0] if self._rows else None

    def one(self) -> Any:
        """As `Answer.one`."""
        [row] = self._rows
        return row

    def scalar_one(self) -> Any:
        """As `Answer.scalar_one`."""
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        """As `Answer.scalar_one_or_none`."""
        return self.one()[0] if self._rows else None


class PostgresConnection:
    """One transaction: as `Connection`."""

    dialect = DIALECT

    def __init__(self, pool: "Pool", raw: Raw, begin: str, within: Deadline) -> None:
        self.raw = raw
        self._pool = pool
        self._begin = begin
        self._within = within
        self._committed = False

    async def execute(self, statement: Executable, parameters: Mapping[str, Any] | None = None, /) -> Answered:
        """As `Connection.execute`."""
        return await self._do(statement, parameters, "")

    async def execute_last(self, statement: Executable, parameters: Mapping[str, Any] | None = None, /) -> Answered:
        """As `Connection.execute_last`."""
        answer = await self._do(statement, parameters, f"; {COMMIT}")
        self._committed = True
        return answer

    async def commit(self) -> None:
        """Let it be so."""
        if not self._begin and not self._committed:
            await self.raw.execute(COMMIT)

    async def _do(self, statement: Executable, parameters: Mapping[str, Any] | None, end: str) -> Answered:
        assert not self._committed, "nothing follows what is said last"
        sql = _sql(statement)
        values = (
            {**sql.values, **{name: _plain(value) for name, value in parameters.items()}} if parameters else sql.values
        )
        if not self._begin:
            return await self._say(f"{sql.text}{end}", values)
        begin, self._begin = self._begin, ""
        return await self._first(f"{begin}; {sql.text}{end}", values)

    async def _first(self, message: str, values: Mapping[str, Any]) -> Answered:
        """A connection that the server closed while it lay in the pool is found here, before anything was done."""
        while True:
            try:
                return await self._say(message, values)
            except psycopg.OperationalError:
                if not self.raw.closed or self._within.passed or not self._pool.lent_before(self.raw):
                    raise
                self.raw = await self._pool.connect(self._within)

    async def _say(self, message: str, values: Mapping[str, Any]) -> Answered:
        cursor = await self.raw.execute(message, values)
        answer = Answered(0, None)
        while True:
            if cursor.statusmessage != COMMIT:
                answer = Answered(cursor.rowcount, await cursor.fetchall() if cursor.description else None)
            if not cursor.nextset():
                return answer


class Pool:
    """At most `connections` to `url`, made when they are needed; the one that was used last is lent first."""

    def __init__(self, url: URL, connections: int) -> None:
        _, given = DIALECT.create_connect_args(url)  # type: ignore[no-untyped-call]
        self._settings: dict[str, Any] = {**given, **engines.CONNECT}
        self._room = asyncio.Semaphore(connections)
        self._idle: list[Raw] = []
        self._new: WeakSet[Raw] = WeakSet()
        self._closed = False

    @asynccontextmanager
    async def transaction(self, begin: str, within: Deadline) -> AsyncIterator[PostgresConnection]:
        """Committed at the end of the block, or not at all. Raises psycopg.Error, OSError, DatabaseError."""
        async with self._turn():
            raw = self._idle.pop() if self._idle else await self.connect(within)
            within.watch(raw)
            connection = PostgresConnection(self, raw, begin, within)
            try:
                yield connection
                await connection.commit()
            except asyncio.CancelledError:
                connection.raw.pgconn.finish()  # to roll it back would take time
                raise
            except BaseException:
                with suppress(psycopg.Error, OSError):
                    await connection.raw.rollback()
                raise
            finally:
                self._take_back(connection.raw)

    async def connect(self, within: Deadline) -> Raw:
        """A new one, which `within` watches."""
        try:
            raw = await Raw.connect(
                **self._settings,
                autocommit=True,
                prepare_threshold=None,
                cursor_factory=psycopg.AsyncClientCursor,
                row_factory=namedtuple_row,
            )
        except psycopg.Error as error:
            # The driver's frames hold the socket that was given up, in a circle that only the collector would find.
            for one in (error, error.__cause__, error.__context__):
                if isinstance(one, psycopg.Error):
                    clear_frames(one.__traceback__)
            raise
        self._new.add(raw)
        within.watch(raw)
        return raw

    def lent_before(self, raw: Raw) -> bool:
        """Whether this one had lain in the pool. Then the server has closed the others too: they are forgotten."""
        if raw in self._new:
            return False
        self._finish_idle()
        return True

    def close(self) -> None:
        """Close every connection that nobody uses, and each other when it comes back."""
        self._closed = True
        self._finish_idle()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._room.locked():
            try:
                async with asyncio.timeout(engines.POOL_WAIT_S):
                    await self._room.acquire()
            except TimeoutError:
                raise DatabaseError("database: every connection is in use") from None
        else:
            await self._room.acquire()
        try:
            yield
        finally:
            self._room.release()

    def _take_back(self, raw: Raw) -> None:
        self._new.discard(raw)
        if raw.pgconn.transaction_status == TransactionStatus.IDLE and not self._closed:
            self._idle.append(raw)
        else:
            raw.pgconn.finish()

    def _finish_idle(self) -> None:
        for raw in self._idle:
            raw.pgconn.finish()
        self._idle.clear()


def _plain(value: Any) -> Any:
    """An array as its literal (PostgreSQL 8.15.2), which the driver would find the type of element by element.

    Statements say what their arrays hold.
    """
    return f"{{{','.join(map(_element, value))}}}" if isinstance(value, list) else value


def _element(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f'"\\\\x{value.hex()}"' if isinstance(value, bytes) else str(value)


def _sql(statement: Executable) -> _Sql:
    known = _written.get(statement)
    if known is None:
        assert isinstance(statement, ClauseElement)
        compiled = statement.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
        known = _written[statement] = _Sql(compiled.string, dict(compiled.params))
    return known

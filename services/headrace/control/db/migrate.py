"""Bringing a database to this version's schema.

Law: forward only; safe to run at every start, from several processes, and beside those that work on the database. One
process migrates at a time (an advisory lock of PostgreSQL's, SQLite's own lock). All steps are one transaction, that
waits for no table longer than `LOCK_MS`, since whoever uses the table waits behind it: it gives up and tries again. A
database one step ahead is left as it is.
"""

import asyncio
from dataclasses import dataclass

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from headrace.control.db import engines, schema
from headrace.control.db.engines import DatabaseError, Deadline, explain, sqlstate
from headrace.control.db.migrations import indexes
from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.telemetry.logs import logger

WAIT_S = 60.0
RETRY_S = 1.0
STATEMENT_MS = 30_000
STEPS_S = 60.0  # the transaction with all the steps; they only add, which is quick whatever the size of a table
LOCK = 0x68656164_72616365  # "headrace": the advisory lock's number, the same in every version

# A lock that others hold, a deadlock with them, a server that starts or has no room; None: it cannot be reached.
PASSING = {None, "55P03", "40P01", "57P01", "57P03", "53300"}

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Migrated:
    """The schemas' numbers; equal where there was nothing to do."""

    before: int
    after: int


async def migrate(url: str, wait_s: float = WAIT_S) -> Migrated:
    """Run every migration that `url` has not seen; wait up to `wait_s` for a PostgreSQL that is not there yet, or for
    locks that others hold. Raises DatabaseError."""
    address = engines.read_url(url)
    engine = engines.make_engine(address)
    until_s = monotonic_s() + wait_s
    try:
        while True:
            try:
                done = await _take_steps(engine, address)
                break
            except OperationalError as error:
                if engines.is_sqlite(address) or sqlstate(error) not in PASSING or monotonic_s() > until_s:
                    raise
                _log.warning("cannot migrate yet, another try follows", extra={"why": explain(error)})
                await asyncio.sleep(RETRY_S)
        if not engines.is_sqlite(address) and done.after == schema.newest():
            await indexes.make_late(engine)
        return done
    except (SQLAlchemyError, CommandError, OSError) as error:
        raise DatabaseError(explain(error)) from error
    finally:
        await engine.dispose()


async def _take_steps(engine: AsyncEngine, url: URL) -> Migrated:
    sqlite = engines.is_sqlite(url)
    async with engine.connect() as connection:
        within = Deadline(STEPS_S)
        try:
            if sqlite:
                await connection.exec_driver_sql("PRAGMA foreign_keys = OFF")  # or no table could be rebuilt
            else:
                within.watch((await connection.get_raw_connection()).driver_connection)
            await connection.exec_driver_sql(engines.begin(url, writes=True, statement_ms=STATEMENT_MS))
            if not sqlite:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            done = await connection.run_sync(_steps)
            if sqlite:
                await connection.run_sync(indexes.make_at_once)
            await connection.commit()
        finally:
            within.over()
        return done


def _steps(connection: Connection) -> Migrated:
    before = schema.current(connection)
    if before > schema.newest():
        schema.refuse_the_future(before)
        return Migrated(before, before)
    config = Config()
    config.set_main_option("script_location", str(schema.SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return Migrated(before, schema.newest())

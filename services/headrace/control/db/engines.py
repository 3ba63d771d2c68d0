"""How each kind of database is connected to, and what a transaction on it begins with.

Law: nothing here lasts longer than a transaction on the server, so a pooler between transactions does not matter: no
prepared statements, and the server's own deadlines are set in the message that begins the transaction. A connection
that a deadline gave up is shut, not cancelled: a server that does not answer would not answer that either. A server on
another machine is entered over TLS that checks its name, unless the URL asks for something else by name.
"""

import asyncio
import os
import socket
from typing import Any

import psycopg
from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from headrace.core.errors import HeadraceError
from headrace.runtime.config import BadSetting
from headrace.runtime.local import is_local
from headrace.runtime.telemetry.logs import logger

LOCK_WAIT_S = 5.0  # SQLite: far above any transaction of ours; a longer wait means a stuck disk
POOL_WAIT_S = 2.0
CONNECT_S = 2  # whole seconds, the least that the driver takes, for each host of the URL
CALL_S = 5.0  # the whole of a transaction, from asking for a connection to the end of its commit
LOCK_MS = 2000
STATEMENT_MS = 3000
IDLE_MS = 10_000  # a control that stands still must not keep a row from the others

VERIFY_FULL = "verify-full"
# What libpq says of a certificate does not tell which of these it is; `headrace doctor` does.
NOT_TRUSTED = "it is signed by nobody whom sslrootcert names, or has expired: `headrace doctor` says which"

POSTGRESQL = "postgresql+psycopg"
SQLITE = "sqlite+aiosqlite"
DRIVERS = {"postgresql": POSTGRESQL, POSTGRESQL: POSTGRESQL, SQLITE: SQLITE}

# One message: a begin of its own would cost a round trip more.
BEGIN_POSTGRESQL = (
    "BEGIN {mode}; SET LOCAL statement_timeout = {statement_ms}; SET LOCAL lock_timeout = {lock_ms}; "
    "SET LOCAL idle_in_transaction_session_timeout = {idle_ms}"
)
# Found dead after a peer's crash, or a firewall's forgetting, before anybody needs it.
KEEP_ALIVE = {"keepalives_idle": 30, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 5000}
CONNECT = {"connect_timeout": CONNECT_S, **KEEP_ALIVE}


_log = logger(__name__)


class DatabaseError(HeadraceError):
    """The database does not answer, or not as it should."""

    code = "database"


class BadUrl(DatabaseError, BadSetting):
    """The database's URL is none."""


class Conflict(DatabaseError):
    """Somebody else was first: a unique index refused the row, or two transactions stood in each other's way."""

    code = "conflict"


class Deadline:
    """Shuts the connection that it watches when `seconds` are over: who waits for it fails. `over` ends the watch."""

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._watched: Any = None
        self._timer = asyncio.get_running_loop().call_later(seconds, self._pass)

    def watch(self, connection: Any) -> None:
        """`connection` (psycopg's) is what the call waits for now."""
        self._watched = connection
        if self.passed:
            self._shut()

    def over(self) -> None:
        """The call is done."""
        self._timer.cancel()
        self._watched = None

    def _pass(self) -> None:
        self.passed = True
        self._shut()

    def _shut(self) -> None:
        if self._watched is not None and not self._watched.closed:
            with socket.socket(fileno=os.dup(self._watched.fileno())) as its_own:
                its_own.shutdown(socket.SHUT_RDWR)


def read_url(url: str) -> URL:
    """`url` with its driver. Raises BadUrl, without the URL, which may hold a password."""
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError):
        raise BadUrl("the database's URL cannot be read") from None
    if parsed.drivername not in DRIVERS:
        raise BadUrl(f"the database's URL must begin with postgresql:// or {SQLITE}://")
    return _secured(parsed.set(drivername=DRIVERS[parsed.drivername]))


def weakness(url: URL) -> str:
    """What is weak about the way to a server on another machine, in words; "" where nothing is."""
    away = [] if is_sqlite(url) else [host for host in _dialled(url) if not is_local(host)]
    mode = url.query.get("sslmode")
    if not away or mode in (None, VERIFY_FULL):
        return ""
    where = ", ".join(away)
    if mode in ("require", "verify-ca"):
        return f"sslmode={mode} does not check that it is {where} who answers: use {VERIFY_FULL}"
    return f"sslmode={mode} lets passwords and keys go to {where} in plaintext: use {VERIFY_FULL}"


def hosts(url: URL) -> list[str]:
    """Every host of the URL; [""] where it names none, which is a socket of this machine."""
    return _split(url.host or "", url.query.get("host", ())) or [""]


def _dialled(url: URL) -> list[str]:
    """Its hosts, and the addresses that it says they have; nothing where the environment may say."""
    return _split(url.host or "", url.query.get("host", ()), url.query.get("hostaddr", ()))


def _split(*given: str | tuple[str, ...]) -> list[str]:
    several = [each for one in given for each in ((one,) if isinstance(one, str) else one)]
    return [host for each in several for host in each.split(",") if host]


def _secured(url: URL) -> URL:
    # A URL without a host is that of a socket, to which modes mean nothing; or PGHOST or a service's file names one.
    dialled = _dialled(url)
    if is_sqlite(url) or (dialled and all(is_local(host) for host in dialled)):
        return url
    if "sslmode" not in url.query:  # libpq's default would fall back to plaintext without a word
        return url.update_query_dict({"sslmode": VERIFY_FULL})
    if weak := weakness(url):
        _log.warning("the way to the database is weak", extra={"why": weak})
    return url


def is_sqlite(url: URL) -> bool:
    """Whether it is a file of this machine."""
    return url.drivername == SQLITE


def make_engine(url: URL) -> AsyncEngine:
    """SQLite, or a single connection to PostgreSQL for what SQLAlchemy itself must do; it connects when it is used.

    Its connections begin no transactions of their own: who uses one says `begin`."""
    if is_sqlite(url):
        engine = create_async_engine(url, connect_args={"timeout": LOCK_WAIT_S})
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        return engine
    connect = {"autocommit": True, "prepare_threshold": None, **CONNECT}
    return create_async_engine(url, connect_args=connect, poolclass=NullPool, use_native_hstore=False)


def begin(url: URL, *, writes: bool, statement_ms: int | None = None) -> str:
    """The first statement of a transaction; each of its others may take `statement_ms`, else STATEMENT_MS."""
    if is_sqlite(url):
        return "BEGIN IMMEDIATE" if writes else "BEGIN"
    mode, within_ms = "READ WRITE" if writes else "READ ONLY", statement_ms or STATEMENT_MS
    return BEGIN_POSTGRESQL.format(mode=mode, statement_ms=within_ms, lock_ms=LOCK_MS, idle_ms=IDLE_MS)


def explain(error: Exception) -> str:
    """In one line, without the statement and its parameters, which may hold what logs must not."""
    cause = _cause(error)
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    # What a server says has a code, and its further lines may tell values; of several hosts each has a line.
    shown = lines if isinstance(error, DBAPIError | psycopg.Error) and not sqlstate(error) else lines[:1]
    said = "database: " + " ".join(shown)
    if said.endswith("certificate verify failed"):
        return f"{said}: {NOT_TRUSTED}"
    return said


def sqlstate(error: Exception) -> str | None:
    """PostgreSQL's code of what it says; None of what others say, such as that it cannot be reached."""
    code: str | None = getattr(_cause(error), "sqlstate", None)
    return code


def _cause(error: Exception) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver starts no transactions of its own
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()

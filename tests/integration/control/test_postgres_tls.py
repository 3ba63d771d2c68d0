"""PostgreSQL over TLS as control and `headrace migrate` enter it, and each way in which it cannot be, in words."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest

from headrace.control.db import Database, DatabaseError, migrate
from headrace.control.db.engines import NOT_TRUSTED
from headrace.core.broadcast import StreamId
from tests.support.authority import Authority, Signed
from tests.support.postgres import USER, Postgres
from tests.support.stack import HEADRACE, Process


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with Authority() as authority:
        yield authority


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[Postgres]:
    server = Postgres(authority=authority, asks_clients=True)
    server.start()
    yield server
    server.stop()


def url(port: int, database: str, **parameters: str) -> str:
    """The server as an operator names it."""
    return f"postgresql://{USER}@127.0.0.1:{port}/{database}?" + "&".join(
        f"{name}={value}" for name, value in {"sslmode": "verify-full", **parameters}.items()
    )


def files(authority: Authority, ours: Signed) -> dict[str, str]:
    """libpq's parameters."""
    return {"sslrootcert": authority.file, "sslcert": ours.certificate, "sslkey": ours.key}


async def test_control_and_migrate_enter_with_certificates(server: Postgres, authority: Authority) -> None:
    database = server.empty()
    given = url(server.port, database, **files(authority, authority.sign(USER)))
    with Process([str(HEADRACE), "migrate"], HEADRACE_DATABASE_URL=given) as migrating:
        assert migrating.wait(30) == 0, migrating.output
    control = Database(given, 2)
    try:
        await control.check_schema()
        async with control.read() as tx:
            assert await tx.streams.get(StreamId("none")) is None
    finally:
        await control.close()
    used = "SELECT count(*) FROM pg_stat_ssl WHERE ssl"
    assert server.execute(used) != [(0,)]


@pytest.mark.parametrize("kind", ["another authority", "expired", "another name", "no TLS"])
async def test_a_server_that_is_not_what_it_should_be_is_refused_at_once(authority: Authority, kind: str) -> None:
    signed = {
        "expired": lambda: authority.sign("127.0.0.1", days=-1),
        "another name": lambda: authority.sign("db.example"),
    }
    with Authority() as another:
        trusted = another if kind == "another authority" else authority
        speaks = None if kind == "no TLS" else authority
        server = Postgres(authority=speaks, signed=signed[kind]() if kind in signed else None)
        server.start()
        try:
            said = await _refusal(url(server.port, "postgres", sslrootcert=trusted.file))
        finally:
            server.stop()
    assert said.endswith(
        {
            "another authority": f"SSL error: certificate verify failed: {NOT_TRUSTED}",
            "expired": f"SSL error: certificate verify failed: {NOT_TRUSTED}",
            "another name": 'server certificate for "db.example" does not match host name "127.0.0.1"',
            "no TLS": "server does not support SSL, but SSL was required",
        }[kind]
    )


async def test_who_has_no_certificate_or_another_authoritys_is_told_so(server: Postgres, authority: Authority) -> None:
    none = {"sslrootcert": authority.file}
    assert (await _refusal(url(server.port, "postgres", **none))).endswith("requires a valid client certificate")
    with Authority() as another:
        foreign = files(authority, another.sign(USER))
        assert "unknown ca" in await _refusal(url(server.port, "postgres", **foreign))


async def test_an_authority_that_is_not_there_is_named(server: Postgres) -> None:
    said = await _refusal(url(server.port, "postgres", sslrootcert="/nowhere/ca.pem"))
    assert 'root certificate file "/nowhere/ca.pem" does not exist' in said


async def test_a_server_that_agrees_to_tls_and_says_no_more_is_given_up(authority: Authority) -> None:
    over = asyncio.Event()
    entered: list[asyncio.StreamWriter] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        entered.append(writer)
        await reader.read(8)
        writer.write(b"S")
        await over.wait()
        writer.close()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with listening, asyncio.timeout(8):
        port = listening.sockets[0].getsockname()[1]
        assert "timeout" in await _refusal(url(port, "postgres", sslrootcert=authority.file))
        over.set()
        for writer in entered:
            with suppress(OSError):
                await writer.wait_closed()


async def _refusal(given: str) -> str:
    """What both say: control, and `headrace migrate`."""
    control = Database(given, 1)
    try:
        with pytest.raises(DatabaseError) as refused:
            await control.check_schema()
    finally:
        await control.close()
    with pytest.raises(DatabaseError):
        await migrate(given, 0.0)
    return str(refused.value)

"""What PostgreSQL does to a transaction, and what control makes of it."""

import asyncio
import gc
import signal
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from headrace.control.db import Conflict, Database, DatabaseError, Transaction, engines, migrate
from tests.support.postgres import Postgres
from tests.unit.control.support import Place

_ARRAYS = text("SELECT * FROM unnest(CAST(:a AS text[]), CAST(:b AS bigint[]), CAST(:c AS bytea[])) AS w (a, b, c)")


async def run(transaction: Transaction, statement: str) -> list[tuple[object, ...]]:
    done = await transaction.streams._connection.execute(text(statement))
    return [tuple(row) for row in done] if done.returns_rows else []


@pytest.fixture
async def database(place: Place) -> AsyncIterator[Database]:
    """Control's pool of two connections, with a table of numbers beside control's own."""
    place.execute("CREATE TABLE numbers (name text PRIMARY KEY, value int NOT NULL)")
    place.execute("INSERT INTO numbers VALUES ('a', 0), ('b', 0)")
    made = Database(place.url, connections=2)
    yield made
    await made.close()


@pytest.fixture
def own() -> Iterator[Postgres]:
    """A server that the test may treat badly."""
    server = Postgres()
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def on_own(own: Postgres) -> AsyncIterator[Database]:
    """Control's pool on a server that the test may treat badly, with a connection in it."""
    made = Database(own.url(await own.migrated(migrate)), connections=2)
    await made.ping()
    yield made
    await made.close()


async def test_what_is_read_cannot_be_written(database: Database) -> None:
    with pytest.raises(DatabaseError, match="read-only"):
        async with database.read() as tx:
            await run(tx, "UPDATE numbers SET value = 1")


async def test_a_block_that_fails_changes_nothing(database: Database) -> None:
    async def write() -> None:
        async with database.write() as tx:
            await run(tx, "UPDATE numbers SET value = 1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await write()
    async with database.read() as tx:
        assert await run(tx, "SELECT sum(value) FROM numbers") == [(0,)]


async def test_what_is_said_last_is_committed_by_the_time_it_is_answered(database: Database) -> None:
    async def write() -> None:
        async with database.write() as tx:
            await run(tx, "UPDATE numbers SET value = 1 WHERE name = 'a'")
            done = await tx.streams._connection.execute_last(text("UPDATE numbers SET value = 2 WHERE name = 'b'"))
            assert done.rowcount == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await write()
    async with database.read() as tx:
        assert await run(tx, "SELECT name, value FROM numbers ORDER BY name") == [("a", 1), ("b", 2)]


async def test_nothing_may_follow_what_is_said_last(database: Database) -> None:
    async def write() -> None:
        async with database.write() as tx:
            await tx.streams._connection.execute_last(text("SELECT 1"))
            await run(tx, "UPDATE numbers SET value = 1")

    with pytest.raises(AssertionError):
        await write()
    async with database.read() as tx:
        assert await run(tx, "SELECT sum(value) FROM numbers") == [(0,)]


async def test_nothing_stays_in_the_session(database: Database) -> None:
    for _ in range(10):  # psycopg by itself prepares what it saw five times
        async with database.write() as tx:
            assert await run(tx, "SELECT value FROM numbers WHERE name = 'a'") == [(0,)]
            assert await run(tx, "SELECT count(*) FROM pg_prepared_statements") == [(0,)]
    async with database.read() as tx:
        await run(tx, "COMMIT")
        assert await run(tx, "SELECT name FROM pg_settings WHERE source = 'session'") == []
        assert await run(tx, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
            st.integers(-(2**63), 2**63 - 1),
            st.binary(max_size=8),
        ),
        max_size=5,
    )
)
@example([("NULL", 0, b""), ("", -1, b"\0"), ('a"b\\c{d,e}', 1, b"\\x"), (" f ", 2, b"'"), ("%(a)s :b ; --", 3, b"%")])
def test_an_array_arrives_as_it_is(postgres: Postgres, rows: list[tuple[str, int, bytes]]) -> None:
    async def asked() -> list[tuple[object, ...]]:
        database = Database(postgres.url("postgres"), connections=1)
        try:
            async with database.read() as tx:
                arrays = {name: [row[i] for row in rows] for i, name in enumerate("abc")}
                done = await tx.streams._connection.execute(_ARRAYS, arrays)
                return [tuple(row) for row in done]
        finally:
            await database.close()

    assert asyncio.run(asked()) == rows


async def test_a_deadlock_is_a_conflict_for_one_of_two(database: Database) -> None:
    together = asyncio.Barrier(2)

    async def write(first: str, second: str) -> str:
        try:
            async with database.write() as tx:
                await run(tx, f"UPDATE numbers SET value = value + 1 WHERE name = '{first}'")
                await together.wait()
                await run(tx, f"UPDATE numbers SET value = value + 1 WHERE name = '{second}'")
        except Conflict:
            return "conflict"
        return "done"

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        tasks = [group.create_task(write("a", "b")), group.create_task(write("b", "a"))]
    assert sorted(task.result() for task in tasks) == ["conflict", "done"]


async def test_a_row_that_somebody_keeps_is_waited_for_in_bounds(
    database: Database, monkeypatch: pytest.MonkeyPatch, place: Place
) -> None:
    monkeypatch.setattr(engines, "LOCK_MS", 100)
    hasty = Database(place.url)
    async with database.write() as tx:
        await run(tx, "UPDATE numbers SET value = 1")
        with pytest.raises(DatabaseError, match="lock timeout") as caught:
            async with hasty.write() as other:
                await run(other, "UPDATE numbers SET value = 2")
        assert not isinstance(caught.value, Conflict)
    await hasty.close()


async def test_a_statement_that_takes_too_long_is_ended_by_the_server(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "STATEMENT_MS", 100)
    hasty = Database(place.url)
    with pytest.raises(DatabaseError, match="statement timeout"):
        async with hasty.read() as tx:
            await run(tx, "SELECT pg_sleep(5)")
    await hasty.close()


async def test_a_control_that_stands_still_keeps_no_row(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "IDLE_MS", 100)
    still = Database(place.url)

    async def write() -> None:
        async with still.write() as tx:
            await run(tx, "SELECT 1")
            await asyncio.sleep(0.3)
            await run(tx, "SELECT 1")

    with pytest.raises(DatabaseError, match="idle-in-transaction"):
        await write()
    await still.close()


async def test_who_finds_every_connection_in_use_waits_in_bounds(
    database: Database, monkeypatch: pytest.MonkeyPatch, place: Place
) -> None:
    monkeypatch.setattr(engines, "POOL_WAIT_S", 0.1)
    narrow = Database(place.url, connections=1)
    async with narrow.read():
        with pytest.raises(DatabaseError, match=r"^database: every connection is in use$"):
            async with narrow.read():
                pass
    async with narrow.read():
        pass
    await narrow.close()


async def test_a_transaction_is_over_at_its_deadline_whatever_it_does(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "CALL_S", 0.3)
    hasty = Database(place.url, connections=1)

    async def write() -> None:
        async with hasty.write() as tx:
            for _ in range(100):
                await run(tx, "SELECT pg_sleep(0.05)")

    with pytest.raises(DatabaseError, match=r"no answer within 0\.3 s"):
        await write()
    async with hasty.read() as tx:
        assert await run(tx, "SELECT 1") == [(1,)]
    await hasty.close()


async def test_a_call_that_is_cancelled_leaves_its_connection_usable(place: Place) -> None:
    database = Database(place.url, connections=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), database.write() as tx:
            await run(tx, "SELECT pg_sleep(2)")
    async with database.read() as tx:
        assert await run(tx, "SELECT 1") == [(1,)]
    await database.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_server_that_was_restarted_is_not_noticed(own: Postgres, on_own: Database, how: signal.Signals) -> None:
    async with on_own.read(), on_own.read():
        pass  # two connections lie in the pool, and both die
    own.halt(how)
    own.resume()
    for _ in range(3):
        async with on_own.write() as tx:
            assert await run(tx, "SELECT 1") == [(1,)]


async def test_a_server_that_is_down_is_said_at_once_and_found_when_it_is_back(own: Postgres, on_own: Database) -> None:
    own.halt()
    for _ in range(3):
        began = time.monotonic()
        with pytest.raises(DatabaseError, match="refused"):
            await on_own.ping()
        assert time.monotonic() - began < 1
    own.resume()
    await on_own.ping()


async def test_a_connection_that_is_lost_in_a_transaction_fails_it(own: Postgres, on_own: Database) -> None:
    async def write() -> None:
        async with on_own.write() as tx:
            own.halt()
            await run(tx, "SELECT 1")

    with pytest.raises(DatabaseError) as caught:
        await write()
    assert not isinstance(caught.value, Conflict)


@pytest.mark.parametrize("connected", [True, False])
async def test_a_server_that_answers_nobody_fails_calls_in_time(own: Postgres, connected: bool) -> None:
    database = Database(own.url(await own.migrated(migrate)), connections=1)
    if connected:
        await database.ping()
    own.freeze()
    try:
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(failure(database)) for _ in range(3)]
        assert time.monotonic() - began < engines.CALL_S + 1
        assert all(call.result().startswith("database: ") for call in calls)
    finally:
        own.thaw()
    await database.ping()
    await database.close()


async def test_a_server_that_falls_silent_after_the_login_fails_calls_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "CALL_S", 0.5)
    hung_up = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(4), "big")
        await reader.readexactly(size - 4)
        writer.write(b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I")  # you are in; I am ready
        while await reader.read(1000):
            pass
        hung_up.set()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        database = Database(f"postgresql://u@127.0.0.1:{port}/x?sslmode=disable&gssencmode=disable")
        async with asyncio.timeout(5):
            assert await failure(database) == "database: no answer within 0.5 s"
            await hung_up.wait()
        await database.close()


async def test_a_server_that_never_answers_keeps_no_socket_of_ours() -> None:
    hung_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass
        hung_up.set()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        database = Database(f"postgresql://u@127.0.0.1:{port}/x?sslmode=disable&gssencmode=disable")
        gc.disable()  # which would close it some day
        try:
            async with asyncio.timeout(10):
                assert "timeout" in await failure(database)
                await hung_up.wait()
        finally:
            gc.enable()
        await database.close()


async def failure(database: Database) -> str:
    with pytest.raises(DatabaseError) as caught:
        await database.ping()
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://u:hunter2@127.0.0.1:1/x", "refused"),
        ("postgresql://u:hunter2@127.0.0.1,127.0.0.1:1/x", "refused"),
        ("postgresql://u:hunter2@host.invalid/x", "resolve|resolution|known"),
        ("postgresql://u:hunter2@127.0.0.1:port/x", "cannot be read"),
        ("postgresql://u:hunter2@[::1/x", "cannot be read"),
        ("mysql://u:hunter2@127.0.0.1/x", "must begin with postgresql://"),
        ("hunter2", "cannot be read"),
    ],
)
async def test_what_is_wrong_with_an_address_is_one_line_without_its_password(url: str, words: str) -> None:
    with pytest.raises(DatabaseError, match=words) as caught:
        await Database(url).ping()
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_the_driver_need_not_be_named(place: Place) -> None:
    database = Database(place.url.replace("+psycopg", ""))
    await database.ping()
    await database.close()

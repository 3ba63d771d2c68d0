"""`headrace migrate` on PostgreSQL: several at once, beside those who work, and with indexes that are made late."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from headrace.control.db import DatabaseError, Migrated, engines, migrate, schema
from tests.support.house import REPO
from tests.support.postgres import Postgres
from tests.unit.control.support import Place

NEXT = """
import sqlalchemy as sa
from alembic import op
from headrace.control.db.migrations.indexes import LateIndex

revision = "{revision:04}"
down_revision = "{down:04}"
indexes = (LateIndex("streams_by_name", "streams", "tenant_id, name", where="deleted_ms IS NULL"),)


def upgrade() -> None:
    op.add_column("streams", sa.Column("colour", sa.Text))
    {more}
"""
ADD_STREAM = (
    "INSERT INTO streams (id, name, profile, key_digest, key_hint, created_ms)"
    " SELECT md5(random()::text), 'x', '{}', md5(random()::text), 'h', 1"
)
LATE = (
    "SELECT indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid"
    " WHERE relname = 'streams_by_name' AND pg_get_indexdef(oid) ~ 'deleted_ms IS NULL'"
)
WAITING = "SELECT 1 FROM pg_stat_progress_create_index WHERE phase ~ '^waiting for writers'"
QUEUED = (
    "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
    " WHERE datname = current_database() AND mode = 'ShareUpdateExclusiveLock' AND NOT granted"
)
ON_SQLITE = "SELECT count(*) FROM sqlite_master WHERE name = 'streams_by_name'"


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that others hold is given up sooner, and tried again sooner."""
    monkeypatch.setattr(engines, "LOCK_MS", 200)
    monkeypatch.setattr(sys.modules[migrate.__module__], "RETRY_S", 0.1)


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[Place]:
    """A database with nothing in it."""
    name = postgres.empty()
    yield Place(postgres.url(name))
    postgres.drop(name)


def release(folder: Path, monkeypatch: pytest.MonkeyPatch, more: str = "") -> int:
    """From now on the code is of a later release, with one more migration; its schema."""
    copy = shutil.copytree(schema.SCRIPTS, folder / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    number = schema.newest() + 1
    (copy / f"versions/m{number:04}_colour.py").write_text(NEXT.format(revision=number, down=number - 1, more=more))
    monkeypatch.setattr(schema, "SCRIPTS", copy)
    return number


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The schema of a later release, which the code is of."""
    return release(tmp_path, monkeypatch)


def connect(place: Place) -> psycopg.Connection:
    """Somebody else who works on the database."""
    return psycopg.connect(place.url.replace("+psycopg", ""))


async def test_of_several_at_once_one_migrates_and_all_succeed(empty: Place) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(migrate(empty.url)) for _ in range(6)]
    newest = schema.newest()
    assert sorted(task.result().before for task in tasks) == [0] + [newest] * 5
    assert {task.result().after for task in tasks} == {newest}


async def test_several_processes_at_once_all_end_well(empty: Place) -> None:
    command = (sys.executable, "-c", "from headrace.cli import main; main()", "migrate")
    environment = {**os.environ, "HEADRACE_DATABASE_URL": empty.url, "PYTHONPATH": str(REPO / "services")}
    started = [
        await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
        for _ in range(3)
    ]
    said = [(await process.communicate())[0].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert sorted("nothing to do" in words for words in said) == [False, True, True]


async def test_one_that_waits_for_another_gives_up_and_tries_again(empty: Place) -> None:
    with connect(empty) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [0x6865616472616365])
        with pytest.raises(DatabaseError, match="lock timeout"):
            await migrate(empty.url, wait_s=0.3)
        async with asyncio.TaskGroup() as group:
            migrating = group.create_task(migrate(empty.url, wait_s=20))
            await asyncio.sleep(0.5)
            assert not migrating.done()
            other.rollback()
    assert migrating.result() == Migrated(0, schema.newest())


async def test_a_table_in_use_is_waited_for_without_stopping_those_who_use_it(place: Place, later: int) -> None:
    with connect(place) as reader, connect(place) as writer:
        reader.execute("SELECT count(*) FROM streams")
        writer.autocommit = True
        async with asyncio.TaskGroup() as group:
            migrating = group.create_task(migrate(place.url, wait_s=20))
            longest_s = 0.0
            for _ in range(20):
                await asyncio.sleep(0.05)
                began = time.monotonic()
                await asyncio.to_thread(writer.execute, ADD_STREAM)
                longest_s = max(longest_s, time.monotonic() - began)
            assert not migrating.done()
            reader.rollback()
    assert migrating.result() == Migrated(later - 1, later)
    assert longest_s < 1  # behind the migration for no longer than it waits for the table


async def test_an_index_on_a_large_table_is_made_beside_those_who_write(place: Place, later: int) -> None:
    await migrate(place.url)
    place.execute("DROP INDEX streams_by_name")
    with connect(place) as old, connect(place) as writer:
        old.execute(ADD_STREAM)
        writer.autocommit = True
        writer.execute("SET statement_timeout = '2s'")
        async with asyncio.TaskGroup() as group:
            migrating = group.create_task(migrate(place.url))
            async with asyncio.timeout(10):
                while not place.execute(WAITING):  # noqa: ASYNC110  # the server sets no event
                    await asyncio.sleep(0.05)
            writer.execute(ADD_STREAM)
            assert place.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'") == []
            assert not migrating.done()
            old.rollback()
    assert place.execute(LATE) == [(True,)]


async def test_several_at_once_make_a_late_index_once(place: Place, later: int) -> None:
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        tasks = [group.create_task(migrate(place.url)) for _ in range(4)]
    assert {task.result().after for task in tasks} == {later}
    assert place.execute(LATE) == [(True,)]


async def test_of_two_that_wait_for_each_other_over_a_late_index_both_succeed(place: Place, later: int) -> None:
    await migrate(place.url)
    place.execute("DROP INDEX streams_by_name")
    with connect(place) as other:
        other.execute("LOCK TABLE streams IN SHARE UPDATE EXCLUSIVE MODE")
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(migrate(place.url))
            while place.execute(QUEUED) != [(2,)]:  # noqa: ASYNC110  # the server sets no event
                await asyncio.sleep(0.05)
            other.rollback()
    assert place.execute(LATE) == [(True,)]


async def test_a_late_index_that_a_broken_attempt_left_is_made_again(place: Place, later: int) -> None:
    await migrate(place.url)
    place.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'streams_by_name'::regclass")
    assert await migrate(place.url) == Migrated(later, later)
    assert place.execute(LATE) == [(True,)]


async def test_a_late_index_is_made_on_sqlite_too(tmp_path: Path, later: int) -> None:
    on_file = Place(f"sqlite+aiosqlite:///{tmp_path}/control.sqlite3")
    for before in (0, later):
        assert await migrate(on_file.url) == Migrated(before, later)
        assert on_file.execute(ON_SQLITE) == [(1,)]


@pytest.mark.parametrize("engine", ["postgresql", "sqlite"])
async def test_a_step_that_fails_changes_nothing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    tried = place if engine == "postgresql" else Place(f"sqlite+aiosqlite:///{tmp_path}/control.sqlite3")
    await migrate(tried.url)
    before = schema.newest()
    release(tmp_path, monkeypatch, more="op.execute('UPDATE nowhere SET x = 1')")
    with pytest.raises(DatabaseError, match="nowhere") as caught:
        await migrate(tried.url)
    assert "\n" not in str(caught.value)
    assert tried.execute("SELECT version_num FROM alembic_version") == [(f"{before:04}",)]
    with pytest.raises(Exception, match="colour"):
        tried.execute("SELECT colour FROM streams")


async def test_a_server_that_is_not_there_yet_is_waited_for_in_bounds() -> None:
    server = Postgres()
    server.start()
    try:
        url = server.url(server.empty())
        server.halt()
        with pytest.raises(DatabaseError, match="refused"):
            await migrate(url, wait_s=0.3)
        async with asyncio.TaskGroup() as group:
            migrating = group.create_task(migrate(url, wait_s=20))
            await asyncio.sleep(0.5)
            await asyncio.to_thread(server.resume)
        assert migrating.result() == Migrated(0, schema.newest())
    finally:
        server.stop()

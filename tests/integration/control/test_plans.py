"""How PostgreSQL finds what every publish asks for, where it has not counted a table's rows, as after a restore."""

from typing import Any

import psycopg
from sqlalchemy import Select

from headrace.control.db import migrate
from headrace.control.db.postgres import DIALECT
from headrace.control.db.streams import _BY_IDS, _BY_KEYS
from tests.support.postgres import Postgres

STREAMS = 100_000


async def test_a_publishs_stream_is_found_by_its_key_alone(postgres: Postgres) -> None:
    database = await postgres.migrated(migrate)
    async with await psycopg.AsyncConnection.connect(postgres.raw_url(database), autocommit=True) as connection:
        await connection.execute("ALTER TABLE streams SET (autovacuum_enabled = false)")
        await connection.execute(f"""INSERT INTO streams (id, name, profile, key_digest, key_hint, created_ms)
            SELECT n, n, '"auto"', 'digest ' || n, 'abcd', n FROM generate_series(1, {STREAMS}) AS n""")
        by_keys = await planned(connection, _BY_KEYS, digests=[f"digest {n}" for n in range(64)])
        by_ids = await planned(connection, _BY_IDS, ids=[str(n) for n in range(64)])
    postgres.drop(database)
    assert "streams_by_key" in by_keys
    assert "streams_pkey" in by_ids
    for plan in (by_keys, by_ids):
        assert "streams_by_age" not in plan
        assert "Seq Scan on streams" not in plan


async def planned(connection: psycopg.AsyncConnection[Any], statement: Select[Any], **values: list[str]) -> str:
    written = statement.compile(dialect=DIALECT)
    cursor = await psycopg.AsyncClientCursor(connection).execute(f"EXPLAIN {written}", {**written.params, **values})
    return "\n".join(row[0] for row in await cursor.fetchall())

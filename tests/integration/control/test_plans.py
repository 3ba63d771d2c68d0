"""How PostgreSQL finds what every publish asks for, where it has not counted a table's rows, as after a restore."""

import psycopg

from headrace.control.db import migrate
from headrace.control.db.postgres import DIALECT
from headrace.control.db.streams import _BY_KEYS
from tests.support.postgres import Postgres

STREAMS = 100_000


async def test_a_publishs_stream_is_found_by_its_key_alone(postgres: Postgres) -> None:
    database = await postgres.migrated(migrate)
    async with await psycopg.AsyncConnection.connect(postgres.raw_url(database), autocommit=True) as connection:
        await connection.execute("ALTER TABLE streams SET (autovacuum_enabled = false)")
        await connection.execute(f"""INSERT INTO streams (id, name, profile, key_digest, key_hint, created_ms)
            SELECT n, n, '"auto"', 'digest ' || n, 'abcd', n FROM generate_series(1, {STREAMS}) AS n""")
        asked = str(_BY_KEYS.compile(dialect=DIALECT))
        values = {**_BY_KEYS.compile(dialect=DIALECT).params, "digests": [f"digest {n}" for n in range(64)]}
        cursor = await psycopg.AsyncClientCursor(connection).execute(f"EXPLAIN {asked}", values)
        plan = "\n".join(row[0] for row in await cursor.fetchall())
    postgres.drop(database)
    assert "streams_by_key" in plan
    assert "streams_by_age" not in plan
    assert "Seq Scan on streams" not in plan

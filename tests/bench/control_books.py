"""The database that `bench-control` begins with: streams with known keys, and what pods hold that report their runs."""

import asyncio
import hashlib

import psycopg

from headrace.control.db import migrate
from tests.support.postgres import Postgres

OLD_RUNS = 5  # of each stream
PODS_RUNS = 4
TRANSCODER = 2  # of three pods that report
TRANSCODERS_COST = 4 * 70_000_000


def key_of(stream: int) -> str:
    """A stream's key."""
    return f"sk_bench_{stream:07}"


def pod_name(number: int) -> str:
    """A pod that reports."""
    return f"p{number:05}"


def run_name(number: int, run: int) -> str:
    """A run that it works on, or a session that it holds."""
    return f"p{number:05}r{run}"


def with_streams(postgres: Postgres, streams: int) -> str:
    """A database with so many; its name."""
    database = asyncio.run(postgres.migrated(migrate))
    with psycopg.connect(postgres.raw_url(database)) as connection:
        with connection.cursor().copy(
            "COPY streams (id, name, profile, key_digest, key_hint, created_ms) FROM STDIN"
        ) as rows:
            for number in range(streams):
                digest = hashlib.sha256(key_of(number).encode()).hexdigest()
                rows.write_row((f"st{number:07}", f"Stream {number}", '"auto"', digest, "abcd", number))
        # What it has seen before: its planner knows sizes, and old rows are in nobody's way.
        connection.execute(f"""INSERT INTO runs (id, stream_id, state, created_ms, ended_ms, last_session)
            SELECT id || 'r' || n, id, 'ended', 1, 2, 1 FROM streams, generate_series(1, {OLD_RUNS}) AS n""")
        columns = "id, stream_id, run_id, number, state, edge, peer, opened_ms, closed_ms"
        connection.execute(f"""INSERT INTO sessions ({columns})
            SELECT id, stream_id, id, 1, 'ended', 'edge-1', '192.0.2.1:50000', 1, 2 FROM runs""")
        connection.execute("CREATE TABLE bench AS SELECT id, 0 AS n FROM generate_series(0, 1000) AS id")
        connection.execute("CREATE UNIQUE INDEX ON bench (id)")
    postgres.execute("VACUUM ANALYZE", database)
    return database


def with_holds(postgres: Postgres, pods: int, capacity: int) -> str:
    """A database whose transcoders hold what those that report work on; its name."""
    database = asyncio.run(postgres.migrated(migrate))
    with psycopg.connect(postgres.raw_url(database)) as connection:
        transcoders = [number for number in range(pods) if number % 3 < TRANSCODER]
        with connection.cursor().copy(
            "COPY pods (id, target, zone, version, state, capacity, held) FROM STDIN"
        ) as rows:
            for number in transcoders:
                row = (pod_name(number), f"ipv4:127.0.0.1:{number}", "z1", "1.0", "ready", capacity, TRANSCODERS_COST)
                rows.write_row(row)
        with connection.cursor().copy(
            "COPY allocations (id, run_id, session_id, pod, cost, state, held_ms) FROM STDIN"
        ) as rows:
            for number in transcoders:
                for run in range(PODS_RUNS):
                    name = run_name(number, run)
                    rows.write_row((name, name, name, pod_name(number), TRANSCODERS_COST // PODS_RUNS, "held", 1))
    postgres.execute("VACUUM ANALYZE", database)
    return database

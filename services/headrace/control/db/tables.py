"""The tables as this version reads and writes them.

Law: every row carries its tenant; times are Unix milliseconds; what must be unique is an index here, not a check in
code. `migrations` makes them, and a test compares the two.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text, text

TENANT = "default"

metadata = MetaData()


def _tenant() -> Column[str]:
    return Column("tenant_id", String(64), nullable=False, server_default=TENANT)


streams = Table(
    "streams",
    metadata,
    Column("id", String(32), primary_key=True),
    _tenant(),
    Column("name", String(200), nullable=False),
    Column("profile", Text, nullable=False),  # JSON, in the words of the request
    Column("key_digest", String(64), nullable=False),
    Column("key_hint", String(8), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("deleted_ms", BigInteger),
    Index("streams_by_key", "key_digest", unique=True),
    Index("streams_by_age", "tenant_id", "created_ms", "id"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(32), primary_key=True),
    _tenant(),
    Column("stream_id", String(32), ForeignKey("streams.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("ended_ms", BigInteger),
    Column("plan", LargeBinary),  # as in the log's first entry; null until the source is described
    Column("last_session", Integer, nullable=False),  # the highest session number given out
    Column("source", LargeBinary),  # what its first session described, as on the wire
    Column("anchor_ms", BigInteger),  # timeline 0
    Column("cost", BigInteger),  # pixels/s, by its plan
    Index(
        "runs_one_live",
        "stream_id",
        unique=True,
        sqlite_where=text("state = 'live'"),
        postgresql_where=text("state = 'live'"),
    ),
    Index(
        "runs_abandoned",
        "id",
        sqlite_where=text("state = 'abandoned'"),
        postgresql_where=text("state = 'abandoned'"),
    ),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(32), primary_key=True),
    _tenant(),
    Column("stream_id", String(32), ForeignKey("streams.id"), nullable=False),
    Column("run_id", String(32), ForeignKey("runs.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("edge", String(200), nullable=False),
    Column("peer", String(200), nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    Column("starts_at", BigInteger, nullable=False, server_default="0"),  # ticks on the run's timeline
    Column("gone", String(16)),  # why it is held no more
    Column("silent_ms", BigInteger),  # since when some replica of control has not heard of it
    Index("sessions_by_run", "run_id", "number", unique=True),
    Index(
        "sessions_one_active",
        "stream_id",
        unique=True,
        sqlite_where=text("state = 'active'"),
        postgresql_where=text("state = 'active'"),
    ),
)

replays = Table(
    "idempotency_keys",
    metadata,
    Column("key_digest", String(64), primary_key=True),
    _tenant(),
    Column("request_digest", String(64), nullable=False),
    Column("stream_id", String(32), ForeignKey("streams.id"), nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("stream_key_digest", String(64), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Index("idempotency_by_age", "created_ms"),
)

pods = Table(
    "pods",
    metadata,
    Column("id", String(200), primary_key=True),
    _tenant(),
    Column("target", String(400), nullable=False),
    Column("zone", String(200), nullable=False),
    Column("version", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("capacity", BigInteger, nullable=False),  # pixels/s
    Column("held", BigInteger, nullable=False, server_default="0"),  # pixels/s: the sum of its allocations
    Column("silent_ms", BigInteger),  # since when some replica of control has not heard of it
)

allocations = Table(
    "allocations",
    metadata,
    Column("id", String(32), primary_key=True),
    _tenant(),
    Column("run_id", String(32), nullable=False),  # may be unknown here: a restored database is older than the fleet
    Column("session_id", String(32), nullable=False),
    Column("pod", String(200), nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("held_ms", BigInteger, nullable=False),
    Index("allocations_by_run", "run_id", "pod", unique=True),
    Index("allocations_by_session", "session_id"),
    Index("allocations_by_pod", "pod"),
)

"""Streams, runs, sessions, and requests that may be repeated."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "streams",
        sa.Column("id", sa.String(32), primary_key=True),
        _tenant(),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("profile", sa.Text, nullable=False),
        sa.Column("key_digest", sa.String(64), nullable=False),
        sa.Column("key_hint", sa.String(8), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("deleted_ms", sa.BigInteger),
    )
    op.create_index("streams_by_key", "streams", ["key_digest"], unique=True)
    op.create_index("streams_by_age", "streams", ["tenant_id", "created_ms", "id"])
    op.create_table(
        "runs",
        sa.Column("id", sa.String(32), primary_key=True),
        _tenant(),
        sa.Column("stream_id", sa.String(32), sa.ForeignKey("streams.id"), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("ended_ms", sa.BigInteger),
        sa.Column("plan", sa.LargeBinary),
        sa.Column("last_session", sa.Integer, nullable=False),
    )
    _one_per_stream("runs_one_live", "runs", "state = 'live'")
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(32), primary_key=True),
        _tenant(),
        sa.Column("stream_id", sa.String(32), sa.ForeignKey("streams.id"), nullable=False),
        sa.Column("run_id", sa.String(32), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("edge", sa.String(200), nullable=False),
        sa.Column("peer", sa.String(200), nullable=False),
        sa.Column("opened_ms", sa.BigInteger, nullable=False),
        sa.Column("closed_ms", sa.BigInteger),
    )
    op.create_index("sessions_by_run", "sessions", ["run_id", "number"], unique=True)
    _one_per_stream("sessions_one_active", "sessions", "state = 'active'")
    op.create_table(
        "idempotency_keys",
        sa.Column("key_digest", sa.String(64), primary_key=True),
        _tenant(),
        sa.Column("request_digest", sa.String(64), nullable=False),
        sa.Column("stream_id", sa.String(32), sa.ForeignKey("streams.id"), nullable=False),
        sa.Column("salt", sa.LargeBinary, nullable=False),
        sa.Column("stream_key_digest", sa.String(64), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("idempotency_by_age", "idempotency_keys", ["created_ms"])


def _tenant() -> sa.Column[str]:
    return sa.Column("tenant_id", sa.String(64), nullable=False, server_default="default")


def _one_per_stream(name: str, table: str, where: str) -> None:
    op.create_index(
        name, table, ["stream_id"], unique=True, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )

"""Transcoders, what is held on them, and what a session needs to go on with a run."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables and the columns."""
    op.add_column("runs", sa.Column("source", sa.LargeBinary))
    op.add_column("runs", sa.Column("anchor_ms", sa.BigInteger))
    op.add_column("runs", sa.Column("cost", sa.BigInteger))
    op.add_column("sessions", sa.Column("starts_at", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("sessions", sa.Column("gone", sa.String(16)))
    op.add_column("sessions", sa.Column("silent_ms", sa.BigInteger))
    op.create_table(
        "pods",
        sa.Column("id", sa.String(200), primary_key=True),
        _tenant(),
        sa.Column("target", sa.String(400), nullable=False),
        sa.Column("zone", sa.String(200), nullable=False),
        sa.Column("version", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("capacity", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("silent_ms", sa.BigInteger),
    )
    op.create_table(
        "allocations",
        sa.Column("id", sa.String(32), primary_key=True),
        _tenant(),
        sa.Column("run_id", sa.String(32), nullable=False),
        sa.Column("session_id", sa.String(32), nullable=False),
        sa.Column("pod", sa.String(200), nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("held_ms", sa.BigInteger, nullable=False),
    )
    abandoned = sa.text("state = 'abandoned'")
    op.create_index("runs_abandoned", "runs", ["id"], sqlite_where=abandoned, postgresql_where=abandoned)
    op.create_index("allocations_by_run", "allocations", ["run_id", "pod"], unique=True)
    op.create_index("allocations_by_session", "allocations", ["session_id"])
    op.create_index("allocations_by_pod", "allocations", ["pod"])


def _tenant() -> sa.Column[str]:
    return sa.Column("tenant_id", sa.String(64), nullable=False, server_default="default")

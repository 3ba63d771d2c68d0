"""The migrations make what the code expects."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from headrace.control.db import migrate
from headrace.control.db.tables import metadata


async def test_the_migrations_make_the_tables_of_this_version(tmp_path: Path) -> None:
    await migrate(f"sqlite+aiosqlite:///{tmp_path}/control.sqlite3")
    engine = create_engine(f"sqlite:///{tmp_path}/control.sqlite3")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_every_row_carries_its_tenant() -> None:
    assert all("tenant_id" in table.c for table in metadata.tables.values())

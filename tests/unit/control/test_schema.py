"""The migrations make what the code expects."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from headrace.control.db import DatabaseError, migrate
from headrace.control.db.tables import metadata
from tests.unit.control.support import Place


def test_the_migrations_make_the_tables_of_this_version(place: Place) -> None:
    engine = create_engine(place.url.replace("+aiosqlite", ""))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_every_row_carries_its_tenant() -> None:
    assert all("tenant_id" in table.c for table in metadata.tables.values())


async def test_migrating_a_database_from_the_future_is_refused_in_one_line(place: Place) -> None:
    await migrate(place.url)
    place.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="9999") as caught:
        await migrate(place.url)
    assert "\n" not in str(caught.value)

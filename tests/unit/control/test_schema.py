"""The migrations make what the code expects, and which schemas this version works on."""

import re

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from headrace.control.db import Database, DatabaseError, Migrated, migrate
from headrace.control.db.schema import SCRIPTS, newest
from headrace.control.db.tables import metadata
from tests.unit.control.support import Place


def test_the_migrations_make_the_tables_of_this_version(place: Place) -> None:
    engine = create_engine(place.url.replace("+aiosqlite", ""))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_every_row_carries_its_tenant() -> None:
    assert all("tenant_id" in table.c for table in metadata.tables.values())


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = sorted(re.findall(r"m(\d{4})_", " ".join(file.name for file in (SCRIPTS / "versions").glob("m*.py"))))
    assert numbers == [f"{number:04}" for number in range(1, newest() + 1)]


def pretend(place: Place, schema: int) -> None:
    place.execute(f"UPDATE alembic_version SET version_num = '{schema:04}'")


async def verdict(place: Place) -> str:
    """What control says of the schema at its start."""
    database = Database(place.url)
    try:
        await database.check_schema()
    except DatabaseError as error:
        return str(error)
    finally:
        await database.close()
    return "works"


@pytest.mark.parametrize("ahead", [0, 1])
async def test_control_works_on_its_own_schema_and_on_the_next(place: Place, ahead: int) -> None:
    pretend(place, newest() + ahead)
    assert await verdict(place) == "works"
    assert await migrate(place.url) == Migrated(newest() + ahead, newest() + ahead)


async def test_control_refuses_an_older_schema_and_says_what_to_do(place: Place) -> None:
    pretend(place, newest() - 1)
    assert re.search(rf"has (no )?schema.* needs schema {newest():04}: run `headrace migrate`", await verdict(place))


async def test_control_refuses_a_database_that_was_never_migrated(place: Place) -> None:
    place.execute("DROP TABLE alembic_version")
    assert "no schema" in await verdict(place)


async def test_two_schemas_ahead_may_be_too_far_for_control_and_for_migrations(place: Place) -> None:
    pretend(place, newest() + 2)
    assert "run a newer version" in await verdict(place)
    with pytest.raises(DatabaseError, match="run a newer version") as caught:
        await migrate(place.url)
    assert "\n" not in str(caught.value)

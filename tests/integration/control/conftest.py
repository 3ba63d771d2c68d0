"""What control's tests share when they run on PostgreSQL."""

from collections.abc import AsyncIterator, Iterator

import pytest

from headrace.control.db import migrate
from tests.support.postgres import Postgres
from tests.unit.control.signing import signing
from tests.unit.control.support import Place, parts

__all__ = ["parts", "signing"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests of this process; a test that stops or slows it starts its own."""
    server = Postgres()
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def place(postgres: Postgres) -> AsyncIterator[Place]:
    """A migrated database of PostgreSQL's."""
    database = await postgres.migrated(migrate)
    yield Place(postgres.url(database))
    postgres.drop(database)

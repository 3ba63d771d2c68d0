"""Control's parts on a fresh database: a file of SQLite's here, PostgreSQL in tests/integration/control."""

from pathlib import Path

import pytest

from tests.unit.control.signing import signing
from tests.unit.control.support import Place, parts, place_on_sqlite

__all__ = ["parts", "signing"]


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    """A migrated database."""
    return await place_on_sqlite(tmp_path)

"""Control's parts on a fresh database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.control.support import Control, control


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Control]:
    """Control with one transcoder that has room."""
    async with control(tmp_path) as made:
        made.report()
        yield made

"""The contract of live logs, kept by a log on one server."""

from collections.abc import AsyncIterator

import pytest

from headrace.livelog.base import LiveLog
from tests.support.log_contract import LogContract
from tests.support.redis import Server
from tests.support.redis_logs import opened


@pytest.fixture
async def log(server: Server) -> AsyncIterator[LiveLog]:
    server.empty()
    async with opened(server.url) as log:
        yield log


class TestOneServer(LogContract):
    """All of the contract."""

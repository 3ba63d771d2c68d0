"""An origin over a log that the test fills."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from headrace.livelog.base import LiveLog
from headrace.origin.service import Service, build
from headrace.origin.settings import OriginSettings
from tests.support.runs import PlaybackLog


@pytest.fixture
def log() -> PlaybackLog:
    return PlaybackLog()


@pytest.fixture
async def origin(log: PlaybackLog) -> AsyncIterator[Service]:
    service = build(OriginSettings(origin_max_waiting=3), log=cast(LiveLog, log))
    async with asyncio.TaskGroup() as group:
        group.create_task(service.run())
        yield service
        service.stop()

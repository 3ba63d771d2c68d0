"""Logs on real servers, as services open them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from headrace.livelog import connect
from headrace.livelog.cells import Cells
from headrace.livelog.settings import LogSettings


@asynccontextmanager
async def opened(cells: str, replicas: int = 0, **settings: Any) -> AsyncIterator[Cells]:
    """A log on these cells, as a service has it."""
    log = connect(LogSettings(log_cells=SecretStr(cells), log_replicas=replicas, **settings))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(log.run())
        try:
            yield log
        finally:
            running.cancel()

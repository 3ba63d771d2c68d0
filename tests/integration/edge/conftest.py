"""The edge runs on uvloop, so its tests do too."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from tests.integration.edge.harness import Stack, edge_stack


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    async with edge_stack(tmp_path) as stack:
        yield stack

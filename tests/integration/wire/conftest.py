"""A gRPC server on a Unix socket, and a channel to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from headrace.wire.channel import Channel, Server, listen, make_server, open_channel, serve
from headrace.wire.replicas import Replicas

Serving = Callable[[Callable[[Server], None]], AbstractAsyncContextManager[Channel]]


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    """`async with serving(add) as channel`: `add` gives the server its services."""

    @asynccontextmanager
    async def start(add: Callable[[Server], None]) -> AsyncIterator[Channel]:
        server = make_server()
        add(server)
        target = listen(server, f"unix:{tmp_path / 'wire.sock'}")
        async with asyncio.TaskGroup() as group:
            task = group.create_task(serve(server, grace_s=0))
            async with open_channel(target) as channel:
                yield channel
            task.cancel()

    return start


@pytest.fixture
async def replicas(tmp_path: Path) -> AsyncIterator[Replicas]:
    """Those who ask what `serving` serves."""
    async with Replicas(f"unix:{tmp_path / 'wire.sock'}") as replicas:
        yield replicas

"""The RTMP port: accepts connections and owns their sessions.

Law: one session's failure is its own; when the listener stops, every publish is finished first, within its deadline.
Neighbours: `connection` is one socket, `service` opens the port.
"""

import asyncio
import logging
import socket
from collections.abc import Coroutine
from typing import Any

from headrace.edge.budget import Budget
from headrace.edge.connection import Connection
from headrace.edge.leases import Leases
from headrace.edge.pace import Pace
from headrace.edge.session import STOP_FLUSH_S
from headrace.edge.settings import EdgeSettings
from headrace.runtime.aio.clock import monotonic_ms
from headrace.runtime.aio.tasks import spawn_isolated
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.wire.control import SessionsClient
from headrace.wire.lines import SharedLines

TICK_S = 1.0

_failed = RateLimited(logger(__name__), "a connection failed")


class Listener:
    """One RTMP port on `sock`, and all that hangs on it."""

    def __init__(
        self,
        settings: EdgeSettings,
        budget: Budget,
        control: SessionsClient,
        leases: Leases,
        transcoders: SharedLines,
        sock: socket.socket,
    ) -> None:
        self.settings = settings
        self.budget = budget
        self.control = control
        self.leases = leases
        self.transcoders = transcoders
        self.connections: set[Connection] = set()
        self.pace = Pace()
        self._sock = sock
        self._sessions: asyncio.TaskGroup | None = None
        self._running: set[asyncio.Task[None]] = set()

    @property
    def publishing(self) -> int:
        """How many sessions there are."""
        return len(self._running)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a session to its end, apart from all others."""
        assert self._sessions is not None
        task = spawn_isolated(self._sessions, work, "session")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def run(self) -> None:
        """Serve until cancelled; then finish every publish."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as self._sessions:
            server = await loop.create_server(lambda: Connection(self), sock=self._sock)
            try:
                while True:
                    await asyncio.sleep(TICK_S)
                    now_ms = monotonic_ms()
                    for connection in tuple(self.connections):
                        try:
                            connection.tick(now_ms)
                        except Exception as error:
                            _failed({"peer": connection.peer}, error=error, level=logging.ERROR)
                            connection.abort()
            finally:
                server.close()
                await self._finish()

    async def _finish(self) -> None:
        for connection in tuple(self.connections):
            connection.stop()
        if self._running:
            await asyncio.wait(self._running, timeout=STOP_FLUSH_S + 0.5)
        for connection in tuple(self.connections):
            connection.stop()

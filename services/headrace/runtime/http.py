"""The HTTP port of a process: uvicorn, with deadlines and bounds.

Law: a client that asks nothing, asks slowly or does not read what it asked for holds its connection for seconds; one
client more than there is room for is told 503, or nothing at all where even that would cost too much. Who sends garbage
or comes too many is counted, and logged at most once a second.
Neighbours: `direct` are the answers that leave here without ASGI's messages.
"""

import asyncio
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.direct import Answer, Direct, Later
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.runtime.telemetry.metrics import Counter, Gauge

GRACE_S = 1  # open responses get this long when the server stops
LOOK_S = 1.0
MAX_HEAD_BYTES = 64 * 1024  # of one request: its line and its headers

CONNECTIONS = Gauge("headrace_http_connections", "Open HTTP connections.")
CONNECTIONS_LIMIT = Gauge("headrace_http_limit_connections", "How many there may be; one more is answered 503.")
WAITING = Gauge("headrace_http_open_requests", "Whole HTTP requests that have not been answered yet.")
REFUSED = Counter("headrace_http_refused_connections_total", "Connections and requests beyond the limit.")
BAD_REQUESTS = Counter("headrace_http_bad_requests_total", "Requests that are no HTTP, or larger than they may be.")
TIMED_OUT = Counter("headrace_http_timed_out_connections_total", "Connections that asked or read too slowly.")

_full = RateLimited(logger(__name__), "too many HTTP connections")


@dataclass(frozen=True, slots=True)
class Limits:
    """`request_s`: for a connection's first request to be complete. `idle_s`: from an answer to the next request.

    `stall_s`: how long a client may read nothing of what it asked for. `connections`: above it requests get 503, a
    quarter more and connections are dropped; never more than half of the files that the process may have open.
    """

    request_s: float = 10.0
    idle_s: float = 30.0
    stall_s: float = 20.0
    connections: int = 20_000


LIMITS = Limits()


async def serve_http(app: Any, sock: socket.socket, limits: Limits = LIMITS) -> None:
    """Serve an ASGI app on `sock` until cancelled; open responses are given `GRACE_S`. Its `direct` is asked first."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(limits.connections, files // 2)
    CONNECTIONS_LIMIT.set(most)
    config = uvicorn.Config(
        app,
        http=_Connection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        lifespan="off",
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=round(limits.idle_s),
        limit_concurrency=most,
    )
    server = _Server(config)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(_watch(server, limits))
        serving = group.create_task(server.serve(sockets=[sock]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            server.should_exit = True
            await serving
            raise
        finally:
            watching.cancel()


async def _watch(server: uvicorn.Server, limits: Limits) -> None:
    while True:
        await asyncio.sleep(LOOK_S)
        now_s = monotonic_s()
        connections = tuple(server.server_state.connections)
        open_requests = 0
        for connection in connections:
            if isinstance(connection, _Connection):
                open_requests += connection.answering
                if connection.overdue(now_s, limits):
                    TIMED_OUT.inc()
                    connection.transport.abort()
        CONNECTIONS.set(len(connections))
        WAITING.set(open_requests)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are `lifecycle`'s, not the server's."""
        yield


class _Connection(HttpToolsProtocol):
    """One connection, which knows for how long it has been waiting for its client."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base
        super().connection_made(transport)
        self._direct: Callable[[Any], Direct] | None = getattr(self.config.app, "direct", None)
        self._since_s: float | None = monotonic_s()  # None while a whole request is being answered
        self._has_asked = False
        self._awaited: asyncio.Future[Answer] | None = None
        self._head_bytes = 0
        self._unsent_bytes = 0
        self._unread_since_s = 0.0
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency * 5 // 4:
            self._refused()
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._awaited is not None:
            self._awaited.cancel()

    @property
    def answering(self) -> bool:
        """Whether a whole request is being answered."""
        return self._since_s is None

    def overdue(self, now_s: float, limits: Limits) -> bool:
        """Whether the client has had all of its time. To be asked every second or so."""
        unsent_bytes = self.transport.get_write_buffer_size()
        if not 0 < self._unsent_bytes <= unsent_bytes:
            self._unread_since_s = now_s
        self._unsent_bytes = unsent_bytes
        if unsent_bytes:
            return now_s - self._unread_since_s > limits.stall_s
        limit_s = limits.idle_s if self._has_asked else limits.request_s
        return self._since_s is not None and now_s - self._since_s > limit_s

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's headers are too large.")

    def on_headers_complete(self) -> None:
        self._head_bytes = -(1 << 62)  # what follows is a body, of which its reader takes as much as it likes
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            self._refused()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        super().on_message_complete()
        self._has_asked = True
        if not self.cycle.response_complete:
            self._since_s = None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete or self.cycle.more_body:
            self._since_s = monotonic_s()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # One that was pipelined is left to ASGI: it starts at the end of another, and so would the next, ever deeper.
        if self._direct is None or app is not self.app or cycle is not self.cycle:
            return super()._start_asgi_task(cycle, app)
        found = self._direct(cycle.scope)
        if found is None:
            return super()._start_asgi_task(cycle, app)
        if isinstance(found, asyncio.Future):
            self._awaited = found
            return found.add_done_callback(partial(self._write_shared, cycle))
        return self._write_or_wait(cycle, found)

    def _write_or_wait(self, cycle: RequestResponseCycle, found: Answer | Later) -> None:
        if isinstance(found, Answer) and not self.flow.write_paused:
            return self._write(cycle, found)
        return super()._start_asgi_task(cycle, partial(self._write_later, cycle, found))

    def _write_shared(self, cycle: RequestResponseCycle, found: asyncio.Future[Answer]) -> None:
        self._awaited = None
        if found.cancelled():
            self.transport.close()
        elif not cycle.disconnected:
            self._write_or_wait(cycle, found.result())

    async def _write_later(self, cycle: RequestResponseCycle, found: Answer | Later, *_: object) -> None:
        answer = found if isinstance(found, Answer) else await found()
        if self.flow.write_paused and not cycle.disconnected:
            await self.flow.drain()
        if not cycle.disconnected:
            self._write(cycle, answer)

    def _write(self, cycle: RequestResponseCycle, answer: Answer) -> None:
        """The whole answer, and the end of the cycle as ASGI's last message would bring it about."""
        lines = [answer.head.lines]
        lines += [b"%s: %s\r\n" % field for field in self.server_state.default_headers]
        lines.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        self.transport.writelines((b"".join(lines), answer.body) if answer.body else lines)
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
        cycle.on_response = _nothing  # or it and this connection would keep each other

    def send_400_response(self, msg: str) -> None:
        BAD_REQUESTS.inc()
        super().send_400_response(msg)

    def _refused(self) -> None:
        REFUSED.inc()
        _full({"connections": len(self.connections)})


def _nothing() -> None:
    pass

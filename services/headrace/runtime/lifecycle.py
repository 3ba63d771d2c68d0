"""Life and death of a process: its event loop, its signals, its HTTP port.

Law: the first SIGINT or SIGTERM asks to stop and everything ends in order; a second one ends the process at once. A
port that cannot be had is one sentence, not a traceback.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
import uvloop

from headrace.core.errors import HeadraceError

HTTP_GRACE_S = 1  # open responses get this long when the server stops
SECOND_SIGNAL_EXIT = 130


class CannotStart(HeadraceError):
    """Something that this process needs is not to be had; the message is for the person who started it."""

    code = "cannot_start"


def run_until_signalled(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main(stopping)` on uvloop; `stopping` is set by the first signal. Errors of `main` pass through."""

    async def with_signals() -> None:
        stopping = asyncio.Event()

        def on_signal() -> None:
            if stopping.is_set():
                os._exit(SECOND_SIGNAL_EXIT)
            stopping.set()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal)
        await main(stopping)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(with_signals())


def listen_tcp(host: str, port: int, what: str) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises CannotStart in words that name `what`."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, proto)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
            sock.listen(1024)
        except OSError:
            sock.close()
            raise
    except (OSError, UnicodeError) as error:  # a name that cannot be one is no OSError
        why = getattr(error, "strerror", None) or error
        raise CannotStart(f"cannot listen for {what} on {host}:{port}: {why}") from error
    sock.setblocking(False)
    return sock


async def serve_http(app: Any, sock: socket.socket) -> None:
    """Serve an ASGI app on `sock` until cancelled; open responses are given `HTTP_GRACE_S`."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        lifespan="off",
        timeout_graceful_shutdown=HTTP_GRACE_S,
        h11_max_incomplete_event_size=64 * 1024,
    )
    server = _Server(config)
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve(sockets=[sock]))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            server.should_exit = True
            await serving
            raise


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are this module's, not the server's."""
        yield

"""Life and death of a process: its event loop, its signals, its limits, its ports.

Law: the first SIGINT or SIGTERM asks to stop and everything ends in order; a second one ends the process at once. A
port that cannot be had is one sentence, not a traceback. Neighbours: `http` serves on one.
"""

import asyncio
import gc
import os
import resource
import signal
import socket
from collections.abc import Awaitable, Callable

import uvloop

from headrace.core.errors import HeadraceError

SECOND_SIGNAL_EXIT = 130
COLLECT_AFTER_OBJECTS = 50_000
"""Made and not yet freed, before garbage is looked for. Frames and parts live for seconds and are in no cycle: with
Python's own 700 an edge would look at each of them several times, for a tenth of its time; and a thousand requests that
wait are as many objects, and none of them is a cycle."""


class CannotStart(HeadraceError):
    """Something that this process needs is not to be had; the message is for the person who started it."""

    code = "cannot_start"


def run_until_signalled(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `main(stopping)` on uvloop; `stopping` is set by the first signal. Errors of `main` pass through.

    The process may have as many files open as the system lets it: each connection is one.
    """
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    gc.collect()
    gc.freeze()  # what has been imported stays: no collection need walk through it
    gc.set_threshold(COLLECT_AFTER_OBJECTS)

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

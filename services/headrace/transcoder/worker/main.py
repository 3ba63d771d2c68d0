"""The worker's main thread: from the pipe to the line, and whatever happens back to the pipe.

Law: it says when all is loaded, and waits for its run as long as its pipe is there. It reads the pipe no faster than
the work goes. Any failure is told upward, if that still works, and ends the process at once; a pipe that ends means
that nobody wants the work any more. Neighbours: `pool` keeps it until it has a run, `work` holds the other end then.
"""

import os
import socket
import sys
import threading
import traceback
from contextlib import suppress
from typing import NoReturn

from headrace.core.media import Frame
from headrace.transcoder.pipe import Begin, Counted, Done, Failed, Flush, Message, PipeBroken, Ready, WorkerEnd
from headrace.transcoder.worker.line import Line
from headrace.transcoder.worker.threads import Crew


class Outbox:
    """The pipe upward, for all threads."""

    def __init__(self, pipe: WorkerEnd) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """One message; waits while the supervisor does not read."""
        with self._lock:
            self._pipe.send(message)

    def count(self, what: str) -> None:
        """Something was lost that a metric counts."""
        self.send(Counted(what, 1))

    def fail(self, error: BaseException) -> NoReturn:
        """The end of this process, whether or not anybody can be told."""
        try:
            with suppress(OSError):
                traceback.print_exception(error)
                sys.stderr.flush()
            with suppress(OSError):
                self.send(Failed(f"{type(error).__name__}: {error}"))
        finally:
            os._exit(1)  # without it only this thread would end, and those that wait for it never


def main(fd: int) -> None:
    """Work on the run that comes over socket `fd`, if one does."""
    pipe = WorkerEnd(socket.socket(fileno=fd))
    outbox = Outbox(pipe)
    try:
        if (begin := _wait(pipe)) is not None:
            _work(begin, pipe, outbox)
    except BaseException as error:
        outbox.fail(error)
    # Threads may still be at work for a supervisor that is gone; codecs that are spent need no tidying.
    os._exit(0)


def _wait(pipe: WorkerEnd) -> Begin | None:
    """What to work on; None when nothing is to be done any more. Raises PipeBroken."""
    try:
        pipe.send(Ready())
        begin = pipe.receive()
    except ConnectionError:
        return None
    if not isinstance(begin, Begin | None):
        raise PipeBroken("the first message is no Begin")
    return begin


def _work(begin: Begin, pipe: WorkerEnd, outbox: Outbox) -> None:
    line = Line(begin, Crew(outbox.fail), outbox.send, outbox.count)
    while isinstance(message := pipe.receive(), Frame):
        line.feed(message)
    if isinstance(message, Flush):
        line.finish()
        outbox.send(Done())

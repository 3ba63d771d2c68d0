"""The worker's process: started, listened to, and ended for sure.

Law: the child gets one socket and nothing else of ours, no setting and no secret; it is in a session of its own, so a
terminal's Ctrl-C reaches only us; and nothing that it does or prints can hold this process up. It is started by
`subprocess`, whose vfork copies nothing of a large parent and wakes none of gRPC's fork handlers.
Neighbours: `work` owns one for each run.
"""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from headrace.runtime.config import child_environment
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.transcoder.supervisor_end import SupervisorEnd

WORKER_COMMAND = (sys.executable, "-m", "headrace.transcoder.worker")
_STDERR_BYTES = 4096  # of one log line

_log = logger(__name__)


class WorkerProcess:
    """A running worker and our end of its pipe."""

    def __init__(self, process: "subprocess.Popen[bytes]", pipe: SupervisorEnd, run: str) -> None:
        self.pipe = pipe
        self._process = process
        self._run = run
        self._say = RateLimited(_log, "worker")

    @classmethod
    async def start(cls, run: str, max_bytes: int, command: Sequence[str] = WORKER_COMMAND) -> "WorkerProcess":
        """Start a worker for `run`; at most `max_bytes` wait for it to read. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = _spawn([*command, str(theirs.fileno())], theirs.fileno())
            except OSError:
                ours.close()
                raise
        return cls(process, await SupervisorEnd.over(ours, max_bytes), run)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def log_stderr(self) -> None:
        """What it prints goes to our log, at most a line a second, until it closes its end."""
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, self._stderr)
        try:
            while text := await reader.read(_STDERR_BYTES):
                self._say({"run": self._run, "said": text.decode(errors="replace").strip()})
        finally:
            transport.close()

    async def end(self, grace_s: float) -> str:
        """Close the pipe, give it `grace_s` to go, then kill it. Returns how it ended."""
        self.pipe.close()
        try:
            code = await asyncio.to_thread(self._process.wait, grace_s)
        except subprocess.TimeoutExpired:
            self.kill()
            await asyncio.to_thread(self._process.wait)
            return "it had to be killed"
        except asyncio.CancelledError:
            self.kill()
            raise
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    def kill(self) -> None:
        """End it now."""
        with suppress(ProcessLookupError):
            self._process.kill()

    @property
    def _stderr(self) -> IO[bytes]:
        assert self._process.stderr is not None
        return self._process.stderr


def _spawn(command: Sequence[str], fd: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(fd,),
        env=child_environment(),
        start_new_session=True,
    )

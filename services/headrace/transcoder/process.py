"""The worker's process: started, listened to, and ended for sure.

Law: the child gets one socket and nothing else of ours, no setting and no secret; it is in a session of its own, so a
terminal's Ctrl-C reaches only us; and nothing that it does, prints or leaves undone can hold this process up. It is
started by `subprocess`, whose vfork copies nothing of a large parent and wakes none of gRPC's fork handlers; its end is
an event of the loop, so that however many do not stop share one grace.
Neighbours: `pool` starts them, `work` owns one for each run.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.config import child_environment
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.transcoder import metrics
from headrace.transcoder.supervisor_end import SupervisorEnd

WORKER_COMMAND = (sys.executable, "-m", "headrace.transcoder.worker")
GOODBYE_S = 1.0  # for a process whose pipe is closed
_STDERR_BYTES = 4096  # of one log line
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_log = logger(__name__)


class WorkerProcess:
    """A running worker and our end of its pipe. `run` is what it works on, "" before it has any.

    `about` is what else is known of that, for the lines that it prints.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", pipe: SupervisorEnd, started_s: float) -> None:
        self.pipe = pipe
        self.run = ""
        self.about: Mapping[str, object] = {}
        self.ready = False
        self._process = process
        self._started_s = started_s
        self._say = RateLimited(_log, "worker")

    @classmethod
    async def start(cls, max_bytes: int, command: Sequence[str] = WORKER_COMMAND) -> "WorkerProcess":
        """Start a worker; at most `max_bytes` wait for it to read. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                pipe = await SupervisorEnd.over(ours, max_bytes)
            except BaseException:
                ours.close()
                raise
            started_s = monotonic_s()
            try:
                process = _spawn([*command, str(theirs.fileno())], theirs.fileno())
            except OSError:
                pipe.close()
                raise
        return cls(process, pipe, started_s)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended. One that has is reaped, and what it used is counted."""
        if self._process.returncode is None:
            # What wait4 says of memory begins with the size of the parent, so only the time is of use.
            ended, status, used = os.wait4(self.pid, os.WNOHANG)
            if ended:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                metrics.WORKER_CPU.inc(used.ru_utime + used.ru_stime)
        return self._process.returncode is None

    @property
    def resident_bytes(self) -> int:
        """Its memory, with what it shares with other processes; 0 when it has ended."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE_BYTES if self.alive else 0

    def now_ready(self) -> None:
        """It said that it has loaded everything."""
        if not self.ready:
            self.ready = True
            metrics.WORKER_START.observe(monotonic_s() - self._started_s)

    async def log_stderr(self) -> None:
        """What it prints goes to our log, at most a line a second, until it closes its end."""
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, self._stderr)
        try:
            while text := await reader.read(_STDERR_BYTES):
                said = text.decode(errors="replace").strip()
                self._say({"run": self.run, **self.about, "worker": self.pid, "said": said})
        finally:
            transport.close()

    async def end(self, grace_s: float = GOODBYE_S) -> str:
        """Close the pipe, give it `grace_s` to go, then kill it. Returns how it ended."""
        self.pipe.close()
        try:
            async with asyncio.timeout(grace_s):
                await self._gone()
        except (TimeoutError, asyncio.CancelledError) as over:
            self.kill()
            await self._gone()
            if isinstance(over, TimeoutError):
                return "it had to be killed"
            raise
        code = self._process.returncode
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    def kill(self) -> None:
        """End it now."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)

    async def _gone(self) -> None:
        if not self.alive:
            return
        gone = asyncio.Event()
        loop, process = asyncio.get_running_loop(), os.pidfd_open(self.pid)
        loop.add_reader(process, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(process)
            os.close(process)
        assert not self.alive

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

"""The transcoder's child processes: what they load, what they are given, and how they end."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from headrace.transcoder import capacity
from headrace.transcoder.capacity import measured
from headrace.transcoder.pipe import Ready, WorkerEnd
from headrace.transcoder.process import WORKER_COMMAND, WorkerProcess
from tests.support.stack import eventually

LOADED = "import sys, headrace.transcoder.worker.main; print({'av', 'asyncio', 'ssl'} & {*sys.modules})"
SHOW = "import os, sys; sys.stderr.write(str([name in os.environ for name in ('PATH', 'HEADRACE_API_KEY')]))"


def test_a_worker_loads_ffmpeg_and_no_event_loop() -> None:
    assert subprocess.check_output([sys.executable, "-c", LOADED], text=True) == "{'av'}\n"


async def test_a_worker_is_told_no_secret(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("HEADRACE_API_KEY", "a secret of the API")
    worker = await WorkerProcess.start(1 << 20, (sys.executable, "-c", SHOW))
    async with asyncio.timeout(10):
        await worker.log_stderr()
        await worker.end()
    said = "".join(getattr(record, "said", "") for record in caplog.records)
    assert said == "[True, False]"


@asynccontextmanager
async def sleeper() -> AsyncIterator[WorkerProcess]:
    """A worker that never stops, and is listened to."""
    worker = await WorkerProcess.start(1 << 20, (sys.executable, "-c", "import time; time.sleep(600)"))
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(worker.log_stderr())
        yield worker
    assert not exists(worker)


def exists(worker: WorkerProcess) -> bool:
    return Path(f"/proc/{worker.pid}").exists()


@pytest.mark.parametrize("stopped", [False, True])
async def test_a_worker_that_does_not_stop_is_killed_after_its_grace(stopped: bool) -> None:
    async with sleeper() as worker:
        if stopped:
            os.kill(worker.pid, signal.SIGSTOP)
        assert await worker.end(0.2) == "it had to be killed"
        assert not exists(worker)


async def test_whoever_waits_for_a_workers_end_and_is_cancelled_leaves_none() -> None:
    async with sleeper() as worker:
        async with asyncio.TaskGroup() as group:
            ending = group.create_task(worker.end(600))
            await asyncio.sleep(0)
            ending.cancel()
        assert not exists(worker)


SUPERVISOR = """
import asyncio
from headrace.transcoder.process import WorkerProcess

async def main():
    worker = await WorkerProcess.start(1 << 20)
    await worker.pipe.receive()
    print(worker.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_a_worker_that_is_stuck_does_not_outlive_its_supervisor() -> None:
    with subprocess.Popen([sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        supervisor.kill()
    eventually("the worker is gone", lambda: not runs(pid), 10)


def runs(pid: int) -> bool:
    """Whether it does, and is not only waiting to be reaped by whoever inherited it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_worker_that_nobody_wants_any_more_says_nothing_and_goes() -> None:
    ours, theirs = socket.socketpair()
    command = [*WORKER_COMMAND, str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE) as process:
        theirs.close()
        assert WorkerEnd(ours).receive() == Ready()
        ours.close()
        assert process.communicate(timeout=20)[1] == b""
    assert process.returncode == 0


async def test_a_stop_does_not_wait_for_the_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = tmp_path / "started"
    hangs = f"import pathlib, time; pathlib.Path({str(started)!r}).touch(); time.sleep(60)"
    monkeypatch.setattr(capacity, "MEASURE_COMMAND", (sys.executable, "-c", hangs))

    async def measuring() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(measured(tmp_path / "capacity.json"))
            while not started.exists():  # noqa: ASYNC110  # another process makes it
                await asyncio.sleep(0.02)
            task.cancel()

    def run() -> None:
        asyncio.run(measuring())  # its end waits for the threads that it began

    async with asyncio.timeout(10):
        await asyncio.to_thread(run)


@pytest.mark.parametrize("script", ["import sys; sys.exit(1)", "print('much')", "import time; time.sleep(60)"])
async def test_what_cannot_be_measured_is_unknown(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "MEASURE_COMMAND", (sys.executable, "-c", script))
    monkeypatch.setattr(capacity, "MEASURE_TIMEOUT_S", 1.0)
    assert await measured(None) == 0

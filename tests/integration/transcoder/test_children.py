"""The transcoder's child processes: what they load, what they are given, and how they end."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.transcoder import capacity
from headrace.transcoder.capacity import measured
from headrace.transcoder.process import WorkerProcess

LOADED = "import sys, headrace.transcoder.worker.main; print({'av', 'asyncio', 'ssl'} & {*sys.modules})"
SHOW = "import os, sys; sys.stderr.write(str([name in os.environ for name in ('PATH', 'HEADRACE_API_KEY')]))"


def test_a_worker_loads_ffmpeg_and_no_event_loop() -> None:
    assert subprocess.check_output([sys.executable, "-c", LOADED], text=True) == "{'av'}\n"


async def test_a_worker_is_told_no_secret(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("HEADRACE_API_KEY", "a secret of the API")
    worker = await WorkerProcess.start("r1", 1 << 20, (sys.executable, "-c", SHOW))
    async with asyncio.timeout(10):
        await worker.log_stderr()
        await worker.end(5)
    said = "".join(getattr(record, "said", "") for record in caplog.records)
    assert said == "[True, False]"


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

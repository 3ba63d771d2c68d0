"""What a transcoder says of itself, over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from headrace.core.broadcast import RunId
from headrace.transcoder.capacity import Capacity
from headrace.transcoder.report import Reporter
from headrace.transcoder.settings import TranscoderSettings
from headrace.transcoder.supervisor import Supervisor
from headrace.wire.channel import listen, make_server
from headrace.wire.control import PodKind, PodReport, add_fleet
from headrace.wire.replicas import Replicas


@dataclass
class Working:
    """A supervisor, as a report sees it."""

    draining: bool = False
    runs: tuple[RunId, ...] = (RunId("r"),)


async def test_a_transcoder_asks_for_work_while_it_stays_and_its_log_answers(tmp_path: Path) -> None:
    heard: asyncio.Queue[PodReport] = asyncio.Queue()

    async def fleet(reports: AsyncIterator[PodReport]) -> None:
        async for report in reports:
            heard.put_nowait(report)

    server = make_server()
    add_fleet(server, fleet)
    target = listen(server, f"unix:{tmp_path}/c")
    await server.start()
    supervisor, log_answers = Working(), True
    settings = TranscoderSettings(capacity_pixels_s=10**9, pod="t-0", zone="z", transcoder_advertise="10.0.0.1:7071")

    async def said(*, ready: bool) -> PodReport:
        async with asyncio.timeout(10):
            while (report := await heard.get()).ready is not ready:
                pass
        return report

    async with Replicas(target) as replicas, asyncio.TaskGroup() as group:
        reporter = Reporter(
            settings, "0.0.0.0:7071", Capacity(10**9), cast(Supervisor, supervisor), replicas, lambda: log_answers
        )
        running = group.create_task(reporter.run())
        report = await said(ready=True)
        assert (report.pod, report.kind, report.zone, report.target) == (
            "t-0",
            PodKind.TRANSCODER,
            "z",
            "10.0.0.1:7071",
        )
        assert (report.capacity, report.used, report.runs) == (10**9, 0, (RunId("r"),))
        log_answers = False
        await said(ready=False)
        log_answers = True
        await said(ready=True)
        supervisor.draining = True
        await said(ready=False)
        running.cancel()
    await server.stop(0)

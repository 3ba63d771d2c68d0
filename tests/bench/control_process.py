"""The replica that `bench-control` measures: the real service, over PostgreSQL and Redis, in a process of its own, with
a fleet in its memory.

As many transcoders as its argument says report to it, from inside: each once a second, with nothing to do, as an idle
fleet does. Everything else comes over gRPC.
"""

import asyncio
import sys

from headrace.control.fleet import Fleet
from headrace.control.service import ControlSettings, build
from headrace.runtime.lifecycle import run_until_signalled
from headrace.runtime.telemetry import logs
from headrace.runtime.telemetry.settings import LogFormatSettings
from headrace.wire.control import PodReport

CAPACITY_PIXELS_S = 4_000_000_000
ZONES = 3
STEP_S = 0.02  # so that no report waits for a thousand others


async def main(stopping: asyncio.Event) -> None:
    """Serve until signalled."""
    logs.configure(settings=LogFormatSettings(log_level="warning"))
    control = build(ControlSettings())  # type: ignore[call-arg]  # from the environment
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(control.run()), group.create_task(report(control._fleet, int(sys.argv[1])))]
        await stopping.wait()
        control.stop()
        await tasks[0]
        tasks[1].cancel()


async def report(fleet: Fleet, pods: int) -> None:
    """Every pod's report, once a second, in turns."""
    reports = [
        PodReport(f"t{i:05}", f"ipv4:127.0.0.1:{i}", "1.0", True, CAPACITY_PIXELS_S, 0, (), zone=f"z{i % ZONES}")
        for i in range(pods)
    ]
    turns = round(1 / STEP_S)
    while True:
        for turn in range(turns):
            for one in reports[turn::turns]:
                fleet.report(one)
            await asyncio.sleep(STEP_S)


if __name__ == "__main__":
    run_until_signalled(main)

"""The report: once a second control hears what this pod is and what it does.

Law: a pod that does not know its capacity yet says that it is small, and as an idle one it is given its first run all
the same. Control that is not there is no trouble: it hears when it is back.
Neighbours: `capacity` and `supervisor` know what is said.
"""

import asyncio
from collections.abc import AsyncIterator
from importlib.metadata import version

from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.transcoder.capacity import Capacity, measured
from headrace.transcoder.settings import TranscoderSettings
from headrace.transcoder.supervisor import Supervisor
from headrace.wire.control import FleetClient, PodReport
from headrace.wire.errors import CallLost

REPORT_PERIOD_S = 1.0
STARTING = 3  # failures that are no news: control may start together with this process

_unheard = RateLimited(logger(__name__), "control does not hear this transcoder")


class Reporter:
    """Reports for as long as it runs. `target` is where Ingest is served."""

    def __init__(
        self, settings: TranscoderSettings, target: str, capacity: Capacity, supervisor: Supervisor, fleet: FleetClient
    ) -> None:
        self._settings = settings
        self._target = settings.transcoder_advertise or target
        self._capacity = capacity
        self._supervisor = supervisor
        self._fleet = fleet
        self._version = version("headrace")

    async def run(self) -> None:
        """Measure if need be, then report until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._report())
            if not self._settings.capacity_pixels_s:
                self._capacity.know(await measured(self._settings.capacity_file))

    async def _report(self) -> None:
        failures = 0
        while True:
            try:
                await self._fleet.report(self._reports())
            except CallLost as lost:
                failures += 1
                if failures > STARTING:
                    _unheard({"why": str(lost)})
                await asyncio.sleep(REPORT_PERIOD_S)

    async def _reports(self) -> AsyncIterator[PodReport]:
        while True:
            yield PodReport(
                pod=self._settings.pod,
                target=self._target,
                version=self._version,
                ready=not self._supervisor.draining,
                capacity=self._capacity.total,
                used=self._capacity.used,
                runs=self._supervisor.runs,
            )
            await asyncio.sleep(REPORT_PERIOD_S)
